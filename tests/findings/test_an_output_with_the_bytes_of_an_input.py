"""The file of a result was written over with what the run had read: `verify RUN --path` took it for the run's input."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from blockchaintracer.core.digest import digest_bytes
from blockchaintracer.core.manifest import Artifact, Manifest, RunOutput
from blockchaintracer.core.record import Kind, RecordKey, SubjectType
from blockchaintracer.core.verify.content_checks import Shown
from blockchaintracer.core.verify.copies import FolderCopies
from tests.fast.test_manifest import run_predicate

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    ("name", "data", "verdict", "detail"),
    [
        ("out/data.csv", b"read", "fail", "it has the bytes of the recorded in/data.csv"),
        ("out/data.csv", b"made", "pass", "is the record's data.csv"),
        ("in/data.csv", b"read", "pass", "is the run's input in/data.csv"),
        ("elsewhere", b"read", "pass", "is the run's input in/data.csv"),
        ("elsewhere", b"made", "pass", "is the record's data.csv"),
    ],
)
def test_it_is_a_change(tmp_path: Path, name: str, data: bytes, verdict: str, detail: str) -> None:
    read = {"record": "0x" + "11" * 32, "relation": 1}
    inputs = [read | {"path": "in/data.csv", "sha256": sha256(b"read").hexdigest()}]
    outputs = [RunOutput(role="result", artifact=Artifact.of("data.csv", digest_bytes(b"made")))]
    run = Manifest.of(Kind.RUN, run_predicate(inputs=inputs, outputs=outputs, parents=[read]))
    key = RecordKey(1, "0x" + "22" * 20, SubjectType.IDENTIFIER, "44" * 32, Kind.RUN, run.digest())
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(data)
    [check] = Shown(tmp_path / name, FolderCopies()).compare(key, run)
    assert (str(check.verdict), detail in check.detail) == (verdict, True), check.detail
