"""The gas that operations cost is committed: whoever moves a figure sees it here. `make gas` compares with peers."""

import json
import re
from itertools import pairwise

import pytest

from benchmarks.chain import HARDFORK, ROOT, Chain, Work, floor
from benchmarks.gas import COLUMNS, DOCUMENT, SNAPSHOT, TARGETS, document, drift, missed, repricing, snapshot
from benchmarks.registry import MILLION, SIZES, Measured, measure


@pytest.fixture(scope="module")
def chain():
    with Chain() as running:
        yield running


@pytest.fixture(scope="module")
def measured(chain) -> Measured:
    return measure(chain)


@pytest.fixture(scope="module")
def snapshot_file():
    return json.loads(SNAPSHOT.read_text())


@pytest.fixture(scope="module")
def committed(snapshot_file):
    return snapshot_file["figures"]


def test_gas_is_what_is_committed(measured, committed):
    fresh = snapshot(measured, {}, {}, {})
    # the floor of a Merkle path is Solady's, whose package only `make gas` installs
    fresh["verify_leaf_20"]["floor"] = committed["verify_leaf_20"]["floor"]
    moved = drift(fresh, committed, ("ours", "floor", "target"))
    assert not moved, "\n".join([*moved, "If that is meant: python -m benchmarks.gas --update"])


def test_targets_are_met(committed):
    assert {name for name, figures in committed.items() if figures["target"] is not None} == set(TARGETS)
    assert not missed(committed)


def test_snapshot_has_every_column_and_beats_the_peers(committed):
    for name, figures in committed.items():
        assert list(figures) == [*COLUMNS], name
        # a timestamp of EAS is for anyone and of nobody: it neither checks a role nor keeps an author
        if name in ("seal", "leaves_1"):
            continue
        for peer in ("eas", "verax"):
            assert figures[peer] is None or figures["ours"] < figures[peer], name


def test_a_root_costs_the_same_however_many_records(measured):
    costs = [measured.operations[f"anchor_{size}"].gas for size in (*SIZES, MILLION)]
    # 12 gas for each zero byte of the root or the number that another has not
    assert max(costs) - min(costs) <= 12 * 8
    assert measured.operations["anchor_root"].gas == max(costs)


def test_a_transaction_holds_as_many_records_as_the_documents_say(measured):
    assert measured.most == {"batch_pool": 454, "batch_largest": 559, "leaves_largest": 4089}


def test_the_snapshot_names_its_fork(snapshot_file):
    assert snapshot_file["fork"] == HARDFORK


def test_what_a_repriced_slot_makes_of_it_is_what_is_committed(snapshot_file):
    with Chain(repriced=True) as dear:
        fresh = repricing(measure(dear), {})
    repriced = snapshot_file["repriced"]
    assert not drift(fresh, repriced, ("ours",))
    more = {name: figures["ours"] - snapshot_file["figures"][name]["ours"] for name, figures in repriced.items()}
    slot = 97_920 - 20_000
    # one slot a record, two for a foreign verdict with its reference, none for a parent
    assert [more[name] / slot for name in ("record", "attest_foreign_reproduced", "parent", "retract")] == [1, 2, 0, 0]
    assert all(figures["eas"] is None or figures["ours"] < figures["eas"] for figures in [repriced["record"]])


def test_slots_that_are_filled_are_counted(chain):
    # PUSH1 0, its place, SSTORE and so on: two are filled, one stays empty, one is filled and emptied again
    code = "60016001556001600255600060035560016004556000600455"
    sent = chain.w3.eth.send_transaction({"data": "0x" + code, "gas": 500_000, "gasPrice": 0})
    chain.w3.eth.wait_for_transaction_receipt(sent)
    assert chain.new_slots("0x" + sent.hex()) == 2


def test_the_documents_show_what_is_committed(committed, snapshot_file):
    shown = DOCUMENT.read_text()
    assert shown == document(shown, committed, snapshot_file["repriced"])
    known = {committed[name][column] for name in committed for column in ("ours", "eas")}
    for page in (ROOT / "README.md", ROOT / "docs" / "why.md"):
        section = page.read_text().partition("\n## What it costs")[2].partition("\n## ")[0]
        figures = {int(figure.replace(",", "")) for figure in re.findall(r"\d+,\d{3}", section)}
        assert len(figures) > 5, page
        assert figures - {1_000, 1_024, 1_000_000, 24_576} <= known, page


def test_no_operation_costs_less_than_its_floor(measured):
    for name, figure in measured.operations.items():
        assert figure.floor < figure.gas, name


def test_of_a_batch_each_pays_less_the_more_there_are(measured):
    for kind in ("batch", "leaves"):
        costs = [measured.operations[f"{kind}_{size}"].gas for size in (*SIZES, "largest")]
        assert all(fewer > more for fewer, more in pairwise(costs)), kind


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
    figures = {
        "record": {"ours": 11, "target": 10},
        "parent": {"ours": 10, "target": 10},
        "cancel": {"ours": 9, "target": None},
    }
    assert missed(figures) == ["record costs 11, 1 more than its target"]


def test_the_most_that_a_transaction_takes(chain):
    class Call:
        """A transfer whose data are the items."""

        address = chain.accounts[1].address

        def __init__(self, items):
            self.data = b"".join(items)

        def _encode_transaction_data(self):
            return self.data

    kilobytes = [b"\xff" * 1024] * 600
    # 21,000 and 40 gas a byte (EIP-7623) of 16,777,216
    assert chain.most(kilobytes, Call, size_limit=1 << 30) == (16_777_216 - 21_000) // (40 * 1024) == 409
    assert chain.most(kilobytes, Call) == 127
    assert chain.most(kilobytes[:5], Call) == 5
