"""An invitation held again when its inviter was removed and added anew, or gave the group away and got it back: only
the right of the moment was asked for. It names the inviter's membership version now."""

from __future__ import annotations

import pytest

from tests.findings.conftest import ALICE, BOB, CAROL, MALLORY, domain, join, refusal
from tests.model.eip712 import Invitation
from tests.model.registry import MAINTAINER, NO_END, RECORDER

pytestmark = pytest.mark.evm


def version_of(registry, account) -> int:
    return registry.read("membershipOf", 1, account.address)[3]


def accepted(registry, inviter, *, by: str):
    """Carol's acceptance of what the inviter offers her now; it can be tried at any time."""
    versions = (version_of(registry, member) for member in (inviter, CAROL))
    invitation = Invitation(1, inviter.address, CAROL.address, RECORDER, NO_END, *versions, NO_END)
    if by == "joinBySig":
        given = (invitation, inviter.sign(domain(registry).invitation(invitation)))
    else:
        registry.send(inviter.address, "invite", invitation)
        given = (invitation,)
    return lambda: registry.send(CAROL.address, by, *given)


@pytest.mark.parametrize("by", ["joinBySig", "join"])
@pytest.mark.parametrize("remover", [ALICE, BOB])
def test_a_maintainer_removed_and_added_again(registry, by, remover) -> None:
    join(registry, BOB, MAINTAINER)
    use = accepted(registry, BOB, by=by)
    registry.send(remover.address, "removeMember", 1, BOB.address)
    assert refusal(use) == ("StaleInvitation", (BOB.address, 1, 2))
    join(registry, BOB, MAINTAINER)
    assert refusal(use) == ("StaleInvitation", (BOB.address, 1, 3))
    accepted(registry, BOB, by=by)()


@pytest.mark.parametrize("by", ["joinBySig", "join"])
def test_a_group_given_away_and_got_back(registry, by) -> None:
    """The owner before has no membership of its own any more that would tell."""
    use = accepted(registry, ALICE, by=by)
    for giver, taker in ((ALICE, MALLORY), (MALLORY, ALICE)):
        registry.send(giver.address, "transferGroup", 1, taker.address)
        registry.send(taker.address, "acceptGroup", 1)
        assert refusal(use) == ("StaleInvitation", (ALICE.address, 1, 2))
    assert version_of(registry, MALLORY) == 1
    assert registry.read("membershipOf", 1, MALLORY.address)[:3] == (0, 0, 0), "who owned it is no member by that"
    accepted(registry, ALICE, by=by)()


@pytest.mark.parametrize("by", ["joinBySig", "join"])
def test_an_owner_takes_all_of_them_back(registry, by) -> None:
    """As an owner without membership, too: the version grows, and the group stays the owner's."""
    use = accepted(registry, ALICE, by=by)
    for version in (2, 3):
        registry.send(ALICE.address, "removeMember", 1, ALICE.address)
        assert refusal(use) == ("StaleInvitation", (ALICE.address, 1, version))
    accepted(registry, ALICE, by=by)()
