"""Groups, owners, members: what works, what is refused and with which values, what is emitted."""

from __future__ import annotations

import ape
import pytest

from blockchaintracer.core.record import NO_END, Role
from tests.node.contracts.conftest import ALL_ROLES, lower, time_of

NOBODY = "0x" + "00" * 20


def test_create(lab, registry, carol):
    receipt = registry.createGroup(Role.RECORDER, b"\7" * 32, sender=carol)
    now = time_of(receipt)
    assert lab.events(receipt) == [
        ("GroupCreated", (3, lower(carol), b"\7" * 32)),
        ("MembershipChanged", (3, lower(carol), lower(carol), Role.RECORDER, now, NO_END, 1)),
    ]
    assert registry.lastGroup() == 3
    assert tuple(registry.groupOf(3)) == (carol.address, NOBODY, now)
    assert tuple(registry.membershipOf(3, carol)) == (Role.RECORDER, now, NO_END, 1)


def test_create_without_roles(lab, registry, carol):
    receipt = registry.createGroup(0, bytes(32), sender=carol)
    assert [event.name for event in lab.events(receipt)] == ["GroupCreated"]
    assert tuple(registry.membershipOf(3, carol)) == (0, 0, 0, 0)


def test_create_returns_the_number(registry, carol):
    assert registry.createGroup.call(bytes(32), 0, sender=carol) == 3


@pytest.mark.parametrize("roles", [8, 15, 2**32 - 1])
def test_create_with_roles_that_do_not_exist(lab, registry, carol, roles):
    with lab.refuses("InvalidRoles", roles=roles):
        registry.createGroup(roles, bytes(32), sender=carol)


def test_describe(lab, registry, alice, mallory):
    assert lab.events(registry.describeGroup(1, b"\6" * 32, sender=alice)) == [("GroupDescribed", (1, b"\6" * 32))]
    with lab.refuses("NotGroupOwner", group=1, caller=mallory.address):
        registry.describeGroup(1, bytes(32), sender=mallory)
    with lab.refuses("NotGroupOwner", group=9, caller=alice.address):
        registry.describeGroup(9, bytes(32), sender=alice)


def test_transfer_in_two_steps(lab, registry, alice, carol, mallory):
    receipt = registry.transferGroup(1, carol, sender=alice)
    assert lab.events(receipt) == [("GroupTransferStarted", (1, lower(alice), lower(carol)))]
    assert tuple(registry.groupOf(1))[:2] == (alice.address, carol.address)
    with lab.refuses("NotPendingGroupOwner", group=1, caller=mallory.address):
        registry.acceptGroup(1, sender=mallory)
    receipt = registry.acceptGroup(1, sender=carol)
    kept = registry.membershipOf(1, alice)
    assert (kept.roles, kept.until, kept.version) == (ALL_ROLES, NO_END, 2), "only what it had invited to has ended"
    assert lab.events(receipt) == [
        ("GroupTransferred", (1, lower(alice), lower(carol))),
        ("MembershipChanged", (1, lower(carol), lower(alice), *kept)),
    ]
    assert tuple(registry.groupOf(1))[:2] == (carol.address, NOBODY)
    with lab.refuses("NotGroupOwner", group=1, caller=alice.address):
        registry.transferGroup(1, alice, sender=alice)


def test_an_offer_can_be_taken_back(lab, registry, alice, carol):
    registry.transferGroup(1, carol, sender=alice)
    registry.transferGroup(1, NOBODY, sender=alice)
    with lab.refuses("NotPendingGroupOwner", group=1, caller=carol.address):
        registry.acceptGroup(1, sender=carol)


def test_an_unknown_group(registry):
    assert tuple(registry.groupOf(3)) == (NOBODY, NOBODY, 0)


def test_join(lab, registry, alice, carol):
    receipt = lab.join(1, carol, Role.RECORDER, alice, until=NO_END - 1)
    now = time_of(receipt)
    joined = (1, lower(alice), lower(carol), Role.RECORDER, now, NO_END - 1, 1)
    assert lab.events(receipt) == [("MembershipChanged", joined)]
    assert tuple(registry.membershipOf(1, carol)) == (Role.RECORDER, now, NO_END - 1, 1)


def test_join_again_replaces_the_roles(lab, registry, alice, carol):
    lab.join(1, carol, ALL_ROLES, alice)
    lab.join(1, carol, Role.REVIEWER, alice, version=1)
    assert registry.membershipOf(1, carol).roles == Role.REVIEWER
    assert registry.membershipOf(1, carol).version == 2


def test_join_for_another(lab, registry, alice, carol, mallory):
    invitation, signature = lab.invitation(1, carol, Role.RECORDER, alice)
    with lab.refuses("NotInvited", account=carol.address, caller=mallory.address):
        registry.joinBySig(invitation, signature, sender=mallory)


def test_join_what_has_ended(lab, alice, carol):
    ended = ape.chain.pending_timestamp
    with lab.refuses("MembershipEnded", until=ended):
        lab.join(1, carol, Role.RECORDER, alice, until=ended)


def test_join_after_the_deadline(lab, alice, carol):
    passed = ape.chain.pending_timestamp - 1
    with lab.refuses("SignatureExpired", deadline=passed):
        lab.join(1, carol, Role.RECORDER, alice, deadline=passed)


def test_join_with_roles_that_were_not_offered(lab, registry, alice, carol):
    invitation, signature = lab.invitation(1, carol, Role.RECORDER, alice)
    more = (*invitation[:3], int(ALL_ROLES), *invitation[4:])
    with lab.refuses("InvalidSignature", signer=alice.address):
        registry.joinBySig(more, signature, sender=carol)


@pytest.mark.parametrize("version", [0, 2])
def test_join_with_a_stale_invitation(lab, alice, carol, version):
    lab.join(1, carol, Role.RECORDER, alice)
    with lab.refuses("StaleInvitation", account=carol.address, version=version, current=1):
        lab.join(1, carol, Role.RECORDER, alice, version=version)


def test_join_at_the_invitation_of_a_stranger(lab, carol, bob):
    with lab.refuses("NotAllowedToManage", group=1, account=carol.address, by=bob.address):
        lab.join(1, carol, Role.RECORDER, bob)


@pytest.mark.parametrize("roles", [0, 8])
def test_join_without_roles(lab, alice, carol, roles):
    with lab.refuses("InvalidRoles", roles=roles):
        lab.join(1, carol, roles, alice)


def test_a_maintainer_gives_the_other_roles_only(lab, registry, alice, carol, mallory):
    lab.join(1, carol, Role.MAINTAINER, alice)
    lab.join(1, mallory, Role.RECORDER | Role.REVIEWER, carol)
    with lab.refuses("NotAllowedToManage", group=1, account=mallory.address, by=carol.address):
        lab.join(1, mallory, Role.MAINTAINER, carol, version=1)
    registry.removeMember(1, mallory, sender=carol)
    with lab.refuses("NotAllowedToManage", group=1, account=alice.address, by=carol.address):
        registry.removeMember(1, alice, sender=carol)


def test_a_maintainer_does_not_replace_a_maintainer(lab, alice, carol, mallory):
    lab.join(1, carol, Role.MAINTAINER, alice)
    lab.join(1, mallory, Role.MAINTAINER, alice)
    with lab.refuses("NotAllowedToManage", group=1, account=mallory.address, by=carol.address):
        lab.join(1, mallory, Role.RECORDER, carol, version=1)


def test_remove(lab, registry, alice, carol, mallory):
    since = time_of(lab.join(1, carol, Role.RECORDER, alice))
    with lab.refuses("NotAllowedToManage", group=1, account=carol.address, by=mallory.address):
        registry.removeMember(1, carol, sender=mallory)
    receipt = registry.removeMember(1, carol, sender=alice)
    now = time_of(receipt)
    ended = (1, lower(alice), lower(carol), Role.RECORDER, since, now, 2)
    assert lab.events(receipt) == [("MembershipChanged", ended)]
    assert tuple(registry.membershipOf(1, carol)) == (Role.RECORDER, since, now, 2), "kept, with its end"
    registry.removeMember(1, carol, sender=alice)
    assert tuple(registry.membershipOf(1, carol)) == (Role.RECORDER, since, now, 3), "what has ended keeps its end"


def test_leave(lab, registry, alice, carol):
    lab.join(1, carol, Role.RECORDER, alice)
    registry.removeMember(1, carol, sender=carol)
    with lab.refuses("MissingRole", group=1, account=carol.address, role=Role.RECORDER):
        lab.record(carol)


def test_a_membership_ends_by_itself(lab, alice, carol):
    until = ape.chain.pending_timestamp + 1000
    lab.join(1, carol, Role.RECORDER, alice, until=until)
    lab.record(carol)
    ape.chain.pending_timestamp = until
    with lab.refuses("MissingRole", group=1, account=carol.address, role=Role.RECORDER):
        lab.record(carol, subject=2)
