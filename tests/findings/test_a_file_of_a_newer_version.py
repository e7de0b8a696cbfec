"""A file of a version that this program does not read is refused with the version it needs: it is neither damaged nor
forged, and nothing of it is believed."""

from __future__ import annotations

import hashlib
import io
import json
import re
import sqlite3
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import rfc8785

from blockchaintracer.core import formats as core_formats
from blockchaintracer.core.errors import BlockchainTracerError, InputError
from blockchaintracer.core.formats import (
    BATCH_PROOF,
    BUNDLE,
    CHECKPOINT_BATCH,
    CHECKPOINTS,
    PUBLISHED,
    RECORD_KEY,
    RENEWAL,
    TRUSTED_BLOCKS,
    Format,
    UnknownVersion,
)
from blockchaintracer.core.manifest import parse_manifest
from blockchaintracer.core.manifest.checkpoint_list import AnchoredCheckpoints, CheckpointList
from blockchaintracer.core.record import Domain, normal_digest
from blockchaintracer.core.record_key_file import KeyFile, Proof
from blockchaintracer.core.trust import Trust, read_checkpoints
from blockchaintracer.core.verify.bundle import BundleRefused, read_bundle
from blockchaintracer.core.verify.copies import FolderCopies, object_name
from blockchaintracer.core.verify.standing import stand
from blockchaintracer.extras.archive.contents import parse_head
from blockchaintracer.extras.check.claims import read_claims
from blockchaintracer.extras.community.book import read_plain
from blockchaintracer.extras.community.kept_books import _kept
from blockchaintracer.extras.frameworks.training_state import _read
from blockchaintracer.extras.identity.identity_page import read_page
from blockchaintracer.extras.renewal.hash_tree import HashTree
from blockchaintracer.extras.renewal.renewal_file import RenewalFile
from blockchaintracer.extras.tokens.issuers import read_key_file
from blockchaintracer.extras.witness.witness_receipt import WitnessReceipt, read_receipts_file
from blockchaintracer.extras.witness.witness_settings import WitnessSettings
from blockchaintracer.lab import formats as lab_formats
from blockchaintracer.lab.bounties import read_terms
from blockchaintracer.lab.deployments import registries
from blockchaintracer.lab.formats import (
    ARCHIVE,
    BACKUP,
    BOUNTY,
    COMMUNITY,
    DEPLOYMENTS,
    DISCLOSURE,
    ENCRYPTION_NOTE,
    IDENTITIES,
    IDENTITY_PAGE,
    INVITATION,
    ISSUER_KEY,
    KEPT_COMMUNITY,
    PRIVATE_CONTENT,
    PRIVATE_VALUES,
    RENEWAL_TREE,
    RUN_DOCUMENT,
    SEAL,
    SIGNED_WRITES,
    TRAINING_STATE,
    WITNESS_OPENTIMESTAMPS,
    WITNESS_REGISTRY,
    WITNESS_RFC3161,
    WITNESS_SETTINGS,
    WITNESSES,
)
from blockchaintracer.lab.groups import join
from blockchaintracer.lab.kept_identities import IdentityEvidence
from blockchaintracer.lab.keys.keystore import KeystoreSigner
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.outbox.queue import Outbox
from blockchaintracer.lab.private.age import decrypt, encrypt, new_identity
from blockchaintracer.lab.private.backup import restore
from blockchaintracer.lab.private.disclose import kept_private, read_disclosure
from blockchaintracer.lab.private.encrypt import _read_note
from blockchaintracer.lab.private.sealed_content import ContentOpening
from blockchaintracer.lab.proof_file import read_proof
from blockchaintracer.lab.publish import _to_folder
from blockchaintracer.lab.recording.run_document import load_run_document
from blockchaintracer.lab.relay import SignedWrites
from blockchaintracer.lab.seals import KeptSeal
from tests.support.forged_bundles import Forged

pytestmark = pytest.mark.fast


READ_BY_NOBODY = {"BATCH", "GROUP", "DATASET", "TEST_REPORT", "SCORE", "REPORT"}
"""What this program writes and nobody takes apart again: it is known by its digest."""


def headed(format_: Format, version: int) -> bytes:
    """The JSON of a file that names this version, and nothing else."""
    header = format_.header() | {"type": f"{format_.prefix}v{version}"}
    return rfc8785.dumps(header)


def json_file(format_: Format, read: Callable[[Path], object]) -> Callable[[Path, int], object]:
    def given(path: Path, version: int) -> object:
        path.write_bytes(headed(format_, version))
        return read(path)

    return given


def json_bytes(format_: Format, read: Callable[[bytes], object]) -> Callable[[Path, int], object]:
    return lambda path, version: read(headed(format_, version))


def receipt(format_: Format) -> Callable[[Path, int], object]:
    return json_bytes(format_, lambda data: WitnessReceipt.from_json(json.loads(data)))


def outbox(path: Path, version: int) -> None:
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {version}")
    Outbox(path)


def home(path: Path, version: int) -> None:
    path.mkdir(mode=0o700)
    (path / "settings.json").write_text(json.dumps({"version": version, "chains": {}}))
    Lab(Home(path)).settings()


def deployments(path: Path, version: int) -> None:
    folder = path / "deployments"
    folder.mkdir(parents=True, mode=0o700)
    (folder / "ethereum.json").write_bytes(headed(DEPLOYMENTS, version))
    registries(1, Home(path))


def private_values(path: Path, version: int) -> None:
    folder = path / "private"
    folder.mkdir(parents=True, mode=0o700)
    (folder / "root.json").write_bytes(headed(PRIVATE_VALUES, version))
    kept_private(Home(path), "root")


def keystore(path: Path, version: int) -> None:
    path.write_text(json.dumps({"version": version, "address": "0x" + "12" * 20}))
    KeystoreSigner(path, lambda: "")


def backup(path: Path, version: int) -> None:
    identity, recipient = new_identity()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in (("backup.json", headed(BACKUP, version)), ("later/file", b"of a later version")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    path.write_bytes(encrypt(packed.getvalue(), [recipient]))
    restore(Home(path.with_name("restored")), path, identities=[identity], ask=str)


def document(schema: Callable[[int], str], read: Callable[[Path], object]) -> Callable[[Path, int], object]:
    def given(path: Path, version: int) -> object:
        file = path.with_suffix(".yaml")
        file.write_text(schema(version))
        return read(file)

    return given


def published(path: Path, version: int) -> None:
    path.mkdir()
    (path / "blockchaintracer.json").write_bytes(headed(PUBLISHED, version))
    _, copy = FolderCopies([path]).read_bytes("ab" * 32, 100)
    for reason in copy.unavailable:
        raise UnknownVersion(reason, hint="Upgrade")


READERS: dict[str, Callable[[Path, int], object]] = {
    "RECORD_KEY": json_file(RECORD_KEY, KeyFile.read_file),
    "BUNDLE": json_file(BUNDLE, lambda path: read_bundle(read_proof(path)[1])),
    "BATCH_PROOF": json_file(BATCH_PROOF, Proof.read_file),
    "CHECKPOINTS": json_bytes(CHECKPOINTS, CheckpointList.from_bytes),
    "CHECKPOINT_BATCH": json_bytes(CHECKPOINT_BATCH, AnchoredCheckpoints.from_bytes),
    "DISCLOSURE": json_file(DISCLOSURE, read_disclosure),
    "ARCHIVE": json_bytes(ARCHIVE, parse_head),
    "PUBLISHED": published,
    "SIGNED_WRITES": json_file(SIGNED_WRITES, SignedWrites.read_file),
    "BOUNTY": json_file(BOUNTY, lambda path: read_terms(None, str(path))),  # type: ignore[arg-type]
    "INVITATION": json_bytes(INVITATION, lambda data: join(None, json.loads(data))),  # type: ignore[arg-type]
    "DEPLOYMENTS": deployments,
    "TRUSTED_BLOCKS": json_file(TRUSTED_BLOCKS, read_checkpoints),
    "WITNESSES": json_bytes(WITNESSES, lambda data: read_receipts_file(data, "it")),
    "WITNESS_OPENTIMESTAMPS": receipt(WITNESS_OPENTIMESTAMPS),
    "WITNESS_RFC3161": receipt(WITNESS_RFC3161),
    "WITNESS_REGISTRY": receipt(WITNESS_REGISTRY),
    "WITNESS_SETTINGS": json_file(WITNESS_SETTINGS, WitnessSettings.read),
    "RUN_DOCUMENT": document(lambda version: f"schema: {version}\nlater: 1\n", load_run_document),
    "CLAIMS": document(lambda version: f"schema: {version}\nresults: []\n", read_claims),
    "HOME": home,
    "OUTBOX": outbox,
    "KEYSTORE": keystore,
    "BACKUP": backup,
    "SEAL": json_file(SEAL, KeptSeal.read),
    "PRIVATE_VALUES": private_values,
    "PRIVATE_CONTENT": json_bytes(PRIVATE_CONTENT, ContentOpening.from_bytes),
    "ENCRYPTION_NOTE": json_file(ENCRYPTION_NOTE, _read_note),
    "IDENTITIES": json_bytes(IDENTITIES, lambda data: IdentityEvidence.parse(data, "it")),
    "IDENTITY_PAGE": json_bytes(IDENTITY_PAGE, read_page),
    "RENEWAL": json_bytes(RENEWAL, lambda data: RenewalFile.parse(data, "it")),
    "RENEWAL_TREE": lambda path, version: HashTree.parse(f"{RENEWAL_TREE.prefix}v{version} later\n".encode()),
    "ISSUER_KEY": json_bytes(ISSUER_KEY, read_key_file),
    "COMMUNITY": json_bytes(COMMUNITY, read_plain),
    "KEPT_COMMUNITY": json_file(KEPT_COMMUNITY, _kept),
    "TRAINING_STATE": json_bytes(TRAINING_STATE, _read),
    "predicate:run": lambda path, version: parse_manifest(
        f'{{"predicate":{{"later":1}},"predicateType":"urn:blockchaintracer:predicate:run:v{version}"}}'.encode()
    ),
}
ELSEWHERE = {
    "INDEX": "is built anew: tests/node/test_index.py",
    "MLFLOW_RUN": "needs MLflow: tests/live/mlflow",
}

FORMATS = {
    name: value
    for module in (core_formats, lab_formats)
    for name, value in vars(module).items()
    if isinstance(value, Format)
}


def test_every_format_has_its_reader_here() -> None:
    assert FORMATS.keys() == {*READERS, *READ_BY_NOBODY, *ELSEWHERE} - {"predicate:run"}
    assert len({it.name for it in FORMATS.values()}) == len(FORMATS)
    assert all(re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", it.name) for it in FORMATS.values())


@pytest.mark.parametrize("name", READERS)
def test_it_is_refused_with_the_version_that_it_needs(tmp_path: Path, name: str) -> None:
    current = FORMATS.get(name, RUN_DOCUMENT).version
    with pytest.raises(UnknownVersion) as refused:
        READERS[name](tmp_path / "newer", current + 1)
    assert f"version {current + 1}" in refused.value.message, name
    assert f"reads version {current}" in refused.value.message, name
    assert "Upgrade" in str(refused.value.hint)
    # of the version that is written only what is missing is told
    try:
        READERS[name](tmp_path / "current", current)
    except UnknownVersion:
        pytest.fail(f"{name}: its own version is not read")
    except (BlockchainTracerError, ValueError):
        pass


def test_a_later_version_of_age_is_not_called_damaged() -> None:
    identity, recipient = new_identity()
    later = encrypt(b"secret", [recipient]).replace(b"age-encryption.org/v1", b"age-encryption.org/v2")
    with pytest.raises(UnknownVersion, match=r"reads age-encryption\.org/v1"):
        decrypt(later, [identity])


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
    (tmp_path / "blockchaintracer.json").write_bytes(headed(PUBLISHED, 2))
    read, copy = FolderCopies([tmp_path]).read_bytes(digest, 100)
    assert read is None
    assert "version 2 of published" in str(copy)
    with pytest.raises(UnknownVersion, match="version 2 of published"):
        _to_folder(None, {}, tmp_path, quick=False)  # type: ignore[arg-type]


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
