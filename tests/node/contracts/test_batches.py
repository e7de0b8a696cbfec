"""Batches: what works, what is refused and with which values, what is emitted and read; trees of many sizes."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from ape.contracts import ContractInstance

from blockchaintracer.core.record import Kind, Relation, Role, Status
from tests.model import merkle
from tests.node.contracts.conftest import lower, time_of, wait

SIZES = [*range(1, 21), 33, 1024]
ROOT, MANIFEST = b"\x06" * 32, b"\x07" * 32


def ids_of_size(size: int) -> tuple[bytes, ...]:
    return tuple(sorted(hashlib.sha256(bytes([size % 256, *index.to_bytes(2)])).digest() for index in range(size)))


def batch_of(lab: Any, keys: list[Any]) -> tuple[tuple[bytes, ...], bytes]:
    """The ids of keys in order, and their root."""
    ids = tuple(sorted(map(lab.id, keys)))
    return ids, merkle.root(ids)


def proof_of(ids: tuple[bytes, ...], record: bytes) -> tuple[bytes, ...]:
    return merkle.proof(ids, ids.index(record))


def test_anchor(lab, registry, alice):
    assert tuple(registry.batchOf(1, alice, ROOT)) == (0, 0, False, 0)
    receipt = registry.anchor(1, ROOT, 77, MANIFEST, sender=alice)
    assert lab.events(receipt) == [("Anchored", (1, lower(alice), ROOT, 77, MANIFEST))]
    assert tuple(registry.batchOf(1, alice, ROOT)) == (time_of(receipt), 77, False, 0)


def test_anchor_nothing(lab, registry, alice):
    with lab.refuses("EmptyBatch"):
        registry.anchor(1, ROOT, 0, MANIFEST, sender=alice)
    with lab.refuses("EmptyBatch"):
        registry.anchorLeaves(1, [], sender=alice)


@pytest.mark.parametrize("role", [Role.MAINTAINER, Role.REVIEWER])
def test_anchor_with_another_role(lab, registry, alice, carol, role):
    lab.join(1, carol, role, alice)
    with lab.refuses("MissingRole", group=1, account=carol.address, role=Role.RECORDER):
        registry.anchor(1, ROOT, 1, MANIFEST, sender=carol)
    with lab.refuses("MissingRole", group=1, account=carol.address, role=Role.RECORDER):
        registry.anchorLeaves(1, [ROOT], sender=carol)
    with lab.refuses("MissingRole", group=2, account=alice.address, role=Role.RECORDER):
        registry.anchor(2, ROOT, 1, MANIFEST, sender=alice)


def test_anchor_twice(lab, registry, alice, bob):
    """One root is one batch of one group and author, whichever way it came; others' are their own."""
    root = merkle.root((ROOT,))
    first = time_of(registry.anchorLeaves(1, [ROOT], sender=alice))
    wait()
    with lab.refuses("BatchExists", root=root, anchoredAt=first):
        registry.anchor(1, root, 9, MANIFEST, sender=alice)
    with lab.refuses("BatchExists", root=root, anchoredAt=first):
        registry.anchorLeaves(1, [ROOT], sender=alice)
    assert time_of(registry.anchor(2, root, 9, MANIFEST, sender=bob)) > first
    assert tuple(registry.batchOf(1, alice, root)) == (first, 1, True, 0)


def test_anchor_leaves(lab, registry, alice):
    ids = ids_of_size(3)
    root = merkle.root(ids)
    assert bytes(registry.anchorLeaves.call(1, ids, sender=alice)) == root
    receipt = registry.anchorLeaves(1, ids, sender=alice)
    assert lab.events(receipt) == [("LeavesAnchored", (1, lower(alice), root, 3))]
    assert tuple(registry.batchOf(1, alice, root)) == (time_of(receipt), 3, True, 0)


@pytest.mark.parametrize(
    ("order", "index"), [((0, 0), 1), ((1, 0), 1), ((0, 2, 1), 2), ((0, 1, 2, 2), 3), ((2, 0, 1), 1)]
)
def test_leaves_that_do_not_ascend(lab, registry, alice, order, index):
    ids = ids_of_size(3)
    with lab.refuses("IdsNotAscending", index=index):
        registry.anchorLeaves(1, [ids[which] for which in order], sender=alice)


def test_zero_is_no_id(lab, registry, alice):
    with lab.refuses("IdsNotAscending", index=0):
        registry.anchorLeaves(1, [bytes(32), ROOT], sender=alice)


@pytest.mark.parametrize("size", SIZES)
def test_trees_of_all_sizes(registry: ContractInstance, alice: Any, size: int) -> None:
    """The root that the registry computes is that of the standard tree, and every leaf of it is verified."""
    ids = ids_of_size(size)
    root = merkle.root(ids)
    anchored_at = time_of(registry.anchorLeaves(1, ids, sender=alice))
    assert tuple(registry.batchOf(1, alice, root)) == (anchored_at, size, True, 0)
    some = range(size) if size <= 33 else (0, 1, 511, 512, size - 1)
    for index in some:
        path = merkle.proof(ids, index)
        assert tuple(registry.batchedAt(1, alice, ids[index], root, path)) == (anchored_at, 0)
        assert tuple(registry.batchedAt(1, alice, merkle.leaf(ids[index]), root, path)) == (0, 0)
        if path:
            assert tuple(registry.batchedAt(1, alice, ids[index], root, path[1:])) == (0, 0)
            assert tuple(registry.batchedAt(1, alice, ids[index - 1], root, path)) == (0, 0)


def test_a_path_of_depth_20(lab, registry, alice, mallory):
    """A million records: the siblings are what they are, only the way matters."""
    key = lab.key(alice)
    siblings = tuple(hashlib.sha256(bytes([level])).digest() for level in range(20))
    root = merkle.climb(lab.id(key), siblings)
    anchored_at = time_of(registry.anchor(1, root, 2**20, MANIFEST, sender=alice))
    assert tuple(registry.batchedAt(1, alice, lab.id(key), root, siblings)) == (anchored_at, 0)
    for level in range(20):
        wrong = (*siblings[:level], MANIFEST, *siblings[level + 1 :])
        assert tuple(registry.batchedAt(1, alice, lab.id(key), root, wrong)) == (0, 0)
    registry.materialize(key.as_abi(), root, siblings, sender=mallory)
    assert registry.statusOf(lab.id(key)).recordedAt == anchored_at


def test_a_batch_is_its_groups_and_authors_alone(lab, registry, alice, bob):
    ids = ids_of_size(2)
    root = merkle.root(ids)
    registry.anchorLeaves(1, ids, sender=alice)
    path = merkle.proof(ids, 0)
    for group, author in ((2, alice), (1, bob), (2, bob)):
        assert tuple(registry.batchedAt(group, author, ids[0], root, path)) == (0, 0)


def test_materialize(lab, registry, alice, mallory):
    keys = [lab.key(alice, subject=subject) for subject in (1, 2, 3)]
    ids, root = batch_of(lab, keys)
    anchored_at = time_of(registry.anchorLeaves(1, ids, sender=alice))
    wait()
    key, record = keys[1], lab.id(keys[1])
    path = proof_of(ids, record)
    assert bytes(registry.materialize.call(key.as_abi(), root, path, sender=mallory)) == record
    receipt = registry.materialize(key.as_abi(), root, path, sender=mallory)
    assert time_of(receipt) > anchored_at
    subject, manifest = bytes.fromhex(key.subject), bytes.fromhex(key.manifest)
    assert lab.events(receipt) == [
        ("Recorded", (1, lower(alice), record, 1, subject, 1, manifest, ())),
        ("Materialized", (record, root, anchored_at)),
    ]
    stored = (1, Kind.DATASET, Status.RECORDED, 1, anchored_at, 0, 0, 0, 0, 0, 0)
    assert tuple(registry.statusOf(record)) == stored
    with lab.refuses("RecordExists", id=record, recordedAt=anchored_at):
        registry.materialize(key.as_abi(), root, path, sender=alice)


def test_materialize_what_is_stored_already(lab, registry, alice):
    key, record = lab.record(alice)
    registry.anchorLeaves(1, [record], sender=alice)
    stored = registry.statusOf(record).recordedAt
    with lab.refuses("RecordExists", id=record, recordedAt=stored):
        registry.materialize(key.as_abi(), merkle.root((record,)), [], sender=alice)


def test_materialize_after_its_author_has_left(lab, registry, alice, carol, mallory):
    """The author consented, as a RECORDER, when the batch was anchored."""
    lab.join(1, carol, Role.RECORDER, alice)
    key = lab.key(carol)
    ids, root = batch_of(lab, [key])
    registry.anchorLeaves(1, ids, sender=carol)
    registry.removeMember(1, carol, sender=alice)
    registry.materialize(key.as_abi(), root, [], sender=mallory)
    assert registry.statusOf(lab.id(key)).status == Status.RECORDED


def test_materialize_from_no_batch(lab, registry, alice, bob, mallory):
    """Nobody's batch stores a record of somebody else, of another group, or of an author without the role."""
    key = lab.key(alice)
    record = lab.id(key)
    root = merkle.root((record,))
    with lab.refuses("UnknownBatch", group=1, author=alice.address, root=root):
        registry.materialize(key.as_abi(), root, [], sender=alice)
    registry.anchorLeaves(2, [record], sender=bob)
    lab.join(2, alice, Role.RECORDER, bob)
    registry.anchorLeaves(2, [record], sender=alice)
    for caller in (alice, bob, mallory):
        with lab.refuses("UnknownBatch", group=1, author=alice.address, root=root):
            registry.materialize(key.as_abi(), root, [], sender=caller)


def test_materialize_with_a_wrong_path(lab, registry, alice):
    keys = [lab.key(alice, subject=subject) for subject in range(1, 6)]
    ids, root = batch_of(lab, keys)
    registry.anchorLeaves(1, ids, sender=alice)
    key, record = keys[0], lab.id(keys[0])
    right, other = proof_of(ids, record), proof_of(ids, lab.id(keys[1]))
    for wrong in ((), right[:-1], right[1:], (*right, root), right[::-1], other):
        with lab.refuses("NotInBatch", id=record, root=root):
            registry.materialize(key.as_abi(), root, wrong, sender=alice)
    absent = lab.key(alice, subject=9)
    with lab.refuses("NotInBatch", id=lab.id(absent), root=root):
        registry.materialize(absent.as_abi(), root, right, sender=alice)


@pytest.mark.parametrize("hashes", [0, 1])
def test_a_root_that_is_no_tree(lab, registry, alice, hashes):
    """The id itself, or hashed once instead of twice, is not the root of anything."""
    key = lab.key(alice)
    root = merkle.keccak(lab.id(key)) if hashes else lab.id(key)
    registry.anchor(1, root, 1, MANIFEST, sender=alice)
    with lab.refuses("NotInBatch", id=lab.id(key), root=root):
        registry.materialize(key.as_abi(), root, [], sender=alice)


def test_materialize_what_is_cancelled(lab, registry, alice, mallory):
    key = lab.key(alice)
    ids, root = batch_of(lab, [key])
    registry.anchorLeaves(1, ids, sender=alice)
    registry.cancel(key.as_abi(), sender=alice)
    with lab.refuses("RecordIsCancelled", id=lab.id(key)):
        registry.materialize(key.as_abi(), root, [], sender=mallory)
    registry.record(key.as_abi(), sender=alice)
    assert registry.statusOf(lab.id(key)).flags == 0


def test_materialize_a_lineage(lab, registry, alice, mallory):
    """Parent and child of one batch, in that order; they have the same time."""
    parent = lab.key(alice)
    child = lab.key(alice, kind=Kind.MODEL, parents=[(lab.id(parent).hex(), Relation.TRAINED_ON)])
    ids, root = batch_of(lab, [parent, child])
    anchored_at = time_of(registry.anchorLeaves(1, ids, sender=alice))
    with lab.refuses("UnknownParent", parent=lab.id(parent)):
        registry.materialize(child.as_abi(), root, proof_of(ids, lab.id(child)), sender=mallory)
    for key in (parent, child):
        registry.materialize(key.as_abi(), root, proof_of(ids, lab.id(key)), sender=mallory)
        assert registry.statusOf(lab.id(key)).recordedAt == anchored_at


def test_materialize_a_child_whose_parent_came_later(lab, registry, alice):
    parent = lab.key(alice)
    child = lab.key(alice, kind=Kind.MODEL, parents=[(lab.id(parent).hex(), Relation.TRAINED_ON)])
    ids, root = batch_of(lab, [child])
    anchored_at = time_of(registry.anchorLeaves(1, ids, sender=alice))
    wait()
    later = time_of(registry.record(parent.as_abi(), sender=alice))
    with lab.refuses("ParentRecordedLater", parent=lab.id(parent), parentRecordedAt=later, recordedAt=anchored_at):
        registry.materialize(child.as_abi(), root, [], sender=alice)
    registry.record(child.as_abi(), sender=alice)


def test_a_batched_record_obeys_the_rules_of_all(lab, registry, alice):
    fields = list(lab.key(alice).as_abi())
    for position, value, error, name in ((4, 15, "InvalidKind", "kind"), (2, 7, "InvalidSubjectType", "subjectType")):
        wrong = (*fields[:position], value, *fields[position + 1 :])
        record = bytes(registry.idOf(wrong))
        registry.anchorLeaves(1, [record], sender=alice)
        with lab.refuses(error, **{name: value}):
            registry.materialize(wrong, merkle.root((record,)), [], sender=alice)
