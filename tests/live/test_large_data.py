"""Copies that take no space, on file systems that share blocks; and datasets on S3, by a server of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from blockchaintracer.lab.store.store import Store
from tests.support.labs import ROOT

pytestmark = pytest.mark.live

S3 = """
import os, sys
sys.path += [{root!r}, {packages!r}]
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0)
server.start()
host, port = server.get_host_and_port()
os.environ |= {{"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}}
os.environ["AWS_ENDPOINT_URL"] = f"http://{{host}}:{{port}}"
import s3fs
from blockchaintracer.core.digest import digest_bytes
from blockchaintracer.core.verify.copies import SourceError
from blockchaintracer.lab.store.sources import read_address
from blockchaintracer.lab.store.store import digest_stream
files, data = s3fs.S3FileSystem(), os.urandom(7_000_000)
files.mkdir("bucket")
files.pipe("bucket/data.bin", data)
assert digest_stream(read_address("s3://bucket/data.bin", public=False)) == digest_bytes(data)
for name, public in (("nothing", False), ("data", True)):
    try:
        next(read_address(f"s3://bucket/{{name}}.bin", public=public))
    except SourceError as error:
        print(error)
server.stop()
"""


def test_data_on_s3_are_hashed_as_they_come(tmp_path: Path) -> None:
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    python = tmp_path / "env/bin/python"
    install = ["pip", "install", "-q", "--python", str(python), "s3fs==2026.9.0", "moto[s3,server]==5.2.5"]
    for command in (["venv", "-q", "--python", sys.executable, str(python.parents[1])], install):
        done = subprocess.run([uv, *command], capture_output=True, text=True, timeout=240, check=False)
        if done.returncode:
            pytest.skip(f"s3fs and moto can't be installed: {done.stderr[-300:]}")
    program = S3.format(root=str(ROOT), packages=sysconfig.get_path("purelib"))
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "does not have it" in done.stdout
    assert "is at 127.0.0.1, which is no public address" in done.stdout


@pytest.fixture(params=["btrfs", "xfs"])
def sharing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A folder of a file system that shares blocks, in a file."""
    make = shutil.which(f"mkfs.{request.param}")
    if os.getuid() or not make:
        pytest.skip(f"to mount {request.param} needs root and mkfs.{request.param}")
    image, folder = tmp_path / "image", tmp_path / "mounted"
    with image.open("wb") as file:
        file.truncate(400 << 20)
    folder.mkdir()
    subprocess.run([make, "-q", image], check=True, timeout=60)
    mounted = subprocess.run(["mount", "-o", "loop", image, folder], capture_output=True, timeout=60, check=False)
    if mounted.returncode:
        pytest.skip(f"{request.param} can't be mounted here: {mounted.stderr.decode()[-200:]}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True, timeout=60)


def used(folder: Path) -> int:
    os.sync()
    state = os.statvfs(folder)
    return (state.f_blocks - state.f_bfree) * state.f_frsize


def test_copies_share_their_blocks_and_keep_their_bytes(sharing: Path) -> None:
    file, store = sharing / "file", Store(sharing / "store")
    file.write_bytes(os.urandom(50 << 20))
    before = used(sharing)
    digest = store.put_file(file).sha256
    store.export(digest, sharing / "exported")
    published = store.published(sharing / "published")
    published.take(digest, store)
    assert used(sharing) - before < 10 << 20, "three copies of 50 MiB"
    with file.open("r+b") as opened:
        opened.write(b"changed")
    store.verify(digest)
    published.verify(digest)
