"""The server of `serve` in this process, over an index of a test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from benchmarks.index import ADDRESS
from blockchaintracer.core.record import Domain
from blockchaintracer.extras.serve.app import make_app
from blockchaintracer.extras.serve.follower import Follower, Following
from blockchaintracer.extras.serve.published import PublishedFolder
from blockchaintracer.extras.serve.readers import Readers, ReadOnlyIndex
from blockchaintracer.extras.serve.registry_answers import Answers

MADE_UP = Domain(1, ADDRESS)
"""The registry of `benchmarks.index.fill`."""
_loop = asyncio.new_event_loop()


class Served:
    """The server over an index file of a registry, which nothing follows.

    Args:
        open_index: opens the index to read; by default the file.
        domain: of the registry.
        limits: of `Readers`.

    Attributes:
        follower: whose state the answers tell.
        log: the lines of the access log.
    """

    def __init__(
        self, path: Path, open_index: Callable[[], Any] | None = None, domain: Domain = MADE_UP, **limits: Any
    ) -> None:
        published = PublishedFolder(None, path.parent / "nothing")
        lab: Any = None
        self.follower = Follower(lab, lambda: None, published, 1)  # type: ignore[arg-type, return-value]
        self.follower.state = Following(has_followed=True)
        self.log: list[str] = []
        limits = {"threads": 2, "seconds": 10, **limits}
        self.readers = Readers(open_index or (lambda: ReadOnlyIndex(path)), **limits)
        self.app = make_app(Answers(domain, published), self.readers, self.follower, self.log.append)
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://lab.example")

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Ask, and return the response."""
        return self.ask("GET", path, headers=headers)

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Ask by any method."""
        return _loop.run_until_complete(self._client.request(method, f"/v1/{path}", **more))
