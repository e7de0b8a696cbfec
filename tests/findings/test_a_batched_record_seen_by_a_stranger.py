"""`publish` refused a record that is only in a batch, its file could not be looked up, nor held against its proof: what
a stranger was given could not be checked by the stranger."""

from __future__ import annotations

import json
import os
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.record import Kind, Link, Relation
from blockchaintracer.lab.batches import anchor, batching
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.recording.content import record_content
from tests.support.labs import typed
from tests.support.serving import serving

pytestmark = pytest.mark.node


def new(folder: Path) -> Path:
    file = folder / f"{os.urandom(4).hex()}.csv"
    file.write_bytes(os.urandom(20))
    return file


@pytest.fixture
def batched(lab: Lab, tmp_path: Path) -> tuple[Any, Any, Path]:
    """A child and its parent in one anchored batch with another record, and the child's file."""
    file = new(tmp_path)
    with batching(lab):
        parent = record_content(lab, Kind.DATASET, new(tmp_path), name="the parent")
        child = record_content(lab, Kind.DATASET, file, name="the child", parents=[Link(parent.id, Relation.USES)])
        record_content(lab, Kind.DATASET, new(tmp_path))
    anchor(lab)
    return child, parent, file


def stranger(lab: Lab, home: Path, *words: str) -> Any:
    where = ("--rpc", lab.devnet.start().url, "--chain-id", "77787", "--registry", lab.registry.address)
    return typed(*words, *where, home=home)


def test_it_is_verified_from_the_published_folder(lab: Lab, tmp_path: Path, batched: Any) -> None:
    child, parent, file = batched
    done = typed("publish", child.id, "--to", str(tmp_path / "published"), home=lab.home.path)
    assert done.returncode == 0, done.stderr
    assert f"{child.id} --from" in done.stdout
    here = ("--from", str(tmp_path / "published"))
    for target in (child.id, child.subject, str(file)):
        done = stranger(lab, tmp_path / "stranger", "verify", target, *here, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        report = json.loads(done.stdout)
        assert [record["id"] for record in report["records"]] == [child.id]
        assert report["records"][0]["name"] == "the child", "the manifest was published with it"
        passed = {check["name"] for check in report["checks"] if check["verdict"] == "pass"}
        assert {"batch", "author", "role", "manifest", "subject"} <= passed
        assert report["proves"]
    done = stranger(lab, tmp_path / "stranger", "verify", parent.id, *here)
    assert done.returncode == 0, "the proof of what it comes from is published with it"
    assert stranger(lab, tmp_path / "stranger", "verify", child.id).returncode == 1, "nothing is found without it"


def test_at_an_address_it_is_found_by_its_file(lab: Lab, tmp_path: Path, batched: Any) -> None:
    """At an address nothing can be listed: its proof has a name by its content, too."""
    child, _, file = batched
    publish(lab, child.id, tmp_path / "published")
    with serving(partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "published"))) as address:
        for words in ((str(file),), (child.id, "--path", str(file)), (child.subject,)):
            done = stranger(lab, tmp_path / "stranger", "verify", *words, "--from", address)
            assert done.returncode == 0, done.stdout + done.stderr
            assert child.id in done.stdout
        done = stranger(lab, tmp_path / "stranger", "verify", str(new(tmp_path)), "--from", address)
        assert done.returncode == 1, done.stdout + done.stderr


def test_its_file_is_found_by_the_batches_that_are_kept_here(lab: Lab, tmp_path: Path, batched: Any) -> None:
    child, _, file = batched
    for words in ((str(file),), (child.id, "--path", str(file)), (str(file), "--record", child.id)):
        done = typed("verify", *words, home=lab.home.path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert child.id in done.stdout
    done = typed("verify", str(file), "--group", "77", home=lab.home.path)
    assert done.returncode == 1
    done = typed("verify", child.id, "--path", str(new(tmp_path)), home=lab.home.path)
    assert done.returncode == 1
    assert "changed: expected" in done.stdout


def test_a_changed_or_invented_proof_is_named(lab: Lab, tmp_path: Path, batched: Any) -> None:
    child, _, file = batched
    folder = tmp_path / "published"
    publish(lab, child.id, folder)
    proof = folder / "proofs" / f"{child.id}.json"
    whole = json.loads(proof.read_text())
    home = tmp_path / "stranger"
    (folder / "proofs" / f"{child.subject}.json").unlink()
    for changed in ({"proof": []}, {"root": "ab" * 32}, {"key": {**whole["key"], "kind": 5}}):
        proof.write_text(json.dumps({**whole, **changed}))
        done = stranger(lab, home, "verify", child.id, "--from", str(folder))
        assert done.returncode == 1, done.stdout + done.stderr
        assert "proof" in done.stdout
    # a batch of a stranger's own making: the path holds, and nobody anchored it
    from blockchaintracer.core.merkle import MerkleTree
    from blockchaintracer.core.record_key_file import Proof
    from blockchaintracer.lab.kept_proofs import find_proof

    kept = find_proof(lab, child.id)
    assert kept is not None
    tree = MerkleTree([child.id, "11" * 32])
    invented = Proof(kept.chain_id, kept.registry, kept.key, tree.root, tuple(tree.proof(child.id)))
    proof.write_text(json.dumps(invented.as_json()))
    for target in (child.id, str(file)):
        done = stranger(lab, home, "verify", target, "--from", str(folder))
        assert done.returncode == 1
        assert "which is not anchored" in done.stdout
    # publishing again repairs it, and a second source that is right decides
    publish(lab, child.id, tmp_path / "whole")
    both = ("--from", str(folder), "--from", str(tmp_path / "whole"))
    done = stranger(lab, home, "verify", child.id, *both)
    assert done.returncode == 0
    assert "which is not anchored" in done.stdout
    publish(lab, child.id, folder)
    assert stranger(lab, home, "verify", child.id, "--from", str(folder)).returncode == 0


def test_the_root_of_a_batch_is_looked_up(lab: Lab, tmp_path: Path, batched: Any) -> None:
    from blockchaintracer.lab.kept_proofs import find_proof

    root = find_proof(lab, batched[0].id).root  # type: ignore[union-attr]
    for home in (lab.home.path, tmp_path / "stranger"):
        done = stranger(lab, home, "verify", root)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"{lab.signer.address} anchored the batch {root} of 3 records (declared) for group 1" in done.stdout


def test_every_way_to_publish_takes_the_proof_along(lab: Lab, tmp_path: Path, batched: Any) -> None:
    child = batched[0]
    publish(lab, child.id, tmp_path / "published.car")
    assert f"proofs/{child.id}.json".split("/")[1].encode() in (tmp_path / "published.car").read_bytes()
    publish(lab, child.id, "memory://published")
    from blockchaintracer.core.verify.published_proofs import published_proofs
    from blockchaintracer.lab.known_keys import in_source

    for digest in (child.id, child.subject):
        [proof], problems, unavailable = published_proofs(lab.domain, ["memory://published"], digest, in_source)
        assert (proof.id, problems, unavailable) == (child.id, [], [])


def test_a_proof_file_is_tied_to_its_manifest_and_file(lab: Lab, tmp_path: Path, batched: Any) -> None:
    """What a stranger is handed: the proof of `batch anchor`, the manifest and the file, and no folder."""
    from blockchaintracer.lab.kept_proofs import anchored_proof

    child, _, file = batched
    proof, home = str(anchored_proof(lab, child.id)), tmp_path / "stranger"
    manifest = tmp_path / "manifest.json"
    manifest.write_bytes(lab.store.get_bytes(child.manifest))
    for given in ((file,), (file, manifest), (manifest,)):
        done = stranger(lab, home, "verify", "--proof", proof, *map(str, given), "--chain-id", str(lab.chain_id))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "content" in done.stdout
    assert "is the record's manifest" in done.stdout
    assert "'the child'" in done.stdout, "its name is in its manifest"
    done = stranger(lab, home, "verify", "--proof", proof, str(file), str(new(tmp_path)))
    assert done.returncode == 1
    assert "changed: expected" in done.stdout
