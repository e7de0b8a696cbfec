"""The server of `serve` in this process, over an index of a test's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from benchmarks.index import ADDRESS
from blockchaintracer.core.record import Domain
from blockchaintracer.extras.serve.app import make_app
from blockchaintracer.extras.serve.follower import Follower, Following
from blockchaintracer.extras.serve.published import PublishedFolder
from blockchaintracer.extras.serve.readers import Readers, ReadOnlyIndex
from blockchaintracer.extras.serve.registry_answers import Answers

MADE_UP = Domain(1, ADDRESS)
"""The registry of `benchmarks.index.fill`."""


class Served:
    """The server over an index file of the made-up registry, which nothing follows.

    Args:
        open_index: opens the index to read; by default the file.
        limits: of `Readers`.

    Attributes:
        follower: whose state the answers tell.
        log: the lines of the access log.
    """

    def __init__(self, path: Path, open_index: Callable[[], Any] | None = None, **limits: Any) -> None:
        published = PublishedFolder(None, path.parent / "nothing")
        lab: Any = None
        self.follower = Follower(lab, lambda: None, published, 1)  # type: ignore[arg-type, return-value]
        self.follower.state = Following(has_followed=True)
        self.log: list[str] = []
        limits = {"threads": 2, "seconds": 10, **limits}
        self.readers = Readers(open_index or (lambda: ReadOnlyIndex(path)), **limits)
        self.app = make_app(Answers(MADE_UP, published), self.readers, self.follower, self.log.append)
        self.client = TestClient(self.app, raise_server_exceptions=False)

    def get(self, path: str, **headers: str) -> Any:
        """Ask, and return the response."""
        return self.client.get(f"/v1/{path}", headers=headers)
