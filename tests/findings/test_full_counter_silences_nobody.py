"""Where everybody creates groups, one contract can create four million and fill a record's counter, for about 80,000
gas each: on a rollup, an affair of a few ether or less. A full counter must keep no honest group from its verdict."""

from __future__ import annotations

import pytest

from tests.findings.conftest import ALICE, BOB, DATA, run_reproducing
from tests.model.eip712 import keccak
from tests.model.registry import REVIEWED
from tests.support.artifacts import artifact

pytestmark = pytest.mark.evm

FULL = 2**22 - 1


@pytest.mark.parametrize("verdict", [1, 2, 3, 4])
def test_a_verdict_is_stored_when_its_counter_is_full(registry, verdict) -> None:
    record, _ = registry.send(ALICE.address, "record", DATA)
    run = run_reproducing(record)
    registry.send(BOB.address, "record", run)
    slot = int.from_bytes(keccak(record + artifact("LabRegistry").slots["_records"].to_bytes(32, "big")))
    full = registry.load(slot) | FULL << 168 + 22 * (verdict - 1)
    registry.store(slot, full)
    registry.send(BOB.address, "attestWithEvidence", 2, record, verdict, run)
    assert registry.read("verdictOf", 2, record)[0] == verdict
    assert registry.load(slot) == full, "it stays at its largest and touches no neighbour"
    registry.send(BOB.address, "withdraw", 2, record)
    assert registry.read("verdictOf", 2, record)[0] == 0
    assert registry.load(slot) == full, "how many there were beyond it is not known"


def test_changing_a_verdict_leaves_a_full_counter(registry) -> None:
    record, _ = registry.send(ALICE.address, "record", DATA)
    slot = int.from_bytes(keccak(record + artifact("LabRegistry").slots["_records"].to_bytes(32, "big")))
    registry.store(slot, registry.load(slot) | FULL << 168)
    registry.send(BOB.address, "attest", 2, record, REVIEWED)
    registry.send(BOB.address, "attest", 2, record, 4)
    assert registry.read("statusOf", record)[-4:] == (FULL, 0, 0, 1)
