"""A FIFO where a small file was expected made a command wait for ever, and a sparse file took all memory: files of
strangers were opened without asking what they are and how large."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blockchaintracer.cli import load
from blockchaintracer.core.digest import digest_folder
from blockchaintracer.core.errors import BlockchainTracerError, InputError
from blockchaintracer.core.formats import read_limited
from blockchaintracer.core.record import Kind, RecordKey, SubjectType
from blockchaintracer.core.verify.content_checks import Shown
from blockchaintracer.core.verify.copies import FolderCopies, SourceError, check_layout, object_name
from blockchaintracer.core.verify.outcomes import Outcome
from blockchaintracer.extras.check.claims import read_claims
from blockchaintracer.extras.score.data_rows import Unreadable, read_split
from blockchaintracer.lab.capture.git import capture_git
from blockchaintracer.lab.capture.locks import find_lock
from blockchaintracer.lab.known_keys import read_key_file
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.private.backup import restore
from blockchaintracer.lab.proof_file import read_proof
from blockchaintracer.lab.publish import _to_folder
from blockchaintracer.lab.relay import SignedWrites
from blockchaintracer.lab.store.sources import read_source
from blockchaintracer.lab.store.store import Store
from blockchaintracer.lab.store.stored_copies import StoredCopies

pytestmark = pytest.mark.fast
HUGE = 4 << 40
LIMIT = 1 << 20
DIGEST = hashlib.sha256(b"a manifest").hexdigest()


class WithoutEnd(BaseException):
    """A wait for what never comes. No code takes it for an error of its own."""


@pytest.fixture(autouse=True)
def no_hang() -> Iterator[None]:
    """Break off what waits for ever."""

    def broken_off(*_: object) -> None:
        raise WithoutEnd

    before = signal.signal(signal.SIGALRM, broken_off)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def sparse(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.truncate(path, HUGE)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


KINDS = pytest.mark.parametrize("make", [os.mkfifo, sparse, endless])


def of_a_lab(folders: list[Path]) -> StoredCopies:
    return StoredCopies(Store(folders[0].parent / "own"), folders)


COPIES = pytest.mark.parametrize("copies", [FolderCopies, of_a_lab])


def test_a_small_file_is_a_regular_file_within_its_limit(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(LIMIT))
    (tmp_path / "link").symlink_to("file")
    assert len(read_limited(tmp_path / "link", LIMIT, "a note")) == LIMIT
    with pytest.raises(InputError, match=r"a note in .*link"):
        read_limited(tmp_path / "link", LIMIT, "a note", os.O_NOFOLLOW)
    with pytest.raises(InputError, match=f"a note of at most {LIMIT - 1} bytes, got more"):
        read_limited(tmp_path / "file", LIMIT - 1, "a note")
    with pytest.raises(InputError, match=r"a note in .*: No such file"):
        read_limited(tmp_path / "none", LIMIT, "a note")
    with pytest.raises(InputError, match="got a folder"):
        read_limited(tmp_path, LIMIT, "a note")


def restored(path: Path) -> None:
    restore(Home(path.parent / "home"), path, ask=lambda: "of the backup")


@KINDS
@pytest.mark.parametrize("read", [read_proof, read_key_file, read_claims, SignedWrites.read_file, restored])
def test_a_file_that_a_command_reads(tmp_path: Path, read: Callable[[Path], object], make) -> None:
    make(tmp_path / "given.md")
    with pytest.raises(BlockchainTracerError, match=r"given\.md"):
        read(tmp_path / "given.md")


def test_an_invitation_is_not_opened_before_it_is_looked_at(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "invitation.json")
    load("group").commands["join"].make_context("join", [str(tmp_path / "invitation.json")])


@KINDS
@COPIES
def test_the_version_of_a_published_folder(tmp_path: Path, copies, make) -> None:
    published = tmp_path / "published"
    published.mkdir()
    make(published / "blockchaintracer.json")
    data, copy = copies([published]).read_bytes(DIGEST, LIMIT)
    assert data is None
    assert len(copy.unavailable) == 1
    with pytest.raises(InputError, match="version"):
        check_layout(published)


@COPIES
def test_a_manifest_that_no_memory_holds(tmp_path: Path, copies) -> None:
    published = tmp_path / "published"
    sparse(published / object_name(DIGEST))
    data, copy = copies([published]).read_bytes(DIGEST, LIMIT)
    assert data is None
    assert [bad.reason for bad in copy.damaged] == [f"has more than the {LIMIT} bytes allowed"]


@pytest.mark.parametrize(
    "name", [".git/config", ".git/HEAD", ".git/refs/heads/main", ".git/info/exclude", ".gitignore"]
)
@pytest.mark.parametrize("make", [os.mkfifo, endless])
def test_a_repository_that_git_would_wait_for(tmp_path: Path, name: str, make) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    make(tmp_path / name)
    (tmp_path / "code").mkdir()
    with pytest.raises(InputError, match=f"expected a file at .*{name}, got a FIFO or a device"):
        capture_git(tmp_path / "code")


def test_a_lock_and_a_split_that_no_memory_holds(tmp_path: Path) -> None:
    sparse(tmp_path / "requirements.txt")
    with pytest.raises(InputError, match="a lock of at most"):
        find_lock(tmp_path)
    with pytest.raises(Unreadable):
        read_split(tmp_path / "requirements.txt")


@pytest.mark.parametrize("link", ["objects", f"objects/{DIGEST[:2]}", "proofs"])
def test_nothing_is_published_through_a_link(tmp_path: Path, link: str) -> None:
    store, elsewhere, published = Store(tmp_path / "store"), tmp_path / "elsewhere", tmp_path / "published"
    digest = store.put_bytes(b"a manifest")
    elsewhere.mkdir()
    (published / link).parent.mkdir(parents=True)
    (published / link).symlink_to(elsewhere)
    with pytest.raises(InputError, match=f"{link}, got a link"):
        _to_folder(store, {object_name(digest): digest, "proofs/1.json": digest}, published, quick=False)
    assert not [*elsewhere.iterdir()]


def test_an_object_that_becomes_a_fifo_after_it_was_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / object_name(DIGEST)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"a manifest")

    def swapped(*asked: object) -> bytes:
        path.unlink()
        os.mkfifo(path)
        return read_limited(*asked)

    monkeypatch.setattr("blockchaintracer.core.verify.copies.read_limited", swapped)
    data, copy = FolderCopies([tmp_path]).read_bytes(DIGEST, LIMIT)
    assert (data, copy.unavailable) == (None, [f"{path} changed while it was read"])


def test_an_object_that_is_a_fifo_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / object_name(DIGEST)
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    with pytest.raises(SourceError) as error:
        next(read_source(str(tmp_path), object_name(DIGEST)))
    assert error.value.unavailable
    with pytest.raises(SourceError, match="does not have it"):
        next(read_source(str(tmp_path), object_name(DIGEST[::-1])))


@pytest.mark.parametrize("recorded", [SubjectType.FILE, SubjectType.FOLDER, SubjectType.IDENTIFIER])
def test_a_record_of_another_kind_with_the_same_digest(tmp_path: Path, recorded: SubjectType) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_text("1,2\n")
    folder = digest_folder(tmp_path / "data")
    (tmp_path / "SHA256SUMS").write_bytes(folder.listing)
    key = RecordKey(1, "0x" + "11" * 20, recorded, folder.sha256, Kind.DATASET, "22" * 32)
    for path, shown in ((tmp_path / "data", SubjectType.FOLDER), (tmp_path / "SHA256SUMS", SubjectType.FILE)):
        verdicts = {check.verdict for check in Shown(path, FolderCopies()).compare(key, None)}
        assert (verdicts == {Outcome.PASS}) is (shown == recorded)
