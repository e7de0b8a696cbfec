"""In Sign Protocol a revocation destroyed the time of what it revoked. Here a retracted record keeps its own."""

from __future__ import annotations

from tests.findings.conftest import ALICE, BOB, DATA, run_reproducing


def test_a_retracted_record_still_says_when_it_was_made(registry) -> None:
    made = registry.chain.now
    record, _ = registry.send(ALICE.address, "record", DATA)
    registry.chain.now += 1000
    run = run_reproducing(record)
    registry.send(BOB.address, "record", run)
    registry.send(BOB.address, "attest", record, 2, 2, run)
    registry.chain.now += 1000
    registry.send(ALICE.address, "retract", DATA, bytes(32))
    # status, kind, flags, group, recordedAt, retractedAt, sealedAt and the four counts
    assert registry.read("statusOf", record) == (3, 1, 0, 1, made, made + 2000, 0, 0, 1, 0, 0)
    assert registry.read("isParent", run, record, 8)
