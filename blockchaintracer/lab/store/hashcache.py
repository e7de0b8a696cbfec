"""What files were hashed to before, so that an unchanged file is not read again. A changed file is never found.

An entry is keyed on device, inode, size, mtime and ctime in nanoseconds. Nobody can set ctime, so a file that was
written, replaced or given another time has another key. What the key can't tell is left out: a file that was changed
within `SETTLED_NS` before it was hashed is not entered, because a second change in the same tick of the file system's
clock would leave the same times (git calls such an entry racy: Documentation/technical/racy-git.txt). A copy that the
store has just written is entered at once, with an mtime set that far back: any write gives it another.

Files of a file system that is mounted read-only are left out too: an image of one (squashfs, ISO 9660) can hold other
content under the same inode with the same times. What no key can tell: a program that has a file mapped writable and
changes it without the kernel noticing yet, and a file system that makes up its times.

The cache is asked before recording; verifying always reads. It may be deleted at any time: files are hashed again then,
and only where recorded files lay (`Place`; one recorded in place is found again by recording it again) and which run
wrote what are forgotten.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blockchaintracer.core.digest import (
    DEFAULT_PROFILE,
    NO_CID,
    FileDigest,
    FolderDigest,
    Progress,
    digest_file,
    digest_folder,
    folder_digest,
    list_folder,
    locked,
)
from blockchaintracer.core.errors import InputError, StoreError
from blockchaintracer.lab.files import CORRUPT, is_among, open_database

SETTLED_NS = 3 * 10**9
"""A file's times must lie this far back, in nanoseconds: the coarsest clock in use, that of FAT, ticks every 2 s."""

_TABLE = """
CREATE TABLE IF NOT EXISTS digests (
  device TEXT, inode TEXT, size INTEGER, mtime INTEGER, ctime INTEGER, profile TEXT,
  sha256 TEXT NOT NULL, cid TEXT NOT NULL, PRIMARY KEY (device, inode, profile)
) WITHOUT ROWID
"""
_PLACES = """
CREATE TABLE IF NOT EXISTS places (
  path TEXT, sha256 TEXT, size INTEGER, mtime INTEGER, noted INTEGER, in_place INTEGER, PRIMARY KEY (sha256, path)
) WITHOUT ROWID
"""
_PLACES_BY_PATH = "CREATE INDEX IF NOT EXISTS places_by_path ON places (path)"
_OUTPUTS = "CREATE TABLE IF NOT EXISTS outputs (sha256 TEXT, run TEXT, PRIMARY KEY (sha256, run))"
_Key = tuple[str, str, int, int, int]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a recorded file or folder lay, or the address that it came from. No manifest names it, and it is never
    published.

    Args:
        size, mtime: bytes, and nanoseconds; of a folder those of the folder itself.
        noted: when it was recorded, in Unix seconds.
        in_place: 1 if the lab has no copy: the file is read where it lies. Else 0.
    """

    path: str
    sha256: str
    size: int
    mtime: int
    noted: int
    in_place: int


class HashCache:
    """Digests by what the file system says of a file, in one SQLite file. A cache that can't be used is no error."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._open()

    def digest(
        self, path: str | os.PathLike[str], profile: str = DEFAULT_PROFILE, progress: Progress | None = None
    ) -> FileDigest:
        """The digest of a file, read only if it isn't known."""
        if (known := self.find(path, profile)) is not None:
            if progress:
                progress(known.size)
            return known
        return self.entered(path, lambda: digest_file(path, profile, progress))

    def folder(self, path: str | os.PathLike[str], progress: Progress | None = None) -> FolderDigest:
        """The digest of a folder, of whose files only those are read that aren't known.

        Their digests are without a CID, which no folder names.
        """
        report = locked(progress)
        return folder_digest(
            list_folder(path), lambda file: self.digest(file, NO_CID, report), workers=os.cpu_count() or 1
        )

    def find(self, path: str | os.PathLike[str], profile: str = DEFAULT_PROFILE) -> FileDigest | None:
        """What is known of a file as it is now; None if nothing is."""
        key = _key(path)
        if key is None:
            return None
        rows = self._run(
            "SELECT sha256, cid, profile FROM digests WHERE device = ? AND inode = ? AND size = ? AND mtime = ?"
            " AND ctime = ? AND profile IN (?, ?)",
            (*key, profile, DEFAULT_PROFILE if profile == NO_CID else profile),
        )
        return FileDigest(rows[0][0], key[2], *rows[0][1:]) if rows else None

    def entered(self, path: str | os.PathLike[str], read: Callable[[], FileDigest]) -> FileDigest:
        """What `read` hashes a file to, noted unless the file is another by then or changed too shortly before."""
        key, began_ns = _key(path), time.time_ns()
        made = read()
        # a time that lies ahead is of another clock, or was set: nothing follows from it
        if key and key == _key(path) and max(key[3:]) <= began_ns - SETTLED_NS:
            with suppress(OSError):
                if not os.statvfs(path).f_flag & os.ST_RDONLY:
                    self._enter(key, made)
        return made

    def enter_copy(self, descriptor: int, made: FileDigest) -> None:
        """Note a file that was hashed as it was written, and has its name and an mtime of `SETTLED_NS` ago."""
        if key := _key(descriptor):
            self._enter(key, made)

    def _enter(self, key: _Key, made: FileDigest) -> None:
        values = (*key, made.cid_profile, made.sha256, made.cid)
        self._run("INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)

    def note_place(
        self, path: str | os.PathLike[str], sha256: str, *, in_place: bool = False, size: int | None = None
    ) -> None:
        """Note where the content of a record lies; with `size` it is an address.

        Raises:
            StoreError: if it has to be found there again, and can't be noted.
        """
        where, state = (os.fspath(path), None) if size is not None else (os.path.realpath(path), os.stat(path))
        known = (where, sha256, state.st_size if state else size, state.st_mtime_ns if state else 0)
        # what was in place once stays so: the copy that is made later is found first
        kept = self._run(
            "INSERT INTO places VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET size = excluded.size,"
            " mtime = excluded.mtime, noted = excluded.noted, in_place = max(in_place, excluded.in_place) RETURNING 1",
            (*known, int(time.time()), in_place),
        )
        if in_place and not kept:
            raise StoreError(
                f"expected to note in {self.path} where {where} lies, which is not copied",
                hint="Check that the file can be written and that the disk has room, or record without --in-place.",
            )

    def places(self, sha256: str) -> list[Place]:
        """Where content of this digest was when it was recorded, the newest first."""
        return self._places("sha256", sha256)

    def name_of(self, sha256: str) -> str | None:
        """Return the name of the file or folder of this digest that was recorded last; no manifest says it."""
        return next((Path(place.path).name for place in self.places(sha256)), None)

    def recorded_at(self, path: str | os.PathLike[str]) -> list[Place]:
        """What was recorded at a path, the newest first: with another digest than now, it has changed since."""
        return self._places("path", os.path.realpath(path))

    def address_of(self, sha256: str) -> str | None:
        """The address that content came from of which no copy was made; None if there is none."""
        return next((place.path for place in self.places(sha256) if "://" in place.path), None)

    def _places(self, column: str, value: str) -> list[Place]:
        sql = f"SELECT * FROM places WHERE {column} = ? ORDER BY noted DESC"  # noqa: S608 -- one of two names
        return [Place(*row) for row in self._run(sql, (value,))]

    def note_output(self, sha256: str, run: str) -> None:
        """Note the record of a run that wrote content."""
        self._run("INSERT OR IGNORE INTO outputs VALUES (?, ?)", (sha256, run))

    def runs_of(self, sha256: str) -> list[str]:
        """The records of runs that wrote content, the newest first."""
        return [run for (run,) in self._run("SELECT run FROM outputs WHERE sha256 = ? ORDER BY rowid DESC", (sha256,))]

    def _open(self) -> None:
        for _ in range(2):
            try:
                self._db = open_database(self.path, _prepare, isolation_level=None, timeout=5, check_same_thread=False)
            except sqlite3.Error as error:
                if not is_among(error, CORRUPT):
                    return
                for suffix in ("", "-wal", "-shm"):
                    with suppress(OSError):
                        self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
            else:
                return

    def _run(self, sql: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        with self._lock:
            if self._db is None:
                return []
            try:
                return self._db.execute(sql, values).fetchall()
            except sqlite3.Error:
                # full, damaged or busy: hashing goes on without it
                return []


def _prepare(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    for table in (_TABLE, _PLACES, _PLACES_BY_PATH, _OUTPUTS):
        db.execute(table)
    db.execute("SELECT sha256, cid FROM digests LIMIT 1")


def _key(path: str | os.PathLike[str] | int) -> _Key | None:
    try:
        stat = os.stat(path)
    except OSError:
        return None
    # an inode may have 64 bits, of which SQLite's numbers have one less
    return str(stat.st_dev), str(stat.st_ino), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def digest_of(
    hashes: HashCache, path: Path, exclude: Collection[str] = (), progress: Progress | None = None
) -> FileDigest | FolderDigest:
    """Digest a file or folder in the open, reading only what the cache does not know."""
    if not path.exists():
        raise InputError(f"expected a file or folder at {path}, got nothing")
    if not path.is_dir():
        return hashes.digest(path)
    return digest_folder(path, progress, exclude) if exclude else hashes.folder(path, progress)
