"""Seals: what works, what is refused and with which values, what is emitted and read."""

from __future__ import annotations

import pytest

from blockchaintracer.core.record import Kind, Relation, Role, Status, Verdict
from tests.model.eip712 import record_commitment, verdict_commitment
from tests.node.contracts.conftest import lower, time_of, wait

SALT, OTHER_SALT = b"\x5a" * 32, b"\x5b" * 32
NOT_RECORDED, RETRACTED, NOT_A_RUN, OTHER_GROUP, NOT_LINKED = range(5)


def plan_of(lab, author, **fields):
    """A record to come and what its author seals of it."""
    key = lab.key(author, kind=Kind.PLAN, **fields)
    return key, record_commitment(lab.id(key), SALT)


def run_of(lab, author, group, record, **fields):
    return lab.key(author, group, kind=Kind.RUN, parents=[(record.hex(), Relation.REPRODUCES)], **fields)


def blind(record, group, verdict, attester, evidence=bytes(32), salt=SALT):
    return verdict_commitment(group, lower(attester), record, verdict, evidence, salt)


def test_seal(lab, registry, alice):
    assert registry.sealedAt(1, alice, SALT) == 0
    receipt = registry.seal(1, SALT, sender=alice)
    assert lab.events(receipt) == [("Sealed", (1, lower(alice), SALT))]
    assert registry.sealedAt(1, alice, SALT) == time_of(receipt)


@pytest.mark.parametrize("role", [Role.RECORDER, Role.REVIEWER])
def test_one_of_two_roles_seals(lab, registry, alice, carol, role):
    lab.join(1, carol, role, alice)
    registry.seal(1, SALT, sender=carol)


@pytest.mark.parametrize("group", [0, 1, 9])
def test_seal_without_a_role(lab, registry, alice, carol, group):
    lab.join(1, carol, Role.MAINTAINER, alice)
    with lab.refuses("MissingRole", group=group, account=carol.address, role=Role.RECORDER | Role.REVIEWER):
        registry.seal(group, SALT, sender=carol)


def test_seal_twice(lab, registry, alice, carol):
    first = time_of(registry.seal(1, SALT, sender=alice))
    wait()
    with lab.refuses("AlreadySealed", commitment=SALT, sealedAt=first):
        registry.seal(1, SALT, sender=alice)
    lab.join(1, carol, Role.RECORDER, alice)
    registry.seal(1, SALT, sender=carol)
    assert registry.sealedAt(1, alice, SALT) == first, "a copy is another's seal"


def test_reveal(lab, registry, alice):
    key, commitment = plan_of(lab, alice)
    sealed_at = time_of(registry.seal(1, commitment, sender=alice))
    wait()
    assert bytes(registry.reveal.call(key.as_abi(), SALT, sender=alice)) == lab.id(key)
    receipt = registry.reveal(key.as_abi(), SALT, sender=alice)
    now, record = time_of(receipt), lab.id(key)
    recorded, revealed = lab.events(receipt)
    assert (recorded.name, recorded.arguments[2]) == ("Recorded", record)
    assert revealed == ("Revealed", (record, commitment, sealed_at))
    assert now > sealed_at
    assert tuple(registry.statusOf(record)) == (1, Kind.PLAN, Status.RECORDED, 0, now, 0, sealed_at, 0, 0, 0, 0)


def test_reveal_with_another_salt(lab, registry, alice):
    key, commitment = plan_of(lab, alice)
    registry.seal(1, commitment, sender=alice)
    other = record_commitment(lab.id(key), OTHER_SALT)
    with lab.refuses("NotSealed", group=1, author=alice.address, commitment=other):
        registry.reveal(key.as_abi(), OTHER_SALT, sender=alice)


def test_reveal_another_key(lab, registry, alice):
    _, commitment = plan_of(lab, alice)
    registry.seal(1, commitment, sender=alice)
    other, its_commitment = plan_of(lab, alice, subject=2)
    with lab.refuses("NotSealed", group=1, author=alice.address, commitment=its_commitment):
        registry.reveal(other.as_abi(), SALT, sender=alice)


def test_a_seal_of_one_group_reveals_nothing_in_another(lab, registry, alice, bob):
    lab.join(2, alice, Role.RECORDER, bob)
    key, commitment = plan_of(lab, alice, group=2)
    registry.seal(1, commitment, sender=alice)
    with lab.refuses("NotSealed", group=2, author=alice.address, commitment=commitment):
        registry.reveal(key.as_abi(), SALT, sender=alice)


def test_reveal_anothers_seal(lab, registry, alice, carol):
    key, commitment = plan_of(lab, alice)
    registry.seal(1, commitment, sender=alice)
    lab.join(1, carol, Role.RECORDER, alice)
    registry.seal(1, commitment, sender=carol)
    with lab.refuses("NotAuthor", author=alice.address, caller=carol.address):
        registry.reveal(key.as_abi(), SALT, sender=carol)


def test_reveal_twice(lab, registry, alice):
    key, commitment = plan_of(lab, alice)
    registry.seal(1, commitment, sender=alice)
    first = time_of(registry.reveal(key.as_abi(), SALT, sender=alice))
    with lab.refuses("RecordExists", id=lab.id(key), recordedAt=first):
        registry.reveal(key.as_abi(), SALT, sender=alice)


def test_what_was_stored_openly_is_not_revealed_any_more(lab, registry, alice):
    key, commitment = plan_of(lab, alice)
    registry.seal(1, commitment, sender=alice)
    stored = time_of(registry.record(key.as_abi(), sender=alice))
    with lab.refuses("RecordExists", id=lab.id(key), recordedAt=stored):
        registry.reveal(key.as_abi(), SALT, sender=alice)
    assert registry.statusOf(lab.id(key)).sealedAt == 0


def test_reveal_after_leaving_the_group(lab, registry, alice, carol):
    lab.join(1, carol, Role.RECORDER, alice)
    key, commitment = plan_of(lab, carol)
    registry.seal(1, commitment, sender=carol)
    registry.removeMember(1, carol, sender=alice)
    with lab.refuses("MissingRole", group=1, account=carol.address, role=Role.RECORDER):
        registry.reveal(key.as_abi(), SALT, sender=carol)
    lab.join(1, carol, Role.REVIEWER, alice, version=2)
    with lab.refuses("MissingRole", group=1, account=carol.address, role=Role.RECORDER):
        registry.reveal(key.as_abi(), SALT, sender=carol)
    lab.join(1, carol, Role.RECORDER, alice, version=3)
    registry.reveal(key.as_abi(), SALT, sender=carol)


def test_its_author_may_reveal_what_is_cancelled(lab, registry, alice):
    key, commitment = plan_of(lab, alice)
    registry.seal(1, commitment, sender=alice)
    registry.cancel(key.as_abi(), sender=alice)
    registry.reveal(key.as_abi(), SALT, sender=alice)
    assert registry.statusOf(lab.id(key)).flags == 0


def test_a_sealed_record_obeys_the_rules_of_all(lab, registry, alice):
    key, commitment = plan_of(lab, alice, parents=[("09" * 32, Relation.USES)])
    registry.seal(1, commitment, sender=alice)
    with lab.refuses("UnknownParent", parent=b"\x09" * 32):
        registry.reveal(key.as_abi(), SALT, sender=alice)
    fields = list(lab.key(alice, kind=Kind.PLAN).as_abi())
    fields[4] = 15
    registry.seal(1, record_commitment(bytes(registry.idOf(tuple(fields))), SALT), sender=alice)
    with lab.refuses("InvalidKind", kind=15):
        registry.reveal(tuple(fields), SALT, sender=alice)


@pytest.mark.parametrize("verdict", [Verdict.REVIEWED, Verdict.DISPUTED])
def test_reveal_a_verdict_without_evidence(lab, registry, alice, bob, verdict):
    _, record = lab.record(alice)
    commitment = blind(record, 2, verdict, bob)
    sealed_at = time_of(registry.seal(2, commitment, sender=bob))
    receipt = registry.revealVerdict(2, record, verdict, SALT, sender=bob)
    assert lab.events(receipt) == [
        ("Attested", (2, lower(bob), record, verdict, bytes(32), 1)),
        ("VerdictRevealed", (2, record, commitment, sealed_at)),
    ]
    assert tuple(registry.verdictOf(2, record)) == (verdict, 0, time_of(receipt), sealed_at, 1)


@pytest.mark.parametrize("verdict", [Verdict.REPRODUCED, Verdict.NOT_REPRODUCED])
def test_reveal_a_verdict_with_its_evidence(lab, registry, alice, bob, verdict):
    """The evidence is stored in the same transaction, and sealed as the verdict was."""
    _, record = lab.record(alice)
    run = run_of(lab, bob, 2, record)
    evidence = lab.id(run)
    commitment = blind(record, 2, verdict, bob, evidence)
    sealed_at = time_of(registry.seal(2, commitment, sender=bob))
    receipt = registry.revealVerdictWithEvidence(2, record, verdict, run.as_abi(), SALT, sender=bob)
    recorded, *others = lab.events(receipt)
    assert (recorded.name, recorded.arguments[2]) == ("Recorded", evidence)
    assert others == [
        ("Revealed", (evidence, commitment, sealed_at)),
        ("Attested", (2, lower(bob), record, verdict, evidence, 1)),
        ("VerdictRevealed", (2, record, commitment, sealed_at)),
    ]
    assert registry.statusOf(evidence).sealedAt == registry.verdictOf(2, record).sealedAt == sealed_at
    assert registry.verdictOf(2, record).evidence == int.from_bytes(evidence[15:])


def test_reveal_a_verdict_whose_evidence_is_stored(lab, registry, alice, bob, carol):
    """It may be another member's, and keeps its own times."""
    _, record = lab.record(alice)
    lab.join(2, carol, Role.RECORDER, bob)
    run = run_of(lab, carol, 2, record)
    registry.record(run.as_abi(), sender=carol)
    registry.seal(2, blind(record, 2, Verdict.REPRODUCED, bob, lab.id(run)), sender=bob)
    receipt = registry.revealVerdictWithEvidence(2, record, Verdict.REPRODUCED, run.as_abi(), SALT, sender=bob)
    assert [event.name for event in lab.events(receipt)] == ["Attested", "VerdictRevealed"]
    assert registry.statusOf(lab.id(run)).sealedAt == 0


def test_reveal_a_verdict_with_anothers_unstored_evidence(lab, registry, alice, bob, carol):
    _, record = lab.record(alice)
    lab.join(2, carol, Role.RECORDER, bob)
    run = run_of(lab, carol, 2, record)
    registry.seal(2, blind(record, 2, Verdict.REPRODUCED, bob, lab.id(run)), sender=bob)
    with lab.refuses("NotAuthor", author=carol.address, caller=bob.address):
        registry.revealVerdictWithEvidence(2, record, Verdict.REPRODUCED, run.as_abi(), SALT, sender=bob)


def test_reveal_a_verdict_with_evidence_as_a_mere_reviewer(lab, registry, alice, bob, carol):
    _, record = lab.record(alice)
    lab.join(2, carol, Role.REVIEWER, bob)
    run = run_of(lab, carol, 2, record)
    registry.seal(2, blind(record, 2, Verdict.REPRODUCED, carol, lab.id(run)), sender=carol)
    with lab.refuses("MissingRole", group=2, account=carol.address, role=Role.RECORDER):
        registry.revealVerdictWithEvidence(2, record, Verdict.REPRODUCED, run.as_abi(), SALT, sender=carol)


def show(registry, record, verdict, evidence, salt, by):
    """Group 2 reveals a verdict, with evidence or without."""
    if evidence:
        registry.revealVerdictWithEvidence(2, record, verdict, evidence.as_abi(), salt, sender=by)
    else:
        registry.revealVerdict(2, record, verdict, salt, sender=by)


@pytest.mark.parametrize("change", ["record", "verdict", "evidence", "salt", "attester"])
def test_reveal_another_verdict_than_the_sealed(lab, registry, alice, bob, carol, change):
    """Whatever was changed, another commitment comes of it, and nobody sealed that."""
    _, record = lab.record(alice)
    _, other = lab.record(alice, subject=2)
    lab.join(2, carol, Role.REVIEWER, bob)
    run = run_of(lab, bob, 2, record)
    commitment = blind(record, 2, Verdict.REVIEWED, bob)
    for sealer in (bob, carol):
        registry.seal(2, commitment, sender=sealer)
    said = {"record": record, "verdict": Verdict.REVIEWED, "evidence": None, "salt": SALT, "attester": bob}
    said[change] = {
        "record": other,
        "verdict": Verdict.DISPUTED,
        "evidence": run,
        "salt": OTHER_SALT,
        "attester": carol,
    }[change]
    who, evidence = said["attester"], said["evidence"]
    evidence_id = lab.id(evidence) if evidence else bytes(32)
    expected = blind(said["record"], 2, said["verdict"], who, evidence_id, said["salt"])
    with lab.refuses("NotSealed", group=2, author=who.address, commitment=expected):
        show(registry, said["record"], said["verdict"], evidence, said["salt"], who)


def test_a_sealed_verdict_obeys_the_rules_of_all(lab, registry, alice, bob):
    """What may not be attested openly may not be revealed either."""
    _, record = lab.record(alice)
    _, own = lab.record(bob, 2)
    foreign = run_of(lab, alice, 1, record, subject=5)
    registry.record(foreign.as_abi(), sender=alice)
    result = lab.key(bob, 2, kind=Kind.RESULT, parents=[(record.hex(), Relation.REPRODUCES)])
    elsewhere = run_of(lab, bob, 2, own)
    refused = [
        (record, Verdict.NONE, None, "InvalidVerdict", {"verdict": Verdict.NONE}),
        (record, Verdict.REPRODUCED, None, "EvidenceRequired", {"verdict": Verdict.REPRODUCED}),
        (b"\x09" * 32, Verdict.REVIEWED, None, "UnknownRecord", {"id": b"\x09" * 32}),
        (own, Verdict.REVIEWED, None, "OwnRecord", {"recordId": own, "group": 2}),
        (record, Verdict.REVIEWED, foreign, "EvidenceUnusable", {"evidence": lab.id(foreign), "fault": OTHER_GROUP}),
        (record, Verdict.REPRODUCED, result, "EvidenceUnusable", {"evidence": lab.id(result), "fault": NOT_A_RUN}),
        (
            record,
            Verdict.REPRODUCED,
            elsewhere,
            "EvidenceUnusable",
            {"evidence": lab.id(elsewhere), "fault": NOT_LINKED},
        ),
    ]
    for target, verdict, evidence, error, values in refused:
        evidence_id = lab.id(evidence) if evidence else bytes(32)
        registry.seal(2, blind(target, 2, verdict, bob, evidence_id), sender=bob)
        with lab.refuses(error, **values):
            show(registry, target, verdict, evidence, SALT, bob)
    for evidence in (result, elsewhere):
        assert registry.statusOf(lab.id(evidence)).status == Status.UNKNOWN, "refused whole"


def test_reveal_a_verdict_as_a_reviewer_no_more(lab, registry, alice, bob, carol):
    _, record = lab.record(alice)
    lab.join(2, carol, Role.REVIEWER, bob)
    registry.seal(2, blind(record, 2, Verdict.REVIEWED, carol), sender=carol)
    registry.removeMember(2, carol, sender=bob)
    with lab.refuses("MissingRole", group=2, account=carol.address, role=Role.REVIEWER):
        registry.revealVerdict(2, record, Verdict.REVIEWED, SALT, sender=carol)


def test_an_open_verdict_replaces_a_sealed_one(lab, registry, alice, bob):
    _, record = lab.record(alice)
    registry.seal(2, blind(record, 2, Verdict.REVIEWED, bob), sender=bob)
    registry.revealVerdict(2, record, Verdict.REVIEWED, SALT, sender=bob)
    registry.attest(2, record, Verdict.DISPUTED, sender=bob)
    assert registry.verdictOf(2, record).sealedAt == 0
