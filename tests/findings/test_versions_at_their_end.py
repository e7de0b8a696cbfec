"""Versions have 32 bits, and a contract that repeats a change gets to the last one for 2e13 gas: days of a fast
private chain. The version of a verdict then began anew, so that a used signature was good again; a member at the last
version could be removed by nobody, and an owner there could not hand the group over."""

from __future__ import annotations

import pytest

from tests.findings.conftest import ALICE, BOB, DATA, MALLORY, domain, refusal, run_reproducing
from tests.findings.test_a_chain_that_takes_another_id import place
from tests.model.eip712 import Invitation
from tests.model.registry import ALL_ROLES, DISPUTED, NO_END, REPRODUCED

pytestmark = pytest.mark.evm

LAST = 2**32 - 1
OVERFLOW = ("Panic", (0x11,))


def membership(group: int, account: str) -> int:
    return place("_memberships", bytes([group]) + bytes.fromhex(account[2:]))


def verdict(group: int, record: bytes) -> int:
    return place("_attestations", record, bytes([group]))


def test_a_used_signature_is_never_good_again(registry) -> None:
    record, _ = registry.send(ALICE.address, "record", DATA)
    signature = BOB.sign(domain(registry).attestation_authorization(2, BOB.address, record, 4, bytes(32), 0, NO_END))
    call = (MALLORY.address, "attestBySig", 2, BOB.address, record, DISPUTED, NO_END, signature)
    registry.send(*call)
    registry.store(verdict(2, record), LAST << 224)
    registry.send(BOB.address, "withdraw", 2, record)
    assert registry.read("verdictOf", 2, record) == (0, 0, 0, 0, LAST)
    assert refusal(lambda: registry.send(*call))[0] == "InvalidSignature"
    assert refusal(lambda: registry.send(BOB.address, "attest", 2, record, DISPUTED)) == OVERFLOW


def test_the_last_verdict_falls_with_its_evidence(registry) -> None:
    """A retraction is never refused for it."""
    record, _ = registry.send(ALICE.address, "record", DATA)
    run = run_reproducing(record)
    registry.send(BOB.address, "record", run)
    registry.store(verdict(2, record), (LAST - 1) << 224)
    registry.send(BOB.address, "attestWithEvidence", 2, record, REPRODUCED, run)
    registry.send(BOB.address, "retract", run, bytes(32))
    assert registry.read("verdictOf", 2, record) == (0, 0, 0, 0, LAST)
    assert registry.read("statusOf", record)[8] == 0


def test_a_member_at_the_last_version_can_be_removed(registry) -> None:
    registry.store(membership(1, MALLORY.address), (LAST - 1) << 112)
    last = Invitation(1, ALICE.address, MALLORY.address, ALL_ROLES, NO_END, 1, LAST - 1, NO_END)
    registry.send(MALLORY.address, "joinBySig", last, ALICE.sign(domain(registry).invitation(last)))
    registry.send(ALICE.address, "removeMember", 1, MALLORY.address)
    own = DATA._replace(author=MALLORY.address)
    assert refusal(lambda: registry.send(MALLORY.address, "record", own))[0] == "MissingRole"
    # and an invitation for the last version, which nothing could end, is none
    more = last._replace(version=LAST)
    met = refusal(
        lambda: registry.send(MALLORY.address, "joinBySig", more, ALICE.sign(domain(registry).invitation(more)))
    )
    assert met == ("StaleInvitation", (MALLORY.address, LAST, LAST))


def test_an_owner_at_the_last_version_hands_the_group_over_and_invites_nobody(registry) -> None:
    registry.store(membership(1, ALICE.address), LAST << 112)
    offer = Invitation(1, ALICE.address, MALLORY.address, ALL_ROLES, NO_END, LAST, 0, NO_END)
    assert refusal(lambda: registry.send(ALICE.address, "invite", offer))[0] == "StaleInvitation"
    registry.send(ALICE.address, "transferGroup", 1, BOB.address)
    registry.send(BOB.address, "acceptGroup", 1)
    assert registry.read("groupOf", 1)[0] == BOB.address
    assert registry.read("membershipOf", 1, ALICE.address)[3] == LAST
