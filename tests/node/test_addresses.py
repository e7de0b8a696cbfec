"""Data at an address: hashed as they come, never joined of two answers, and not from where nobody asked for."""

from __future__ import annotations

import asyncio
import io
import json
import os
import pty
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import fsspec
import pytest
from fsspec.implementations.http import HTTPFileSystem
from fsspec.spec import AbstractFileSystem

from blockchaintracer.core.digest import digest_bytes
from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.core.verify.copies import SourceError
from blockchaintracer.lab.recording.address import record_address
from blockchaintracer.lab.store import sources
from blockchaintracer.lab.store.hashcache import HashCache
from blockchaintracer.lab.store.public_only import public_only
from blockchaintracer.lab.store.sources import read_address
from blockchaintracer.lab.store.store import Store, digest_stream
from tests.support.serving import serving

pytestmark = pytest.mark.node

DATA = bytes(range(256)) * 9000
SHA256 = "b" * 64


class Server(BaseHTTPRequestHandler):
    """Data, a way to them, data that break off; and the answers of Hugging Face's hub."""

    def do_GET(self) -> None:
        if self.path == "/way":
            self.send_response(302)
            self.send_header("Location", "/data.bin?token=open")
            self.end_headers()
            return
        body = self._hub() if self.path.startswith("/api/") else DATA
        broken = self.path == "/broken" and "Range" not in self.headers
        self.send_response(206 if "Range" in self.headers else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if broken else body)

    def _hub(self) -> bytes:
        lfs = {"oid": SHA256, "size": 12, "pointerSize": 130}
        files = [
            {"type": "file", "oid": "a" * 40, "size": 12, "path": "large.parquet", "lfs": lfs},
            {"type": "file", "oid": "a" * 40, "size": 12, "path": "small.csv"},
        ]
        about: dict[str, Any] = {"id": "lab/set", "sha": "c" * 40, "siblings": [], "private": False, "tags": []}
        return json.dumps(files if "/tree/" in self.path else about).encode()

    def log_message(self, *about: Any) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving(Server) as address:
        yield address


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1, len(DATA)])
@pytest.mark.parametrize("step", [1 << 16, 1 << 20, 1_500_001])
def test_a_stream_has_the_digest_of_the_file(size: int, step: int) -> None:
    data = DATA[:size]
    blocks = [data[start : start + step] for start in range(0, size, step)]
    assert digest_stream(blocks) == digest_bytes(data)


def test_a_stream_that_is_kept_is_kept_under_its_digest(tmp_path) -> None:
    store = Store(tmp_path / "store", cache=HashCache(tmp_path / "hashes.sqlite"))
    assert store.put_stream([DATA[:7], DATA[7:]]) == digest_bytes(DATA)
    store.verify(digest_bytes(DATA).sha256)


def test_an_address_is_followed_and_only_to_what_is_public(server: str) -> None:
    assert digest_stream(read_address(f"{server}/way", public=False)) == digest_bytes(DATA)
    for address in (f"{server}/data", server.replace("127.0.0.1", "localhost")):
        with pytest.raises(SourceError, match=r"is at (127\.0\.0\.1|::1), which is no public address"):
            next(read_address(address, public=True))
    # a session that is asked for both keeps apart what it asks
    assert b"".join(read_address(f"{server}/data", public=False)) == DATA


def test_what_breaks_off_is_not_joined_with_another_answer(server: str) -> None:
    with pytest.raises(SourceError, match="broke off"):
        digest_stream(read_address(f"{server}/broken", public=False))


@pytest.mark.parametrize("address", ["s3://bucket/data", "gs://bucket/data"])
def test_a_package_that_is_missing_is_named(address: str) -> None:
    name = {"s3": "s3fs", "gs": "gcsfs"}[address[:2]]
    if __import__("importlib.util").util.find_spec(name):
        pytest.skip(f"{name} is installed")
    with pytest.raises(SourceError, match=f"nstall {name}"):
        next(read_address(address, public=True))


@pytest.mark.parametrize("address", ["file:///etc/passwd", "local:///etc/passwd", "zip://a::file:///b.zip"])
def test_an_address_is_none_of_a_file_of_this_machine(address: str) -> None:
    with pytest.raises(InputError, match="expected the address of one file elsewhere"):
        record_address(None, address, progress=lambda count: None)  # type: ignore[arg-type]


def test_a_private_address_is_let_by_a_person(server: str) -> None:
    with pytest.raises(InputError, match="no public address") as refused:
        record_address(None, f"{server}/data", progress=lambda count: None)  # type: ignore[arg-type]
    assert "--allow-local" in str(refused.value.hint)
    with pytest.raises(ChainUnavailable, match="can't be reached"):
        record_address(None, "http://127.0.0.1:9/x", private=True, progress=lambda count: None)  # type: ignore[arg-type]


class Web(HTTPFileSystem):
    """aiohttp, in fsspec's own thread, under another scheme: as s3fs and gcsfs reach their servers."""

    protocol = "bucket"
    __module__ = "s3fs"

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return path.replace("bucket://", "http://", 1)


class Calling(AbstractFileSystem):
    """Sockets of the reading thread, by a name: as file systems with a client of their own reach their servers."""

    protocol = "calling"
    __module__ = "ossfs"

    def _open(self, path: str, *given: Any, **more: Any) -> Any:
        host, _, port = path.strip("/").partition(":")
        with socket.socket() as sock:
            sock.connect((host, int(port.partition("/")[0])))
        return io.BytesIO(DATA)


@pytest.mark.parametrize("scheme", ["bucket", "calling"])
def test_a_file_system_is_kept_to_public_addresses_unless_a_person_lets_it(server: str, scheme: str) -> None:
    for kind in (Web, Calling):
        fsspec.register_implementation(kind.protocol, kind, clobber=True)
    others: list[str] = []

    def read(*given: Any) -> bytes:
        return urlopen(f"{server}/data").read(3)

    async def ask_elsewhere() -> bytes:
        return await asyncio.get_running_loop().run_in_executor(None, read)

    def ask() -> None:
        web = fsspec.filesystem("http", skip_instance_cache=True)
        others.extend([read(), web.cat_file(f"{server}/data")[:3], asyncio.run(ask_elsewhere())])

    for name in ("127.0.0.1", "localhost"):
        address = f"{server.replace('http', scheme).replace('127.0.0.1', name)}/data"
        refused = record_refused(address)
        assert ("no public address" in refused.message, refused.hint) == (True, "--allow-local lets it.")
        assert b"".join(read_address(address, public=False)) == DATA
    with public_only():
        # what other threads of this process do is theirs, also by fsspec's event loop and by loops of their own
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        assert others == [DATA[:3]] * 3


def test_what_connects_where_the_interpreter_does_not_see_it_is_refused() -> None:
    """Arrow's HDFS connects in C++, and of a file system that nobody here knows it is unknown."""
    fsspec.register_implementation("unknown", type("Unknown", (AbstractFileSystem,), {}), clobber=True)
    for address, module in (("hdfs://127.0.0.1:9/data", "arrow"), ("unknown://127.0.0.1:9/data", "test_addresses")):
        refused = record_refused(address)
        assert (f"{module}, which nothing here keeps from" in refused.message, refused.hint) == (
            True,
            "--allow-local lets it.",
        )


def record_refused(address: str) -> InputError:
    with pytest.raises(InputError) as refused:
        record_address(None, address, progress=lambda count: None)  # type: ignore[arg-type]
    return refused.value


def test_the_hub_is_taken_at_its_word_where_it_gives_one(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "ENDPOINT", server)
    pytest.importorskip("huggingface_hub").HfFileSystem.clear_instance_cache()
    with pytest.raises(SourceError, match=r"is at 127\.0\.0\.1, which is no public address"):
        sources.hub_digest("hf://datasets/lab/set/large.parquet", public=True)
    assert sources.hub_digest("hf://datasets/lab/set/large.parquet", public=False) == (SHA256, 12, "127.0.0.1")
    assert sources.hub_digest("hf://datasets/lab/set@main/large.parquet", public=False) == (SHA256, 12, "127.0.0.1")
    assert sources.hub_digest("hf://datasets/lab/set/small.csv", public=False) is None
    with pytest.raises(SourceError, match="does not have it"):
        sources.hub_digest("hf://datasets/lab/set/nothing.csv", public=False)


def test_nobody_is_asked_about_data_that_are_not_there(tmp_path: Path) -> None:
    """Of an address that can't be read, a person was asked for licence and citation first."""
    ours, theirs = pty.openpty()
    more = {"BLOCKCHAINTRACER_HOME": str(tmp_path / "home")}
    words = [sys.executable, "-m", "blockchaintracer", "record", "--dataset"]
    for address, why in (("http://127.0.0.1:9/gone", b"--allow-local lets it"), ("file:///etc/hosts", b"by its path")):
        started = subprocess.Popen([*words, address], stdin=theirs, stderr=subprocess.PIPE, env=os.environ | more)
        _, told = started.communicate(timeout=300)
        assert (started.returncode, why in told, b"Licence" in told) == (2, True, False), told
    os.close(ours)
    os.close(theirs)
