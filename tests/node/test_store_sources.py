"""The store beside sha256sum, over HTTP, and in a process that is killed."""

import hashlib
import http.server
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from blockchaintracer.core.digest import digest_folder
from blockchaintracer.core.errors import ChainUnavailable, StoreError
from blockchaintracer.lab.store.store import Store
from tests.support.stores import published_store

MIB = 1 << 20


ABSENT = "ab" * 32


FILES = {"train.csv": b"1,2\n", "deep/er/test.csv": b"", "deep/weights": bytes(2 * MIB + 1)}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in FILES.items():
        file = tmp_path / "data" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return tmp_path / "data"


def objects(store: Store) -> list[Path]:
    return [path for path in store.folder.rglob("*") if path.is_file()]


def test_folders_come_back_and_sha256sum_agrees(store: Store, folder: Path, tmp_path: Path):
    found = store.put_folder(folder)
    assert found == digest_folder(folder)
    assert store.get_bytes(found.sha256) == found.listing
    shutil.rmtree(folder)
    restored = store.restore_folder(found.sha256, tmp_path / "some/where/restored")
    assert digest_folder(restored).sha256 == found.sha256
    assert {str(path.relative_to(restored)) for path in restored.rglob("*") if path.is_file()} == set(FILES)
    subprocess.run(["sha256sum", "-c", "--quiet", store.path_of(found.sha256)], cwd=restored, check=True)
    (restored / "train.csv").write_bytes(b"restored files may be changed without touching the store")
    store.verify(hashlib.sha256(FILES["train.csv"]).hexdigest())


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


class Failing(Quiet):
    def do_GET(self) -> None:
        self.send_error(503)


class Endless(Quiet):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(bytes(MIB))
        except OSError:
            pass


class CutShort(Quiet):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"only this")


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[object]:
    servers = []

    def start(handler: type = Quiet) -> str:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(tmp_path / "www")))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_published_objects_are_fetched_over_http(store: Store, folder: Path, tmp_path: Path, serve):
    found = store.put_folder(folder)
    published_store(store, [found.sha256, *(entry.sha256 for entry in found.files)], tmp_path / "www/lab")
    other = Store(tmp_path / "other")
    restored = other.restore_folder(found.sha256, tmp_path / "restored", [serve() + "/lab/"])
    assert digest_folder(restored).sha256 == found.sha256
    with pytest.raises(StoreError, match="does not have it"):
        other.fetch(ABSENT, [serve()])


def test_a_source_that_does_not_answer_may_have_it(store: Store, serve):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = f"http://me:hunter2@127.0.0.1:{unused.getsockname()[1]}/lab?token=abc"
        with pytest.raises(ChainUnavailable) as caught:
            store.fetch(ABSENT, [closed])
    assert "can't be reached" in str(caught.value)
    assert "hunter2" not in str(caught.value.as_dict())
    assert "abc" not in caught.value.message.replace(ABSENT, "")
    with pytest.raises(ChainUnavailable, match="answered 503"):
        store.fetch(ABSENT, [serve(Failing)])
    assert objects(store) == []


def test_a_source_cannot_fill_the_disk(store: Store, serve):
    with pytest.raises(StoreError, match="more than the 3000000 bytes"):
        store.fetch(ABSENT, [serve(Endless)], limit=3_000_000)
    assert objects(store) == []


def test_a_cut_answer_is_no_object(store: Store, serve):
    with pytest.raises(ChainUnavailable, match=r"broke off after . bytes"):
        store.fetch(hashlib.sha256(b"only this").hexdigest(), [serve(CutShort)])
    assert objects(store) == []


def test_a_process_killed_while_putting_leaves_only_whole_objects(tmp_path: Path):
    (tmp_path / "large").write_bytes(bytes(64 * MIB))
    code = (
        "import os, sys, signal; from blockchaintracer.lab.store.store import Store; done = 0\n"
        "def kill(count):\n"
        "    global done; done += count\n"
        "    if done > 8 << 20: os.kill(os.getpid(), signal.SIGKILL)\n"
        "store = Store(sys.argv[1]); store.put_bytes(b'whole'); store.put_file(sys.argv[2], progress=kill)"
    )
    killed = subprocess.run([sys.executable, "-c", code, tmp_path / "store", tmp_path / "large"], check=False)
    assert killed.returncode == -9
    store = Store(tmp_path / "store")
    found = [path for path in (store.folder / "objects").rglob("*") if path.is_file()]
    assert found == [store.path_of(hashlib.sha256(b"whole").hexdigest())]
    assert store.put_file(tmp_path / "large").size == 64 * MIB
