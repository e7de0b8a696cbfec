"""This registry can't see another: a verdict on a record elsewhere must never count here, stand on a Reference to
something else, or outlive its evidence."""

from __future__ import annotations

from hashlib import sha256

import pytest

from tests.findings.conftest import ALICE, BOB, DATA, MALLORY, domain, refusal, run_reproducing
from tests.model.eip712 import Key
from tests.model.registry import (
    EVIDENCE_RETRACTED as RETRACTED,
)
from tests.model.registry import NOT_A_RUN, NOT_LINKED, NOT_RECORDED, OTHER_GROUP, REPRODUCED, REVIEWED, REVIEWER

pytestmark = pytest.mark.evm

ELSEWHERE = "0x" + "ab" * 20


def subject_of(foreign: tuple[int, str, bytes]) -> bytes:
    """What a Reference to a foreign record has for its subject."""
    chain_id, registry, record = foreign
    return sha256(f"eip155:{chain_id}:{registry}/0x{record.hex()}".encode()).digest()


def reference_to(foreign: tuple[int, str, bytes], author=BOB, group: int = 2) -> Key:
    return Key(group, author.address, 4, subject_of(foreign), 10, b"\5" * 32)


@pytest.fixture
def foreign(registry) -> tuple[int, str, bytes]:
    """On another chain, with the id of a record that is stored here."""
    record, _ = registry.send(ALICE.address, "record", DATA)
    return 1, ELSEWHERE, record


@pytest.fixture
def evidence(registry, foreign) -> tuple[Key, Key]:
    reference, _ = registry.send(BOB.address, "record", reference_to(foreign))
    run = run_reproducing(reference)
    registry.send(BOB.address, "record", run)
    return reference_to(foreign), run


def test_it_counts_nowhere_here(registry, foreign, evidence) -> None:
    """Also where the id is that of a record of this registry."""
    given = (("attestForeignWithEvidence", REPRODUCED, evidence), ("attestForeign", REVIEWED, ()))
    for index, (function, verdict, shown) in enumerate(given, 1):
        before = registry.read("statusOf", foreign[2]), registry.read("verdictOf", 2, foreign[2])
        registry.send(BOB.address, function, 2, foreign, verdict, *shown)
        assert (registry.read("statusOf", foreign[2]), registry.read("verdictOf", 2, foreign[2])) == before
        assert registry.read("foreignVerdictOf", 2, foreign)[::3] == (verdict, index)
    assert registry.read("statusOf", domain(registry).record_id(evidence[0]))[-4:] == (0, 0, 0, 0)


def test_each_foreign_record_has_its_own(registry, foreign) -> None:
    chain_id, contract, record = foreign
    registry.send(BOB.address, "attestForeign", 2, foreign, REVIEWED)
    others = (
        (chain_id + 1, contract, record),
        (chain_id, "0x" + "ac" * 20, record),
        (chain_id, contract, b"\x66" * 32),
        # its own address on another chain, and another registry on its own
        (chain_id, registry.address, record),
        (registry.chain.chain_id, contract, record),
    )
    assert [registry.read("foreignVerdictOf", 2, other)[0] for other in others] == [0] * len(others)
    assert registry.read("foreignVerdictOf", 1, foreign)[0] == 0
    for other in others:
        registry.send(BOB.address, "attestForeign", 2, other, REVIEWED)
    here = (registry.chain.chain_id, registry.address, record)
    met = refusal(lambda: registry.send(BOB.address, "attestForeign", 2, here, REVIEWED))
    assert met == ("NotForeign", (record,))


def test_a_reference_to_something_else(registry, foreign, evidence) -> None:
    """One digit, one chain, one registry off; or the right text in a record that is no Reference to it."""
    chain_id, contract, record = foreign
    wrong = [
        reference_to((chain_id + 1, contract, record)),
        reference_to((chain_id, "0x" + "ac" * 20, record)),
        reference_to((chain_id, contract, b"\x66" * 32)),
        evidence[0]._replace(kind=8),
        evidence[0]._replace(subject_type=1),
    ]
    for index, reference in enumerate(wrong):
        reference_id, _ = registry.send(BOB.address, "record", reference)
        run = run_reproducing(reference_id, subject=100 + index)
        registry.send(BOB.address, "record", run)
        for given in (run, evidence[1]):
            met = refusal(
                lambda reference=reference, given=given: registry.send(
                    BOB.address, "attestForeignWithEvidence", 2, foreign, REPRODUCED, reference, given
                )
            )
            assert met == ("NotTheReference", (reference_id, subject_of(foreign)))


def test_a_run_that_is_no_evidence(registry, foreign, evidence) -> None:
    reference, _ = evidence
    reference_id = domain(registry).record_id(reference)
    unlinked, unstored = run_reproducing(foreign[2], subject=7), run_reproducing(reference_id, subject=8)
    of_alice = run_reproducing(reference_id, author=ALICE, group=1)
    no_run = unstored._replace(kind=4)
    for key, author in ((unlinked, BOB), (of_alice, ALICE), (no_run, BOB)):
        registry.send(author.address, "record", key)
    for run, fault in (
        (unlinked, NOT_LINKED),
        (unstored, NOT_RECORDED),
        (of_alice, OTHER_GROUP),
        (no_run, NOT_A_RUN),
    ):
        met = refusal(
            lambda run=run: registry.send(
                BOB.address, "attestForeignWithEvidence", 2, foreign, REPRODUCED, reference, run
            )
        )
        assert met == ("EvidenceUnusable", (domain(registry).record_id(run), fault))


def test_a_retracted_run_takes_its_verdict_along(registry, foreign, evidence) -> None:
    registry.send(BOB.address, "attestForeignWithEvidence", 2, foreign, REPRODUCED, *evidence)
    run_id = domain(registry).record_id(evidence[1])
    now = registry.chain.now
    assert registry.read("foreignVerdictOf", 2, foreign) == (REPRODUCED, run_id, now, 1)
    registry.send(BOB.address, "retract", evidence[1], bytes(32))
    assert registry.read("foreignVerdictOf", 2, foreign) == (0, bytes(32), 0, 1)
    met = refusal(lambda: registry.send(BOB.address, "attestForeign", 2, foreign, 0))
    assert met == ("NoVerdict", (2, foreign[2]))
    name, _ = refusal(
        lambda: registry.send(BOB.address, "attestForeignWithEvidence", 2, foreign, REPRODUCED, *evidence)
    )
    assert name == "EvidenceUnusable"
    # a new Run, and then a plain review that stands on nothing
    again = run_reproducing(domain(registry).record_id(evidence[0]), subject=2)
    registry.send(BOB.address, "record", again)
    registry.send(BOB.address, "attestForeignWithEvidence", 2, foreign, REPRODUCED, evidence[0], again)
    registry.send(BOB.address, "attestForeign", 2, foreign, REVIEWED)
    registry.send(BOB.address, "retract", again, bytes(32))
    assert registry.read("foreignVerdictOf", 2, foreign) == (REVIEWED, bytes(32), now, 3)


def test_only_a_reviewer_of_the_group(registry, foreign, evidence) -> None:
    for by, group in ((MALLORY, 2), (ALICE, 2), (BOB, 1)):
        for verdict in (0, REVIEWED, REPRODUCED):
            met = refusal(
                lambda by=by, group=group, verdict=verdict: registry.send(
                    by.address, "attestForeignWithEvidence", group, foreign, verdict, *evidence
                )
            )
            assert met == ("MissingRole", (group, by.address, REVIEWER))


def test_a_retracted_reference_carries_no_verdict(registry, foreign, evidence) -> None:
    reference, run = evidence
    registry.send(BOB.address, "retract", reference, bytes(32))
    met = refusal(
        lambda: registry.send(BOB.address, "attestForeignWithEvidence", 2, foreign, REPRODUCED, reference, run)
    )
    assert met == ("EvidenceUnusable", (domain(registry).record_id(reference), RETRACTED))
