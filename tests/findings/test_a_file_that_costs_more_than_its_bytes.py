"""A file of 1 MiB that repeats a key was read for minutes, and a bundle of 64 MB took 30 GB: each of its faults was
kept. A name with many addresses held a request up for as many times as long as one may take."""

from __future__ import annotations

import os
import socket
import time
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import rfc8785

from blockchaintracer.core import fetch as fetching
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.fetch import FetchError, fetch
from blockchaintracer.core.formats import BUNDLE
from blockchaintracer.core.plain_json import parse_json
from blockchaintracer.core.trust import Trust
from blockchaintracer.core.verify.bundle import BundleRefused, _Bundle, read_bundle
from blockchaintracer.core.verify.content_checks import _check_copies
from blockchaintracer.core.verify.copies import FolderCopies, object_name
from blockchaintracer.extras.archive import registry_archive
from blockchaintracer.extras.archive.form import EVENTS
from blockchaintracer.extras.archive.offline import TrustedBlocks, _Offline
from blockchaintracer.extras.archive.reader import ArchiveRefused
from blockchaintracer.extras.archive.writer import write_archive
from blockchaintracer.extras.mlflow_reader.artifact_files import _files
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from tests.findings.test_hostile_archives import contents

MANY = 3_000
WRONG: dict[str, Any] = {
    "nodes": [0] * MANY,
    "records": [{}] * MANY,
    "witnesses": [{}] * MANY,
    "blocks": {f"{number:x}": 0 for number in range(MANY)},
}
WRONG["renewals"] = [WRONG["blocks"]]
WRONG["deployment"] = WRONG["blocks"]


@pytest.mark.fast
def test_a_repeated_key_is_found_at_once() -> None:
    names = ",".join(f'"{number:x}":0' for number in range(60_000))
    start = time.process_time()
    with pytest.raises(InputError, match="each key once in an object, got '2 times'"):
        parse_json(f'{{{names},"ea5f":0}}'.encode(), "it")
    assert time.process_time() - start < 3, "it took 50 s"


@pytest.mark.fast
@pytest.mark.parametrize("place", [*WRONG, "x"])
def test_of_a_million_faults_one_is_kept(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    counts: list[int] = []
    real = _Bundle.model_validate

    def counted(plain: Any) -> Any:
        try:
            return real(plain)
        except ValueError as error:
            counts.append(error.error_count())  # type: ignore[attr-defined]
            raise

    monkeypatch.setattr(_Bundle, "model_validate", counted)
    content = WRONG["blocks"] if place == "x" else {place: WRONG[place]}
    with pytest.raises(BundleRefused):
        read_bundle(rfc8785.dumps({**BUNDLE.header(), **content}))
    assert counts
    assert counts[0] < 20


@pytest.mark.fast
def test_events_without_an_end_of_line_are_not_read_as_one(tmp_path: Path) -> None:
    (tmp_path / EVENTS).touch()
    os.truncate(tmp_path / EVENTS, 1 << 26)
    reader = _Offline.__new__(_Offline)
    file = SimpleNamespace(id="0x" + "11" * 32, receipts=())
    reader._sources, reader._file = [str(tmp_path)], file  # type: ignore[assignment]
    tracemalloc.start()
    try:
        check = reader._retraction(TrustedBlocks(1, Trust(chain_id=1)))
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
    finally:
        tracemalloc.stop()
    assert str(check.verdict) == "unknown"


@pytest.mark.fast
def test_a_copy_without_end_is_not_hashed_to_it(tmp_path: Path) -> None:
    digest = "11" * 32
    (tmp_path / object_name(digest)).parent.mkdir(parents=True)
    (tmp_path / object_name(digest)).touch()
    os.truncate(tmp_path / object_name(digest), 1 << 40)
    for size in (0, 7):
        [check] = _check_copies(FolderCopies([tmp_path]), "it", digest, size)
        assert str(check.verdict) == "fail"
        assert "bytes allowed" in check.detail


@pytest.mark.fast
def test_events_of_a_whole_disk_are_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "it.tar").open("wb") as out:
        write_archive(out, contents())
    monkeypatch.setattr(registry_archive, "_EVENTS_LIMIT", 8)
    with pytest.raises(ArchiveRefused, match="expected at most 8 bytes"):
        registry_archive.import_registry(Lab(Home(tmp_path / "home")), tmp_path / "it.tar", offline=True)


@pytest.mark.node
def test_a_folder_of_many_artifacts_is_listed_at_once(tmp_path: Path) -> None:
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    for number in range(20_000):
        (tmp_path / f"{number:064}").touch()
    repository = LocalArtifactRepository(str(tmp_path))
    start = time.process_time()
    assert len(repository.list_artifacts()) == 20_000
    alone = time.process_time() - start
    assert len([*_files(repository)]) == 20_000
    assert time.process_time() - start < 3 * alone + 1, "each name was compared with every other"


@pytest.mark.node
def test_addresses_that_do_not_answer_are_not_all_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_CONNECT_S", 0.05)
    monkeypatch.setattr(fetching, "_ADDRESSES_S", 0.1)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        # whose queue is full lets others wait
        waiting = [socket.socket() for _ in range(3)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        real = socket.getaddrinfo
        of_name = {"many.example": 40}
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda host, *a, **k: real("127.0.0.1", *a, **k) * of_name.get(host, 1)
        )
        start = time.monotonic()
        with pytest.raises(FetchError) as refused:
            fetch(f"http://many.example:{server.getsockname()[1]}/", limit=1, seconds=1)
        assert time.monotonic() - start < 1
        assert refused.value.slow
        for client in waiting:
            client.close()


@pytest.mark.node
def test_what_is_not_public_is_not_even_connected_to() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        server.settimeout(0.05)
        with pytest.raises(FetchError, match="no public address"):
            fetch(f"http://localhost:{server.getsockname()[1]}/", limit=1, seconds=1, public=True)
        with pytest.raises(TimeoutError):
            server.accept()
