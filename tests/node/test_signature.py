"""Signatures by the model-signing package over recorded models: those that hold, and those that don't or say less."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from model_signing import hashing, signing

from blockchaintracer.cli import main
from blockchaintracer.core.errors import NotVerified
from blockchaintracer.core.manifest import parse_manifest
from blockchaintracer.core.record import Kind, Link, Relation
from blockchaintracer.extras.report.model_signature import check_signature
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.content import record_content
from tests.support.labs import shared_lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with shared_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


class Signer:
    def __init__(self, folder: Path) -> None:
        key: EllipticCurvePrivateKey = generate_private_key(SECP256R1())
        folder.mkdir()
        self._private, self.public, self.signature = folder / "key", folder / "key.pub", folder / "model.sig"
        self._private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self.public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    def sign(self, model: Path, how: hashing.Config | None = None) -> Path:
        config = signing.Config().use_elliptic_key_signer(private_key=self._private)
        (config.set_hashing_config(how) if how else config).sign(model, self.signature)
        return self.signature


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "layers").mkdir(parents=True)
    (folder / "config.json").write_bytes(os.urandom(8))
    (folder / "layers" / "1.bin").write_bytes(os.urandom(100))
    return folder


def test_a_signature_of_the_recorded_bytes(lab: Lab, model: Path, tmp_path: Path) -> None:
    signer = Signer(tmp_path / "signer")
    signer.sign(model)
    record = record_content(lab, Kind.MODEL, model)
    shutil.rmtree(model)
    found, recorded = check_signature(lab, record.id, signer.signature, signer.public, record_it=True)
    assert (found.model, found.files) == (record.id, 2)
    key = lab.registry.find_record(recorded.id).key
    assert key.parents == (Link(record.id, Relation.DERIVED_FROM),)
    assert lab.store.get_bytes(key.subject) == signer.signature.read_bytes()
    [public] = parse_manifest(lab.store.get_bytes(key.manifest)).predicate.attachments  # type: ignore[union-attr]
    assert lab.store.get_bytes(public.sha256) == signer.public.read_bytes()


def test_of_a_single_file(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(os.urandom(32))
    signer = Signer(tmp_path / "signer")
    signer.sign(file)
    record = record_content(lab, Kind.MODEL, file)
    assert check_signature(lab, record.id, signer.signature, signer.public)[0].files == 1
    options = ["signature", record.id, "--signature", str(signer.signature), "--public-key", str(signer.public)]
    done = CliRunner().invoke(main, [*options, "--json", "--home", str(lab.home.path)])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["subject"] == record.subject


def test_what_does_not_hold(lab: Lab, model: Path, tmp_path: Path) -> None:
    signer, other = Signer(tmp_path / "signer"), Signer(tmp_path / "other")
    signer.sign(model)
    good = record_content(lab, Kind.MODEL, model)
    with pytest.raises(NotVerified, match="does not hold"):
        check_signature(lab, good.id, signer.signature, other.public)
    for broken in (b"", b"{}", signer.signature.read_bytes().replace(b'"sig":"', b'"sig":"AAAA')):
        (tmp_path / "broken").write_bytes(broken)
        with pytest.raises(NotVerified, match="does not hold"):
            check_signature(lab, good.id, tmp_path / "broken", signer.public)
    (model / "config.json").write_text("changed")
    changed = record_content(lab, Kind.MODEL, model)
    with pytest.raises(NotVerified, match=r"config\.json"):
        check_signature(lab, changed.id, signer.signature, signer.public)
    (model / "more.bin").write_text("added")
    with pytest.raises(NotVerified, match="does not hold"):
        check_signature(lab, record_content(lab, Kind.MODEL, model).id, signer.signature, signer.public)


def test_a_signature_that_leaves_a_file_out(lab: Lab, model: Path, tmp_path: Path) -> None:
    """The package accepts it: what the signer ignored is not looked at. For a recorded model it says too little."""
    signer = Signer(tmp_path / "signer")
    signer.sign(model, hashing.Config().set_ignored_paths(paths=[model / "config.json"]))
    record = record_content(lab, Kind.MODEL, model)
    with pytest.raises(NotVerified, match=r"does not cover config\.json"):
        check_signature(lab, record.id, signer.signature, signer.public)
