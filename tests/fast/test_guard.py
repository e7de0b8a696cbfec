"""No test here can start a process or open a network socket."""

from __future__ import annotations

import multiprocessing
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.support import guard
from tests.support.guard import NotAllowed, no_process_no_network

ATTEMPTS: dict[str, Callable[[], object]] = {
    "subprocess": lambda: subprocess.run([sys.executable, "-c", ""], check=True),
    "system": lambda: os.system("true"),
    "fork": os.fork,
    "spawn": lambda: os.posix_spawn(sys.executable, [sys.executable, "-c", ""], {}),
    "forked worker": lambda: multiprocessing.get_context("fork").Process(target=print).start(),
    "spawned worker": lambda: multiprocessing.get_context("spawn").Process(target=print).start(),
    "socket": lambda: socket.socket(socket.AF_INET),
    "name": lambda: socket.getaddrinfo("localhost", 80),
    "page": lambda: urllib.request.urlopen("http://127.0.0.1:9/", timeout=1),
}


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
def test_a_process_or_a_socket_is_refused(attempt: Callable[[], object]) -> None:
    with pytest.raises(pytest.fail.Exception, match="opened"), no_process_no_network(), pytest.raises(NotAllowed):
        attempt()


def test_who_hides_the_refusal_fails_too() -> None:
    hidden = suppress(Exception)
    with pytest.raises(pytest.fail.Exception, match=r"opened: subprocess\.Popen"), no_process_no_network(), hidden:
        subprocess.run([sys.executable, "-c", ""], check=True)


def test_the_guard_is_on_in_this_folder(request: pytest.FixtureRequest) -> None:
    """Without a context of its own: what is refused here is refused by the folder."""
    assert request.node.get_closest_marker("fast")
    with pytest.raises(pytest.fail.Exception), no_process_no_network(), suppress(NotAllowed):
        os.fork()

    assert guard._attempts == []


def test_a_pair_of_local_sockets_is_no_network() -> None:
    for end in socket.socketpair():
        end.close()
