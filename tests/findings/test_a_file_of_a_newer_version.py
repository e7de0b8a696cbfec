"""A file of a version that this program does not read is refused with the version it needs: it is neither damaged nor
forged, and nothing of it is believed."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
import rfc8785

from blockchaintracer.core.batch_proof import Proof
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import (
    ARCHIVE,
    BATCH_PROOF,
    BUNDLE,
    DISCLOSURE,
    SIGNED_WRITES,
    Format,
    UnknownVersion,
)
from blockchaintracer.core.manifest import parse_manifest
from blockchaintracer.core.manifest.checkpoint_list import AnchoredCheckpoints, CheckpointList
from blockchaintracer.core.record import Domain, normal_digest
from blockchaintracer.core.trust import Trust
from blockchaintracer.core.verify.bundle import BundleRefused, read_bundle
from blockchaintracer.core.verify.copies import FolderCopies, object_name
from blockchaintracer.core.verify.standing import stand
from blockchaintracer.extras.archive.contents import parse_head
from blockchaintracer.extras.check.claims import read_claims
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.outbox.queue import Outbox
from blockchaintracer.lab.private.disclose import read_disclosure
from blockchaintracer.lab.proof_file import read_proof
from blockchaintracer.lab.recording.run_document import load_run_document
from blockchaintracer.lab.relay import SignedWrites
from tests.support.forged_bundles import Forged

pytestmark = pytest.mark.fast


def headed(name: str) -> bytes:
    known = {str(it): it for it in (BUNDLE, BATCH_PROOF, DISCLOSURE, ARCHIVE, SIGNED_WRITES)}
    fields = known[name].header() if name in known else {"type": name}
    return rfc8785.dumps(json.loads(json.dumps(fields).replace(":v1", ":v2")))


def outbox(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 2")
    Outbox(path)


def home(path: Path) -> None:
    path.mkdir(mode=0o700)
    (path / "settings.json").write_text('{"version": 2, "chains": []}')
    Lab(Home(path)).settings()


def written(data: bytes, read: Callable[[Path], object], name: str) -> Callable[[Path], object]:
    def given(path: Path) -> object:
        path = path.with_name(name)
        path.write_bytes(data)
        return read(path)

    return given


READERS: dict[str, Callable[[Path], object]] = {
    "bundle": written(headed(str(BUNDLE)), lambda path: read_bundle(path.read_bytes()), "a.proof"),
    "bundle, any proof": written(headed(str(BUNDLE)), lambda path: read_bundle(read_proof(path)[1]), "b.proof"),
    "batch-proof": written(headed(str(BATCH_PROOF)), Proof.read_file, "a.json"),
    "disclosure": written(headed(str(DISCLOSURE)), read_disclosure, "b.json"),
    "registry-archive": lambda path: parse_head(headed(str(ARCHIVE))),
    "signed-writes": written(headed(str(SIGNED_WRITES)), SignedWrites.read_file, "c.json"),
    "predicate:run": lambda path: parse_manifest(
        b'{"predicate":{"later":1},"predicateType":"urn:blockchaintracer:predicate:run:v2"}'
    ),
    "checkpoints": lambda path: CheckpointList.from_bytes(headed("urn:blockchaintracer:checkpoints:v1")),
    "checkpoint-batch": lambda path: AnchoredCheckpoints.from_bytes(headed("urn:blockchaintracer:checkpoint-batch:v1")),
    "run-document": written(b"schema: 2\nlater: 1\n", load_run_document, "run.yaml"),
    "results": written(b"schema: 2\nresults: []\n", lambda path: [*read_claims(path)], "results.yaml"),
    "outbox": outbox,
    "home": home,
}


@pytest.mark.parametrize("name", READERS)
def test_it_is_refused_with_the_version_that_it_needs(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnknownVersion) as refused:
        READERS[name](tmp_path / "given")
    assert "version 2" in refused.value.message, name
    assert "reads version 1" in refused.value.message, name
    assert "Upgrade" in str(refused.value.hint)


def test_an_older_version_is_read_as_long_as_it_is_said_to_be() -> None:
    format_ = Format("example", version=4, oldest=2)
    assert [format_.check(f"urn:blockchaintracer:example:v{number}", "it") for number in (2, 3, 4)] == [2, 3, 4]
    assert format_.check_version(3, "it") == 3
    for number, way_out in ((1, "Convert"), (5, "Upgrade")):
        with pytest.raises(
            UnknownVersion, match=f"version {number} of example; this program reads version 2 to 4"
        ) as no:
            format_.check(f"urn:blockchaintracer:example:v{number}", "it")
        assert way_out in str(no.value.hint)


NAME = "urn:blockchaintracer:example"


@pytest.mark.parametrize("text", [None, 1, "", f"{NAME}:v0", f"{NAME}:v01", f"{NAME}s:v1", f"{NAME}:v1 ", "example:v1"])
def test_what_is_no_version_is_another_format(text: object) -> None:
    with pytest.raises(InputError, match="expected urn:blockchaintracer:example:v1") as refused:
        Format("example").check(text, "it")
    assert not isinstance(refused.value, UnknownVersion)


def test_another_algorithm_is_refused() -> None:
    header = BATCH_PROOF.header() | {"algorithms": ["eip-712", "keccak-256", "sha3-512"]}
    with pytest.raises(InputError, match="sha3-512"):
        BATCH_PROOF.check_header(header, "it")


def test_evidence_of_later_versions_has_its_place_in_a_bundle_and_is_not_believed() -> None:
    data = json.loads(Forged().data())
    blocks = tuple(data["blocks"])
    witness = {"type": "urn:example:stamp:v9", "says": ["the record is older than you think"]}
    told = read_bundle(rfc8785.dumps({**data, "witnesses": [witness, witness], "renewals": [{"type": "x"}]}))
    assert told.records == read_bundle(rfc8785.dumps(data)).records
    report = stand(told, Trust(blocks=blocks))
    without = stand(read_bundle(rfc8785.dumps(data)), Trust(blocks=blocks))
    assert report.conclusion == without.conclusion
    details = [check.detail for check in report.checks if check.name == "not checked"]
    assert [detail.split(":")[0] for detail in details] == ["2 of witness, type urn", "1 of renewal, type x"]
    for wrong in ({"witnesses": []}, {"witnesses": None}, {"witnesses": [{}]}, {"others": [witness]}):
        with pytest.raises(BundleRefused):
            read_bundle(rfc8785.dumps({**data, **wrong}))


def test_a_published_folder_of_a_newer_layout_is_not_read(tmp_path: Path) -> None:
    data = b"what is recorded"
    digest = hashlib.sha256(data).hexdigest()
    path = tmp_path / object_name(digest)
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    assert FolderCopies([tmp_path]).read_bytes(digest, 100)[0] == data
    (tmp_path / "blockchaintracer.json").write_bytes(headed("urn:blockchaintracer:published:v1"))
    read, copy = FolderCopies([tmp_path]).read_bytes(digest, 100)
    assert read is None
    assert "version 2 of published" in str(copy)


def test_an_id_with_chain_and_registry_never_chooses_them() -> None:
    here = Domain(1, "0x" + "12" * 20)
    text = here.global_id("ab" * 32)
    assert text == f"eip155:1:0x{'12' * 20}/0x{'ab' * 32}"
    assert here.parse_id(text) == here.parse_id("AB" * 32) == "0x" + "ab" * 32
    for other in (Domain(2, here.registry), Domain(1, "0x" + "13" * 20)):
        with pytest.raises(InputError, match="expected a record id of registry") as refused:
            other.parse_id(text)
        assert f"--registry {here.registry}" in str(refused.value.hint)
    for wrong in (text.replace("/", ":"), text + "0", text.replace(":1:", ":01:"), "eip155:1:" + "ab" * 32):
        with pytest.raises(InputError, match="eip155:CHAIN:REGISTRY/ID"):
            here.parse_id(wrong)
    with pytest.raises(InputError, match="expected a record id, 0x and 64 hex digits"):
        here.parse_id("12")
    with pytest.raises(InputError, match="expected a SHA-256, 64 hex digits without 0x"):
        normal_digest("12")
