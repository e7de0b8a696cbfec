"""Each word of storage holds what its type says, bit by bit, which proofs and other readers of storage rest on; and
two rules that no other test in process holds."""

from __future__ import annotations

import pytest
from eth_hash.auto import keccak

from tests.findings.conftest import ALICE, BOB, DATA, refusal
from tests.findings.test_a_chain_that_takes_another_id import place
from tests.model.eip712 import verdict_commitment
from tests.model.registry import NOT_REPRODUCED, REPRODUCED
from tests.support.artifacts import artifact
from tests.support.market import Market

pytestmark = pytest.mark.evm

ROOT, SALT = b"\x5b" * 32, b"\x5a" * 32
COUNT = 5


def test_a_batch(registry) -> None:
    word = place("_batches", bytes([1]) + bytes.fromhex(ALICE.address[2:]), ROOT)
    anchored = registry.chain.now
    registry.send(ALICE.address, "anchor", 1, ROOT, COUNT, SALT)
    assert registry.load(word) == anchored | COUNT << 40
    registry.chain.now = ended = anchored + 1
    registry.send(ALICE.address, "endBatch", 1, ALICE.address, ROOT)
    assert registry.load(word) == anchored | COUNT << 40 | ended << 96


@pytest.mark.parametrize("later", [0, 1])
def test_an_entry_in_a_bounty(later: int) -> None:
    market = Market()
    bounty = market.funded()
    market.chain.now += later
    sealed = market.chain.now
    work = market.work()
    market.enter(bounty, work)
    at = artifact("ReplicationBounty").slots["_entries"].to_bytes(32, "big")
    for key in (market.id_of(bounty), bytes([2])):
        at = keccak(key.rjust(32, b"\0") + at)
    words = [market.bounty.load(int.from_bytes(at, "big") + place) for place in (0, 1)]
    described = int(BOB.address, 16) | sealed << 160
    assert sorted(words) == sorted([described, int.from_bytes(work.commitment, "big")])
    market.chain.now = bounty.entry_until + 1
    market.reveal(work)
    market.chain.now = bounty.verdict_until + 1
    market.claim(bounty, work)
    words = [market.bounty.load(int.from_bytes(at, "big") + place) for place in (0, 1)]
    assert described | 1 << 200 in words
    assert market.bounty.read("entryOf", market.id_of(bounty), 2) == (BOB.address, work.commitment, sealed, True)


def test_a_smaller_parent_with_a_greater_relation_comes_too_late(registry) -> None:
    parents = sorted(registry.send(ALICE.address, "record", DATA._replace(kind=kind))[0] for kind in (1, 2))
    ascending = ((parents[0], 7), (parents[1], 1))
    child = DATA._replace(kind=2, subject=b"\7" * 32, parents=ascending[::-1])
    assert refusal(lambda: registry.send(ALICE.address, "record", child)) == ("ParentsNotAscending", (1,))
    registry.send(ALICE.address, "record", child._replace(parents=ascending))


@pytest.mark.parametrize("verdict", [REPRODUCED, NOT_REPRODUCED])
def test_a_sealed_finding_needs_evidence(registry, verdict: int) -> None:
    record, _ = registry.send(ALICE.address, "record", DATA)
    sealed = verdict_commitment(2, BOB.address, record, verdict, bytes(32), SALT)
    registry.send(BOB.address, "seal", 2, sealed)
    met = refusal(lambda: registry.send(BOB.address, "revealVerdict", 2, record, verdict, SALT))
    assert met == ("EvidenceRequired", (verdict,))
