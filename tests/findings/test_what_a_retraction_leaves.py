"""A record and the verdicts on it have a status each (docs/contracts.md): what a retraction takes, and what stays."""

from __future__ import annotations

import pytest

from tests.findings.conftest import ALICE, BOB, DATA, refusal, run_reproducing
from tests.model.registry import DISPUTED, NOT_REPRODUCED, REPRODUCED, RETRACTED

pytestmark = pytest.mark.evm


@pytest.fixture
def reproduced(registry):
    """Alice's record, and Bob's Run that reproduces it."""
    record, _ = registry.send(ALICE.address, "record", DATA)
    run = run_reproducing(record)
    registry.chain.tick()
    registry.send(BOB.address, "record", run)
    return record, run


@pytest.mark.parametrize("verdict", [REPRODUCED, NOT_REPRODUCED])
def test_a_retracted_record_is_still_judged_and_stays_retracted(registry, reproduced, verdict) -> None:
    record, run = reproduced
    registry.send(ALICE.address, "retract", DATA, bytes(32))
    before = registry.read("statusOf", record)
    registry.send(BOB.address, "attestWithEvidence", 2, record, verdict, run)
    after = registry.read("statusOf", record)
    assert after[:7] == before[:7]
    assert after[2] == RETRACTED
    assert sum(after[7:]) == 1
    assert registry.read("verdictOf", 2, record)[0] == verdict


def test_a_verdict_outlives_the_record_it_is_on(registry, reproduced) -> None:
    record, run = reproduced
    registry.send(BOB.address, "attestWithEvidence", 2, record, REPRODUCED, run)
    said = registry.read("verdictOf", 2, record)
    registry.send(ALICE.address, "retract", DATA, bytes(32))
    assert registry.read("verdictOf", 2, record) == said
    assert registry.read("statusOf", record)[7:] == (0, 1, 0, 0)


@pytest.mark.parametrize(("verdict", "left"), [(REPRODUCED, 0), (NOT_REPRODUCED, 0), (DISPUTED, DISPUTED)])
def test_only_what_needs_evidence_falls_with_it(registry, reproduced, verdict, left) -> None:
    record, run = reproduced
    registry.send(BOB.address, "attestWithEvidence", 2, record, verdict, run)
    evidence = registry.read("verdictOf", 2, record)[1]
    assert evidence
    registry.send(BOB.address, "retract", run, bytes(32))
    assert registry.read("verdictOf", 2, record)[:2] == (left, evidence if left else 0)
    assert sum(registry.read("statusOf", record)[7:]) == (1 if left else 0)
    # whoever reads the evidence sees that it is gone, and nobody can name it again
    assert registry.read("statusOf", registry.read("idOf", run))[2] == RETRACTED
    assert refusal(lambda: registry.send(BOB.address, "attestWithEvidence", 2, record, verdict, run))[0] == (
        "EvidenceUnusable"
    )
