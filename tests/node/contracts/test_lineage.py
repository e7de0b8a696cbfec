"""What a path of keys rests on: Clean only if all of it is there, recorded and unretracted."""

from __future__ import annotations

import itertools

import pytest

from blockchaintracer.core.record import Kind, Relation, to_hex
from tests.model import merkle

CLEAN, FOREIGN, INCOMPLETE, RETRACTED = range(4)
NOTHING = (CLEAN, bytes(32))


def status(registry, path):
    ids = [to_hex(registry.idOf(key.as_abi())) for key in path]
    places = [
        ids.index(link.parent) if link.parent in ids[:at] else len(ids)
        for at, key in enumerate(path)
        for link in key.parents
    ]
    lineage, culprit = registry.lineageStatus([key.as_abi() for key in path], places)
    return lineage, bytes(culprit)


@pytest.fixture
def path(lab, alice, bob):
    """A dataset, a model trained on it, and another group's result that rests on both."""
    data, record = lab.record(alice)
    model, trained = lab.record(alice, kind=Kind.MODEL, parents=[(record.hex(), Relation.TRAINED_ON)])
    parents = sorted([(record.hex(), Relation.EVALUATED_ON), (trained.hex(), Relation.DERIVED_FROM)])
    result, _ = lab.record(bob, 2, kind=Kind.RESULT, parents=parents)
    return [data, model, result]


def test_clean(registry, path):
    assert status(registry, path) == NOTHING
    assert status(registry, path[:2]) == NOTHING
    assert status(registry, path[:1]) == NOTHING


def test_nothing_is_incomplete(registry):
    assert status(registry, []) == (INCOMPLETE, bytes(32))


def test_a_key_may_come_twice(registry, path):
    assert status(registry, [*path, *path]) == NOTHING


@pytest.mark.parametrize("order", list(itertools.permutations(range(3)))[1:])
def test_parents_come_before_their_children(lab, registry, path, order):
    shuffled = [path[index] for index in order]
    given = set()
    for key in shuffled:
        if not {link.parent for link in key.parents} <= given:
            assert status(registry, shuffled) == (INCOMPLETE, lab.id(key))
            return
        given.add(to_hex(lab.id(key)))
    pytest.fail("every other order puts a child before its parent")


@pytest.mark.parametrize("hole", [0, 1])
def test_a_hole(lab, registry, path, hole):
    left = [key for index, key in enumerate(path) if index != hole]
    assert status(registry, left) == (INCOMPLETE, lab.id(path[1 if hole == 0 else 2]))


@pytest.mark.parametrize("fault", ["unknown", "cancelled", "in a batch"])
def test_what_is_not_stored(lab, registry, alice, path, fault):
    missing = lab.key(alice, subject=9, parents=[(lab.id(path[0]).hex(), Relation.USES)])
    if fault == "cancelled":
        registry.cancel(missing.as_abi(), sender=alice)
    elif fault == "in a batch":
        registry.anchorLeaves(1, [lab.id(missing)], sender=alice)
    assert status(registry, [*path, missing]) == (INCOMPLETE, lab.id(missing))
    if fault == "in a batch":
        registry.materialize(missing.as_abi(), merkle.root((lab.id(missing),)), [], sender=alice)
        # stored now, with a time that its parent has to precede
        assert status(registry, [*path, missing]) == NOTHING


@pytest.mark.parametrize("which", [0, 1, 2])
def test_retracted_anywhere(lab, registry, alice, bob, path, which):
    registry.retract(path[which].as_abi(), bytes(32), sender=bob if which == 2 else alice)
    assert status(registry, path) == (RETRACTED, lab.id(path[which]))


def test_the_worst_and_its_first_are_named(lab, registry, alice, path):
    """Retracted before Incomplete before Foreign; of equals the first."""
    reference, _ = lab.record(alice, kind=Kind.REFERENCE, subject=5)
    other, _ = lab.record(alice, kind=Kind.REFERENCE, subject=6)
    unstored = lab.key(alice, subject=9)
    assert status(registry, [reference, other, *path]) == (FOREIGN, lab.id(reference))
    assert status(registry, [reference, *path, unstored]) == (INCOMPLETE, lab.id(unstored))
    registry.retract(path[2].as_abi(), bytes(32), sender=lab.person(path[2].author))
    assert status(registry, [unstored, reference, *path]) == (RETRACTED, lab.id(path[2]))
    registry.retract(path[1].as_abi(), bytes(32), sender=alice)
    assert status(registry, [unstored, reference, *path]) == (RETRACTED, lab.id(path[1]))


def test_a_reference_makes_it_foreign(lab, registry, alice):
    reference, record = lab.record(alice, kind=Kind.REFERENCE)
    child, _ = lab.record(alice, kind=Kind.MODEL, parents=[(record.hex(), Relation.FINE_TUNED_FROM)])
    assert status(registry, [reference, child]) == (FOREIGN, record)
    registry.retract(reference.as_abi(), bytes(32), sender=alice)
    assert status(registry, [reference, child]) == (RETRACTED, record)
