"""In EAS an attestation is valid if it exists. Here a status says why a record counts, or that it does not. That
somebody was committed to something says less than that it stands: the status is asked besides."""

from __future__ import annotations

import pytest

from tests.findings.conftest import ALICE, BOB, DATA, domain, run_reproducing
from tests.model.eip712 import record_commitment
from tests.model.registry import CANCELLED, RECORDED, REPRODUCED, RETRACTED, REVIEWED, UNKNOWN

pytestmark = pytest.mark.evm

CLEAN, FOREIGN, INCOMPLETE, LINEAGE_RETRACTED = range(4)


def test_a_status_has_a_reason(registry) -> None:
    record = domain(registry).record_id(DATA)

    def status() -> int:
        return registry.read("statusOf", record)[2]

    assert status() == UNKNOWN
    registry.send(ALICE.address, "cancel", DATA)
    assert status() == CANCELLED
    assert not registry.read("isParent", DATA, bytes(32), 1)
    registry.send(ALICE.address, "record", DATA)
    assert status() == RECORDED
    registry.send(ALICE.address, "retract", DATA, bytes(32))
    assert status() == RETRACTED


def test_a_commitment_is_no_record(registry) -> None:
    """A seal and a batch say since when, and nothing else, whatever became of the record since."""
    record, salt = domain(registry).record_id(DATA), b"\x5a" * 32
    commitment, start = record_commitment(record, salt), registry.chain.now
    registry.send(ALICE.address, "seal", 1, commitment)
    root, _ = registry.send(ALICE.address, "anchorLeaves", 1, [record])

    def said() -> tuple[int, int, int]:
        """By the status, by the seal, by the batch."""
        sealed_at = registry.read("sealedAt", 1, ALICE.address, commitment)
        batched_at, _ = registry.read("batchedAt", 1, ALICE.address, record, root, ())
        return registry.read("statusOf", record)[2], sealed_at, batched_at

    assert said() == (UNKNOWN, start, start)
    assert registry.read("lineageStatus", (DATA,), ()) == (INCOMPLETE, record)
    registry.send(ALICE.address, "cancel", DATA)
    assert said() == (CANCELLED, start, start)
    registry.send(ALICE.address, "reveal", DATA, salt)
    assert said() == (RECORDED, start, start)
    assert registry.read("lineageStatus", (DATA,), ()) == (CLEAN, bytes(32))
    registry.send(ALICE.address, "retract", DATA, bytes(32))
    assert said() == (RETRACTED, start, start)
    assert registry.read("lineageStatus", (DATA,), ()) == (LINEAGE_RETRACTED, record)


def test_a_record_that_stands_on_a_retracted_one(registry) -> None:
    """Its own status says nothing of its parents: that is `lineageStatus`."""
    parent, _ = registry.send(ALICE.address, "record", DATA)
    child = DATA._replace(kind=2, parents=((parent, 1),))
    child_id, _ = registry.send(ALICE.address, "record", child)
    registry.send(ALICE.address, "retract", DATA, bytes(32))
    assert registry.read("statusOf", child_id)[2] == RECORDED
    assert registry.read("lineageStatus", (DATA, child), (0,)) == (LINEAGE_RETRACTED, parent)
    assert registry.read("lineageStatus", (child,), (1,)) == (INCOMPLETE, child_id)


def test_a_verdict_on_a_retracted_record_and_on_none(registry) -> None:
    """A verdict stands when its record falls, and one on a foreign record was given without seeing it."""
    record, _ = registry.send(ALICE.address, "record", DATA)
    run = run_reproducing(record)
    registry.send(BOB.address, "record", run)
    registry.send(BOB.address, "attestWithEvidence", 2, record, REPRODUCED, run)
    registry.send(ALICE.address, "retract", DATA, bytes(32))
    assert registry.read("verdictOf", 2, record)[0] == REPRODUCED
    assert registry.read("statusOf", record)[2] == RETRACTED
    nowhere = (1, "0x" + "ab" * 20, b"\x66" * 32)
    registry.send(BOB.address, "attestForeign", 2, nowhere, REVIEWED)
    assert registry.read("foreignVerdictOf", 2, nowhere)[0] == REVIEWED
    assert registry.read("statusOf", nowhere[2])[2] == UNKNOWN
