"""Hats followed its trees upwards without end. `lineageStatus` follows and searches nothing: the caller brings the path
and the place of each parent in it, and nobody else can make it longer or dearer."""

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


def asked(registry, path: list[Key], places: tuple[int, ...] | None = None) -> tuple[tuple[int, bytes], int]:
    """The answer, and the gas of the question."""
    places = places_of(registry, path) if places is None else places
    data = registry.interface.encode_call("lineageStatus", path, places)
    answer = registry.chain.call(MALLORY.address, registry.address, data, static=True)
    return registry.interface.decode_result(data[:4], answer), registry.chain.evm.result.gas_used


def places_of(registry, path: list[Key]) -> tuple[int, ...]:
    """Where in the path each parent is, as an honest caller says it; one beyond it for a parent that is not before."""
    place: dict[bytes, int] = {}
    places = []
    for at, key in enumerate(path):
        places += [place.get(parent, len(path)) for parent, _ in key.parents]
        place.setdefault(domain(registry).record_id(key), at)
    return tuple(places)


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
    group, _ = registry.send(MALLORY.address, "createGroup", ALL_ROLES, bytes(32))
    for index in range(1, 20):
        child = run_reproducing(record, author=MALLORY, group=group, subject=index)
        registry.send(MALLORY.address, "record", child)
    registry.send(MALLORY.address, "attestWithEvidence", group, record, REPRODUCED, child)
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


def test_ground_ids_cost_no_more(registry) -> None:
    """Ancestors whose ids an adversary has ground to fall on one place of a table cost what honest ones do."""
    count = 60
    costs = []
    for ground in (1, 2 * (count + 1)):
        group, _ = registry.send(MALLORY.address, "createGroup", ALL_ROLES, bytes(32))
        keys: list[Key] = []
        parents: tuple[tuple[bytes, int], ...] = ()
        subject = 0
        while len(keys) < count:
            subject += 1
            key = Key(group, MALLORY.address, 1, subject.to_bytes(32, "big"), 1, b"\2" * 32, parents)
            record = domain(registry).record_id(key)
            if int.from_bytes(record, "big") % ground == 0:
                keys.append(key)
                parents = ((record, 4),)
        registry.send(MALLORY.address, "recordMany", keys)
        met, gas = asked(registry, keys)
        assert met == (CLEAN, bytes(32))
        costs.append(gas)
    # bytes of the ids that are zero cost less calldata: a few hundred of some 300,000
    assert abs(costs[0] - costs[1]) < costs[0] / 100


@pytest.mark.parametrize("places", [(), (0,), (0, 2), (1, 1), (2**256 - 1, 0), (0, 1, 7)])
def test_places_are_checked_and_never_believed(registry, line, places) -> None:
    """The caller says where each parent is: only the right place, of a key before, makes a lineage Clean."""
    path = line[:3]
    met = asked(registry, path, places)[0]
    second, third = (domain(registry).record_id(key) for key in path[1:])
    expected = {(): second, (0,): third, (0, 2): third, (0, 1, 7): None}.get(places, second)
    assert met == ((INCOMPLETE, expected) if expected else (CLEAN, bytes(32)))
