"""A group whose owner is a contract without ERC-1271 could invite nobody: an invitation was a signature. Its inviter
can send it instead."""

from __future__ import annotations

import pytest

from tests.findings.conftest import ALICE, BOB, CAROL, DATA, MALLORY, refusal
from tests.model.eip712 import INVITATION_TYPE, Invitation, struct
from tests.model.registry import ALL_ROLES, MAINTAINER, NO_END, NOBODY, RECORDER, Event

pytestmark = pytest.mark.evm

OFFER = Invitation(3, NOBODY, CAROL.address, RECORDER, NO_END, 0, 0, NO_END)


@pytest.fixture
def owner(registry):
    """A contract that answers no question of ERC-1271; it owns group 3 and is not a member of it."""
    contract = registry.chain.deploy("HostileWallet")
    contract.send(MALLORY.address, "set", 0, NOBODY, b"")
    acts(registry, contract, "createGroup", 0, bytes(32))
    return contract


def acts(registry, contract, function, *arguments) -> None:
    contract.send(BOB.address, "execute", registry.address, registry.interface.encode_call(function, *arguments))


def test_it_invites_by_a_transaction(registry, owner) -> None:
    offer = OFFER._replace(inviter=owner.address, until=registry.chain.now + 100, deadline=registry.chain.now)
    signed = refusal(lambda: registry.send(CAROL.address, "joinBySig", offer, CAROL.sign(bytes(32))))
    assert signed == ("InvalidSignature", (owner.address,))
    acts(registry, owner, "invite", offer)
    _, events = registry.send(CAROL.address, "join", offer)
    changed = (3, owner.address, CAROL.address, RECORDER, registry.chain.now, offer.until, 1)
    assert events == [Event("MembershipChanged", changed)]
    registry.send(CAROL.address, "record", DATA._replace(group=3, author=CAROL.address))
    registry.send(CAROL.address, "removeMember", 3, CAROL.address)
    assert refusal(lambda: registry.send(CAROL.address, "join", offer)) == ("StaleInvitation", (CAROL.address, 0, 2))


def test_what_it_offered_is_what_is_accepted(registry, owner) -> None:
    """Each field is what its inviter sent, and the account is who accepts."""
    offer = OFFER._replace(inviter=owner.address)
    acts(registry, owner, "invite", offer)
    for field, value in (
        ("group", 1),
        ("inviter", ALICE.address),
        ("account", MALLORY.address),
        ("roles", ALL_ROLES),
        ("until", NO_END - 1),
        ("inviter_version", 1),
        ("version", 1),
        ("deadline", NO_END - 1),
    ):
        other = offer._replace(**{field: value})
        met = refusal(lambda given=other: registry.send(MALLORY.address, "join", given))
        assert met == ("UnknownInvitation", (struct(INVITATION_TYPE, *other),))
    met = refusal(lambda: registry.send(MALLORY.address, "join", offer))
    assert met == ("NotInvited", (CAROL.address, MALLORY.address))


@pytest.mark.parametrize("ended", [CAROL.address, None])
def test_it_is_taken_back_by_a_change_of_either_version(registry, owner, ended) -> None:
    offer = OFFER._replace(inviter=owner.address)
    acts(registry, owner, "invite", offer)
    acts(registry, owner, "removeMember", 3, ended or owner.address)
    met = refusal(lambda: registry.send(CAROL.address, "join", offer))
    assert met == ("StaleInvitation", (ended or owner.address, 0, 1))


def test_it_ends_with_its_deadline(registry) -> None:
    offer = OFFER._replace(group=1, inviter=ALICE.address, inviter_version=1, deadline=registry.chain.now + 10)
    registry.send(ALICE.address, "invite", offer)
    registry.chain.now += 11
    for by, function in ((CAROL, "join"), (ALICE, "invite")):
        met = refusal(lambda by=by, function=function: registry.send(by.address, function, offer))
        assert met == ("InvitationExpired", (offer.deadline, registry.chain.now))


def test_only_who_may_give_the_roles_now(registry) -> None:
    """No stranger writes anything, into a group that doesn't exist least of all."""
    for group in (0, 1, 3, 2**32 - 1):
        for inviter, version in ((MALLORY, 0), (BOB, 0)):
            offer = Invitation(group, inviter.address, CAROL.address, RECORDER, NO_END, version, 0, NO_END)
            met = refusal(lambda by=inviter, given=offer: registry.send(by.address, "invite", given))
            assert met == ("NotAllowedToManage", (group, CAROL.address, inviter.address))
        in_name_of_none = OFFER._replace(group=group)
        met = refusal(lambda given=in_name_of_none: registry.send(MALLORY.address, "invite", given))
        assert met == ("NotInviter", (NOBODY, MALLORY.address))
    offer = Invitation(1, ALICE.address, BOB.address, MAINTAINER, NO_END, 1, 0, NO_END)
    registry.send(ALICE.address, "invite", offer)
    registry.send(BOB.address, "join", offer)
    beyond = Invitation(1, BOB.address, CAROL.address, MAINTAINER, NO_END, 1, 0, NO_END)
    met = refusal(lambda: registry.send(BOB.address, "invite", beyond))
    assert met == ("NotAllowedToManage", (1, CAROL.address, BOB.address))
    within = beyond._replace(roles=RECORDER)
    registry.send(BOB.address, "invite", within)
    registry.send(CAROL.address, "join", within)


@pytest.mark.parametrize("roles", [0, 8, 9, 2**32 - 1])
def test_roles_that_do_not_exist(registry, roles) -> None:
    offer = OFFER._replace(group=1, inviter=ALICE.address, inviter_version=1, roles=roles)
    assert refusal(lambda: registry.send(ALICE.address, "invite", offer)) == ("InvalidRoles", (roles,))
