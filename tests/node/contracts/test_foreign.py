"""Verdicts on records elsewhere: what works, what is refused and with which values, what is emitted and read."""

from __future__ import annotations

import hashlib

import ape
import pytest

from blockchaintracer.core.record import Kind, RecordKey, Relation, Role, SubjectType, Verdict
from tests.model.registry import ForeignRecord
from tests.node.contracts.conftest import lower, time_of

THERE = ForeignRecord(5, "0x" + "ab" * 20, b"\xcd" * 32)
NOT_RECORDED, RETRACTED, NOT_A_RUN, OTHER_GROUP, NOT_LINKED = range(5)
FINDINGS = [Verdict.REPRODUCED, Verdict.NOT_REPRODUCED]
OPINIONS = [Verdict.REVIEWED, Verdict.DISPUTED]


def reference_to(foreign, author, group=2, **other):
    """Its subject is the SHA-256 of a text that anyone can write down."""
    name = f"eip155:{foreign.chain_id}:{foreign.registry}/0x{foreign.record.hex()}"
    fields = {"kind": Kind.REFERENCE, "subject_type": SubjectType.IDENTIFIER}
    fields |= {"subject": hashlib.sha256(name.encode()).hexdigest()} | other
    return RecordKey(group=group, author=author.address, manifest="ee" * 32, parents=(), **fields)


def run_of(lab, author, reference, group=2, **fields):
    parents = [(lab.id(reference).hex(), Relation.REPRODUCES)]
    return lab.key(author, group, **{"kind": Kind.RUN, "parents": parents} | fields)


@pytest.fixture
def found(lab, registry, bob):
    """Bob's Reference and Run, stored, as evidence."""
    reference = reference_to(THERE, bob)
    run = run_of(lab, bob, reference)
    registry.recordMany([reference.as_abi(), run.as_abi()], sender=bob)
    return reference, run


def evidence(reference, run):
    return (reference.as_abi(), run.as_abi())


@pytest.mark.parametrize("verdict", OPINIONS)
def test_an_opinion(lab, registry, bob, verdict):
    assert tuple(registry.foreignVerdictOf(2, THERE)) == (Verdict.NONE, bytes(32), 0, 0)
    receipt = registry.attestForeign(2, THERE, verdict, sender=bob)
    assert lab.events(receipt) == [
        ("ForeignAttested", (2, lower(bob), THERE.record, *THERE[:2], verdict, bytes(32), 1))
    ]
    assert tuple(registry.foreignVerdictOf(2, THERE)) == (verdict, bytes(32), time_of(receipt), 1)
    assert registry.foreignVerdictOf(1, THERE).version == 0, "of each group its own"


@pytest.mark.parametrize("verdict", OPINIONS)
def test_an_opinion_stands_on_no_evidence(lab, registry, bob, found, verdict):
    with lab.refuses("InvalidVerdict", verdict=verdict):
        registry.attestForeignWithEvidence(2, THERE, verdict, *evidence(*found), sender=bob)


@pytest.mark.parametrize("verdict", FINDINGS)
def test_a_finding(lab, registry, bob, found, verdict):
    receipt = registry.attestForeignWithEvidence(2, THERE, verdict, *evidence(*found), sender=bob)
    run = lab.id(found[1])
    assert lab.events(receipt) == [("ForeignAttested", (2, lower(bob), THERE.record, *THERE[:2], verdict, run, 1))]
    assert tuple(registry.foreignVerdictOf(2, THERE)) == (verdict, run, time_of(receipt), 1)
    assert list(registry.statusOf(THERE.record))[-4:] == [0] * 4, "nothing counts it"


@pytest.mark.parametrize("verdict", FINDINGS)
def test_retracting_the_run_makes_the_finding_fall(lab, registry, bob, found, verdict):
    registry.attestForeignWithEvidence(2, THERE, verdict, *evidence(*found), sender=bob)
    registry.retract(found[1].as_abi(), bytes(32), sender=bob)
    assert tuple(registry.foreignVerdictOf(2, THERE)) == (Verdict.NONE, bytes(32), 0, 1)
    with lab.refuses("NoVerdict", recordId=THERE.record, group=2):
        registry.attestForeign(2, THERE, Verdict.NONE, sender=bob)
    with lab.refuses("EvidenceUnusable", evidence=lab.id(found[1]), fault=RETRACTED):
        registry.attestForeignWithEvidence(2, THERE, verdict, *evidence(*found), sender=bob)
    registry.attestForeign(2, THERE, Verdict.DISPUTED, sender=bob)
    assert registry.foreignVerdictOf(2, THERE).version == 2


def test_take_it_back(lab, registry, bob, carol):
    with lab.refuses("NoVerdict", recordId=THERE.record, group=2):
        registry.attestForeign(2, THERE, Verdict.NONE, sender=bob)
    registry.attestForeign(2, THERE, Verdict.REVIEWED, sender=bob)
    lab.join(2, carol, Role.REVIEWER, bob)
    receipt = registry.attestForeign(2, THERE, Verdict.NONE, sender=carol)
    assert lab.events(receipt) == [
        ("ForeignAttested", (2, lower(carol), THERE.record, *THERE[:2], Verdict.NONE, bytes(32), 2))
    ]
    assert tuple(registry.foreignVerdictOf(2, THERE)) == (Verdict.NONE, bytes(32), 0, 2)
    with lab.refuses("NoVerdict", recordId=THERE.record, group=2):
        registry.attestForeign(2, THERE, Verdict.NONE, sender=bob)


def test_a_later_verdict_replaces_the_earlier(registry, bob, found):
    registry.attestForeignWithEvidence(2, THERE, Verdict.REPRODUCED, *evidence(*found), sender=bob)
    registry.attestForeign(2, THERE, Verdict.REVIEWED, sender=bob)
    current = registry.foreignVerdictOf(2, THERE)
    assert (bytes(current.evidence), current.verdict, current.version) == (bytes(32), Verdict.REVIEWED, 2)
    registry.retract(found[1].as_abi(), bytes(32), sender=bob)
    assert registry.foreignVerdictOf(2, THERE).verdict == Verdict.REVIEWED, "it doesn't stand on the Run any more"


@pytest.mark.parametrize("verdict", [*FINDINGS, *OPINIONS, Verdict.NONE])
def test_a_record_of_this_registry_is_not_foreign(lab, registry, alice, bob, verdict):
    _, record = lab.record(alice)
    here = ForeignRecord(ape.chain.chain_id, registry.address, record)
    with lab.refuses("NotForeign", recordId=record):
        registry.attestForeign(2, here, verdict, sender=bob)


def test_the_same_address_elsewhere_and_another_address_here_are_foreign(registry, bob):
    for there in ((5, registry.address, THERE.record), (ape.chain.chain_id, THERE.registry, THERE.record)):
        registry.attestForeign(2, there, Verdict.REVIEWED, sender=bob)
        assert registry.foreignVerdictOf(2, there).version == 1


@pytest.mark.parametrize("role", [Role.MAINTAINER, Role.RECORDER])
def test_with_another_role(lab, registry, bob, carol, role):
    lab.join(2, carol, role, bob)
    with lab.refuses("MissingRole", group=2, account=carol.address, role=Role.REVIEWER):
        registry.attestForeign(2, THERE, Verdict.REVIEWED, sender=carol)
    with lab.refuses("MissingRole", group=1, account=bob.address, role=Role.REVIEWER):
        registry.attestForeign(1, THERE, Verdict.REVIEWED, sender=bob)


@pytest.mark.parametrize(
    "other",
    [
        {"kind": Kind.DOCUMENT},
        {"subject_type": SubjectType.FILE},
        {"subject": "dd" * 32},
        {"foreign": THERE._replace(chain_id=6)},
        {"foreign": THERE._replace(registry="0x" + "ac" * 20)},
        {"foreign": THERE._replace(record=b"\xce" * 32)},
    ],
)
def test_a_run_that_reproduced_something_else(lab, registry, bob, other):
    """The key is of no Reference, or of one to another record, chain or registry."""
    wrong = reference_to(**{"foreign": THERE, "author": bob} | other)
    run = run_of(lab, bob, wrong)
    registry.recordMany([wrong.as_abi(), run.as_abi()], sender=bob)
    subject = bytes.fromhex(reference_to(THERE, bob).subject)
    with lab.refuses("NotTheReference", id=lab.id(wrong), subject=subject):
        registry.attestForeignWithEvidence(2, THERE, Verdict.REPRODUCED, *evidence(wrong, run), sender=bob)


@pytest.mark.parametrize("verdict", FINDINGS)
def test_a_finding_needs_evidence(lab, registry, bob, verdict):
    with lab.refuses("EvidenceRequired", verdict=verdict):
        registry.attestForeign(2, THERE, verdict, sender=bob)


@pytest.mark.parametrize("verdict", FINDINGS)
def test_evidence_that_cannot_carry_a_finding(lab, registry, alice, bob, found, verdict):
    reference, run = found
    alices = run_of(lab, alice, reference, group=1, subject=2)
    registry.record(alices.as_abi(), sender=alice)
    result = run_of(lab, bob, reference, kind=Kind.RESULT, subject=3)
    user = run_of(lab, bob, reference, parents=[(lab.id(reference).hex(), Relation.USES)], subject=4)
    registry.recordMany([result.as_abi(), user.as_abi()], sender=bob)
    unstored = run_of(lab, bob, reference, subject=5)
    faults = {NOT_RECORDED: unstored, OTHER_GROUP: alices, NOT_A_RUN: result, NOT_LINKED: user}
    for fault, key in faults.items():
        with lab.refuses("EvidenceUnusable", evidence=lab.id(key), fault=fault):
            registry.attestForeignWithEvidence(2, THERE, verdict, *evidence(reference, key), sender=bob)
    registry.attestForeignWithEvidence(2, THERE, verdict, *evidence(reference, run), sender=bob)


def test_the_reference_may_be_another_groups(lab, registry, alice, bob):
    """What counts is whose the Run is."""
    reference = reference_to(THERE, alice, group=1)
    registry.record(reference.as_abi(), sender=alice)
    run = run_of(lab, bob, reference)
    registry.record(run.as_abi(), sender=bob)
    registry.attestForeignWithEvidence(2, THERE, Verdict.REPRODUCED, *evidence(reference, run), sender=bob)
    registry.retract(reference.as_abi(), bytes(32), sender=alice)
    assert registry.foreignVerdictOf(2, THERE).verdict == Verdict.REPRODUCED, "nobody else takes a verdict away"
