"""Runs the server: the follower of the chain, the readers of the index, and uvicorn."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import uvicorn

from blockchaintracer.core.errors import StoreError
from blockchaintracer.extras.search import Index
from blockchaintracer.extras.serve.answers import Answers
from blockchaintracer.extras.serve.app import make_app
from blockchaintracer.extras.serve.follower import Follower
from blockchaintracer.extras.serve.published import Published, published_folder
from blockchaintracer.extras.serve.readers import Readers, ReadOnlyIndex
from blockchaintracer.lab.lab import Lab

THREADS = 4
SECONDS = 5.0
"""That a question may take."""
CONNECTIONS = 512
_GRACE_S = 3


def serve(
    lab: Lab, folder: Path | None, listener: socket.socket, every: float, ready: Callable[[Path | None], None]
) -> None:
    """Serve until the process is told to stop.

    Args:
        folder: the published folder that was chosen, or None.
        listener: listens already.
        ready: is told the folder that is shown.
    """
    published = Published(published_folder(lab, folder), lab.home.served / "nothing")
    path = index_path(lab, published)
    withdraw(path, published)
    follower = Follower(lab, lambda: Index(path), published, every, lab.say)
    readers = Readers(lambda: ReadOnlyIndex(path), threads=THREADS, seconds=SECONDS)
    app = make_app(Answers(lab.domain, published), readers, follower)
    with Index(path):
        # made now: the readers make no file
        ready(published.folder)
    follower.start()
    try:
        with suppress(KeyboardInterrupt):
            uvicorn.Server(settings(app)).run([listener])
    finally:
        follower.stop()
        readers.close()


def settings(app: Any) -> uvicorn.Config:
    """Return how uvicorn runs the application: it logs nothing itself, and trusts no header of a proxy."""
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        limit_concurrency=CONNECTIONS,
        h11_max_incomplete_event_size=16_384,
        timeout_graceful_shutdown=_GRACE_S,
    )


def index_path(lab: Lab, published: Published) -> Path:
    """Return the file of the index for a published folder: what another folder shows is in another file."""
    name = hashlib.sha256(str(published.folder).encode()).hexdigest()[:16] if published.folder else "chain"
    return lab.home.served / f"{name}.sqlite"


def withdraw(path: Path, published: Published) -> None:
    """Delete an index that holds a manifest which is published no more: it is built anew from the chain."""
    if not path.exists():
        return
    with Index(path) as index:
        held = [row[0].hex() for row in index.rows("SELECT digest FROM documents WHERE json IS NOT NULL")]
    if all(published.store.has(digest) for digest in held):
        return
    try:
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"the index {path} can't be deleted: {error.strerror}") from error
