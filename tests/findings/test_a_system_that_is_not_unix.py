"""The verifier was said to need no Unix; it opened and read files by functions that Windows does not have."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.forged_bundles import Forged

pytestmark = pytest.mark.node

PROGRAM = """
import asyncio, importlib, multiprocessing, os, pkgutil, requests, subprocess, sys, tempfile
for name in "fcntl resource pwd grp termios tty pty syslog readline".split():
    sys.modules[name] = None
for name in "O_NONBLOCK O_CLOEXEC O_NOFOLLOW O_DIRECTORY readv preadv pread sendfile getuid fork uname statvfs".split():
    delattr(os, name)
import blockchaintracer.core
for module in pkgutil.walk_packages(blockchaintracer.core.__path__, "blockchaintracer.core."):
    importlib.import_module(module.name)
from pathlib import Path
from blockchaintracer import verify_bundle
from blockchaintracer.core.digest import digest_folder, sha256_file
from blockchaintracer.core.verify.copies import FolderCopies
folder = Path(sys.argv[1])
print(sha256_file(folder / "a.txt"), len(digest_folder(folder).files))
print(verify_bundle(Path(sys.argv[2]).read_bytes()).conclusion)
with FolderCopies([folder]).find_copy("ab" * 32) as copy:
    assert not copy.unavailable
"""


def test_core_needs_no_unix(tmp_path: Path) -> None:
    data = b"a\r\nb" * (1 << 19)
    (tmp_path / "a.txt").write_bytes(data)
    bundle = tmp_path.with_name("bundle.json")
    bundle.write_bytes(Forged().data())
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), str(bundle)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout == f"{hashlib.sha256(data).hexdigest()} 1\nconsistent\n", done.stderr
