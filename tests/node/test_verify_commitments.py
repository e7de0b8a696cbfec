"""Verifying what is sealed, batched or said of another registry's record; and a node that lies about it."""

import json
import os
import shutil

import pytest

from blockchaintracer.core.errors import ContractRevert, NotVerified
from blockchaintracer.core.record import GlobalId, Kind, Link, Relation, Verdict
from blockchaintracer.lab.attest import attest, attest_foreign, retract
from blockchaintracer.lab.batches import anchor, batching, materialize
from blockchaintracer.lab.outbox import Op, Transaction
from blockchaintracer.lab.recording.content import record_content
from blockchaintracer.lab.seals import reveal, seal_verdict, sealing
from blockchaintracer.lab.status import record_status
from blockchaintracer.lab.verify_here import verify, verify_batch_proof, verify_order
from tests.node.test_verify import lied_to, topic
from tests.support.labs import second_lab, typed


def later(lab):
    lab.chain.ask("anvil_mine", "0x1", "0x64")


def new(folder):
    file = folder / os.urandom(4).hex()
    file.write_bytes(os.urandom(20))
    return file


def sealed(lab, folder):
    with sealing(lab):
        return record_content(lab, Kind.DATASET, new(folder))


def batched(lab, folder, *links):
    with batching(lab):
        return record_content(lab, Kind.DATASET, new(folder), parents=[Link(one, Relation.USES) for one in links])


def one(report, name):
    [check] = [check for check in report.checks if check.name == name]
    return check


class Lying:
    """The lab's chain, with some views of the registry answered otherwise."""

    def __init__(self, lab, monkeypatch, **answers):
        from blockchaintracer.core.chain import Registry

        read = Registry.read_function
        monkeypatch.setattr(
            Registry,
            "read_function",
            lambda self, function, *given: answers[function] if function in answers else read(self, function, *given),
        )


def test_a_revealed_record_is_verified_with_its_seal_and_those_that_are_hidden(lab, tmp_path):
    hidden = sealed(lab, tmp_path)
    seal = sealed(lab, tmp_path)
    later(lab)
    shown = reveal(lab, seal.id)
    report = verify(lab, seal.id)
    assert report.verified, report.failed
    check = one(report, "seal")
    assert (check.verdict.value, check.values["commitment"]) == ("pass", seal.commitment)
    assert (check.values["seals"], check.values["unrevealed"]) == (shown.seals, shown.unrevealed)
    assert shown.unrevealed >= 1
    assert any(f"{shown.unrevealed} are unrevealed" in sentence for sentence in report.proves)
    assert (report.records[0].sealed_at, report.records[0].time) == (seal.time, shown.revealed_at)
    state = record_status(lab, seal.id)
    assert (state["sealedAt"], state["seals"]["unrevealed"]) == (seal.time, shown.unrevealed)
    text = typed("status", seal.id, home=lab.home.path).stdout
    assert f"{shown.seals} seals for group 1: {shown.unrevealed} unrevealed" in text
    # what isn't revealed is known to its own lab
    state = record_status(lab, hidden.id)
    assert (state["status"], state["commitment"]) == ("sealed", hidden.commitment)
    assert not verify(lab, hidden.id).verified


def test_a_seal_whose_times_disagree_fails(lab, tmp_path, monkeypatch):
    seal = sealed(lab, tmp_path)
    reveal(lab, seal.id)
    Lying(lab, monkeypatch, sealedAt=seal.time - 1000)
    assert "its time is" in one(verify(lab, seal.id), "seal").detail
    assert not verify(lab, seal.id).verified


def test_a_blind_verdict_is_verified_with_its_seal(lab, tmp_path):
    record = record_content(lab, Kind.DATASET, new(tmp_path))
    reviewer = second_lab(lab, tmp_path / "reviewer")
    address, group = reviewer.signer.address, reviewer.group()
    reviewer.write(Transaction(Op.SEAL, lab.registry.address, group=group, author=address, commitment="ab" * 32))
    seal = seal_verdict(reviewer, record.id, Verdict.DISPUTED)
    later(lab)
    reveal(reviewer, seal.commitment)
    report = verify(lab, record.id)
    check = one(report, f"verdict of group {group}")
    assert (check.verdict.value, check.values["sealedAt"]) == ("pass", seal.time)
    assert f"of 2 seals of {address} for group {group}, 1 are unrevealed" in check.detail
    [verdict] = record_status(lab, record.id)["verdicts"]
    assert (verdict["sealedAt"], verdict["seals"]["unrevealed"]) == (seal.time, 1)
    # the next one is given openly and has no seal
    attest(reviewer, record.id, Verdict.REVIEWED)
    assert one(verify(lab, record.id), f"verdict of group {group}").values["sealedAt"] is None


def test_a_blind_verdict_s_evidence_is_verified_as_sealed(lab, tmp_path):
    record = record_content(lab, Kind.DATASET, new(tmp_path))
    reviewer = second_lab(lab, tmp_path / "reviewer")
    done = typed(
        *("seal", "verdict", record.id, "reproduced", "--metric", "accuracy=0.9", "--json", "--rpc", reviewer.rpc),
        home=reviewer.home.path,
    )
    evidence = reveal(reviewer, json.loads(done.stdout)["commitment"]).evidence
    report = verify(reviewer, evidence)
    assert report.verified, report.failed
    assert (one(report, "seal").verdict.value, one(report, "author").verdict.value) == ("pass", "pass")


def test_a_record_that_is_only_batched_is_verified_by_its_proof(lab, tmp_path):
    first = batched(lab, tmp_path)
    child = batched(lab, tmp_path, first.id)
    done = anchor(lab)
    report = verify(lab, child.id)
    assert report.verified, report.failed
    assert report.looked_up_as == "batch"
    [seen] = report.records
    assert (seen.status, seen.batch, seen.time, seen.author) == ("batched", done.root, done.time, lab.signer.address)
    assert any(f"in the batch {done.root}" in sentence for sentence in report.proves)
    assert any("It is not stored" in sentence for sentence in report.proves)
    state = record_status(lab, child.id)
    assert state["status"] == "batched"
    assert state["committed"] == {
        "root": done.root,
        "anchoredAt": done.time,
        "group": 1,
        "author": lab.signer.address,
    }
    told = typed("status", child.id, home=lab.home.path)
    assert told.returncode == 0
    assert f"committed to in batch {done.root}" in told.stdout
    assert "not stored" in told.stdout
    # anybody with the file can
    other = second_lab(lab, tmp_path / "other")
    path = tmp_path / "proof.json"
    shutil.copy(f"{done.proofs}/{child.id}.json", path)
    theirs = verify_batch_proof(other, path, path.read_bytes())
    assert theirs.verified, theirs.failed
    assert one(theirs, "author").verdict.value == "pass"
    data = json.loads(path.read_text())
    data["key"]["group"] = 2
    path.write_text(json.dumps(data, indent=2))
    with pytest.raises(NotVerified):
        verify_batch_proof(other, path, path.read_bytes())


def test_a_materialized_record_is_verified_with_the_time_and_the_author_of_its_batch(lab, tmp_path):
    first = batched(lab, tmp_path)
    second = batched(lab, tmp_path)
    done = anchor(lab)
    later(lab)
    between = record_content(lab, Kind.DATASET, new(tmp_path))
    other = second_lab(lab, tmp_path / "other")
    materialize(other, f"{done.proofs}/{first.id}.json")
    materialize(lab, second.id)
    report = verify(lab, first.id)
    assert report.verified, report.failed
    [seen] = report.records
    assert (seen.time, seen.batch) == (done.time, done.root)
    assert one(report, "author").values["sender"] == lab.signer.address
    assert one(report, "batch").values["root"] == done.root
    # it counts from the batch's time on, though it was stored after the other
    assert verify_order(lab, first.id, between.id).verified
    assert not verify_order(lab, between.id, first.id).verified
    both = one(verify_order(lab, first.id, second.id), "order")
    assert (both.verdict.value, "tells nothing of their order" in both.detail) == ("fail", True)
    state = record_status(lab, first.id)
    assert (state["status"], state["recordedAt"], state["batch"]) == ("recorded", done.time, done.root)


def test_a_batch_s_time_or_root_that_is_not_the_chain_s_fails(lab, tmp_path, monkeypatch):
    first = batched(lab, tmp_path)
    waiting = batched(lab, tmp_path)
    done = anchor(lab)
    materialize(lab, first.id)
    with monkeypatch.context() as patch:
        Lying(lab, patch, batchOf=(0, 0, False, 0))
        report = verify(lab, first.id)
        assert "never anchored" in one(report, "batch").detail
        assert report.proves == ()
    with monkeypatch.context() as patch:
        Lying(lab, patch, batchOf=(done.time - 1000, 2, False, 0))
        report = verify(lab, waiting.id)
        assert one(report, "time").verdict.value == "fail"
        assert report.proves == ()
    with monkeypatch.context() as patch:
        Lying(lab, patch, batchOf=(done.time, 1, False, 0))
        assert f"in batch {done.root} of 1 record, as its author declares" in one(verify(lab, first.id), "batch").detail


def test_foreign_verdicts_are_told_and_fall_with_their_evidence(lab, tmp_path):
    foreign = GlobalId(1, "0x" + "12" * 20, os.urandom(32).hex())
    named = str(foreign)
    home = lab.home.path
    done = typed("record", "--reproduces", named, "--metric", "accuracy=0.93", "--json", home=home)
    assert done.returncode == 0, done.stderr
    reference, run = json.loads(done.stdout)["records"]
    assert reference["kind"] == "reference"
    again = typed("record", "--reproduces", named, "--metric", "accuracy=0.93", "--json", home=home)
    assert json.loads(again.stdout)["records"][0]["id"] == reference["id"]
    refused = typed("attest", named, "reproduced", "--json", home=home)
    assert (refused.returncode, "needs evidence" in refused.stdout) == (2, True)
    unrelated = record_content(lab, Kind.DATASET, new(tmp_path))
    refused = typed("attest", named, "reproduced", "--evidence", unrelated.id, "--json", home=home)
    assert "record --reproduces" in refused.stdout
    given = typed("attest", named, "reproduced", "--evidence", run["id"], "--json", home=home)
    assert given.returncode == 0, given.stderr
    told = typed("status", named, "--json", home=home)
    [verdict] = json.loads(told.stdout)["verdicts"]
    assert (verdict["verdict"], verdict["group"], verdict["evidence"]) == ("reproduced", 1, run["id"])
    assert "reproduced, says" in typed("status", named, home=home).stdout
    retract(lab, run["id"], "wrong seed")
    assert json.loads(typed("status", named, "--json", home=home).stdout)["verdicts"] == []
    assert attest_foreign(lab, foreign, Verdict.REVIEWED).what == "reviewed"
    assert typed("attest", named, "withdraw", home=home).returncode == 0
    assert typed("attest", named, "withdraw", home=home).returncode == 2
    own = GlobalId(lab.chain_id, lab.registry.address, unrelated.id)
    with pytest.raises(ContractRevert, match="is of this registry"):
        attest_foreign(lab, own, Verdict.REVIEWED)
    refused = typed("attest", str(own), "reviewed", "--json", home=home)
    assert "can't attest to its own record" in refused.stdout


def changed_input(lab, transaction, word):
    """A node that tells another word of a transaction's data than was sent."""

    def lie(method, params, result):
        if method != "eth_getTransactionByHash" or transaction not in params[0]:
            return None
        data = bytearray.fromhex(result["input"][2:])
        start = 4 + 32 * word if word >= 0 else len(data) + 32 * word
        data[start] ^= 1
        return {**result, "input": "0x" + data.hex()}

    return lied_to(lab, lie)


def test_a_reveal_of_something_else_than_was_sealed_fails(lab, tmp_path):
    seal = sealed(lab, tmp_path)
    shown = reveal(lab, seal.id)
    check = one(changed_input(lab, shown.transaction, 1).hash(seal.id), "seal")
    assert (check.verdict.value, "what was revealed has the commitment" in check.detail) == ("fail", True)


def test_a_path_that_leads_elsewhere_fails(lab, tmp_path):
    first, _ = batched(lab, tmp_path), batched(lab, tmp_path)
    anchor(lab)
    [stored] = materialize(lab, first.id)
    check = one(changed_input(lab, stored.transaction, -1).hash(first.id), "batch")
    assert (check.verdict.value, "doesn't lead" in check.detail) == ("fail", True)


def test_a_batch_whose_root_another_sent_fails(lab, tmp_path):
    first = batched(lab, tmp_path)
    anchor(lab)
    materialize(lab, first.id)
    other = second_lab(lab, tmp_path / "other")
    theirs = record_content(other, Kind.DATASET, new(tmp_path)).transaction

    def lie(method, params, result):
        if method == "eth_getLogs" and params[0]["topics"][0] == topic("Anchored"):
            return [{**log, "transactionHash": theirs} for log in result]
        return None

    check = one(lied_to(lab, lie).hash(first.id), "author")
    assert check.verdict.value == "fail"
    assert f"{other.signer.address} sent the batch's root, not its author {lab.signer.address}" in check.detail
