"""A RECORDER who may not review could take back a group's verdict by retracting a Run that merely names the record.
Only the Run that the verdict stands on takes it along."""

from __future__ import annotations

import pytest

from tests.findings.conftest import ALICE, BOB, CAROL, DATA, domain, refusal, run_reproducing
from tests.model.eip712 import Invitation
from tests.model.registry import NO_END, RECORDER, REVIEWER

pytestmark = pytest.mark.evm


@pytest.fixture
def record(registry) -> bytes:
    """Alice's record; Carol is a RECORDER of Bob's group and nothing else."""
    invitation = Invitation(2, BOB.address, CAROL.address, RECORDER, NO_END, 1, 0, NO_END)
    registry.send(CAROL.address, "joinBySig", invitation, BOB.sign(domain(registry).invitation(invitation)))
    return registry.send(ALICE.address, "record", DATA)[0]


@pytest.mark.parametrize("verdict", [2, 3])
def test_a_run_that_was_never_evidence(registry, record, verdict) -> None:
    evidence, own = run_reproducing(record), run_reproducing(record, author=CAROL)
    for run, author in ((evidence, BOB), (own, CAROL)):
        registry.send(author.address, "record", run)
    registry.send(BOB.address, "attestWithEvidence", 2, record, verdict, evidence)
    standing = registry.read("verdictOf", 2, record)
    refused = refusal(lambda: registry.send(CAROL.address, "withdraw", 2, record))
    assert refused == ("MissingRole", (2, CAROL.address, REVIEWER))
    _, events = registry.send(CAROL.address, "retract", own, bytes(32))
    assert [event.name for event in events] == ["Retracted"]
    assert registry.read("verdictOf", 2, record) == standing


def test_a_run_that_is_evidence_no_more(registry, record) -> None:
    first, second = run_reproducing(record), run_reproducing(record, subject=2)
    for run in (first, second):
        registry.send(BOB.address, "record", run)
        registry.send(BOB.address, "attestWithEvidence", 2, record, 2, run)
    registry.send(BOB.address, "retract", first, bytes(32))
    assert registry.read("verdictOf", 2, record)[0] == 2
    registry.send(BOB.address, "retract", second, bytes(32))
    assert registry.read("verdictOf", 2, record)[0] == 0


def test_a_run_that_is_evidence_for_another_record(registry, record) -> None:
    other, _ = registry.send(ALICE.address, "record", DATA._replace(subject=b"\7" * 32))
    both, own = run_reproducing(record, other), run_reproducing(other, subject=2)
    for run in (both, own):
        registry.send(BOB.address, "record", run)
    registry.send(BOB.address, "attestWithEvidence", 2, record, 2, both)
    registry.send(BOB.address, "attestWithEvidence", 2, other, 3, own)
    registry.send(BOB.address, "retract", both, bytes(32))
    assert registry.read("verdictOf", 2, record)[0] == 0
    assert registry.read("verdictOf", 2, other)[0] == 3


def test_an_opinion_does_not_fall_with_a_run(registry, record) -> None:
    run = run_reproducing(record)
    registry.send(BOB.address, "record", run)
    registry.send(BOB.address, "attestWithEvidence", 2, record, 4, run)
    registry.send(BOB.address, "retract", run, bytes(32))
    assert registry.read("verdictOf", 2, record)[0] == 4
