"""Nodes that Ape starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from ape.exceptions import RPCTimeoutError


@contextmanager
def started(provider: Callable[[], AbstractContextManager[Any]]) -> Iterator[Any]:
    """Connect as `provider` says. Ape takes a port at random and waits twenty seconds, which is in vain where the port
    is taken meanwhile or the machine is busy: it starts again then, as `ape run` does."""
    for attempts_left in reversed(range(3)):
        context = provider()
        try:
            connection = context.__enter__()
            break
        except RPCTimeoutError:
            if not attempts_left:
                raise
    try:
        yield connection
    finally:
        context.__exit__(None, None, None)
