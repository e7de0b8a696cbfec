"""1,000 connections that asked nothing used up the files that `serve` may open: for 20 seconds, and again and again,
nobody else was answered. The description of the interface was made anew for each that asked for it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest

from blockchaintracer.extras.serve import app as application
from blockchaintracer.extras.serve import server as serving
from tests.findings.test_clients_that_keep_a_server_waiting import listening

pytestmark = pytest.mark.node


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    async def app(scope: object, receive: object, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"here"})

    monkeypatch.setattr(serving, "CONNECTIONS", 20)
    with listening(app) as place:
        yield place


@pytest.mark.parametrize("asked", [b"", b"GET / HTTP/1.1\r\nhost:"])
def test_who_asks_is_answered_before_who_does_not(address: tuple[str, int], asked: bytes) -> None:
    with ExitStack() as stack:
        for _ in range(50):
            stack.enter_context(socket.create_connection(address, timeout=15)).sendall(asked)
        for _ in range(3):
            with socket.create_connection(address, timeout=15) as client:
                client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                assert b" 200 " in client.recv(64)


def test_few_connections_are_accepted_at_once() -> None:
    settings = serving.settings(None)
    assert settings.limit_concurrency
    assert settings.backlog + settings.limit_concurrency < 1024


def test_the_interface_is_described_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    document = application.openapi.document
    monkeypatch.setattr(application.openapi, "document", lambda app: made.append(app) or document(app))
    exchange: Any = application.make_app(SimpleNamespace(), SimpleNamespace(), SimpleNamespace())  # type: ignore[arg-type]
    for _ in range(3):
        assert exchange._app.openapi()["paths"]
    assert len(made) == 1
