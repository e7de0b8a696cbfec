"""The gas that operations cost is committed: whoever moves a figure sees it here. `make gas` compares with peers."""

import json

import pytest

from benchmarks.chain import Chain, Work, floor
from benchmarks.gas import SNAPSHOT, TARGETS, drift, missed, snapshot
from benchmarks.registry import Measured, measure


@pytest.fixture(scope="module")
def chain():
    with Chain() as running:
        yield running


@pytest.fixture(scope="module")
def measured(chain) -> Measured:
    return measure(chain)


@pytest.fixture(scope="module")
def committed():
    return json.loads(SNAPSHOT.read_text())


def test_gas_is_what_is_committed(measured, committed):
    moved = drift(snapshot(measured, {}, {}), committed, ("ours", "floor", "target"))
    assert not moved, "\n".join([*moved, "If that is meant: python -m benchmarks.gas --update"])


def test_targets_are_met(committed):
    assert list(committed) == list(TARGETS)
    assert not missed(committed)


def test_snapshot_has_every_column_and_beats_the_peers(committed):
    for name, figures in committed.items():
        assert list(figures) == ["ours", "eas", "verax", "floor", "target"], name
        assert figures["ours"] < figures["eas"], name
        assert figures["verax"] is None or figures["ours"] < figures["verax"], name


def test_no_operation_costs_less_than_its_floor(measured):
    for name, figure in measured.operations.items():
        assert figure.floor < figure.gas, name


def test_a_measurement_repeats(measured):
    with Chain() as another:
        assert measure(another) == measured


def test_the_registry_fits(measured):
    assert measured.fits


@pytest.mark.parametrize("data", [b"", bytes(1), b"\x01", bytes(1000), b"\xff" * 1000, bytes(range(256)) * 8], ids=len)
def test_the_floor_of_bare_calldata_is_what_the_chain_charges(chain, data):
    assert chain.transfer(data).gas == floor(data, [], Work())


def test_the_floor_counts_logs_and_storage():
    log = {"topics": [bytes(32)] * 3, "data": bytes(64)}
    work = Work(new_slots=1, changed_slots=2, cold_reads=3, signatures=4)
    assert floor(b"", [log], work) == 21_000 + 22_100 + 2 * 5_000 + 3 * 2_100 + 4 * 3_000 + 4 * 375 + 64 * 8


def test_drift_names_the_figure():
    before = {"record": {"ours": 1}, "gone": {"ours": 2}}
    after = {"record": {"ours": 3}, "new": {"ours": 4}}
    assert drift(after, before, ["ours"]) == [
        "gone ours: 2 committed, None measured",
        "new ours: None committed, 4 measured",
        "record ours: 1 committed, 3 measured",
    ]
    assert not drift(before, before, ["ours"])


def test_a_missed_target_is_named():
    assert missed({"record": {"ours": 11, "target": 10}, "parent": {"ours": 10, "target": 10}}) == ["record"]
