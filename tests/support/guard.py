"""Keeps cheap tests cheap: inside, neither a process nor a network socket can be opened, and who tries fails."""

from __future__ import annotations

import multiprocessing.util
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import urllib3.util.connection  # noqa: F401 -- opens a socket when it is imported first

PROCESSES = frozenset(
    ("os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "subprocess.Popen", "pty.spawn")
)
NETWORK = frozenset(("socket.__new__", "socket.getaddrinfo", "socket.gethostbyname"))

_attempts: list[str] | None = None


class NotAllowed(Exception):
    """A process or a network socket in a test that may use none."""


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if _attempts is None or event not in PROCESSES | NETWORK:
        return
    if event == "socket.__new__" and arguments[1] == socket.AF_UNIX:
        return
    _attempts.append(f"{event} {arguments[:2]}")
    raise NotAllowed(f"{_attempts[-1]}: this test starts no process and uses no network, or stands elsewhere")


def _spawn(*arguments: Any) -> int:
    # multiprocessing starts its processes by a call that raises no audit event
    _watch("os.spawn", arguments)
    return _spawnv_passfds(*arguments)


_spawnv_passfds = multiprocessing.util.spawnv_passfds
multiprocessing.util.spawnv_passfds = _spawn
sys.addaudithook(_watch)


@contextmanager
def no_process_no_network() -> Iterator[None]:
    """Refuses processes and network sockets inside. The test fails even if it catches the refusal."""
    global _attempts
    before, _attempts = _attempts, []
    try:
        yield
    finally:
        attempts, _attempts = _attempts, before
        if attempts:
            pytest.fail(f"a test of tests/fast, or one marked `fast`, opened: {'; '.join(attempts)}")
