"""Lists of executable files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.digest import digest_bytes, digest_folder
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import ContentPredicate, Manifest, parse_manifest
from blockchaintracer.core.manifest.predicates import MAX_EXECUTABLE, MAX_EXECUTABLE_BYTES
from blockchaintracer.core.record import Kind
from blockchaintracer.lab.recording.content import executable_of


def predicate(**more: Any) -> ContentPredicate:
    cid = digest_bytes(b"").cid
    values = {"subject_type": "folder", "size": 0, "cid": cid, "cid_profile": "unixfs-v1-2025", "file_count": 9}
    return ContentPredicate(**{**values, **more})


@pytest.mark.parametrize(
    "paths",
    [
        (),
        ("/bin/sh",),
        ("../up",),
        ("a", "a"),
        ("a", "a/b"),
        ("a\nb",),
        tuple(f"{number:06}" for number in range(MAX_EXECUTABLE + 1)),
        tuple(f"{number:06}/{'x' * 240}" for number in range(MAX_EXECUTABLE_BYTES // 240)),
    ],
)
def test_a_list_that_is_none_is_refused(paths: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match=r"^executable(\[0\])?: expected"):
        predicate(executable=paths)


def test_only_a_folder_has_a_list_and_its_order_is_one() -> None:
    with pytest.raises(InputError, match=r"^executable(\[0\])?: expected"):
        predicate(subject_type="file", file_count=None, executable=("a",))
    assert predicate(executable=("b", "a")).executable == ("a", "b")
    whole = Manifest.of(Kind.SOFTWARE, predicate(executable=("a", "b")), "ab" * 32).to_bytes()
    assert parse_manifest(whole).to_bytes() == whole
    with pytest.raises(InputError):
        parse_manifest(whole.replace(b'["a","b"]', b'["b","a"]'))


def test_too_many_programs_are_said_and_not_listed(tmp_path: Path) -> None:
    """As on a file system without modes, where everything is a program: the folder is recorded all the same."""
    for number in range(MAX_EXECUTABLE + 1):
        descriptor = os.open(tmp_path / f"{number}", os.O_CREAT | os.O_WRONLY, 0o755)
        os.close(descriptor)
    told: list[str] = []
    found = digest_folder(tmp_path)
    assert executable_of(found, told.append) is None
    assert f"{MAX_EXECUTABLE + 1} of {MAX_EXECUTABLE + 1} files" in told[0]
    (tmp_path / "0").unlink()
    assert len(executable_of(digest_folder(tmp_path)) or ()) == MAX_EXECUTABLE
