"""Digests beside sha256sum, and in a process whose memory is measured."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from blockchaintracer.core.digest import (
    digest_bytes,
    digest_folder,
)

KIB, MIB = 1 << 10, 1 << 20


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of one process alone is told by Linux")
@pytest.mark.parametrize(
    ("work", "is_flat"),
    [
        ("digest_file(file)", True),
        ("sha256_file(file)", True),
        ("Store(folder).put_file(file)", True),
        ("open(file, 'rb').read()", False),
    ],
)
def test_memory_stays_flat(tmp_path: Path, work: str, is_flat: bool):
    """The last shows that the measure sees it: getrusage gives the peak of the process that started this one, too."""
    file = tmp_path / "large"
    with file.open("wb") as sparse:
        sparse.truncate(200 * MIB)
    code = (
        "import re, sys; from pathlib import Path\n"
        "from blockchaintracer.core.digest import digest_file, sha256_file\n"
        "from blockchaintracer.lab.store.store import Store\n"
        "peak = lambda: int(re.search(r'VmHWM:\\s*(\\d+)', Path('/proc/self/status').read_text())[1])\n"
        f"file, folder = sys.argv[1:]; idle = peak(); {work}; print(peak() - idle)"
    )
    arguments = [sys.executable, "-c", code, str(file), str(tmp_path / "store")]
    out = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert (int(out.stdout) * KIB < 64 * MIB) is is_flat


def write(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return root


FILES = {"b.txt": b"b", "a/z": b"z", "a.txt": b"", "a/deep/er": b"er" * 1000, ".hidden": b"h", "Größe 1.csv": b"1,2"}


def test_sha256sum_accepts_the_listing(tmp_path: Path):
    folder = write(tmp_path / "data", FILES)
    found = digest_folder(folder)
    listing = tmp_path / "SHA256SUMS"
    listing.write_bytes(found.listing)
    checked = subprocess.run(
        ["sha256sum", "--strict", "-c", str(listing)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert len(checked.stdout.splitlines()) == len(FILES)
    assert found.sha256 == hashlib.sha256(found.listing).hexdigest()
    assert found.size == sum(map(len, FILES.values()))
    assert [entry.path for entry in found.files] == sorted(FILES, key=str.encode)
    for entry in found.files:
        assert (entry.sha256, entry.size) == (digest_bytes(FILES[entry.path]).sha256, len(FILES[entry.path]))
    by_hand = "".join(f"{hashlib.sha256(FILES[name]).hexdigest()}  {name}\n" for name in sorted(FILES, key=str.encode))
    assert found.listing.decode() == by_hand
