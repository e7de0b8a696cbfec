"""An invitation that nobody has accepted yet could be taken back by nobody: the version it names moves only with a
membership, and somebody invited for the first time has none. Who manages a membership can make its version move."""

from __future__ import annotations

import pytest

from tests.findings.conftest import ALICE, BOB, CAROL, MALLORY, domain, refusal
from tests.model.eip712 import Invitation
from tests.model.registry import MAINTAINER, NO_END, RECORDER
from tests.support.actors import Actor

pytestmark = pytest.mark.evm


def invite(registry, account: Actor, roles: int, version: int = 0, until: int = NO_END):
    invitation = Invitation(1, ALICE.address, account.address, roles, until, 1, version, NO_END)
    return invitation, ALICE.sign(domain(registry).invitation(invitation))


def test_before_the_first_membership(registry) -> None:
    regretted = invite(registry, MALLORY, MAINTAINER)
    registry.send(ALICE.address, "removeMember", 1, MALLORY.address)
    met = refusal(lambda: registry.send(MALLORY.address, "joinBySig", *regretted))
    assert met == ("StaleInvitation", (MALLORY.address, 0, 1))
    assert registry.read("membershipOf", 1, MALLORY.address)[0] == 0
    registry.send(MALLORY.address, "joinBySig", *invite(registry, MALLORY, RECORDER, version=1))


def test_after_a_membership_that_ended_by_itself(registry) -> None:
    until = registry.chain.now + 10
    registry.send(MALLORY.address, "joinBySig", *invite(registry, MALLORY, RECORDER, until=until))
    regretted = invite(registry, MALLORY, MAINTAINER, version=1)
    registry.chain.now = until + 100
    registry.send(ALICE.address, "removeMember", 1, MALLORY.address)
    assert registry.read("membershipOf", 1, MALLORY.address)[2] == until, "what has ended keeps its end"
    met = refusal(lambda: registry.send(MALLORY.address, "joinBySig", *regretted))
    assert met == ("StaleInvitation", (MALLORY.address, 1, 2))


@pytest.mark.parametrize("stranger", [BOB, CAROL])
def test_only_by_who_manages_it(registry, stranger) -> None:
    standing = invite(registry, MALLORY, RECORDER)
    met = refusal(lambda: registry.send(stranger.address, "removeMember", 1, MALLORY.address))
    assert met == ("NotAllowedToManage", (1, MALLORY.address, stranger.address))
    registry.send(MALLORY.address, "joinBySig", *standing)
