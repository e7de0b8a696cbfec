"""An invitation that was used, or that a later change has overtaken, lets nobody in again."""

from __future__ import annotations

import pytest

from tests.findings.conftest import ALICE, BOB, CAROL, domain, refusal
from tests.model.eip712 import Invitation
from tests.model.registry import MAINTAINER, NO_END, RECORDER

pytestmark = pytest.mark.evm


def invite(registry, roles=RECORDER, version=0, account=CAROL, inviter=ALICE):
    invitation = Invitation(1, inviter.address, account.address, roles, NO_END, 1, version, NO_END)
    return invitation, inviter.sign(domain(registry).invitation(invitation))


@pytest.mark.parametrize("by", [ALICE, CAROL])
def test_after_removal_and_after_leaving(registry, by) -> None:
    used, never_used = invite(registry), invite(registry, version=1)
    registry.send(CAROL.address, "joinBySig", *used)
    registry.send(by.address, "removeMember", 1, CAROL.address)
    for (invitation, signature), version in ((used, 0), (never_used, 1)):
        met = refusal(lambda given=(invitation, signature): registry.send(CAROL.address, "joinBySig", *given))
        assert met == ("StaleInvitation", (CAROL.address, version, 2))
    registry.send(CAROL.address, "joinBySig", *invite(registry, version=2))


def test_after_a_membership_ended_by_itself(registry) -> None:
    until = registry.chain.now + 10
    invitation = Invitation(1, ALICE.address, CAROL.address, RECORDER, until, 1, 0, NO_END)
    signature = ALICE.sign(domain(registry).invitation(invitation))
    registry.send(CAROL.address, "joinBySig", invitation, signature)
    registry.chain.now = until
    met = refusal(lambda: registry.send(CAROL.address, "joinBySig", invitation, signature))
    assert met == ("MembershipEnded", (until,))
    met = refusal(lambda: registry.send(CAROL.address, "joinBySig", *invite(registry)))
    assert met == ("StaleInvitation", (CAROL.address, 0, 1))


def test_of_an_inviter_who_may_not_invite_any_more(registry) -> None:
    """The right is the one at the time of joining."""
    until = registry.chain.now + 10
    bob = Invitation(1, ALICE.address, BOB.address, MAINTAINER, until, 1, 0, NO_END)
    registry.send(BOB.address, "joinBySig", bob, ALICE.sign(domain(registry).invitation(bob)))
    invitation = invite(registry, inviter=BOB)
    registry.chain.now = until
    met = refusal(lambda: registry.send(CAROL.address, "joinBySig", *invitation))
    assert met == ("NotAllowedToManage", (1, CAROL.address, BOB.address))
