"""Hats followed its trees upwards without end. `lineageStatus` follows nothing: the caller brings the path, and nobody
else can make it longer."""

from __future__ import annotations

import pytest

from tests.findings.conftest import ALICE, BOB, DATA, MALLORY, domain, run_reproducing
from tests.model.eip712 import Key
from tests.model.registry import ALL_ROLES, REPRODUCED

pytestmark = pytest.mark.evm

CLEAN, FOREIGN, INCOMPLETE, RETRACTED = range(4)
DEPTH = 500
# EIP-7825: what one transaction may use
TRANSACTION = 2**24


def asked(registry, path: list[Key]) -> tuple[tuple[int, bytes], int]:
    """The answer, and the gas of the question."""
    data = registry.interface.encode_call("lineageStatus", path)
    answer = registry.chain.call(MALLORY.address, registry.address, data, static=True)
    return registry.interface.decode_result(data[:4], answer), registry.chain.evm.result.gas_used


@pytest.fixture
def line(registry) -> list[Key]:
    """Each record is derived from the one before."""
    keys = [DATA]
    for index in range(1, DEPTH):
        parents = ((domain(registry).record_id(keys[-1]), 4),)
        keys.append(DATA._replace(subject=index.to_bytes(32, "big"), parents=parents))
    for start in range(0, DEPTH, 100):
        registry.send(ALICE.address, "recordMany", keys[start : start + 100])
    return keys


def test_a_long_line(registry, line) -> None:
    assert asked(registry, line)[0] == (CLEAN, bytes(32))
    registry.send(ALICE.address, "retract", line[0], bytes(32))
    assert asked(registry, line)[0] == (RETRACTED, domain(registry).record_id(DATA))
    # whoever leaves the retracted one out is told that something is missing
    assert asked(registry, line[1:])[0] == (INCOMPLETE, domain(registry).record_id(line[1]))


def test_a_line_twice_as_long_costs_twice(registry, line) -> None:
    half, whole = (asked(registry, line[:length])[1] for length in (DEPTH // 2, DEPTH))
    assert whole < 2.2 * half
    assert whole < TRANSACTION, "another contract can't ask"


def test_strangers_make_it_no_longer(registry, line) -> None:
    """A child, a verdict, a Reference: what others add to a record is below it, not above it."""
    path = line[:20]
    before = asked(registry, path)
    record = domain(registry).record_id(path[-1])
    group, _ = registry.send(MALLORY.address, "createGroup", bytes(32), ALL_ROLES)
    for index in range(1, 20):
        child = run_reproducing(record, author=MALLORY, group=group, subject=index)
        registry.send(MALLORY.address, "record", child)
    registry.send(MALLORY.address, "attest", record, group, REPRODUCED, child)
    registry.send(MALLORY.address, "retract", child, bytes(32))
    (status, culprit), gas = asked(registry, path)
    assert ((status, culprit), gas) == before


@pytest.mark.parametrize("stranger", ["not stored", "of others"])
def test_a_path_with_more_in_it(registry, line, stranger) -> None:
    """What is given is what is judged: a record that doesn't belong can make the answer worse, never better."""
    extra = run_reproducing(author=BOB)
    if stranger == "of others":
        registry.send(BOB.address, "record", extra)
    met = asked(registry, [*line[:3], extra])[0]
    expected = (CLEAN, bytes(32)) if stranger == "of others" else (INCOMPLETE, domain(registry).record_id(extra))
    assert met == expected


def test_order_repetition_and_nothing(registry, line) -> None:
    ids = [domain(registry).record_id(key) for key in line[:3]]
    assert asked(registry, [])[0] == (INCOMPLETE, bytes(32))
    assert asked(registry, [line[1], line[0], line[2]])[0] == (INCOMPLETE, ids[1])
    assert asked(registry, [*line[:3], *line[:3]])[0] == (CLEAN, bytes(32))
    reference = DATA._replace(kind=10, subject_type=4, subject=b"\x77" * 32)
    reference_id, _ = registry.send(ALICE.address, "record", reference)
    child = DATA._replace(kind=2, parents=((reference_id, 1),))
    child_id, _ = registry.send(ALICE.address, "record", child)
    assert asked(registry, [reference, child])[0] == (FOREIGN, reference_id)
    registry.send(ALICE.address, "retract", child, bytes(32))
    assert asked(registry, [reference, child])[0] == (RETRACTED, child_id)


@pytest.mark.parametrize("place", [0, 5])
def test_ids_that_fall_on_one_place_are_told_apart(registry, place) -> None:
    """`lineageStatus` keeps the ids of n records in 2n places: three that belong on one lie on it and on the next two,
    which after the last place are the first."""
    places = 2 * 3
    keys: list[Key] = []
    parents: tuple[tuple[bytes, int], ...] = ()
    for subject in range(1, 10_000):
        key = Key(1, 1, 1, ALICE.address, subject.to_bytes(32, "big"), b"\2" * 32, parents)
        record = domain(registry).record_id(key)
        if int.from_bytes(record, "big") % places == place:
            registry.send(ALICE.address, "record", key)
            keys.append(key)
            parents = tuple(sorted((domain(registry).record_id(one), 4) for one in keys))
        if len(keys) == 3:
            break
    assert asked(registry, keys)[0] == (CLEAN, bytes(32))
    assert asked(registry, [keys[1], keys[0], keys[2]])[0] == (INCOMPLETE, domain(registry).record_id(keys[1]))
    assert asked(registry, [keys[0], keys[2], keys[1]])[0] == (INCOMPLETE, domain(registry).record_id(keys[2]))
