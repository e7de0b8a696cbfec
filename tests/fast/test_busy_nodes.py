"""Nodes that ask to wait: in their real words, with growing pauses, and not for ever."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from blockchaintracer.core.chain import endpoints
from blockchaintracer.core.chain.answers import Busy, question, result_of
from blockchaintracer.core.chain.endpoints import Endpoints
from blockchaintracer.core.errors import ChainUnavailable, HistoryPruned, NodeError
from blockchaintracer.core.fetch import Fetched
from blockchaintracer.lab.chain.batching import Batching

BUSY = [
    (429, "Too Many Requests"),
    (-32005, "daily request count exceeded, request rate limited"),
    (-32005, "limit exceeded"),
    (-32016, "over rate limit"),
    (-32007, "50/second request limit reached - reduce calls per second"),
    (-32097, "call rate limit exhausted, retry in 10s"),
    (429, "Your app has exceeded its compute units per second capacity."),
    (-32029, "Too many requests, reason: call rate limit exhausted"),
]
TOO_WIDE = [
    (-32005, "query returned more than 10000 results"),
    (-32005, "limit exceeded"),
    (-32000, "exceed maximum block range: 50000"),
    (-32600, "Block range limit exceeded. See more details at the node's documentation"),
    (-32602, "eth_getLogs and eth_newFilter are limited to a 10,000 blocks range"),
    (-32602, "query exceeds max results 20000, retry with the range 1-2"),
    (-32614, "eth_getLogs is limited to a 10,000 range"),
    (-32000, "block range is too wide"),
    (-32602, "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range"),
    (-32701, "Please specify an address in your request or, to remove restrictions, order a dedicated node"),
    (-32011, "no backends available for this range"),
    (35, "ranges over 10000 blocks are not supported on free tier"),
]


def judged(method: str, code: int, message: str) -> type[Exception]:
    request = question(method, [])
    answer = {"jsonrpc": "2.0", "id": request["id"], "error": {"code": code, "message": message}}
    with pytest.raises((Busy, NodeError)) as refused:
        result_of(answer, request, "a node")
    return refused.type


@pytest.mark.parametrize(("code", "message"), BUSY)
def test_the_words_of_rate_limits_ask_to_wait(code: int, message: str) -> None:
    assert judged("eth_call", code, message) is Busy


@pytest.mark.parametrize(("code", "message"), TOO_WIDE)
def test_the_words_of_range_limits_ask_for_less(code: int, message: str) -> None:
    assert judged("eth_getLogs", code, message) is NodeError
    assert not issubclass(judged("eth_getLogs", code, message), HistoryPruned)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    pauses: list[float] = []
    monkeypatch.setattr(endpoints.time, "sleep", pauses.append)
    return pauses


def answering(monkeypatch: pytest.MonkeyPatch, *answers: Any) -> Endpoints:
    """Endpoints that give these answers in turn, the last one for ever: of HTTP, an error, or a result."""
    left = list(answers)

    def fetch(url: str, *, data: bytes, **given: Any) -> Fetched:
        answer, request = left.pop(0) if len(left) > 1 else left[0], json.loads(data)
        if isinstance(answer, Fetched):
            return answer
        key = "error" if isinstance(answer, dict) else "result"
        return Fetched(200, {}, json.dumps({"jsonrpc": "2.0", "id": request["id"], key: answer}).encode())

    monkeypatch.setattr(endpoints, "fetch", fetch)
    return Endpoints(["http://node.example/v2/AKeyThatNobodyShouldSee"])


OVER = {"code": -32016, "message": "over rate limit"}


def test_pauses_grow_and_the_user_is_told(
    monkeypatch: pytest.MonkeyPatch, slept: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    node = answering(monkeypatch, OVER, OVER, OVER, OVER, "0x5")
    assert node.ask("eth_blockNumber") == "0x5"
    assert slept == [0.25, 0.5, 1, 2]
    assert [record.getMessage() for record in caplog.records] == [
        f"http://node.example/v2/… asks to wait (too many requests): asking again in {pause} s" for pause in (1, 2)
    ]


def test_retry_after_is_kept_to(monkeypatch: pytest.MonkeyPatch, slept: list[float]) -> None:
    node = answering(monkeypatch, Fetched(429, {"Retry-After": "7"}, b""), "0x5")
    assert node.ask("eth_blockNumber") == "0x5"
    assert slept == [7]
    assert answering(monkeypatch, Fetched(429, {}, b""), OVER, "0x5").open() == 5


@pytest.mark.parametrize("busy", [OVER, Fetched(429, {}, b""), Fetched(429, {"Retry-After": "9999"}, b"")])
def test_nobody_is_waited_for_for_ever(busy: Any, monkeypatch: pytest.MonkeyPatch, slept: list[float]) -> None:
    with pytest.raises(ChainUnavailable, match=r"too many requests|HTTP 429"):
        answering(monkeypatch, busy).ask("eth_blockNumber")
    assert sum(slept) <= endpoints._PATIENCE_S


@pytest.mark.parametrize("most", [1, 3, 50])
def test_batches_are_as_large_as_a_node_takes_them(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def fetch(url: str, *, data: bytes, **given: Any) -> Fetched:
        request = json.loads(data)
        several = request if isinstance(request, list) else [request]
        sizes.append(len(several))
        if len(several) > most:
            refused = {"code": -32600, "message": f"batch limit {most} exceeded"}
            return Fetched(200, {}, json.dumps({"jsonrpc": "2.0", "id": None, "error": refused}).encode())
        answers = [{"jsonrpc": "2.0", "id": each["id"], "result": each["params"][0]} for each in several]
        return Fetched(200, {}, json.dumps(answers if isinstance(request, list) else answers[0]).encode())

    monkeypatch.setattr(endpoints, "fetch", fetch)
    numbers = [hex(number) for number in range(200)]
    asked: Callable[[str], tuple[str, list[Any]]] = lambda number: ("eth_getBalance", [number])  # noqa: E731
    node = Batching(["http://node.example/"])
    assert node.ask_many([asked(number) for number in numbers]) == numbers
    assert sizes[-1] <= most
