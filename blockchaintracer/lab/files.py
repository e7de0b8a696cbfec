"""Files that several processes share: written whole or not at all, and changed by one at a time."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from blockchaintracer.core.errors import InputError, StoreError


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds a lock among processes; waits for whoever has it."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write_whole(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replaces a file so that any reader, also after a power cut, finds the old or the new content.

    Args:
        mode: permissions of the file, as far as the process's umask leaves them; for its owner alone if not said.

    Raises:
        OSError: if it can't be written; the old content stays.
    """
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        sync_folder(path.parent)
    finally:
        fresh.unlink(missing_ok=True)


def write_output(path: Path, data: bytes) -> None:
    """Write a file that the user named, whole or not at all, readable as the umask says."""
    try:
        write_whole(path, data, 0o666)
    except OSError as error:
        raise InputError(f"expected a file that can be written, got {path}: {error.strerror}") from None


def write_kept(path: Path, data: bytes, *, problem: str = "", hint: str | None = None, mode: int = 0o600) -> None:
    """Replace a file of the lab as `write_whole` does; its folder is made.

    Raises:
        StoreError: that begins with `problem`; the old content stays.
    """
    try:
        if not path.parent.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync_folder(path.parent.parent)
        write_whole(path, data, mode)
    except OSError as error:
        problem = problem or f"{path} can't be written"
        raise StoreError(f"{problem}: {error.strerror}", hint=hint) from None


def write_json(path: Path, value: Any, **more: Any) -> None:
    """Replace a JSON file as `write_kept` does."""
    write_kept(path, (json.dumps(value, indent=2) + "\n").encode(), **more)


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
