"""What is in a lab's store, whether it is whole, and which of it nothing needs any more.

Without the chain, and generously, these are needed: every document in the store (manifests, profiles, descriptions),
what the lab's other files name (outbox, seals, batches, private values, settings), and all that these name in turn. So
an object is unneeded only if nothing here names it: a recording that was given up, a copy that was never used.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR

from blockchaintracer.core.digest import LISTING_LIMIT, Progress
from blockchaintracer.core.errors import StoreError
from blockchaintracer.core.manifest import MAX_BYTES
from blockchaintracer.lab.files import entries_below, locked, reading_addresses, remove
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.store.store import Store, StoredObject

DAY_S = 86_400

_DIGEST = re.compile(rb"(?<![0-9a-fA-F])(?:0x)?([0-9a-fA-F]{64})(?![0-9a-fA-F])")
_ELSEWHERE = ("store", "keys", "devnet", "environments", "served")
"""Folders of the lab that name no object: the objects, keys, the devnet's state, environments, indexes of `serve`."""
_CACHES = ("hashes.sqlite", "index.sqlite")
"""What may be deleted at any time: the cache names every file that was ever hashed, the index every record there is."""


@dataclass(frozen=True)
class StoreStatus:
    """What a store holds.

    Args:
        objects, size: all of it, in numbers and bytes.
        unneeded, unneeded_size: what nothing names; it may be about to be, if a recording is under way.
        damaged: objects that are not what their name says; None if they were not read.
    """

    folder: str
    objects: int
    size: int
    unneeded: int
    unneeded_size: int
    damaged: list[str] | None


@dataclass(frozen=True)
class Collected:
    """What was removed, or would be."""

    folder: str
    objects: list[StoredObject]
    dry_run: bool

    @property
    def size(self) -> int:
        """Bytes of the objects together."""
        return sum(entry.size for entry in self.objects)


def store_status(lab: Lab, *, verify: bool = False, progress: Progress | None = None) -> StoreStatus:
    """Count what the store holds."""
    objects, keep = list(lab.store.objects()), needed(lab)
    unneeded = [entry for entry in objects if entry.sha256 not in keep]
    damaged = None
    if verify:
        damaged = []
        for entry in objects:
            try:
                lab.store.verify(entry.sha256, progress)
            except StoreError:
                damaged.append(entry.sha256)
    return StoreStatus(
        str(lab.store.folder),
        len(objects),
        sum(entry.size for entry in objects),
        len(unneeded),
        sum(entry.size for entry in unneeded),
        damaged,
    )


def collect_garbage(lab: Lab, *, older_than_s: float = DAY_S, dry_run: bool = False) -> Collected:
    """Removes what nothing needs from the lab's store.

    Args:
        older_than_s: seconds; what was written later stays.

    Raises:
        StoreError: if another process uses the store, or a file that may name objects can't be read: nothing was
            removed.
    """
    objects = lab.store.collect(lambda: needed(lab), older_than_s, dry_run=dry_run)
    return Collected(str(lab.store.folder), objects, dry_run)


@dataclass(frozen=True)
class KeptEnvironment:
    """An environment that `reproduce` rebuilt and kept.

    Args:
        size: bytes that removing it frees: files that are also in the cache of the installer stay there.
    """

    name: str
    lock: str
    size: int


def collect_environments(lab: Lab, *, older_than_s: float = DAY_S, dry_run: bool = False) -> list[KeptEnvironment]:
    """Remove kept environments, those too that were never completed. Returns what was removed, or would be."""
    found = []
    for folder in sorted(path for path in lab.home.environments.iterdir() if path.is_dir()):
        # whoever rebuilds it, or starts a run in it, holds this
        with locked(folder.with_suffix(".lock")):
            states = [folder.lstat(), *(entry.stat(follow_symlinks=False) for entry in entries_below(folder))]
            if folder.stat().st_mtime > time.time() - older_than_s:
                continue
            size = sum(state.st_blocks * 512 for state in states if state.st_nlink == 1 or S_ISDIR(state.st_mode))
            try:
                lock = str(json.loads((folder / "complete.json").read_bytes())["name"])
            except (OSError, ValueError, KeyError, TypeError):
                lock = "not complete"
            found.append(KeptEnvironment(folder.name, lock, size))
            if not dry_run:
                remove(folder)
    return found


def needed(lab: Lab) -> set[str]:
    """The digests of all objects that something of the lab names, and of what these name."""
    store = lab.store
    here = {entry.sha256: entry.size for entry in store.objects()}
    waiting = [digest for digest, size in here.items() if size <= MAX_BYTES and _starts(store, digest)[:1] == b"{"]
    for path in _files(lab.home.path):
        waiting += _named_in(path)
    seen: set[str] = set()
    while waiting:
        digest = waiting.pop()
        if digest in seen or digest not in here:
            continue
        seen.add(digest)
        start = _starts(store, digest)
        # a document or a listing; what names nothing is not read
        if here[digest] <= LISTING_LIMIT and (start[:1] in (b"{", b"[") or _DIGEST.match(start)):
            try:
                waiting += _digests(store.path_of(digest).read_bytes())
            except FileNotFoundError:
                continue
            except OSError as error:
                raise _unreadable(store.path_of(digest), error) from error
    return seen


def _files(home: Path) -> Iterator[Path]:
    folders, seen = [home], set[tuple[int, int]]()
    while folders:
        folder = folders.pop()
        try:
            state = folder.stat()
            if (place := (state.st_dev, state.st_ino)) in seen:
                continue
            seen.add(place)
            for entry in os.scandir(folder):
                if folder == home and (entry.name in _ELSEWHERE or entry.name.startswith(_CACHES)):
                    continue
                if entry.is_dir():
                    # or a link to one: it may have been moved to another disk
                    folders.append(Path(entry.path))
                elif entry.is_file() and not entry.name.endswith(("-wal", "-shm")):
                    yield Path(entry.path)
                elif entry.is_symlink() and not os.path.exists(entry.path):
                    raise _unreadable(Path(entry.path), FileNotFoundError("the link leads nowhere"))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise _unreadable(folder, error) from error


def _named_in(path: Path) -> list[str]:
    try:
        # closing another descriptor of a database would take this process's locks on it away
        if path.suffix == ".sqlite":
            return _named_in_database(path, *reading_addresses(path))
        with path.open("rb") as file:
            # a digest cut in two by a block's end is whole in the overlap
            digests, tail = [], b""
            while block := file.read(1 << 20):
                digests += _digests(tail + block)
                tail = (tail + block)[-67:]
            return digests
    except FileNotFoundError:
        return []
    except (OSError, sqlite3.Error) as error:
        raise _unreadable(path, error) from error


def _named_in_database(path: Path, address: str, *others: str) -> list[str]:
    digests: list[str] = []
    with closing(sqlite3.connect(address, uri=True)) as database:
        try:
            database.execute("SELECT 1 FROM sqlite_master")
        except sqlite3.Error:
            if others:
                return _named_in_database(path, *others)
            raise
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in database.execute(f'SELECT * FROM "{table}"'):  # noqa: S608 -- the file's own name for it
                for value in row:
                    if isinstance(value, bytes):
                        digests += _digests(value.hex().encode() if len(value) == 32 else value)
                    elif isinstance(value, str):
                        digests += _digests(value.encode())
    return digests


def _digests(data: bytes) -> list[str]:
    return [match.decode().lower() for match in _DIGEST.findall(data)]


def _starts(store: Store, digest: str) -> bytes:
    try:
        with store.path_of(digest).open("rb") as file:
            return file.read(80)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise _unreadable(store.path_of(digest), error) from error


def _unreadable(path: Path, error: Exception) -> StoreError:
    return StoreError(
        f"expected to read {path}, which may name objects of the store: {getattr(error, 'strerror', None) or error}",
        hint="Nothing was removed.",
    )
