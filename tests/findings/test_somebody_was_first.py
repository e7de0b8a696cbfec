"""EAS's multiTimestamp reverts whole when anyone has stamped one of its hashes first. Here nobody's seal, root or
record stands in another's way, and who stores one of an author's records does the author's work."""

from __future__ import annotations

import pytest

from tests.findings.conftest import ALICE, BOB, CAROL, DATA, MALLORY, domain, join, refusal, run_reproducing
from tests.model import merkle
from tests.model.eip712 import record_commitment, verdict_commitment
from tests.model.registry import ALL_ROLES, NO_END, RECORDER, REPRODUCED

pytestmark = pytest.mark.evm

SALT = b"\x5a" * 32
KEYS = tuple(DATA._replace(subject=bytes([index]) * 32) for index in range(1, 5))


def ids_of(registry, keys=KEYS) -> list[bytes]:
    return sorted(domain(registry).record_id(key) for key in keys)


@pytest.mark.parametrize("theirs", [1, 2])
def test_a_root_or_a_commitment_that_somebody_else_had_first(registry, theirs) -> None:
    """Somebody of the same group, or of another one."""
    join(registry, CAROL, ALL_ROLES, group=theirs, inviter=ALICE if theirs == 1 else BOB)
    ids, start = ids_of(registry), registry.chain.now
    root = merkle.root(ids)
    registry.send(CAROL.address, "anchor", theirs, root, 4, bytes(32))
    registry.send(CAROL.address, "seal", theirs, root)
    registry.chain.now += 100
    registry.send(ALICE.address, "anchorLeaves", 1, ids)
    registry.send(ALICE.address, "seal", 1, root)
    assert registry.read("batchOf", 1, ALICE.address, root) == (start + 100, 4, True, 0)
    assert registry.read("batchOf", theirs, CAROL.address, root) == (start, 4, False, 0)
    assert registry.read("sealedAt", 1, ALICE.address, root) == start + 100
    assert registry.read("sealedAt", theirs, CAROL.address, root) == start


def test_the_same_author_in_two_groups(registry) -> None:
    join(registry, ALICE, ALL_ROLES, group=2, inviter=BOB)
    ids, start = ids_of(registry), registry.chain.now
    for index, group in enumerate((2, 1)):
        registry.chain.now = start + index
        root, _ = registry.send(ALICE.address, "anchorLeaves", group, ids)
        registry.send(ALICE.address, "seal", group, root)
    assert [registry.read("batchOf", group, ALICE.address, root)[0] - start for group in (1, 2)] == [1, 0]
    assert [registry.read("sealedAt", group, ALICE.address, root) - start for group in (1, 2)] == [1, 0]


def test_a_stranger_materializes_one_of_many(registry) -> None:
    """The others can still be recorded in one transaction, materialized, relayed and revealed."""
    ids, start = ids_of(registry), registry.chain.now
    root, _ = registry.send(ALICE.address, "anchorLeaves", 1, ids)
    one, two, three, four = (domain(registry).record_id(key) for key in KEYS)
    registry.send(ALICE.address, "seal", 1, record_commitment(four, SALT))
    registry.chain.now += 100
    registry.send(MALLORY.address, "materialize", KEYS[0], root, merkle.proof(ids, ids.index(one)))

    returned, events = registry.send(ALICE.address, "recordMany", KEYS[:2])
    assert returned == (one, two)
    assert [event.arguments[2] for event in events] == [two]
    registry.send(ALICE.address, "materialize", KEYS[2], root, merkle.proof(ids, ids.index(three)))
    registry.send(ALICE.address, "reveal", KEYS[3], SALT)
    # recordedAt and sealedAt
    times = [registry.read("statusOf", record)[4:7:2] for record in (one, two, three, four)]
    assert times == [(start, 0), (start + 100, 0), (start, 0), (start + 100, start)]


@pytest.mark.parametrize("way", ["relayed", "materialized"])
def test_sealed_evidence_that_somebody_stored_first(registry, way) -> None:
    """The verdict is revealed all the same, with its seal; the evidence keeps the time that it got."""
    record, _ = registry.send(ALICE.address, "record", DATA)
    run = run_reproducing(record)
    run_id, start = domain(registry).record_id(run), registry.chain.now
    registry.send(BOB.address, "seal", 2, verdict_commitment(2, BOB.address, record, REPRODUCED, run_id, SALT))
    if way == "relayed":
        signature = BOB.sign(domain(registry).record_authorization(run, NO_END))
        registry.send(MALLORY.address, "recordBySig", run, NO_END, signature)
    else:
        root, _ = registry.send(BOB.address, "anchorLeaves", 2, [run_id])
        registry.send(MALLORY.address, "materialize", run, root, ())
    registry.chain.now += 100
    _, events = registry.send(BOB.address, "revealVerdictWithEvidence", 2, record, REPRODUCED, run, SALT)
    assert [event.name for event in events] == ["Attested", "VerdictRevealed"]
    assert registry.read("verdictOf", 2, record)[2:4] == (start + 100, start)
    assert registry.read("statusOf", run_id)[4:7] == (start, 0, 0)


def test_nobody_is_first_without_the_author(registry) -> None:
    """Those who see the keys can't store them: neither by their own call, nor by their own batch or seal."""
    join(registry, CAROL, RECORDER)
    ids = ids_of(registry)
    root, _ = registry.send(CAROL.address, "anchorLeaves", 1, ids)
    path = merkle.proof(ids, ids.index(domain(registry).record_id(DATA)))
    registry.send(CAROL.address, "seal", 1, record_commitment(domain(registry).record_id(DATA), SALT))
    signature = CAROL.sign(domain(registry).record_authorization(DATA, NO_END))
    for call, error in (
        (("record", DATA), "NotAuthor"),
        (("recordMany", KEYS), "NotAuthor"),
        (("recordBySig", DATA, NO_END, signature), "InvalidSignature"),
        (("materialize", DATA, root, path), "UnknownBatch"),
        (("reveal", DATA, SALT), "NotAuthor"),
        (("cancel", DATA), "MissingRole"),
    ):
        assert refusal(lambda call=call: registry.send(CAROL.address, *call))[0] == error
