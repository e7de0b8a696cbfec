"""Builds what a release holds, twice, and refuses two different results: `make release`. Nothing is published.

dist/ gets the wheel, the source archive, the npm packages, the documentation, a bill of materials (CycloneDX) for the
wheel's locked environment, and SHA256SUMS. Each build runs in a clone of the last commit, so nothing that lies around
in this folder gets in. `make audit` asks a database of known vulnerabilities about every locked Python package.
"""

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from compiler import ROOT
from locked import install
from npm import pack_all

ENVIRONMENT = ROOT / ".toolchain" / "release"
DIST = ROOT / "dist"
UV = ROOT / ".venv" / "bin" / "uv"
PYTHON = ROOT / ".venv" / "bin" / "python"


def run(*command: str | Path, cwd: Path = ROOT, **variables: str) -> str:
    """Run a program and return what it prints."""
    given = {"env": os.environ | variables, "cwd": cwd, "text": True, "stdout": subprocess.PIPE}
    return subprocess.run([str(part) for part in command], check=True, **given).stdout


def pack(target: Path, entries: list[tuple[str, bytes, bool]], time: int) -> None:
    """Write a .tar.gz whose bytes follow from names, contents and one time alone."""
    with (
        target.open("wb") as raw,
        gzip.GzipFile("", "wb", mtime=time, fileobj=raw) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, content, is_program in sorted(entries):
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.mode = len(content), time, 0o755 if is_program else 0o644
            tar.addfile(member, io.BytesIO(content))


def repack(archive: Path, time: int) -> None:
    """Take owners, times and order out of a source archive."""
    with tarfile.open(archive) as tar:
        files = [member for member in tar.getmembers() if member.isfile()]
        entries = [(it.name, tar.extractfile(it).read(), bool(it.mode & 0o100)) for it in files]
    pack(archive, entries, time)


def bill_of_materials(source: Path, target: Path) -> None:
    """Write which packages the wheel is tested with, each with its hashes. A serial number or a time has no place."""
    made = run(
        ENVIRONMENT / "bin" / "cyclonedx-py", "requirements", "--output-reproducible", "--pyproject", "pyproject.toml",
        "locks/dev.txt", cwd=source, PYTHONWARNINGS="ignore",
    )  # fmt: skip
    target.write_text(json.dumps(json.loads(made), indent=1, sort_keys=True) + "\n")


def build(target: Path) -> None:
    """Build everything of the last commit into `target`."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source")
        run("git", "clone", "--quiet", "--no-local", ROOT, source)
        time = run("git", "log", "-1", "--format=%ct", cwd=source).strip()
        command = [UV, "build", "--quiet", "--no-build-isolation", "--python", PYTHON, "--out-dir", target]
        run(*command, source, SOURCE_DATE_EPOCH=time)
        (target / ".gitignore").unlink(missing_ok=True)
        for archive in target.glob("*.tar.gz"):
            repack(archive, int(time))
        pack_all(target, source)
        bill_of_materials(source, target / "blockchaintracer.cdx.json")
        site = ROOT / ".build" / "site"
        # the search index and the sitemap are packed with a time of their own
        pages = [path for path in site.rglob("*") if path.is_file() and not path.name.startswith("sitemap")]
        pack(target / "docs.tar.gz", [(str(it.relative_to(site)), it.read_bytes(), False) for it in pages], int(time))


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file by its name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def main() -> int:
    """Build twice and compare, or ask about vulnerabilities."""
    install("release", ENVIRONMENT, ROOT / "locks" / "release.txt")
    if sys.argv[1:] == ["audit"]:
        audit = [ENVIRONMENT / "bin" / "pip-audit", "--strict", "--require-hashes", "--disable-pip"]
        lock = ["--progress-spinner", "off", "--requirement", ROOT / "locks" / "dev.txt"]
        return subprocess.run([*audit, *lock], check=False).returncode
    if run("git", "status", "--porcelain"):
        print("expected every change to be committed: a release is of the last commit", file=sys.stderr)
        return 2
    found = []
    for _ in range(2):
        run(PYTHON, ROOT / "tools" / "docs.py")
        shutil.rmtree(DIST, ignore_errors=True)
        DIST.mkdir()
        build(DIST)
        found.append(digests(DIST))
    first, second = found
    different = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
    for name in different:
        print(f"{name} is not the same twice", file=sys.stderr)
    (DIST / "SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for name, digest in second.items()))
    print((DIST / "SHA256SUMS").read_text(), end="")
    return bool(different)


if __name__ == "__main__":
    sys.exit(main())
