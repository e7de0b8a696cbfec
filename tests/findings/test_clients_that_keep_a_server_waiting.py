"""As many connections as `serve` takes, of a client that never finished a request or never read what it was sent, kept
out all others for as long as the client liked."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn

from blockchaintracer.extras.serve import server as serving
from blockchaintracer.extras.serve.exchange import Exchange

pytestmark = pytest.mark.node
LARGE = b"x" * (32 << 20)


@contextmanager
def listening(app: Any) -> Iterator[tuple[str, int]]:
    """Inside, the server of `serve` answers with this application at the address."""
    server = uvicorn.Server(serving.settings(Exchange(app, lambda line: None)))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield listener.getsockname()
        server.should_exit = True
        thread.join(5)


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    async def app(scope: object, receive: object, send: object) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": LARGE})  # type: ignore[operator]

    monkeypatch.setattr(serving, "_REQUEST_S", 0.3)
    monkeypatch.setattr(serving, "CONNECTIONS", 3)
    with listening(app) as place:
        yield place


def first_line(address: tuple[str, int]) -> bytes:
    with socket.create_connection(address, timeout=5) as client:
        client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        return client.recv(64).split(b"\r\n")[0]


@pytest.mark.parametrize("asked", [b"", b"GET / HTTP/1.1\r\nhost:", b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"])
def test_others_are_answered(address: tuple[str, int], asked: bytes) -> None:
    slow = []
    for _ in range(2):
        slow.append(socket.create_connection(address, timeout=5))
        slow[-1].sendall(asked)
        assert not asked.endswith(b"\r\n\r\n") or b"200" in slow[-1].recv(16)
    time.sleep(0.05)
    # who has not asked yet makes room at once
    assert (b"503" if asked.endswith(b"\r\n\r\n") else b"200") in first_line(address)
    end = time.monotonic() + 3
    while b"200" not in (line := first_line(address)) and time.monotonic() < end:
        time.sleep(0.1)
    assert b"200" in line
    for client in slow:
        client.close()


def test_who_reads_slowly_gets_all(address: tuple[str, int]) -> None:
    got, last = 0, time.monotonic()
    with socket.create_connection(address, timeout=5) as client:
        client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        while data := client.recv(1 << 20):
            got += len(data)
            # three times as long as a connection may stand still
            if got < 20 << 20 and time.monotonic() < last + 1:
                time.sleep(0.02)
    assert got > len(LARGE)
