"""What may stand in a committed file, and which module may import which."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.artifacts import ROOT

# Written so that none of them matches itself.
FORBIDDEN = {
    "a host of a package registry": r"\b(?:pypi|pythonhosted|npmjs|yarnpkg|unpkg)\.(?:org|com|io)\b",
    "a path of one machine": r"(?<![\w.])/(?:root|Users/\w+|work)/(?:main|shared|\.\w+|Desktop|Documents|Downloads)\b",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE[ ]KEY-----",
}


@pytest.fixture(scope="module")
def committed() -> dict[str, str]:
    """Text of every committed file by its path."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    texts = {}
    for name in filter(None, listed.stdout.split("\0")):
        try:
            texts[name] = (ROOT / name).read_text()
        except (UnicodeDecodeError, FileNotFoundError):
            continue
    assert "pyproject.toml" in texts
    return texts


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_committed_file_holds(what: str, committed: dict[str, str]) -> None:
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in committed.items()
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(FORBIDDEN[what], line)
    ]
    assert not found, f"{what}:\n" + "\n".join(found)


def test_no_committed_file_names_this_folder(committed: dict[str, str]) -> None:
    assert not [name for name, text in committed.items() if f"{ROOT}/" in text]


def test_locks_carry_hashes_and_no_addresses(committed: dict[str, str]) -> None:
    locks = {name: text for name, text in committed.items() if name.endswith((".lock", "package-lock.json"))}
    locks |= {name: text for name, text in committed.items() if name.startswith("locks/")}
    assert {"locks/dev.txt", "locks/bootstrap.txt", "package-lock.json"} <= locks.keys()
    for name, text in locks.items():
        address = '"resolved": "http' if name.endswith(".json") else "://"
        assert address not in text, f"{name} holds an address"
        assert "sha512-" in text if name.endswith(".json") else "sha256:" in text, f"{name} holds no hashes"


def test_every_locked_python_package_has_a_hash(committed: dict[str, str]) -> None:
    for name in ("locks/dev.txt", "locks/bootstrap.txt"):
        packages = re.split(r"\n(?=\w)", committed[name])
        assert not [package for package in packages if "--hash=sha256:" not in package]


def test_set_up_installs_what_is_locked(committed: dict[str, str]) -> None:
    """uv and the build backend, installed first by pip, are those that the lock of all packages names."""
    pins = r"^[\w.-]+==\S+"
    assert set(re.findall(pins, committed["locks/bootstrap.txt"], re.M)) <= set(
        re.findall(pins, committed["locks/dev.txt"], re.M)
    )


def test_imports_run_one_way() -> None:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
