"""How much a tracking server may answer. It may be a stranger's: an answer, or a row of pages, could have no end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.core.fetch import Deadline, FetchError, Stream
from blockchaintracer.extras.mlflow_reader.logged_content import watch

ANSWER_LIMIT = 1 << 30
_PIECE_S = 120
_SECONDS = 3_600
_reading: list[dict[str, float]] = []


@contextmanager
def bounded_answers() -> Iterator[None]:
    """Bound what MLflow's client reads from servers in this block: bytes and time of all answers together.

    Raises:
        InputError: if there is more.
        ChainUnavailable: if an answer breaks off, or comes too slowly.
    """
    from mlflow.utils import rest_utils

    watch(rest_utils, "_get_http_response_with_retries", _ask)
    _reading.append(budget := {"bytes": 0, "until": time.monotonic() + _SECONDS})
    try:
        yield
    finally:
        # by identity: another thread's may be equal
        _reading[:] = [other for other in _reading if other is not budget]


def _ask(original: Any, *arguments: Any, **named: Any) -> Any:
    if not _reading or named.get("stream"):
        return original(*arguments, **named)
    answer, body = original(*arguments, **named, stream=True), bytearray()
    try:
        for piece in Stream(answer, Deadline(_PIECE_S)).pieces():
            body += piece
            for budget in _reading:
                budget["bytes"] += len(piece)
            if any(it["bytes"] > ANSWER_LIMIT or it["until"] < time.monotonic() for it in _reading):
                answer.close()
                raise InputError(
                    f"expected a server's answers of at most {ANSWER_LIMIT:,} bytes in {_SECONDS} s, got more"
                )
    except FetchError as error:
        raise ChainUnavailable(f"the tracking server's answer can't be read: it {error}") from None
    answer.raw.release_conn()
    answer._content, answer._content_consumed = bytes(body), True
    return answer
