"""Batches: proofs are written before the root is sent, and records are stored from them with the batch's time."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
import rfc8785

from blockchaintracer.core.errors import ChainUnavailable, ContractRevert, InputError
from blockchaintracer.core.merkle import MerkleTree
from blockchaintracer.core.record import Kind, Link, Relation, Status, from_hex
from blockchaintracer.core.record_key_file import Proof
from blockchaintracer.lab.batches import Batched, anchor, batching, cancel, end, listed, materialize
from blockchaintracer.lab.kept_proofs import find_proof
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.outbox import ANCHORS
from blockchaintracer.lab.recording.content import record_content
from blockchaintracer.lab.status import record_status
from blockchaintracer.lab.verify_here import verify
from tests.support.labs import again, running_lab, second_lab, typed


def nonce(lab: Lab) -> int:
    return lab.chain.nonce(lab.signer.address)


def add(lab, folder, *links) -> Batched:
    file = folder / os.urandom(4).hex()
    file.write_bytes(os.urandom(20))
    with batching(lab):
        found = record_content(lab, Kind.DATASET, file, parents=[Link(one, Relation.USES) for one in links])
    assert isinstance(found, Batched)
    return found


def test_adding_sends_nothing_and_anchoring_sends_one_transaction(lab, tmp_path):
    paid = nonce(lab)
    added = [add(lab, tmp_path) for _ in range(5)]
    assert nonce(lab) == paid
    assert {row["id"] for row in listed(lab)["open"]} == {one.id for one in added}
    done = anchor(lab)
    assert nonce(lab) == paid + 1
    assert done.root == MerkleTree(one.id for one in added).root
    batch = lab.registry.batch(1, lab.signer.address, done.root)
    assert (batch.anchored_at, batch.count, batch.counted) == (done.time, 5, False)
    [event] = lab.registry.events("Anchored", root=from_hex(done.root))
    manifest = event.args["manifest"].hex()
    assert manifest == done.manifest
    described = json.loads(lab.store.get_bytes(manifest))
    assert rfc8785.dumps(described) == lab.store.get_bytes(manifest)
    assert (described["root"], described["count"]) == (done.root, 5)
    found = listed(lab)
    assert (found["open"], found["batches"][-1]["root"]) == ([], done.root)
    for one in added:
        proof = find_proof(lab, one.id)
        assert proof is not None
        assert proof.holds
        siblings = [from_hex(part) for part in proof.path]
        asked = (1, lab.signer.address, from_hex(one.id), from_hex(done.root), siblings)
        assert lab.registry.read_function("batchedAt", *asked) == [done.time, 0]
        assert not lab.registry.status(one.id).exists


def test_with_leaves_the_registry_counts_and_computes_the_same_root(lab, tmp_path):
    added = [add(lab, tmp_path) for _ in range(7)]
    done = anchor(lab, leaves=True)
    batch = lab.registry.batch(1, lab.signer.address, done.root)
    assert (batch.count, batch.counted) == (7, True)
    stored = materialize(lab, added[3].id)
    assert [one.id for one in stored] == [added[3].id]


def test_a_materialized_record_has_the_time_of_its_batch_and_its_parents_come_first(lab, tmp_path):
    first = add(lab, tmp_path)
    second = add(lab, tmp_path, first.id)
    third = add(lab, tmp_path, first.id, second.id)
    done = anchor(lab)
    lab.chain.ask("anvil_mine", "0x1", "0x64")
    stored = materialize(lab, third.id)
    assert [one.id for one in stored] == [first.id, second.id, third.id]
    for one in stored:
        status = lab.registry.status(one.id)
        assert (status.status, status.recorded_at, status.is_batched) == (Status.RECORDED, done.time, True)
        assert one.time == done.time < lab.chain.block(one.block).timestamp
    paid = nonce(lab)
    assert [one.existing for one in materialize(again(lab), third.id)] == [True]
    assert nonce(lab) == paid


def test_anybody_with_the_proof_file_stores_it_for_its_author(lab, tmp_path):
    parent = add(lab, tmp_path)
    child = add(lab, tmp_path, parent.id)
    proofs = tmp_path / "proofs"
    shutil.copytree(anchor(lab).proofs, proofs)
    other = second_lab(lab, tmp_path / "other")
    stored = materialize(other, str(proofs / f"{child.id}.json"))
    assert [one.id for one in stored] == [parent.id, child.id]
    assert {one.author for one in stored} == {lab.signer.address}


def test_a_proof_file_is_checked_before_anything_is_paid(lab, tmp_path):
    one = add(lab, tmp_path)
    add(lab, tmp_path)
    path = tmp_path / "proof.json"
    shutil.copy(f"{anchor(lab).proofs}/{one.id}.json", path)
    paid = nonce(lab)
    good = Proof.read_file(path)
    for changed, words in (
        (replace(good, key=replace(good.key, subject="ab" * 32)), "doesn't lead from"),
        (replace(good, path=good.path[:-1]), "doesn't lead from"),
        (replace(good, chain_id=good.chain_id + 1), "doesn't lead from"),
    ):
        path.write_text(json.dumps(changed.as_json()))
        with pytest.raises(InputError, match=words):
            materialize(lab, str(path))
    for text in ("", "[]", "{}", '{"type": 1}'):
        path.write_text(text)
        with pytest.raises(InputError, match="expected urn:blockchaintracer:batch-proof:v1"):
            materialize(lab, str(path))
    with pytest.raises(InputError, match="no proof of record"):
        materialize(lab, "ab" * 32)
    waiting = add(lab, tmp_path)
    with pytest.raises(InputError, match="no proof") as refused:
        materialize(lab, waiting.id)
    assert "batch anchor" in refused.value.hint
    assert nonce(lab) == paid
    anchor(lab)


def test_a_batch_that_nobody_anchored_is_refused(lab, tmp_path):
    key = find_proof_key(lab, tmp_path)
    tree = MerkleTree([lab.domain.record_id(key)])
    path = tmp_path / "proof.json"
    path.write_text(json.dumps(Proof(lab.chain_id, lab.registry.address, key, tree.root, ()).as_json()))
    with pytest.raises(ContractRevert, match="never anchored"):
        materialize(lab, str(path))


def find_proof_key(lab, folder):
    proof = find_proof(lab, anchored_one(lab, folder).id)
    assert proof is not None
    return replace(proof.key, subject="cd" * 32)


def anchored_one(lab, folder) -> Batched:
    one = add(lab, folder)
    anchor(lab)
    return one


def test_an_empty_batch_and_a_stranger_are_refused_before_anything_is_written(lab, tmp_path):
    with pytest.raises(InputError, match="expected records in the open batch, got none"):
        anchor(lab)
    other = second_lab(lab, tmp_path / "other")
    outside = Lab(other.home, rpc=other.rpc, registry_address=lab.registry.address, group_number=1)
    with pytest.raises(ContractRevert, match="is not a recorder of group 1"):
        add(outside, tmp_path)
    assert listed(other)["open"] == []


def test_adding_what_is_batched_or_recorded_already_says_so(lab, tmp_path):
    file = tmp_path / "x"
    file.write_bytes(os.urandom(20))
    with batching(lab):
        first = record_content(lab, Kind.DATASET, file)
        assert not first.existing
        assert record_content(again_batching(lab), Kind.DATASET, file).existing
    done = anchor(lab)
    with batching(lab):
        found = record_content(lab, Kind.DATASET, file)
    assert isinstance(found, Batched)
    assert (found.root, found.time, found.existing) == (done.root, done.time, True)
    assert listed(lab)["open"] == []
    materialize(lab, first.id)
    with batching(lab):
        assert not isinstance(record_content(lab, Kind.DATASET, file), Batched)


def again_batching(lab: Lab) -> Lab:
    new = again(lab)
    new.committer = lab.committer
    return new


@pytest.mark.parametrize(
    "where", ["batches._write_together", "Outbox.add_transaction", "batches._close", "Outbox._send"]
)
def test_a_process_killed_anywhere_anchors_each_record_once(lab, tmp_path, where):
    added = [add(lab, tmp_path) for _ in range(3)]
    program = f"""
import os, sys
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab import batches
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.outbox import Outbox
step = {where}
def dying(*given):
    {"pass" if "_close" in where else "step(*given)"}
    os.kill(os.getpid(), 9)
{where} = dying
batches.anchor(Lab(Home(sys.argv[1])))
"""
    before = nonce(lab)
    killed = subprocess.run([sys.executable, "-c", program, str(lab.home.path)], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    later = add(again(lab), tmp_path)
    sending_all = again(lab)
    sending_all.flush_all = True
    anchored = anchor(sending_all)
    # what was entered before is a batch of its own, and the later record of another; else all are in one
    entered = where != "batches._write_together"
    assert anchored.count == (1 if entered else 4)
    assert nonce(lab) - before == (2 if entered else 1)
    for one in [*added, later]:
        proofs = [
            entry.write["root"]
            for entry in lab.outbox.entries(lab.chain_id)
            if entry.write.op in ANCHORS and entry.is_on_chain and root_of(lab, one.id) == entry.write["root"]
        ]
        assert len(proofs) == 1
        assert materialize(lab, one.id)[-1].id == one.id


def root_of(lab, record_id) -> str | None:
    proof = find_proof(lab, record_id)
    return proof and proof.root


def test_a_batch_is_added_to_and_anchored_while_the_chain_is_away(tmp_path):
    with running_lab(tmp_path) as lab:
        lab.devnet.stop()
        away = Lab(lab.home, rpc="http://127.0.0.1:9")
        one = add(away, tmp_path)
        with pytest.raises(ChainUnavailable, match="waits in the outbox"):
            anchor(away)
        back = again(lab)
        back.flush()
        assert materialize(back, one.id)[0].id == one.id


def test_the_verbs_tell_what_was_done(lab, tmp_path):
    file = tmp_path / "data.csv"
    file.write_bytes(os.urandom(10))
    home = lab.home.path
    added = typed("batch", "add", "--dataset", str(file), "--param", "lr=0.1", "--json", home=home)
    assert added.returncode == 0, added.stderr
    records = json.loads(added.stdout)["records"]
    assert [one["kind"] for one in records] == ["dataset", "run"]
    told = typed("batch", "list", home=home).stdout
    assert ("dataset  data.csv" in told, "proofs" in told) == (True, bool(listed(lab)["batches"]))
    done = typed("batch", "anchor", "--json", home=home)
    assert done.returncode == 0, done.stderr
    anchored = json.loads(done.stdout)
    assert anchored["count"] == 2
    # whole, however long: it is copied from there
    assert len(anchored["proofs"]) > 100
    told = typed("batch", "list", home=home).stdout
    assert "The open batch is empty." in told
    assert [anchored["root"], anchored["proofs"]] in [
        [*line.split()[:1], *line.split()[-1:]] for line in told.split("\n")
    ]
    proof = f"{anchored['proofs']}/{records[0]['id']}.json"
    other = typed("verify", "--proof", proof, "--group", "9", home=home)
    assert (other.returncode, "only 9 count" in other.stdout) == (1, True)
    assert typed("verify", "--proof", proof, "--group", str(anchored["group"]), home=home).returncode == 0
    assert typed("verify", "--proof", proof, str(file), home=home).returncode == 0
    assert typed("verify", "--proof", proof, __file__, home=home).returncode == 1
    stored = typed("materialize", records[-1]["id"], home=home)
    assert stored.returncode == 0, stored.stderr
    assert all(one["id"] in stored.stdout for one in records)
    assert typed("batch", "anchor", home=home).returncode == 2


def test_what_was_disowned_is_stored_no_more_and_verify_says_so(lab, tmp_path):
    """A record by its key, and all that is left of a batch by its root alone; each once, however often asked for."""
    stored, cancelled, ended = (add(lab, tmp_path) for _ in range(3))
    done = anchor(lab)
    materialize(lab, stored.id)
    home = lab.home.path
    told = typed("batch", "cancel", cancelled.id, "--yes", "--json", home=home)
    assert told.returncode == 0, told.stderr
    told = typed("batch", "end", done.root, "--yes", "--json", home=home)
    assert told.returncode == 0, told.stderr
    paid = nonce(lab)
    assert (cancel(lab, cancelled.id).write["record_id"], end(lab, done.root).write["root"]) == (
        cancelled.id,
        done.root,
    )
    assert nonce(lab) == paid
    batch = lab.registry.batch(1, lab.signer.address, done.root)
    assert (batch.anchored_at, batch.ended_at >= done.time) == (done.time, True)
    for record, error in ((cancelled, "RecordIsCancelled"), (ended, "BatchHasEnded")):
        with pytest.raises(ContractRevert) as refused:
            materialize(lab, record.id)
        assert refused.value.name == error
    for record, word in ((cancelled, "cancelled it"), (ended, "ended the batch")):
        report = verify(lab, record.id)
        [check] = [check for check in report.checks if check.name == "stored"]
        assert (check.verdict.value, word in check.detail) == ("fail", True)
    assert record_status(lab, ended.id)["committed"]["endedAt"] == batch.ended_at
    assert record_status(lab, cancelled.id)["status"] == "cancelled"
    assert str(verify(lab, stored.id).conclusion) == "verified"
