"""Records: what works, what is refused and with which values, what is emitted and read."""

from __future__ import annotations

import ape
import pytest

from blockchaintracer.core.record import NO_END, Kind, Relation, Role, Status, from_hex
from tests.node.contracts.conftest import lower, time_of


def test_record(lab, registry, alice):
    key = lab.key(alice)
    receipt = registry.record(key.as_abi(), sender=alice)
    now, record = time_of(receipt), lab.id(key)
    recorded = (1, lower(alice), record, 1, bytes.fromhex(key.subject), 1, bytes.fromhex(key.manifest), ())
    assert lab.events(receipt) == [("Recorded", recorded)]
    assert tuple(registry.statusOf(record)) == (1, Kind.DATASET, Status.RECORDED, 0, now, 0, 0, 0, 0, 0, 0)
    assert bytes(registry.idOf(key.as_abi())) == record


def test_record_returns_the_id(lab, registry, alice):
    key = lab.key(alice)
    assert bytes(registry.record.call(key.as_abi(), sender=alice)) == lab.id(key)


def test_record_with_parents(lab, registry, alice, bob):
    first, second = (lab.record(person, group)[1].hex() for person, group in ((alice, 1), (bob, 2)))
    parents = sorted([(first, Relation.TRAINED_ON), (first, Relation.USES), (second, 200)])
    key = lab.key(alice, kind=Kind.MODEL, parents=parents)
    (event,) = lab.events(registry.record(key.as_abi(), sender=alice))
    assert event.arguments[-1] == tuple((from_hex(parent), relation) for parent, relation in parents)
    for parent, relation in parents:
        assert registry.isParent(key.as_abi(), from_hex(parent), relation)
    assert not registry.isParent(key.as_abi(), from_hex(second), Relation.USES)
    unstored = lab.key(alice, kind=Kind.MODEL, subject=9, parents=parents)
    assert not registry.isParent(unstored.as_abi(), from_hex(first), Relation.USES)


def test_record_twice(lab, registry, alice):
    key, record = lab.record(alice)
    first = registry.statusOf(record).recordedAt
    ape.chain.mine(3)
    with lab.refuses("RecordExists", id=record, recordedAt=first):
        registry.record(key.as_abi(), sender=alice)


def test_record_for_another(lab, registry, alice, bob):
    with lab.refuses("NotAuthor", author=alice.address, caller=bob.address):
        registry.record(lab.key(alice).as_abi(), sender=bob)


@pytest.mark.parametrize("group", [0, 2, 9])
def test_record_in_a_group_without_the_role(lab, alice, group):
    with lab.refuses("MissingRole", group=group, account=alice.address, role=Role.RECORDER):
        lab.record(alice, group)


@pytest.mark.parametrize("role", [Role.MAINTAINER, Role.REVIEWER])
def test_record_with_another_role(lab, alice, carol, role):
    lab.join(1, carol, role, alice)
    with lab.refuses("MissingRole", group=1, account=carol.address, role=Role.RECORDER):
        lab.record(carol)


@pytest.mark.parametrize("kind", [1, 10, 14, 128, 255])
def test_kinds(lab, registry, alice, kind):
    _, record = lab.record(alice, kind=kind)
    assert registry.statusOf(record).kind == kind


@pytest.mark.parametrize("kind", [0, 15, 127])
def test_reserved_kinds(lab, alice, kind):
    with lab.refuses("InvalidKind", kind=kind):
        lab.record(alice, kind=kind)


@pytest.mark.parametrize("subject_type", [0, 7, 127])
def test_unknown_subject_types(lab, registry, alice, subject_type):
    fields = list(lab.key(alice).as_abi())
    fields[2] = subject_type
    with lab.refuses("InvalidSubjectType", subjectType=subject_type):
        registry.record(tuple(fields), sender=alice)


@pytest.mark.parametrize("relation", [0, 15, 127])
def test_reserved_relations(lab, alice, relation):
    _, parent = lab.record(alice)
    with lab.refuses("InvalidRelation", relation=relation):
        lab.record(alice, subject=2, parents=[(parent.hex(), relation)])


def test_an_unknown_parent(lab, alice):
    with lab.refuses("UnknownParent", parent=b"\x09" * 32):
        lab.record(alice, parents=[("09" * 32, 1)])


def test_a_cancelled_record_is_no_parent(lab, registry, alice):
    key = lab.key(alice, subject=7)
    registry.cancel(key.as_abi(), sender=alice)
    with lab.refuses("UnknownParent", parent=lab.id(key)):
        lab.record(alice, parents=[(lab.id(key).hex(), 1)])


def test_a_retracted_parent_is_allowed(lab, registry, alice):
    key, record = lab.record(alice)
    registry.retract(key.as_abi(), bytes(32), sender=alice)
    lab.record(alice, subject=2, parents=[(record.hex(), Relation.SUPERSEDES)])


@pytest.mark.parametrize("order", [(0, 0), (1, 0), (0, 2, 1), (0, 1, 1)])
def test_parents_that_do_not_ascend(lab, registry, alice, order):
    _, first = lab.record(alice)
    _, second = lab.record(alice, subject=2)
    links = sorted([(first, 1), (first, 2), (second, 1)])
    fields = list(lab.key(alice, subject=3).as_abi())
    fields[6] = [links[index] for index in order]
    with lab.refuses("ParentsNotAscending", index=len(order) - 1):
        registry.record(tuple(fields), sender=alice)


def test_record_many(lab, registry, alice):
    keys = [lab.key(alice, subject=subject) for subject in (1, 2)]
    keys.append(lab.key(alice, subject=3, parents=[(lab.id(keys[0]).hex(), Relation.USES)]))
    registry.record(keys[1].as_abi(), sender=alice)
    batch = [key.as_abi() for key in keys]
    ids = [lab.id(key) for key in keys]
    assert [bytes(record) for record in registry.recordMany.call(batch, sender=alice)] == ids
    receipt = registry.recordMany(batch, sender=alice)
    assert [event.arguments[2] for event in lab.events(receipt)] == [ids[0], ids[2]], "what is stored is skipped"
    assert [status.status for status in registry.statusOfRecords(ids)] == [Status.RECORDED] * 3
    assert lab.events(registry.recordMany([], sender=alice)) == []


def test_record_many_for_another(lab, registry, alice, bob):
    batch = [lab.key(alice).as_abi(), lab.key(bob, 2).as_abi()]
    with lab.refuses("NotAuthor", author=bob.address, caller=alice.address):
        registry.recordMany(batch, sender=alice)


def test_record_by_signature(lab, registry, alice, mallory):
    key = lab.key(alice)
    signature = lab.sign_record(key)
    receipt = registry.recordBySig(key.as_abi(), NO_END, signature, sender=mallory)
    (event,) = lab.events(receipt)
    assert (event.name, event.arguments[1]) == ("Recorded", lower(alice))
    with lab.refuses("RecordExists", id=lab.id(key), recordedAt=time_of(receipt)):
        registry.recordBySig(key.as_abi(), NO_END, signature, sender=mallory)


def test_record_by_a_strangers_signature(lab, registry, alice, mallory):
    key = lab.key(alice)
    with lab.refuses("InvalidSignature", signer=alice.address):
        registry.recordBySig(key.as_abi(), NO_END, lab.sign_record(key, by=mallory), sender=mallory)


def test_record_by_a_signature_that_has_expired(lab, registry, alice, mallory):
    deadline = ape.chain.pending_timestamp + 100
    key = lab.key(alice)
    signature = lab.sign_record(key, deadline)
    ape.chain.pending_timestamp = deadline + 1
    with lab.refuses("SignatureExpired", deadline=deadline):
        registry.recordBySig(key.as_abi(), deadline, signature, sender=mallory)


def test_record_by_the_signature_of_one_without_the_role(lab, registry, carol, mallory):
    key = lab.key(carol)
    with lab.refuses("MissingRole", group=1, account=carol.address, role=Role.RECORDER):
        registry.recordBySig(key.as_abi(), NO_END, lab.sign_record(key), sender=mallory)


def test_cancel(lab, registry, alice, mallory):
    key = lab.key(alice)
    record = lab.id(key)
    with lab.refuses("MissingRole", group=1, account=mallory.address, role=Role.MAINTAINER):
        registry.cancel(key.as_abi(), sender=mallory)
    assert lab.events(registry.cancel(key.as_abi(), sender=alice)) == [("RecordCancelled", (1, lower(alice), record))]
    assert registry.statusOf(record).status == Status.CANCELLED
    assert registry.statusOf(record).recordedAt == 0
    with lab.refuses("RecordIsCancelled", id=record):
        registry.recordBySig(key.as_abi(), NO_END, lab.sign_record(key), sender=mallory)
    registry.record(key.as_abi(), sender=alice)
    assert registry.statusOf(record).status == Status.RECORDED
    with lab.refuses("RecordExists", id=record, recordedAt=registry.statusOf(record).recordedAt):
        registry.cancel(key.as_abi(), sender=alice)


def test_retract(lab, registry, alice):
    key, record = lab.record(alice)
    before = registry.statusOf(record)
    receipt = registry.retract(key.as_abi(), b"\x0f" * 32, sender=alice)
    assert lab.events(receipt) == [("Retracted", (1, lower(alice), record, b"\x0f" * 32))]
    now, after = time_of(receipt), registry.statusOf(record)
    assert (after.status, after.retractedAt, after.recordedAt) == (Status.RETRACTED, now, before.recordedAt)
    with lab.refuses("AlreadyRetracted", id=record, retractedAt=now):
        registry.retract(key.as_abi(), bytes(32), sender=alice)


def test_retract_what_is_not_there(lab, registry, alice):
    key = lab.key(alice)
    with lab.refuses("UnknownRecord", id=lab.id(key)):
        registry.retract(key.as_abi(), bytes(32), sender=alice)


def test_who_retracts(lab, registry, alice, bob, carol, mallory):
    lab.join(1, carol, Role.RECORDER, alice)
    key, _ = lab.record(carol)
    for stranger in (bob, mallory):
        with lab.refuses("MissingRole", group=1, account=stranger.address, role=Role.MAINTAINER):
            registry.retract(key.as_abi(), bytes(32), sender=stranger)
    registry.removeMember(1, carol, sender=carol)
    with lab.refuses("MissingRole", group=1, account=carol.address, role=Role.MAINTAINER | Role.RECORDER):
        registry.retract(key.as_abi(), bytes(32), sender=carol)
    registry.retract(key.as_abi(), bytes(32), sender=alice)


def test_status_of_what_nobody_knows(registry):
    assert tuple(registry.statusOf(b"\x09" * 32)) == (Status.UNKNOWN, *[0] * 10)
    assert registry.statusOfRecords([]) == []
