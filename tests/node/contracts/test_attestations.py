"""Verdicts: what works, what is refused and with which values, what is emitted and counted."""

from __future__ import annotations

import pytest

from blockchaintracer.core.record import NO_END, Kind, Relation, Role, Verdict
from tests.node.contracts.conftest import lower, time_of

NOT_RECORDED, RETRACTED, NOT_A_RUN, OTHER_GROUP, NOT_LINKED = range(5)
FINDINGS = [Verdict.REPRODUCED, Verdict.NOT_REPRODUCED]
OPINIONS = [Verdict.REVIEWED, Verdict.DISPUTED]


def counts(registry, record):
    status = registry.statusOf(record)
    return [status.reviewed, status.reproduced, status.notReproduced, status.disputed]


def run_of(lab, author, group, record, **fields):
    return lab.record(author, group, kind=Kind.RUN, parents=[(record.hex(), Relation.REPRODUCES)], **fields)


@pytest.mark.parametrize("verdict", OPINIONS)
def test_attest_without_evidence(lab, registry, alice, bob, verdict):
    _, record = lab.record(alice)
    receipt = registry.attest(2, record, verdict, sender=bob)
    assert lab.events(receipt) == [("Attested", (2, lower(bob), record, verdict, bytes(32), 1))]
    assert tuple(registry.verdictOf(2, record)) == (verdict, 0, time_of(receipt), 0, 1)
    assert counts(registry, record) == [int(verdict == which) for which in range(1, 5)]


@pytest.mark.parametrize("verdict", FINDINGS)
def test_attest_with_evidence(lab, registry, alice, bob, verdict):
    _, record = lab.record(alice)
    run, evidence = run_of(lab, bob, 2, record)
    receipt = registry.attestWithEvidence(2, record, verdict, run.as_abi(), sender=bob)
    assert lab.events(receipt) == [("Attested", (2, lower(bob), record, verdict, evidence, 1))]
    assert registry.verdictOf(2, record).evidence == int.from_bytes(evidence[15:])
    assert counts(registry, record) == [int(verdict == which) for which in range(1, 5)]


@pytest.mark.parametrize("verdict", OPINIONS)
def test_an_opinion_may_name_any_record_of_its_group(lab, registry, alice, bob, verdict):
    _, record = lab.record(alice)
    document, evidence = lab.record(bob, 2, kind=Kind.DOCUMENT)
    receipt = registry.attestWithEvidence(2, record, verdict, document.as_abi(), sender=bob)
    assert lab.events(receipt)[0].arguments[4] == evidence


def test_a_later_verdict_replaces_the_earlier(lab, registry, alice, bob):
    _, record = lab.record(alice)
    for turn, verdict in enumerate((Verdict.REVIEWED, Verdict.DISPUTED, Verdict.DISPUTED)):
        registry.attest(2, record, verdict, sender=bob)
        assert registry.verdictOf(2, record).version == turn + 1
    assert counts(registry, record) == [0, 0, 0, 1]


@pytest.mark.parametrize("verdict", FINDINGS)
def test_a_finding_needs_evidence(lab, registry, alice, bob, verdict):
    _, record = lab.record(alice)
    with lab.refuses("EvidenceRequired", verdict=verdict):
        registry.attest(2, record, verdict, sender=bob)
    with lab.refuses("EvidenceRequired", verdict=verdict):
        registry.attestBySig(2, bob, record, verdict, NO_END, b"", sender=alice)


@pytest.mark.parametrize("verdict", FINDINGS)
def test_evidence_that_cannot_carry_a_finding(lab, registry, alice, bob, verdict):
    _, record = lab.record(alice)
    _, other = lab.record(alice, subject=2)
    unstored = lab.key(bob, 2, kind=Kind.RUN, subject=3, parents=[(record.hex(), Relation.REPRODUCES)])
    retracted, _ = run_of(lab, bob, 2, record, subject=4)
    registry.retract(retracted.as_abi(), bytes(32), sender=bob)
    foreign, _ = run_of(lab, alice, 1, record, subject=5)
    result, _ = lab.record(bob, 2, kind=Kind.RESULT, parents=[(record.hex(), Relation.REPRODUCES)])
    user, _ = lab.record(bob, 2, kind=Kind.RUN, subject=6, parents=[(record.hex(), Relation.USES)])
    elsewhere, _ = run_of(lab, bob, 2, other, subject=7)
    faults = {NOT_RECORDED: [unstored], RETRACTED: [retracted], NOT_A_RUN: [result], OTHER_GROUP: [foreign]}
    for fault, keys in (faults | {NOT_LINKED: [user, elsewhere]}).items():
        for key in keys:
            with lab.refuses("EvidenceUnusable", evidence=lab.id(key), fault=fault):
                registry.attestWithEvidence(2, record, verdict, key.as_abi(), sender=bob)


@pytest.mark.parametrize("verdict", OPINIONS)
def test_evidence_that_cannot_carry_an_opinion(lab, registry, alice, bob, verdict):
    foreign, record = lab.record(alice)
    retracted, evidence = lab.record(bob, 2)
    registry.retract(retracted.as_abi(), bytes(32), sender=bob)
    with lab.refuses("EvidenceUnusable", evidence=evidence, fault=RETRACTED):
        registry.attestWithEvidence(2, record, verdict, retracted.as_abi(), sender=bob)
    with lab.refuses("EvidenceUnusable", evidence=record, fault=OTHER_GROUP):
        registry.attestWithEvidence(2, record, verdict, foreign.as_abi(), sender=bob)


def test_no_group_judges_its_own(lab, registry, alice):
    _, record = lab.record(alice)
    with lab.refuses("OwnRecord", recordId=record, group=1):
        registry.attest(1, record, Verdict.REVIEWED, sender=alice)
    run, _ = run_of(lab, alice, 1, record)
    with lab.refuses("OwnRecord", recordId=record, group=1):
        registry.attestWithEvidence(1, record, Verdict.REPRODUCED, run.as_abi(), sender=alice)


def test_attest_to_nothing(lab, registry, alice, bob):
    with lab.refuses("UnknownRecord", id=b"\x09" * 32):
        registry.attest(2, b"\x09" * 32, Verdict.REVIEWED, sender=bob)
    _, record = lab.record(alice)
    with lab.refuses("InvalidVerdict", verdict=Verdict.NONE):
        registry.attest(2, record, Verdict.NONE, sender=bob)


@pytest.mark.parametrize("role", [Role.MAINTAINER, Role.RECORDER])
def test_attest_with_another_role(lab, registry, alice, bob, carol, role):
    _, record = lab.record(alice)
    lab.join(2, carol, role, bob)
    with lab.refuses("MissingRole", group=2, account=carol.address, role=Role.REVIEWER):
        registry.attest(2, record, Verdict.REVIEWED, sender=carol)
    with lab.refuses("MissingRole", group=2, account=carol.address, role=Role.REVIEWER):
        registry.withdraw(2, record, sender=carol)


def test_attest_by_signature(lab, registry, alice, bob, mallory):
    _, record = lab.record(alice)
    run, evidence = run_of(lab, bob, 2, record)
    signature = lab.sign_verdict(bob, record, 2, Verdict.REPRODUCED, evidence)
    arguments = (2, bob, record, Verdict.REPRODUCED, run.as_abi(), NO_END, signature)
    receipt = registry.attestWithEvidenceBySig(*arguments, sender=mallory)
    assert lab.events(receipt) == [("Attested", (2, lower(bob), record, Verdict.REPRODUCED, evidence, 1))]
    with lab.refuses("InvalidSignature", signer=bob.address):
        registry.attestWithEvidenceBySig(*arguments, sender=mallory)


def test_attest_by_signature_without_evidence(lab, registry, alice, bob, mallory):
    _, record = lab.record(alice)
    signature = lab.sign_verdict(bob, record, 2, Verdict.DISPUTED)
    for wrong in (Verdict.REVIEWED, Verdict.NONE):
        with lab.refuses("InvalidSignature", signer=bob.address):
            registry.attestBySig(2, bob, record, wrong, NO_END, signature, sender=mallory)
    registry.attestBySig(2, bob, record, Verdict.DISPUTED, NO_END, signature, sender=mallory)
    assert counts(registry, record) == [0, 0, 0, 1]


def test_attest_by_the_signature_of_one_without_the_role(lab, registry, alice, carol, mallory):
    _, record = lab.record(alice)
    signature = lab.sign_verdict(carol, record, 2, Verdict.REVIEWED)
    with lab.refuses("MissingRole", group=2, account=carol.address, role=Role.REVIEWER):
        registry.attestBySig(2, carol, record, Verdict.REVIEWED, NO_END, signature, sender=mallory)


def test_withdraw(lab, registry, alice, bob, carol):
    _, record = lab.record(alice)
    registry.attest(2, record, Verdict.REVIEWED, sender=bob)
    lab.join(2, carol, Role.REVIEWER, bob)
    receipt = registry.withdraw(2, record, sender=carol)
    assert lab.events(receipt) == [("VerdictWithdrawn", (2, lower(carol), record, Verdict.REVIEWED, 2))]
    assert tuple(registry.verdictOf(2, record)) == (0, 0, 0, Verdict.NONE, 2)
    assert counts(registry, record) == [0, 0, 0, 0]


def test_retracting_the_evidence_withdraws_the_finding(lab, registry, alice, bob):
    _, record = lab.record(alice)
    run, evidence = run_of(lab, bob, 2, record)
    registry.attestWithEvidence(2, record, Verdict.NOT_REPRODUCED, run.as_abi(), sender=bob)
    receipt = registry.retract(run.as_abi(), bytes(32), sender=bob)
    assert lab.events(receipt) == [
        ("Retracted", (2, lower(bob), evidence, bytes(32))),
        ("VerdictWithdrawn", (2, lower(bob), record, Verdict.NOT_REPRODUCED, 2)),
    ]
    assert counts(registry, record) == [0, 0, 0, 0]


def test_several_groups_are_counted(lab, registry, alice, bob, carol, mallory):
    _, record = lab.record(alice)
    for group, person in ((3, carol), (4, mallory)):
        registry.createGroup(Role.REVIEWER, bytes(32), sender=person)
        registry.attest(group, record, Verdict.REVIEWED, sender=person)
    registry.attest(2, record, Verdict.DISPUTED, sender=bob)
    assert counts(registry, record) == [2, 0, 0, 1]
