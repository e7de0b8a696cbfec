"""Replay protection keyed on signature bytes falls to the malleable twin (r, n - s). Here what is signed is the key,
and the twin is refused besides, as are the 64 bytes of EIP-2098: one authorisation has one form."""

from __future__ import annotations

import pytest

from tests.findings.conftest import ALICE, BOB, CAROL, DATA, domain, refusal
from tests.model.eip712 import Invitation
from tests.model.registry import NO_END, RECORDER
from tests.support.actors import FORGERIES, malleable_twin

pytestmark = pytest.mark.evm


@pytest.mark.parametrize("form", FORGERIES)
def test_no_other_form_is_accepted_before_or_after(registry, form) -> None:
    signature = ALICE.sign(domain(registry).record_authorization(DATA, NO_END))
    refused = refusal(lambda: registry.send(BOB.address, "recordBySig", DATA, NO_END, form(signature)))
    assert refused == ("InvalidSignature", (ALICE.address,))
    registry.send(BOB.address, "recordBySig", DATA, NO_END, signature)
    name, _ = refusal(lambda: registry.send(BOB.address, "recordBySig", DATA, NO_END, form(signature)))
    assert name == "RecordExists"


def test_the_twin_of_a_used_invitation_does_not_let_a_removed_member_back(registry) -> None:
    invitation = Invitation(1, ALICE.address, CAROL.address, RECORDER, NO_END, 1, 0, NO_END)
    signature = ALICE.sign(domain(registry).invitation(invitation))
    registry.send(CAROL.address, "joinBySig", invitation, signature)
    registry.send(ALICE.address, "removeMember", 1, CAROL.address)
    for form, error in ((signature, "StaleInvitation"), (malleable_twin(signature), "InvalidSignature")):
        name, _ = refusal(lambda given=form: registry.send(CAROL.address, "joinBySig", invitation, given))
        assert name == error
