"""Recorded data that stay where they are, and what the lab's own home says of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from blockchaintracer.core.record import Kind
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.content import record_content
from blockchaintracer.lab.verify_here import verify
from tests.support.labs import shared_lab

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with shared_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


def test_the_home_says_that_a_recorded_file_has_changed_since(lab: Lab, tmp_path: Path) -> None:
    file, folder = tmp_path / "data.csv", tmp_path / "folder"
    file.write_bytes(b"1,2\n")
    folder.mkdir()
    (folder / "inner.csv").write_bytes(b"3\n")
    record, other = (record_content(lab, Kind.DATASET, path) for path in (file, folder))
    assert verify(lab, record.id).notes == verify(lab, other.id).notes == ()
    file.write_bytes(b"1,3\n")
    (folder / "inner.csv").unlink()
    report = verify(lab, record.id)
    assert report.verified, "the copy in the store is whole"
    assert f"has changed since: {file}, recorded on 20" in report.notes[0]
    assert "has changed since" in verify(lab, other.id).notes[0]
    (again := tmp_path / "again.csv").write_bytes(b"1,2\n")
    file.unlink()
    assert f"is gone: {file}" in verify(lab, record.id).notes[0]
    record_content(lab, Kind.DATASET, again)
    assert verify(lab, record.id).notes == (), "the same content lies elsewhere"
