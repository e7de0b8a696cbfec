"""A published folder whose `proofs` may not be listed had "no such record", and one whose objects may not be read ended
`verify` with a traceback: what cannot be read is not known."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.record import Domain
from blockchaintracer.core.verify.copies import FolderCopies, SourceError, object_name
from blockchaintracer.core.verify.published_proofs import Reader, in_folder, published_proofs
from blockchaintracer.lab.known_keys import in_source
from blockchaintracer.lab.store.sources import read_source

pytestmark = pytest.mark.fast
DIGEST = "ab" * 32
CLOSED = ("objects/ab", "proofs", "")


@pytest.fixture(params=CLOSED)
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A published folder of which a part is closed. Root may read all: the system's own refusal is put in its place."""
    published = tmp_path / "published"
    for name in CLOSED:
        (published / name).mkdir(parents=True, exist_ok=True)
    closed = published / request.param
    closed.chmod(0)
    for name in ("stat", "listdir", "scandir", "open"):
        _refusing(monkeypatch, name, str(closed))
    yield published
    monkeypatch.undo()
    closed.chmod(0o700)


def _refusing(monkeypatch: pytest.MonkeyPatch, name: str, closed: str) -> None:
    real: Any = getattr(os, name)

    def refusing(path: Any, *given: Any, **more: Any) -> Any:
        text = path if isinstance(path, int) else os.fspath(path)
        inside = isinstance(text, str) and (text.startswith(closed + os.sep) or (text == closed and name != "stat"))
        if inside:
            raise PermissionError(13, "Permission denied", text)
        return real(path, *given, **more)

    monkeypatch.setattr(os, name, refusing)


def test_it_is_unknown_what_is_there(folder: Path, request: pytest.FixtureRequest) -> None:
    closed = request.node.callspec.params["folder"]
    domain, readers = Domain(1, "0x" + "11" * 20), list[Reader]([in_folder, in_source])
    if closed != "objects/ab":
        for reader in readers:
            files, problems, unavailable = published_proofs(domain, [folder], DIGEST, reader)
            assert (files, problems) == ([], [])
            assert "Permission denied" in unavailable[0]
    if closed != "proofs":
        data, copy = FolderCopies([folder]).read_bytes(DIGEST, 100)
        assert data is None
        assert "Permission denied" in copy.unavailable[0]
        with pytest.raises(SourceError) as error:
            list(read_source(str(folder), object_name(DIGEST)))
        assert error.value.unavailable
