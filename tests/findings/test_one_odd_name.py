"""One odd file name never keeps a folder or a run unrecorded, and `sha256sum -c` still checks the listing.

A case twin, a newline, a backslash, or a name in two Unicode forms stopped the record of a whole folder.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from contextlib import chdir
from pathlib import Path
from urllib.parse import unquote

import pytest

from blockchaintracer.core.digest import digest_folder, parse_listing
from blockchaintracer.lab.private.sealed_content import _folder
from blockchaintracer.lab.recording.request import Request, record_request
from blockchaintracer.lab.store.store import Store
from blockchaintracer.lab.unpack import unpack_tar
from tests.support.labs import run_predicate, shared_lab

PLAIN = ("data.csv", "Data.csv", "\u00e9", "IN/x", " ")
ODD = ("new\nline", "back\\slash", "\\n", "e\u0301", "tab\t", "cr\r", "in/a\\b")


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "odd"
    for name in (*PLAIN, *ODD):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(repr(name))
        (root / name).chmod(0o755)
    return root


@pytest.mark.node
def test_sha256sum_checks_the_listing_of_such_a_folder(folder: Path, tmp_path: Path) -> None:
    program = shutil.which("sha256sum")
    if program is None:
        pytest.skip("sha256sum is not here")
    sums = tmp_path / "sums"
    sums.write_bytes(digest_folder(folder).listing)
    checked = subprocess.run([program, "--quiet", "-c", sums], cwd=folder, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
    (folder / "new\nline").write_text("changed")
    assert subprocess.run([program, "-c", sums], cwd=folder, capture_output=True, check=False).returncode


@pytest.mark.fast
def test_such_a_folder_comes_back(folder: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    kept = store.put_folder(folder)
    assert {name for name, _ in parse_listing(kept.listing)} == {*PLAIN, *ODD}
    assert {*kept.executable} == {*PLAIN}
    store.restore_folder(kept.sha256, tmp_path / "back")
    assert files(tmp_path / "back") == files(folder)
    # alone, a name is listed in NFC, whatever the system made of it
    (folder / "\u00e9").unlink()
    assert "\u00e9" in {entry.path for entry in digest_folder(folder).files}


@pytest.mark.fast
def test_such_a_folder_is_packed_to_be_encrypted_and_unpacked(folder: Path, tmp_path: Path) -> None:
    packed = io.BytesIO(b"".join(map(bytes, _folder(folder, (), [], None))))
    unpack_tar(packed, tmp_path / "out", "the folder", limit=1 << 20)
    assert files(tmp_path / "out") == files(folder)


@pytest.mark.node
def test_a_run_with_such_inputs_and_outputs_is_recorded(folder: Path, tmp_path: Path) -> None:
    names = ("new\nline", "back\\slash", "cr\r", " ", "data.csv", "Data.csv")
    given = [folder / name for name in names]
    program = [sys.executable, "-c", ""]
    request = Request(datasets=[folder, *given[:2]], artifacts=given, params=["a=1"], program=program)
    with shared_lab(tmp_path) as lab, chdir(folder):
        subprocess.run(["git", "init", "-q"], check=True)
        recorded, _ = record_request(lab, request, lambda count: None)
        run = run_predicate(lab, recorded[-1].id)
    assert {unquote(output.artifact.path) for output in run.outputs} == {*names}
    assert len(run.inputs) == 3
