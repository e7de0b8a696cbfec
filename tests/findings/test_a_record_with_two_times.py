"""A record that its author put into a batch can be stored by its signature, too, by anyone who holds that. Its slot
then has the later time, and `verify` named only that."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blockchaintracer.core.record import Kind
from blockchaintracer.core.record_key_file import Proof
from blockchaintracer.lab.batches import anchor, batching
from blockchaintracer.lab.kept_proofs import find_proof
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.outbox import Op, Transaction
from blockchaintracer.lab.recording.content import record_content
from tests.support.labs import shared_lab, typed

pytestmark = pytest.mark.node


@pytest.fixture
def lab(tmp_path):
    with shared_lab(tmp_path) as lab:
        yield lab


def stored_later(lab: Lab, file: Path) -> tuple[Proof, int, int]:
    """The proof of a record whose author anchored it, and stored it by itself: when the one, when the other."""
    file.write_text("strain")
    with batching(lab):
        batched = record_content(lab, Kind.DATASET, file)
    anchored_at = anchor(lab).time
    proof = find_proof(lab, batched.id)
    assert proof is not None
    lab.chain.ask("anvil_mine", "0x1", "0x64")
    lab.write(Transaction(Op.RECORD, lab.registry.address, record_id=proof.id, key=proof.key))
    recorded_at = lab.registry.status(proof.id).recorded_at
    assert recorded_at > anchored_at
    return proof, anchored_at, recorded_at


@pytest.mark.parametrize("by", ["id", "file", "proof"])
def test_both_times_are_shown(lab: Lab, tmp_path: Path, by: str) -> None:
    file = tmp_path / "strain.csv"
    proof, anchored_at, recorded_at = stored_later(lab, file)
    kept = tmp_path / "proof.json"
    kept.write_text(json.dumps(proof.as_json()))
    subject = {"id": [proof.id], "file": [str(file)], "proof": [str(file), "--proof", str(kept)]}[by]
    done = typed("verify", *subject, "--json", home=lab.home.path)
    answer = json.loads(done.stdout)
    assert answer["outcome"] == "verified", done.stdout
    values = {check["name"]: check["values"] for check in answer["checks"] if check["name"] in ("time", "batch")}
    assert values["time"]["time"] == recorded_at
    assert (values["batch"]["root"], values["batch"]["anchoredAt"]) == (proof.root, anchored_at)
