"""Files that several processes share: written whole or not at all, and changed by one at a time."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
import sqlite3
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Any, BinaryIO, TypeVar

from blockchaintracer.core.errors import InputError, SourceWarning, StoreError
from blockchaintracer.core.plain_json import camel_case

T = TypeVar("T")
Prepare = Callable[[sqlite3.Connection], object]
CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
UNWRITABLE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says of a write for which there is no room."""
_told: set[Path] = set()
"""Folders of which the user was told that they can't be written."""


def private(path: str, flags: int) -> int:
    """Open a file for its owner alone: the ``opener`` of `open` for what a lab's folder keeps."""
    return os.open(path, flags, 0o600)


def make_private(folder: Path) -> None:
    """Make a folder with all that is missing above it, for this user alone."""
    for part in reversed((folder, *folder.parents)):
        if not part.is_dir():
            part.mkdir(mode=0o700, exist_ok=True)


def close_to_others(path: Path) -> None:
    """Take other users' rights away from a file or folder of this user; a link stays as it is."""
    state = path.lstat()
    if state.st_uid == os.getuid() and state.st_mode & 0o077 and (S_ISDIR(state.st_mode) or S_ISREG(state.st_mode)):
        path.chmod(state.st_mode & 0o700)


def open_database(path: Path, prepare: Prepare, *, rebuildable: bool = False, **options: Any) -> sqlite3.Connection:
    """Open or make a database of a lab's folder, for its owner alone, with the files that SQLite keeps beside it.

    On a full disk or in a read-only folder it is a copy in memory, so that what only reads goes on: see `in_memory`.

    Args:
        prepare: makes the tables of an open database.
        rebuildable: see `in_memory`.

    Raises:
        sqlite3.Error: if it can't be opened.
    """
    for suffix in ("", "-wal", "-shm"):
        with suppress(OSError):
            if not suffix and not path.exists():
                # one that exists must not be opened here: closing it would take this process's other locks on it away
                os.close(private(str(path), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC))
            close_to_others(path.with_name(path.name + suffix))
    try:
        database: sqlite3.Connection = sqlite3.connect(path, **options)
        return _prepared(database, prepare)
    except sqlite3.Error as error:
        if not is_among(error, UNWRITABLE):
            raise
        return in_memory(path, error, prepare, rebuildable=rebuildable, **options)


def is_among(error: sqlite3.Error, reasons: Collection[int]) -> bool:
    """Whether SQLite gives one of these reasons: `UNWRITABLE`, or `CORRUPT`."""
    # an extended code keeps the primary one in its lowest byte
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in reasons


def is_in_memory(database: sqlite3.Connection) -> bool:
    """Whether a database has no file: what is written to it is lost."""
    return not database.execute("PRAGMA database_list").fetchone()[2]


def in_memory(
    path: Path, error: sqlite3.Error, prepare: Prepare, *, rebuildable: bool = False, **options: Any
) -> sqlite3.Connection:
    """Copy what a database that can't be written holds into memory. The user is told once for each folder.

    Args:
        error: why it can't be written.
        rebuildable: what is written is lost without harm. Otherwise the copy refuses each write.

    Raises:
        sqlite3.Error: `error`, if the file is there and can't be read whole.
    """
    if not path.parent.is_dir():
        raise error
    database: sqlite3.Connection = sqlite3.connect(":memory:", **options)
    if path.exists() and path.stat().st_size and not any(_copied(it, database) for it in reading_addresses(path)):
        database.close()
        raise error
    _prepared(database, prepare)
    if not rebuildable:
        database.execute("PRAGMA query_only = ON")
    if path.parent not in _told:
        _told.add(path.parent)
        told = f"{path.parent} can't be written ({error}): what was kept there is read, and nothing is added to it"
        warnings.warn(told, SourceWarning, stacklevel=2)
    return database


def _prepared(database: sqlite3.Connection, prepare: Prepare) -> sqlite3.Connection:
    try:
        prepare(database)
    except BaseException:
        database.close()
        raise
    return database


def reading_addresses(path: Path) -> list[str]:
    """Give the addresses under which SQLite only reads a database, to be tried in this order."""
    log = path.with_name(path.name + "-wal")
    # without the files beside it SQLite reads a database only as one that nobody changes, and passes over the log
    ways = ["mode=ro"] if log.exists() and log.stat().st_size else ["mode=ro", "mode=ro&immutable=1"]
    return [f"{path.absolute().as_uri()}?{way}" for way in ways]


def _copied(address: str, database: sqlite3.Connection) -> bool:
    with suppress(sqlite3.Error), closing(sqlite3.connect(address, uri=True)) as source:
        source.backup(database)
        return True
    return False


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds a lock among processes; waits for whoever has it.

    On a read-only file system a file that is there is locked. If there is none, nothing is: what is under the lock can
    write nothing there.
    """
    try:
        descriptor = private(str(path), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        if not path.exists():
            yield
            return
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    with open(descriptor, "rb", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            # a process that was forked meanwhile has the file open, too: closing it here would leave it locked
            fcntl.flock(file, fcntl.LOCK_UN)


@contextmanager
def replacing(path: Path, mode: int = 0o600, *, new: bool = False) -> Iterator[BinaryIO]:
    """Open a file to replace: any reader, also after a power cut, finds the old or the new content.

    Args:
        mode: permissions of the file, as far as the process's umask leaves them; for its owner alone if not said.
        new: replace none, also if it appears meanwhile.

    Raises:
        OSError: if it can't be written; the old content stays.
    """
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if new:
            # a link fails where there is a file; renaming would replace it
            os.link(fresh, path)
        else:
            fresh.replace(path)
        sync_folder(path.parent)
    finally:
        fresh.unlink(missing_ok=True)


def bytes_in(paths: Iterable[Path]) -> int:
    """Count the bytes to read. A file that cannot be read counts nothing here and is an error elsewhere."""
    total = 0
    for place in paths:
        for entry in entries_below(place) if place.is_dir() else [place]:
            with suppress(OSError):
                status = entry.stat()
                total += status.st_size if S_ISREG(status.st_mode) else 0
    return total


def write_whole(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace a file as `replacing` does."""
    with replacing(path, mode) as file:
        file.write(data)


@contextmanager
def output(path: Path) -> Iterator[BinaryIO]:
    """Open a file that the user named to write it, whole or not at all, readable as the umask says."""
    try:
        with replacing(path, 0o666) as file:
            yield file
    except OSError as error:
        raise InputError(f"expected a file that can be written, got {path}: {error.strerror}") from None


def write_output(path: Path, data: bytes) -> None:
    """Write a file as `output` does."""
    with output(path) as file:
        file.write(data)


def write_kept(path: Path, data: bytes, *, problem: str = "", hint: str | None = None, mode: int = 0o600) -> None:
    """Replace a file of the lab as `write_whole` does; its folder is made.

    Raises:
        StoreError: that begins with `problem`; the old content stays.
    """
    try:
        if not path.parent.exists():
            make_private(path.parent)
            sync_folder(path.parent.parent)
        write_whole(path, data, mode)
    except OSError as error:
        problem = problem or f"{path} can't be written"
        raise StoreError(f"{problem}: {error.strerror}", hint=hint) from None


def write_json(path: Path, value: Any, **more: Any) -> None:
    """Replace a JSON file as `write_kept` does."""
    write_kept(path, (json.dumps(value, indent=2) + "\n").encode(), **more)


def fields_from(made: Callable[..., T], data: Mapping[str, Any], **others: Any) -> T:
    """Return the dataclass of which `fields_json` gave these fields, with `others` as they are."""
    names = {camel_case(name): name for name in made.__annotations__}
    return made(**{names[key]: value for key, value in data.items()} | others)


@contextmanager
def placing(target: Path, *, over_empty: bool = False) -> Iterator[Path]:
    """Inside, a file or folder is made at the given path beside `target`; it gets its name when it is whole."""
    if os.path.lexists(target) and not (over_empty and target.is_dir() and not any(target.iterdir())):
        raise InputError(f"expected nothing at {target} yet", hint="Choose another name, or remove it.")
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        yield partial
        partial.rename(target)
    finally:
        remove(partial)


def entries_below(folder: str | os.PathLike[str]) -> Iterator[os.DirEntry[str]]:
    """Yield what lies in a folder and below. Python's own walks end with an error at 1,000 levels."""
    folders = [os.fspath(folder)]
    while folders:
        with suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                yield entry


def remove(path: Path) -> None:
    """Remove a file or a folder of any depth, as far as this user may. Python's own way ends as its walks do.

    Nothing outside is removed, even if somebody puts a link in the place of a folder meanwhile.
    """
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    moved, number, left = secrets.token_hex(4), 0, ["."]
    with suppress(OSError):
        os.chmod(path, 0o700)
        with _opened(path) as top:
            while left:
                name = left.pop()
                with suppress(OSError), _opened(name, top) as folder:
                    for entry in [*os.scandir(folder)]:
                        with suppress(OSError):
                            if not entry.is_dir(follow_symlinks=False):
                                os.unlink(entry.name, dir_fd=folder)
                                continue
                            # to the top, from where its path is short; to move it takes the right to change it
                            os.chmod(entry.name, 0o700, dir_fd=folder)
                            number += 1
                            os.rename(entry.name, f"{moved}.{number}", src_dir_fd=folder, dst_dir_fd=top)
                            left.append(f"{moved}.{number}")
                with suppress(OSError):
                    os.rmdir(name, dir_fd=top)
        os.rmdir(path)


@contextmanager
def _opened(folder: str | Path, inside: int | None = None) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=inside)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Brings the names in a folder to the disk: a file that was fsynced can still be without one."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
