"""Runs the server: the follower of the chain, the readers of the index, and uvicorn."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from h11 import IDLE
from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol

from blockchaintracer.core.errors import StoreError
from blockchaintracer.extras.search import Index
from blockchaintracer.extras.serve.app import make_app
from blockchaintracer.extras.serve.follower import Follower
from blockchaintracer.extras.serve.postgresql import PostgresIndex
from blockchaintracer.extras.serve.published import PublishedFolder
from blockchaintracer.extras.serve.readers import Readers, ReadOnlyIndex
from blockchaintracer.extras.serve.registry_answers import Answers
from blockchaintracer.lab.lab import Lab

THREADS = 4
SECONDS = 5.0
"""That a question may take."""
CONNECTIONS = 512
_AT_ONCE = 100
"""Connections that are accepted before any of them is looked at: with all others they must not use up the files that a
process may open."""
_GRACE_S = 3
_REQUEST_S = 20.0
"""That a client may take to ask, and to read a part of what it is sent."""


@dataclass(frozen=True)
class IndexPlace:
    """Where the index for a published folder is: what another folder shows is in another file or schema.

    Args:
        folder: of SQLite's files.
        database: address of a PostgreSQL database, or None for SQLite.
    """

    published: PublishedFolder
    folder: Path
    database: str | None = None

    @property
    def name(self) -> str:
        """Name of the file or schema."""
        shown = self.published.folder
        return f"served_{hashlib.sha256(str(shown).encode()).hexdigest()[:16] if shown else 'chain'}"

    @property
    def _file(self) -> Path:
        return self.folder / f"{self.name}.sqlite"

    def open(self) -> Index:
        """Open the index to write to; made on first use."""
        return PostgresIndex(self.database, self.name) if self.database else Index(self._file)

    def open_to_read(self) -> ReadOnlyIndex | PostgresIndex:
        """Open the index to read."""
        if self.database:
            return PostgresIndex(self.database, self.name, to_read=True)
        return ReadOnlyIndex(self._file)

    def withdraw(self) -> None:
        """Delete an index that holds a manifest which is published no more: it is built anew from the chain."""
        with self.open() as index:
            held = [row[0].hex() for row in index.rows("SELECT digest FROM documents WHERE json IS NOT NULL")]
            if all(self.published.store.has(digest) for digest in held):
                return
            if isinstance(index, PostgresIndex):
                index.drop()
                return
        try:
            for suffix in ("", "-wal", "-shm"):
                self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"the index {self._file} can't be deleted: {error.strerror}") from error


def serve(lab: Lab, place: IndexPlace, listener: socket.socket, every: float, ready: Callable[[], None]) -> None:
    """Serve until the process is told to stop.

    Args:
        listener: listens already.
        ready: is called when questions are answered.
    """
    place.withdraw()
    follower = Follower(lab, place.open, place.published, every, lab.say)
    readers = Readers(place.open_to_read, threads=THREADS, seconds=SECONDS)
    app = make_app(Answers(lab.domain, place.published), readers, follower)
    with place.open():
        # made now: the readers make nothing
        ready()
    follower.start()
    try:
        with suppress(KeyboardInterrupt):
            uvicorn.Server(settings(app)).run([listener])
    finally:
        follower.stop()
        readers.close()


class _Timely(H11Protocol):
    """Ends a connection of a client that does not finish its request, or does not read: uvicorn waits without end, and
    as many as may connect would keep out all others."""

    @override
    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) >= CONNECTIONS:
            # one that asks nothing makes room
            others = (it for it in self.connections if isinstance(it, _Timely) and it is not self and it.is_unused())
            if other := next(others, None):
                self.connections.discard(other)
                other.transport.abort()
        self._wait()

    def is_unused(self) -> bool:
        """Whether the client has asked for nothing that it has not got."""
        return self.conn.their_state is IDLE and not self.transport.get_write_buffer_size()

    def _wait(self) -> None:
        left = self.transport.get_write_buffer_size()
        self.loop.call_later(_REQUEST_S, self._end_if_slow, self.cycle, left)

    def _end_if_slow(self, cycle: Any, left: int) -> None:
        if self not in self.connections:
            return
        is_stuck = self.cycle is cycle and self.transport.get_write_buffer_size() == left
        if is_stuck and (left or self.conn.their_state is IDLE):
            self.transport.abort()
        else:
            self._wait()


def settings(app: Any) -> uvicorn.Config:
    """Return how uvicorn runs the application: it logs nothing itself, and trusts no header of a proxy."""
    return uvicorn.Config(
        app,
        http=_Timely,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        limit_concurrency=CONNECTIONS,
        backlog=_AT_ONCE,
        h11_max_incomplete_event_size=16_384,
        timeout_graceful_shutdown=_GRACE_S,
    )
