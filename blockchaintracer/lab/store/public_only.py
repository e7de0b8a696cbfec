"""Keeps libraries that connect by themselves (file systems of fsspec) to public addresses."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from ipaddress import ip_address
from typing import Any

from blockchaintracer.core.fetch import is_public
from blockchaintracer.core.verify.copies import SourceError


class _Guard:
    """Which threads are kept to public addresses, and where one of them wanted to go."""

    def __init__(self, threads: frozenset[int | None]) -> None:
        self.threads = threads
        self.refused = ""


_guards: list[_Guard] = []


@contextmanager
def public_only() -> Iterator[None]:
    """Inside, neither this thread, nor fsspec's, nor those of event loops connect to what is no public address: the
    interpreter refuses it (PEP 578). Sockets that are files, such as that of an agent for SSH, are let.

    Raises:
        SourceError: if they failed, and one was refused.
    """
    from fsspec import asyn

    _install()
    asyn.get_loop()  # starts its thread
    guard = _Guard(frozenset({threading.get_ident(), asyn.iothread[0].ident}))
    _guards.append(guard)
    try:
        yield
    except Exception:
        if guard.refused:
            raise SourceError(guard.refused, wrong=True) from None
        raise
    finally:
        _guards.remove(guard)


@cache
def _install() -> None:
    sys.addaudithook(_refuse)


def _refuse(event: str, given: tuple[Any, ...]) -> None:
    if event != "socket.connect" or not _guards or not isinstance(given[1], tuple):
        return
    thread, host = threading.current_thread(), str(given[1][0])
    for guard in [*_guards]:
        if thread.ident in guard.threads or thread.name.startswith("asyncio_"):
            try:
                is_let = is_public(ip_address(host.partition("%")[0]))
            except ValueError:
                is_let = False  # a name: where it leads is not known here
            if not is_let:
                guard.refused = f"is at {ascii(host)[1:-1]}, which is no public address"
                raise ConnectionRefusedError(guard.refused)
