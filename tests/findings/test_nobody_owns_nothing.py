"""A group that does not exist has owner zero and no member. Zero must not pass for an owner who invites, and a registry
that was given up must leave its groups as they are."""

from __future__ import annotations

import pytest

from tests.findings.conftest import ALICE, BOB, CAROL, DATA, MALLORY, domain, refusal
from tests.model.eip712 import Invitation
from tests.model.registry import ALL_ROLES, MAINTAINER, NO_END, NOBODY, RECORDER, Signature

pytestmark = pytest.mark.evm


@pytest.mark.parametrize("group", [0, 3, 2**32 - 1])
@pytest.mark.parametrize("raw", [b"", bytes(65), bytes(64) + b"\x1b", b"\1" * 65])
def test_zero_invites_nobody(registry, group, raw) -> None:
    invitation = Invitation(group, NOBODY, MALLORY.address, ALL_ROLES, NO_END, 0, 0, NO_END)
    met = refusal(lambda: registry.send(MALLORY.address, "joinBySig", invitation, Signature(raw, plain=False)))
    assert met == ("InvalidSignature", (NOBODY,))


def test_a_group_can_not_be_taken_over_before_it_exists(registry) -> None:
    """A group's future number can be named, and nothing done with it."""
    early = Invitation(3, MALLORY.address, MALLORY.address, ALL_ROLES, NO_END, 0, 0, NO_END)
    signature = MALLORY.sign(domain(registry).invitation(early))
    assert refusal(lambda: registry.send(MALLORY.address, "joinBySig", early, signature))[0] == "NotAllowedToManage"
    for function, *more in (("transferGroup", MALLORY.address), ("acceptGroup",), ("describeGroup", bytes(32))):
        assert refusal(lambda call=(function, 3, *more): registry.send(MALLORY.address, *call))[0].startswith("Not")


def test_a_closed_registry_is_handed_over_and_never_given_up(chain) -> None:
    """Without an owner nobody could ever create a group in it again."""
    registry = chain.deploy("LabRegistry", CAROL.address, False)
    for lab in (ALICE, BOB):
        group, _ = registry.send(CAROL.address, "createGroup", 0, bytes(32))
        registry.send(CAROL.address, "transferGroup", group, lab.address)
        registry.send(lab.address, "acceptGroup", group)
    registry.send(CAROL.address, "transferOwnership", MALLORY.address)
    assert refusal(lambda: registry.send(CAROL.address, "renounceOwnership")) == ("OwnerNeeded", ())
    for anyone in (MALLORY, ALICE):
        met = refusal(lambda by=anyone: registry.send(by.address, "createGroup", 0, bytes(32)))
        assert met == ("GroupCreationRestricted", (anyone.address,))
    registry.send(MALLORY.address, "acceptOwnership")
    assert registry.send(MALLORY.address, "createGroup", 0, bytes(32))[0] == 3
    # who created the group has no say in it after handing it over
    stale = Invitation(1, CAROL.address, CAROL.address, ALL_ROLES, NO_END, 1, 1, NO_END)
    met = refusal(
        lambda: registry.send(CAROL.address, "joinBySig", stale, CAROL.sign(domain(registry).invitation(stale)))
    )
    assert met[0] == "NotAllowedToManage"
    own = Invitation(1, ALICE.address, ALICE.address, RECORDER, NO_END, 0, 0, NO_END)
    registry.send(ALICE.address, "joinBySig", own, ALICE.sign(domain(registry).invitation(own)))
    registry.send(ALICE.address, "record", DATA)


def test_joining_leaving_and_joining_in_one_block(registry) -> None:
    """Time stands still here: each change counts at once, and none twice."""
    first, again = (Invitation(1, ALICE.address, MALLORY.address, RECORDER, NO_END, 1, v, NO_END) for v in (0, 2))
    own = DATA._replace(author=MALLORY.address)
    registry.send(MALLORY.address, "joinBySig", first, ALICE.sign(domain(registry).invitation(first)))
    registry.send(MALLORY.address, "record", own)
    registry.send(MALLORY.address, "removeMember", 1, MALLORY.address)
    other = own._replace(kind=2)
    met = refusal(lambda: registry.send(MALLORY.address, "record", other))
    assert met == ("MissingRole", (1, MALLORY.address, RECORDER))
    met = refusal(lambda: registry.send(MALLORY.address, "retract", own, bytes(32)))
    assert met == ("MissingRole", (1, MALLORY.address, MAINTAINER | RECORDER))
    registry.send(MALLORY.address, "joinBySig", again, ALICE.sign(domain(registry).invitation(again)))
    registry.send(MALLORY.address, "retract", own, bytes(32))
    now = registry.chain.now
    assert registry.read("membershipOf", 1, MALLORY.address) == (RECORDER, now, NO_END, 3)
