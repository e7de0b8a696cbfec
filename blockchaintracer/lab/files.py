"""Files that several processes share: written whole or not at all, and changed by one at a time."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Any, BinaryIO, TypeVar

from blockchaintracer.core.errors import InputError, StoreError
from blockchaintracer.core.plain_json import camel_case

T = TypeVar("T")


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


def open_database(path: Path, **options: Any) -> sqlite3.Connection:
    """Open or make a database of a lab's folder, for its owner alone, with the files that SQLite keeps beside it.

    Raises:
        sqlite3.Error: if it can't be opened.
    """
    for suffix in ("", "-wal", "-shm"):
        with suppress(OSError):
            if not suffix and not path.exists():
                # one that exists must not be opened here: closing it would take this process's other locks on it away
                os.close(private(str(path), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC))
            close_to_others(path.with_name(path.name + suffix))
    database: sqlite3.Connection = sqlite3.connect(path, **options)
    return database


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds a lock among processes; waits for whoever has it."""
    with open(path, "ab", opener=private) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


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
    for path in paths:
        for file in path.rglob("*") if path.is_dir() else [path]:
            with suppress(OSError):
                status = file.stat()
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
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        else:
            partial.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Brings the names in a folder to the disk: a file that was fsynced can still be without one."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
