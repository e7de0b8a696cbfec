"""A backup of a stranger held other files than a backup has, a sparse file without end, or stopped half way."""

from __future__ import annotations

import io
import os
import sys
import tarfile
from pathlib import Path

import pytest

from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.core.plain_json import canonical
from blockchaintracer.lab.formats import BACKUP
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.private.age import encrypt, new_identity
from blockchaintracer.lab.private.backup import back_up, restore
from blockchaintracer.lab.unpack import unpack_tar

pytestmark = pytest.mark.fast
SEAL = f"seals/{'ab' * 32}.json"


@pytest.fixture(scope="module")
def key() -> tuple[object, str]:
    return new_identity()


def tar(*members: tarfile.TarInfo | str, content: bytes = b"{}") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for member in members:
            info = tarfile.TarInfo(member) if isinstance(member, str) else member
            if isinstance(member, str):
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def backup(*names: str, content: bytes = b"{}") -> bytes:
    """A backup of this version, with files of any names."""
    head = canonical(BACKUP.header())
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in (("backup.json", head), *((name, content) for name in names)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def restored(tmp_path: Path, key: tuple[object, str], data: bytes) -> list[str]:
    (tmp_path / "backup").write_bytes(encrypt(data, [key[1]]))
    return restore(Home(tmp_path / "home"), tmp_path / "backup", identities=[key[0]], ask=str)


def files(folder: Path) -> list[str]:
    kept = [path for path in folder.rglob("*") if path.is_file() and path.name not in (".gitignore", "id")]
    return [path.relative_to(folder).as_posix() for path in kept]


@pytest.mark.parametrize(
    "name",
    [
        "keys/deeper/mine.json",
        "keys/mine.sh",
        "seals/planted.json",
        "private/x.json",
        "batches/x/y/z.json",
        "batches/open",
        "outbox.sqlite",
        "mlflow/pending/x.json",
    ],
)
def test_a_backup_holds_only_the_files_that_a_backup_has(tmp_path, key, name) -> None:
    with pytest.raises(NotVerified, match="files of a backup"):
        restored(tmp_path, key, backup("keys/mine.json", name))
    assert files(tmp_path / "home") == []


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000], ids=["none", "open", "list", "byte", "deep"]
)
def test_a_file_that_is_cut_off_is_not_restored(tmp_path, key, content) -> None:
    # libraries raise the limit: Python's parser would then end the process on deep nesting
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10**6)
    try:
        with pytest.raises(NotVerified, match="a whole file"):
            restored(tmp_path, key, backup("keys/mine.json", content=content))
    finally:
        sys.setrecursionlimit(limit)
    assert files(tmp_path / "home") == []


def test_a_name_that_comes_twice(tmp_path, key) -> None:
    with pytest.raises(NotVerified, match="each path once"):
        restored(tmp_path, key, backup("keys/mine.json", "keys/mine.json"))
    assert files(tmp_path / "home") == []


def sparse(name: str, size: int) -> bytes:
    """A sparse file of GNU tar that holds nothing and says that it has `size` bytes."""
    info = tarfile.TarInfo(name)
    raw = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    raw[156:157] = tarfile.GNUTYPE_SPARSE
    raw[483:495] = b"%011o\0" % size
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw)
    return bytes(raw)


def test_a_small_archive_does_not_fill_the_disk(tmp_path, key) -> None:
    """Each of many sparse files was allowed a gigabyte."""
    data = b"".join(sparse(f"keys/k{number}.json", 1 << 28) for number in range(8)) + bytes(1024)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert {member.size for member in archive} == {1 << 28}
    with pytest.raises(NotVerified, match="plain files alone"):
        restored(tmp_path, key, data)
    assert files(tmp_path / "home") == []


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_an_entry_that_is_no_plain_file(tmp_path, kind) -> None:
    info = tarfile.TarInfo("a")
    info.type, info.linkname = kind, "/etc/passwd"
    with pytest.raises(NotVerified, match="plain files alone"):
        unpack_tar(io.BytesIO(tar("b", info)), tmp_path / "out", "an archive", limit=100)
    # not even the plain file before it
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["../a", "a/../../b", "/a", "a//b", "./a", "a/..", "e\u0301"])
def test_a_name_that_leaves_the_folder_or_is_in_another_form(tmp_path, name) -> None:
    with pytest.raises(NotVerified):
        unpack_tar(io.BytesIO(tar("b", name)), tmp_path / "out", "an archive", limit=100)
    assert os.listdir(tmp_path) == []


def test_more_than_was_allowed(tmp_path) -> None:
    with pytest.raises(NotVerified, match="and 3 bytes"):
        unpack_tar(io.BytesIO(tar("a", "b")), tmp_path / "out", "an archive", limit=3)
    assert os.listdir(tmp_path) == []


def test_a_restore_that_fails_half_way_leaves_nothing(tmp_path, key) -> None:
    """A file stood where a folder of the backup goes: what came before it stayed."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "seals").write_text("in the way")
    with pytest.raises(InputError, match="nothing was"):
        restored(tmp_path, key, backup("keys/mine.json", SEAL, "settings.json"))
    assert files(home) == ["seals"]
    assert not (home / "keys").exists()
    (home / "seals").unlink()
    assert restored(tmp_path, key, backup("keys/mine.json", SEAL)) == ["keys/mine.json", SEAL]
    assert (home / "keys").stat().st_mode & 0o777 == 0o700
    assert (home / SEAL).stat().st_mode & 0o777 == 0o600
    # what is there already is no hindrance
    assert restored(tmp_path, key, backup("keys/mine.json", SEAL)) == []


def test_a_backup_has_everything_that_exists_only_here(tmp_path, key) -> None:
    home = tmp_path / "kept"
    batch = f"batches/1-0x{'aB' * 20}-7-0x{'cD' * 20}"
    names = [
        "encryption-keys/mine.age",
        "encryption-keys/mine.pub",
        "keys/mine.json",
        "keys/mine.passphrase",
        SEAL,
        f"private/{'12' * 32}.json",
        f"private/{'12' * 32}.{'34' * 32}.content.json",
        "mlflow/salts/6e8bc430-9c3a-41d9-9669-5f2b1a5b1f0e",
        f"{batch}/open/{'56' * 32}.json",
        f"{batch}/{'78' * 32}/{'56' * 32}.json",
        f"seals/0x{'ab' * 32}.json",
        f"{batch}/0x{'78' * 32}/0x{'56' * 32}.json",
        "settings.json",
    ]
    for name in names:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("{}")
    (home / "outbox.sqlite").write_text("not a key")
    (home / "keys" / ".lock").write_text("")
    back_up(Home(home), tmp_path / "backup", recipients=[key[1]])
    new = Home(tmp_path / "home")
    assert sorted(restore(new, tmp_path / "backup", identities=[key[0]], ask=str)) == sorted(names)


def test_a_sparse_file_of_the_newer_kind_is_refused(tmp_path) -> None:
    """Its type is that of a plain file: only its headers say that a few bytes stand for as many as they like."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("keys/mine.json")
        info.size, info.pax_headers = 2, {"GNU.sparse.size": "50", "GNU.sparse.map": "0,2"}
        archive.addfile(info, io.BytesIO(b"{}"))
    with pytest.raises(NotVerified, match="plain files alone"):
        unpack_tar(io.BytesIO(out.getvalue()), tmp_path / "out", "an archive", limit=100)
