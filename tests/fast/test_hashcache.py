"""The cache of digests: an unchanged file is not read again, and a changed one is, whatever was done to it."""

import hashlib
import os
import shutil
import sqlite3
import time
from pathlib import Path

import pytest

from blockchaintracer.core.digest import NO_CID, Digester, FileDigest, digest_file, digest_folder
from blockchaintracer.core.errors import InputError, StoreError
from blockchaintracer.lab.store import hashcache
from blockchaintracer.lab.store.hashcache import SETTLED_NS, HashCache
from blockchaintracer.lab.store.store import Store


@pytest.fixture
def cache(tmp_path: Path) -> HashCache:
    return HashCache(tmp_path / "hashes.sqlite")


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch):
    """Waits no three seconds, but two ticks of this file system's clock (at most 10 ms)."""
    monkeypatch.setattr(hashcache, "SETTLED_NS", 20_000_000)

    def wait() -> None:
        time.sleep(0.05)

    return wait


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were really read."""
    read: list[str] = []

    def noting(path, *more):
        read.append(os.fspath(path))
        return digest_file(path, *more)

    monkeypatch.setattr(hashcache, "digest_file", noting)
    return read


def test_an_unchanged_file_is_read_once_also_by_a_later_process(cache, tmp_path, settled, reads):
    file = tmp_path / "file"
    file.write_bytes(b"one")
    settled()
    found = cache.digest(file)
    assert found == digest_file(file)
    counted: list[int] = []
    assert cache.digest(file, progress=counted.append) == found
    assert HashCache(cache.path).digest(file) == found
    assert (reads, counted) == ([str(file)], [3])
    assert cache.digest(file, "legacy").cid_profile == "legacy"
    assert len(reads) == 2


def test_a_digest_without_a_cid_is_of_use_until_a_cid_is_asked_for(cache, tmp_path, settled, reads):
    folder = tmp_path / "data"
    folder.mkdir()
    file = folder / "file"
    file.write_bytes(bytes(5 << 20))
    settled()
    without = cache.digest(file, NO_CID)
    assert without == FileDigest(hashlib.sha256(bytes(5 << 20)).hexdigest(), 5 << 20, "", NO_CID)
    assert cache.folder(folder) == digest_folder(folder)
    assert len(reads) == 1
    assert cache.digest(file) == digest_file(file)
    assert cache.digest(file, NO_CID).sha256 == without.sha256
    assert len(reads) == 2


def test_a_file_of_a_folder_is_kept_again_with_its_cid(cache, tmp_path, settled, monkeypatch):
    """Of the files of a folder, which names no CID, only the SHA-256 is computed."""
    store, file, sizes = Store(tmp_path / "store", cache=cache), tmp_path / "data" / "file", []
    file.parent.mkdir()
    file.write_bytes(bytes(5 << 20))
    settled()
    leaf = Digester._leaf

    def counted(digester, chunk, digest):
        sizes.append(len(chunk))
        return leaf(digester, chunk, digest)

    with monkeypatch.context() as patch:
        patch.setattr(Digester, "_leaf", counted)
        folder = store.put_folder(file.parent)
    assert sizes == [len(folder.listing)]
    assert store.put_file(file) == digest_file(file)
    monkeypatch.setattr("blockchaintracer.lab.store.store.digest_file", None)
    assert store.put_folder(file.parent) == folder
    assert store.put_file(file).sha256 == folder.files[0].sha256


def _rewritten(file: Path) -> None:
    file.write_bytes(b"two")


def _rewritten_with_the_old_times(file: Path) -> None:
    before = file.stat()
    file.write_bytes(b"two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def _replaced_with_the_old_times(file: Path) -> None:
    before, other = file.stat(), file.with_name("other")
    other.write_bytes(b"two")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(file)


def _one_byte_in_place(file: Path) -> None:
    before = file.stat()
    with file.open("r+b") as out:
        out.write(b"t")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def _linked_to_another(file: Path) -> None:
    other = file.with_name("other")
    other.write_bytes(b"two")
    file.unlink()
    file.symlink_to(other)


CHANGES = [
    _rewritten,
    _rewritten_with_the_old_times,
    _replaced_with_the_old_times,
    _one_byte_in_place,
    _linked_to_another,
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_file_is_never_found(cache, tmp_path, settled, change):
    file = tmp_path / "file"
    file.write_bytes(b"one")
    settled()
    cache.digest(file)
    assert cache.find(file) is not None
    change(file)
    assert cache.find(file) is None
    assert cache.digest(file).sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


TICK_NS = 20_000_000


def _missed(cache: HashCache, file: Path, monkeypatch: pytest.MonkeyPatch, settled_ns: int) -> tuple[int, int]:
    """How often a second change went unseen, and how often an unchanged file was found, on a clock of 20 ms ticks.

    Today's Linux gives each write that was looked at a time of its own; older ones, NFS and FAT do not.
    """
    exact = hashcache._key
    monkeypatch.setattr(hashcache, "SETTLED_NS", settled_ns)
    monkeypatch.setattr(
        hashcache, "_key", lambda path: (*(key := exact(path))[:3], *(time - time % TICK_NS for time in key[3:]))
    )
    missed = found = 0
    for number in range(40):
        file.write_bytes(b"%06d" % number)
        time.sleep(0.003 * (number % 20))
        cache.digest(file)
        found += cache.find(file) is not None
        file.write_bytes(b"%06d" % (number + 500_000))
        missed += cache.digest(file).sha256 != hashlib.sha256(file.read_bytes()).hexdigest()
    return missed, found


def test_changes_within_one_tick_of_the_clock_are_never_missed(cache, tmp_path, monkeypatch):
    missed, found = _missed(cache, tmp_path / "file", monkeypatch, TICK_NS)
    assert missed == 0
    assert found > 0


def test_without_that_rule_such_changes_would_be_missed(cache, tmp_path, monkeypatch):
    """What the rule is for: if nothing is missed without it, the test above tests nothing."""
    missed, _ = _missed(cache, tmp_path / "file", monkeypatch, 0)
    assert missed > 0


def test_what_changed_shortly_before_or_lies_ahead_is_not_entered(cache, tmp_path):
    assert SETTLED_NS > 2 * 10**9
    file = tmp_path / "file"
    file.write_bytes(b"one")
    cache.digest(file)
    assert cache.find(file) is None
    os.utime(file, ns=(0, time.time_ns() + 10**15))
    cache.digest(file)
    assert cache.find(file) is None


def test_a_file_that_changes_while_it_is_hashed_is_not_entered(cache, tmp_path, settled, monkeypatch):
    file = tmp_path / "file"
    file.write_bytes(b"one")
    settled()

    def slow(path, *more):
        found = digest_file(path, *more)
        _rewritten_with_the_old_times(file)
        return found

    monkeypatch.setattr(hashcache, "digest_file", slow)
    cache.digest(file)
    monkeypatch.undo()
    assert cache.find(file) is None


def test_what_is_no_file_is_refused_as_without_a_cache(cache, tmp_path):
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InputError):
            cache.digest(path)


def test_a_folder_is_what_it_is_without_a_cache(cache, tmp_path, settled, reads):
    folder = tmp_path / "folder"
    for number in range(20):
        (folder / str(number % 3)).mkdir(parents=True, exist_ok=True)
        (folder / str(number % 3) / f"{number}").write_bytes(b"%d" % number)
    settled()
    assert cache.folder(folder) == digest_folder(folder)
    assert len(reads) == 20
    (folder / "0" / "0").write_bytes(b"x")
    assert cache.folder(folder) == digest_folder(folder)
    assert len(reads) == 21


@pytest.mark.parametrize("content", [b"this is no database, and longer than its header would be" * 9, b""])
def test_a_damaged_cache_is_replaced(tmp_path, settled, content):
    path, file = tmp_path / "hashes.sqlite", tmp_path / "file"
    path.write_bytes(content)
    file.write_bytes(b"one")
    settled()
    cache = HashCache(path)
    assert cache.digest(file) == digest_file(file) == cache.find(file)


def test_a_cache_that_cannot_be_used_only_costs_time(tmp_path, settled):
    file = tmp_path / "file"
    file.write_bytes(b"one")
    settled()
    nowhere = HashCache(tmp_path / "none" / "hashes.sqlite")
    assert nowhere.digest(file) == digest_file(file)
    assert nowhere.find(file) is None
    cache = HashCache(tmp_path / "hashes.sqlite")
    with sqlite3.connect(cache.path) as other:
        other.execute("DROP TABLE digests")
    assert cache.digest(file) == digest_file(file)


def test_a_kept_file_is_not_copied_again_and_a_damaged_copy_is(cache, tmp_path, settled, reads):
    store, file = Store(tmp_path / "store", cache=cache), tmp_path / "file"
    file.write_bytes(b"one")
    settled()
    first = store.put_file(file)
    kept = store.path_of(first.sha256)
    inode = kept.stat().st_ino
    settled()
    assert store.put_file(file) == first
    assert store.put_file(file) == first
    # the copy is known from when it was written
    assert (kept.stat().st_ino, reads) == (inode, [])
    kept.chmod(0o600)
    kept.write_bytes(b"two")
    assert store.put_file(file) == first
    store.verify(first.sha256)
    shutil.rmtree(store.folder)
    store.put_file(file)
    store.verify(first.sha256)


def test_damage_to_a_copy_is_seen_however_soon_it_comes(cache, tmp_path, monkeypatch):
    """A copy is known without another reading, so a write in the same tick (2 s here) must show in its times."""
    store, file, exact = Store(tmp_path / "store", cache=cache), tmp_path / "file", hashcache._key
    contents = [f"{number:03}".encode() for number in range(12)]

    def damaged(path):
        key = exact(path)
        if isinstance(path, int):
            store.path_of(hashlib.sha256(content).hexdigest()).write_bytes(b"bad")
        return (*key[:3], *(time // (2 * 10**9) for time in key[3:]))

    monkeypatch.setattr(hashcache, "_key", damaged)
    for content in contents:
        file.write_bytes(content)
        digest = store.put_file(file).sha256
        with pytest.raises(StoreError, match="is damaged"):
            store.verify(digest, quick=True)


def test_where_recorded_files_lay_is_remembered(cache, tmp_path):
    file = tmp_path / "file"
    for content, digest in ((b"one", "1" * 64), (b"other", "2" * 64), (b"one", "1" * 64)):
        file.write_bytes(content)
        cache.note_place(file, digest)
    later = HashCache(cache.path)
    assert {place.sha256: place.size for place in later.recorded_at(file)} == {"1" * 64: 3, "2" * 64: 5}
    (place,) = later.places("1" * 64)
    assert (place.path, place.mtime, place.in_place) == (str(file), file.stat().st_mtime_ns, False)
    assert abs(place.noted - time.time()) < 60
    assert later.places("3" * 64) == later.recorded_at(tmp_path / "elsewhere") == []


def test_what_is_in_place_must_be_noted(cache, tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"one")
    cache.note_place(file, "1" * 64, in_place=True)
    cache.note_place(file, "1" * 64)
    assert cache.places("1" * 64)[0].in_place
    with pytest.raises(StoreError, match="which is not copied"):
        HashCache(tmp_path / "no folder" / "hashes.sqlite").note_place(file, "1" * 64, in_place=True)


def test_hashes_that_were_made_before_an_interruption_are_kept(cache, tmp_path, settled, monkeypatch):
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(40):
        (folder / f"{number:02}").write_bytes(bytes([number]))
    settled()
    read: list[str] = []

    def interrupted(path, *more):
        read.append(os.fspath(path))
        if len(read) == 20:
            raise KeyboardInterrupt
        return digest_file(path, *more)

    monkeypatch.setattr(hashcache, "digest_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cache.folder(folder)
    before = len(read)
    assert cache.folder(folder) == digest_folder(folder)
    assert len(read) - before == 40 - (before - 1), "each file once, and the one that was broken off again"
    store = Store(tmp_path / "store", cache=cache)
    store.put_folder(folder, in_place=True)
    assert len(read) == 41
