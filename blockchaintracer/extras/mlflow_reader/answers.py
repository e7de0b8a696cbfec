"""How much a tracking server may answer. It may be a stranger's: an answer, or a row of pages, could have no end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.core.fetch import Deadline, FetchError, Stream
from blockchaintracer.extras.mlflow_reader.logged_content import watch

ANSWER_LIMIT = 1 << 30
DAY_S = 86_400
"""Seconds for reading or writing files, too."""
_PIECE_S = 120


@dataclass(eq=False)
class _Budget:
    until: float
    size: int = 0

    def take(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size > ANSWER_LIMIT or self.until < time.monotonic():
            raise InputError(f"expected a server's answers of at most {ANSWER_LIMIT:,} bytes, in time, got more")


_reading: list[_Budget] = []


@contextmanager
def bounded_answers(seconds: float = 3_600) -> Iterator[None]:
    """Bound what MLflow's client reads from servers in this block: bytes and time of all answers together. MLflow draws
    no progress bars meanwhile.

    Raises:
        InputError: if there is more.
        ChainUnavailable: if an answer breaks off, or comes too slowly.
    """
    from mlflow.utils import rest_utils
    from mlflow.utils.file_utils import ArtifactProgressBar

    watch(rest_utils, "_get_http_response_with_retries", _ask)
    watch(ArtifactProgressBar, "set_pbar", lambda draw, bar: None if _reading else draw(bar))
    _reading.append(budget := _Budget(time.monotonic() + seconds))
    try:
        yield
    finally:
        _reading.remove(budget)


def _ask(original: Any, *arguments: Any, **named: Any) -> Any:
    if not _reading or named.get("stream"):
        return original(*arguments, **named)
    answer, body = original(*arguments, **named, stream=True), bytearray()
    try:
        for piece in Stream(answer, Deadline(_PIECE_S)).pieces():
            body += piece
            for budget in [*_reading]:
                budget.take(piece)
    except FetchError as error:
        raise ChainUnavailable(f"the tracking server's answer can't be read: it {error}") from None
    except InputError:
        answer.close()
        raise
    answer.raw.release_conn()
    answer._content, answer._content_consumed = bytes(body), True
    return answer
