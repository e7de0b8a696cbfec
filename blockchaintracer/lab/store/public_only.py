"""Keeps libraries that connect by themselves (file systems of fsspec) to public addresses."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from ipaddress import ip_address
from typing import Any

from blockchaintracer.core.fetch import is_public
from blockchaintracer.core.verify.copies import SourceError

_BY_PYTHON = (
    *("s3fs", "gcsfs", "adlfs", "ossfs", "ocifs", "tosfs", "huggingface_hub", "webdav4", "dropboxdrivefs", "boxfs"),
    *(f"fsspec.implementations.{it}" for it in ("http", "ftp", "sftp", "smb", "webhdfs", "github", "gist", "memory")),
    *("fsspec.implementations.dbfs", "fsspec.implementations.jupyter", "blockchaintracer"),
)
"""What connects by sockets of Python: of others (Arrow's HDFS, XRootD, those in Rust) the interpreter sees none."""


class _Guard:
    """Where one that is kept to public addresses wanted to go."""

    refused = ""


_guard: ContextVar[_Guard | None] = ContextVar("public_only", default=None)
_guards: list[_Guard] = []


@contextmanager
def public_only(address: str = "") -> Iterator[None]:
    """Inside, neither what is called here, nor what it has fsspec's event loop do, connects to what is no public
    address: the interpreter refuses it (PEP 578). Sockets that are files, such as that of an agent for SSH, are let.

    Args:
        address: what is read, of a file system that must connect where the interpreter sees it.

    Raises:
        SourceError: if one was refused, or cannot be kept to public addresses.
    """
    from fsspec import asyn, get_filesystem_class

    if address:
        kind = get_filesystem_class(address.partition("://")[0])
        if not f"{kind.__module__}.".startswith(tuple(f"{name}." for name in _BY_PYTHON)):
            raise SourceError(f"is read by {kind.__module__}, which nothing here keeps from what is no public address")
    _install()
    asyn.get_loop()  # starts its thread
    guard = _Guard()
    token = _guard.set(guard)
    _guards.append(guard)
    try:
        yield
    except Exception:
        if guard.refused:
            raise SourceError(guard.refused, wrong=True) from None
        raise
    finally:
        _guards.remove(guard)
        _guard.reset(token)


@cache
def _install() -> None:
    sys.addaudithook(_refuse)


def _refuse(event: str, given: tuple[Any, ...]) -> None:
    if event != "socket.connect" or not _guards or not isinstance(given[1], tuple):
        return
    if (guard := _guard.get() or _of_the_loop()) is None:
        return
    host = str(given[1][0])
    try:
        is_let = is_public(ip_address(host.partition("%")[0]))
    except ValueError:
        is_let = False  # a name: where it leads is not known here
    if not is_let:
        guard.refused = f"is at {ascii(host)[1:-1]}, which is no public address"
        raise ConnectionRefusedError(guard.refused)


def _of_the_loop() -> _Guard | None:
    """Return the last guard in a thread that fsspec's loop has blocking calls made by: these have no context."""
    from fsspec import asyn

    pool = getattr(asyn.loop[0], "_default_executor", None)
    return _guards[-1] if threading.current_thread() in getattr(pool, "_threads", ()) else None
