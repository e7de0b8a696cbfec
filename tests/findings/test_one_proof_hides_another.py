"""Of several files about a record the last one counted: that of an ended batch, of a batch that nobody anchored, or
with a receipt of no block, hid one that was good. A file of 1 MiB had a node asked 2,600 times."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import rlp

from blockchaintracer.core.chain.abi import interface
from blockchaintracer.core.merkle import MerkleTree
from blockchaintracer.core.record_key_file import KeyFile, Proof
from blockchaintracer.core.verify import Report
from blockchaintracer.core.verify.published_proofs import proof_name
from blockchaintracer.lab.verify_here import verify
from tests.support.memory_node import answering, forgetful
from tests.support.registry_life import FULL, Life, live

pytestmark = pytest.mark.evm


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    return live(tmp_path_factory.mktemp("life"))


def published(folder: Path, file: KeyFile) -> Path:
    path = folder / proof_name(file.id)
    path.parent.mkdir(parents=True)
    path.write_bytes(file.to_bytes())
    return folder


def kept(life: Life, name: str) -> KeyFile:
    file = life.published / proof_name(life.ids[name])
    return (Proof if name in ("batched", "stored") else KeyFile).read_file(file)


@pytest.mark.parametrize("order", [1, -1])
def test_an_ended_batch_beside_one_that_stands(life: Life, tmp_path: Path, order: int) -> None:
    good, author = kept(life, "batched"), life.lab.signer.address
    tree = MerkleTree([good.id, "0x" + "11" * 32])
    root = bytes.fromhex(tree.root[2:])
    calls: list[tuple[Any, ...]] = [("anchor", 1, root, 2, bytes(32)), ("endBatch", 1, author, root)]
    for name, *arguments in calls:
        call = interface().call(name, *arguments)
        assert life.node.send(author, life.lab.registry.address, bytes.fromhex(call[2:]))
    ended = Proof(good.chain_id, good.registry, good.key, tree.root, tuple(tree.proof(good.id)))
    folders = [published(tmp_path / "good", good), published(tmp_path / "ended", ended)]
    with answering(full=life.node.answer):
        lab = life.open_lab(tmp_path / "home", FULL)
        alone = verify(lab, good.id, sources=folders[1:])
        assert "never be stored" in str([check.detail for check in alone.failed])
        both = verify(lab, good.id, sources=folders[::order])
        assert str(both.conclusion) == "verified", both.failed
        assert [record.batch for record in both.records] == [good.root]  # type: ignore[attr-defined]


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("is_forged", [True, False])
def test_a_file_with_less_beside_one_with_the_receipt(life: Life, tmp_path: Path, order: int, is_forged: bool) -> None:
    good = kept(life, "data")
    [real] = good.receipts
    fields = rlp.decode(bytes.fromhex(real.header[2:]))
    forged = replace(real, header="0x" + rlp.encode([*fields[:12], b"forged", *fields[13:]]).hex(), raw="")
    worse = replace(good, receipts=(forged,) if is_forged else ())
    folders = [published(tmp_path / "good", good), published(tmp_path / "worse", worse)]

    def asked(sources: list[Path]) -> Report:
        return verify(life.open_lab(tmp_path / "home", FULL), good.id, sources=sources)

    with answering(full=forgetful(life.node, "4444", 20, headers=True)):
        alone, both = asked(folders[:1]), asked(folders[::order])
    assert str(both.conclusion) == "verified"
    told, expected = ({it.name: it.detail for it in report.checks} for report in (both, alone))
    assert life.transactions["data"] in told["recorded"]
    for name in ("recorded", "time", "author", "role"):
        assert told[name] == expected[name]


@pytest.mark.parametrize("order", [1, -1])
def test_a_batch_that_nobody_anchored_beside_the_receipt(life: Life, tmp_path: Path, order: int) -> None:
    good = kept(life, "data")
    tree = MerkleTree([good.id, "0x" + "77" * 32])
    made_up = Proof(good.chain_id, good.registry, good.key, tree.root, tuple(tree.proof(good.id)))
    folders = [published(tmp_path / "good", good), published(tmp_path / "made-up", made_up)]
    with answering(full=forgetful(life.node, "4444", 20)):
        report = verify(life.open_lab(tmp_path / "home", FULL), good.id, sources=folders[::order])
    told = {it.name: it for it in report.checks}
    assert life.transactions["data"] in told["recorded"].detail
    assert (str(report.conclusion), str(told["author"].verdict)) == ("verified", "pass")


def test_a_file_with_hundreds_of_receipts_costs_no_more_questions(life: Life, tmp_path: Path) -> None:
    good = kept(life, "data")
    [real] = good.receipts
    fields = rlp.decode(bytes.fromhex(real.header[2:]))
    headers = [rlp.encode([*fields[:8], bytes([1, number]), *fields[9:]]) for number in range(256)]
    forged = replace(good, receipts=tuple(replace(real, header="0x" + it.hex(), raw="") for it in headers))
    folder = published(tmp_path / "forged", forged)
    before = life.node.asked.total()
    with answering(full=forgetful(life.node, "4444", 20)):
        assert str(verify(life.open_lab(tmp_path / "home", FULL), good.id, sources=[folder]).conclusion) == "verified"
    assert life.node.asked.total() - before < 150


@pytest.mark.parametrize("is_batched", [False, True])
def test_hundreds_of_files_cost_no_more_questions(life: Life, tmp_path: Path, is_batched: bool) -> None:
    good = kept(life, "batched" if is_batched else "data")
    published(tmp_path, good)
    fields = rlp.decode(bytes.fromhex(kept(life, "data").receipts[0].header[2:]))
    for number in range(150):
        header = "0x" + rlp.encode([*fields[:8], bytes([2, number]), *fields[9:]]).hex()
        file = replace(good, receipts=tuple(replace(it, header=header, raw="") for it in kept(life, "data").receipts))
        if is_batched:
            tree = MerkleTree([good.id, f"0x{number + 1:064x}"])
            file = Proof(good.chain_id, good.registry, good.key, tree.root, tuple(tree.proof(good.id)))
        (tmp_path / "proofs" / f"{number}.json").write_bytes(file.to_bytes())
    before = life.node.asked.total()
    with answering(full=forgetful(life.node, "4444", 20)):
        # the proof of a batched record does not hold its id, but the digest of its content
        target = str(life.files["batched"]) if is_batched else good.id
        report = verify(life.open_lab(tmp_path / "home", FULL), target, sources=[tmp_path])
    assert str(report.conclusion) == "verified", report.failed
    assert life.node.asked.total() - before < 250
    assert is_batched == any("has more than 64 files about it" in it.detail for it in report.checks)


def test_a_proof_of_another_batch_of_the_author_changes_no_time(life: Life, tmp_path: Path) -> None:
    key, author = kept(life, "stored"), life.lab.signer.address
    tree = MerkleTree([key.id, "0x" + "55" * 32])
    call = interface().call("anchor", 1, bytes.fromhex(tree.root[2:]), 2, bytes(32))
    assert life.node.send(author, life.lab.registry.address, bytes.fromhex(call[2:]))
    later = Proof(key.chain_id, key.registry, key.key, tree.root, tuple(tree.proof(key.id)))
    folder = published(tmp_path / "later", later)
    with answering(full=forgetful(life.node, "4444", life.node.head)):
        lab = life.open_lab(tmp_path / "home", FULL)
        recorded_at = lab.registry.status(key.id).recorded_at
        report = verify(lab, key.id, sources=[folder])
    [time] = [it for it in report.checks if it.name == "time"]
    assert time.values["time"] == recorded_at
