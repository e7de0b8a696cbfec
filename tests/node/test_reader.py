"""What strangers' servers send over HTTP: each answer ends, in size and in time, and only answers are read."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from blockchaintracer.core.chain import Chain, endpoints
from blockchaintracer.core.chain.endpoints import Endpoints
from blockchaintracer.core.errors import ChainUnavailable, ContractRevert, HistoryPruned, InputError, NodeError
from blockchaintracer.core.fetch import FetchError, fetch, opened
from blockchaintracer.lab.chain.batching import connect
from blockchaintracer.lab.chain.questions import blocks
from blockchaintracer.lab.store.redirects import followed
from tests.support.serving import serving

pytestmark = pytest.mark.node

Answer = Callable[[Any], Any]
WORD = "0x" + "ab" * 32
LONG_S = 30


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "_PAUSE_S", 0.001)


@contextmanager
def node(answer: Answer) -> Iterator[tuple[str, list[Any]]]:
    """A node of chain 5 that answers as `answer` says, and what it was asked. None is no answer of JSON-RPC."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(request)
            if isinstance(request, dict) and request["method"] in ("eth_chainId", "eth_blockNumber"):
                given: Any = {"jsonrpc": "2.0", "id": request["id"], "result": "0x5"}
            else:
                given = answer(request)
            status = given if isinstance(given, int) else 200
            body = given if isinstance(given, bytes) else json.dumps(given).encode()
            self.send_response(status)
            if status // 100 == 3:
                self.send_header("Location", "http://127.0.0.1:9/")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def log_message(self, *given: Any) -> None:
            pass

    with serving(Handler) as url:
        yield url, asked


@contextmanager
def raw_server(pieces: Callable[[], Iterator[bytes]], pause_s: float = 0.0) -> Iterator[str]:
    """A server that sends these bytes to whoever connects, piece by piece."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve(connection: socket.socket) -> None:
            with connection:
                try:
                    connection.recv(1 << 16)
                    for piece in pieces():
                        connection.sendall(piece)
                        time.sleep(pause_s)
                except OSError:
                    pass

        def accept() -> None:
            while True:
                try:
                    connection = server.accept()[0]
                except OSError:
                    return
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        server.shutdown(socket.SHUT_RDWR)


def result(request: Any, value: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request["id"], "result": value}


def error(request: Any, code: int, message: str, **more: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request["id"], "error": {"code": code, "message": message, **more}}


def compressed(body: bytes, encoding: str = "gzip") -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


# -- size and time


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_small_answer_that_becomes_large_is_not_read(encoding: str) -> None:
    zeros = bytes(1 << 24)
    bomb = gzip.compress(zeros) if encoding == "gzip" else zlib.compress(zeros)
    assert len(bomb) < 1 << 15
    with raw_server(lambda: iter([compressed(bomb, encoding)])) as url:
        with pytest.raises(FetchError, match="more than 1,000 bytes") as caught:
            fetch(url, limit=1000, seconds=LONG_S)
        assert caught.value.too_large
        assert fetch(url, limit=1 << 24, seconds=LONG_S).body == zeros


def test_compressed_data_that_end_early_or_are_none_are_refused() -> None:
    half = gzip.compress(bytes(range(256)) * 40)[:-20]
    for body in (half, b"no gzip at all"):
        with (
            raw_server(lambda body=body: iter([compressed(body)])) as url,
            pytest.raises(FetchError, match="broke off"),
        ):
            fetch(url, limit=1 << 20, seconds=LONG_S)
    with raw_server(lambda: iter([compressed(b"x", "br")])) as url, pytest.raises(FetchError, match="not asked for"):
        fetch(url, limit=1 << 20, seconds=LONG_S)


def drip(*before: bytes) -> Callable[[], Iterator[bytes]]:
    """`before`, and then a byte now and then, without an end."""

    def pieces() -> Iterator[bytes]:
        yield b"".join(before)
        while True:
            yield b"1"

    return pieces


@pytest.mark.parametrize(
    "before",
    [
        (),
        (b"HTTP/1.1 200 OK\r\n",),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFF\r\n",),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9999\r\n\r\n", gzip.compress(b"x")[:10]),
    ],
    ids=["nothing", "head", "body", "length of a chunk", "chunk", "compressed"],
)
def test_a_byte_now_and_then_ends_at_the_deadline(before: tuple[bytes, ...]) -> None:
    with raw_server(drip(*before), 0.02) as url, pytest.raises(FetchError) as caught:
        fetch(url, limit=1 << 20, seconds=0.3)
    assert caught.value.slow or "broke off" in str(caught.value)


def test_a_stream_may_take_long_if_each_part_comes_in_time() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n"
        yield from [b"x" * 10] * 4

    with raw_server(pieces, 0.1) as url:
        with opened(url, seconds=0.25) as stream:
            assert b"".join(iter(lambda: stream.read(10), b"")) == b"x" * 40
        with pytest.raises(FetchError):
            fetch(url, limit=100, seconds=0.25)


def test_an_answer_that_breaks_off_is_no_answer() -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n" + b"x" * 39
    with raw_server(lambda: iter([whole])) as url, pytest.raises(FetchError, match="broke off"):
        fetch(url, limit=100, seconds=LONG_S)


def test_redirections_are_followed_a_few_times_and_to_the_web_alone() -> None:
    def reached(url: str) -> bytes:
        with followed(url, seconds=LONG_S, most=2) as stream:
            return stream.read(9)

    def to(target: str) -> bytes:
        return f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()

    with (
        raw_server(lambda: iter([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"])) as last,
        raw_server(lambda: iter([to(last)])) as first,
    ):
        assert reached(first) == b"hi"
        assert fetch(first, limit=9, seconds=LONG_S).status == 302
    with raw_server(lambda: iter([to("file:///etc/passwd")])) as url, pytest.raises(FetchError) as caught:
        reached(url)
    assert caught.value.refused
    with raw_server(lambda: iter([to("/")])) as url, pytest.raises(FetchError, match="points on and on"):
        reached(url)


def test_the_reason_holds_no_address() -> None:
    for url in ("http://127.0.0.1:9/v2/SECRETKEY", "http://no host/SECRETKEY", "http://[::1/SECRETKEY"):
        with pytest.raises(FetchError) as caught:
            fetch(url, limit=9, seconds=LONG_S)
        assert "SECRETKEY" not in str(caught.value)


# -- answers of a node


@pytest.mark.parametrize(
    "answer",
    [
        *(b"", b"null", b"[]", b"<html>", b"[" * 100_000, b'{"id":' + b"9" * 5000 + b"}", b"\xff\xfe", 302, 500, 403),
        lambda request: {**result(request, "0x1"), "id": request["id"] + 1},
        lambda request: {**result(request, "0x1"), "id": None},
        lambda request: result(request, "0x" + "f" * 64),
        lambda request: result(request, 10**30),
        lambda request: result(request, {"a": 1}),
        lambda request: {"jsonrpc": "2.0", "id": request["id"], "error": "no"},
    ],
    ids=lambda answer: None if callable(answer) else str(answer)[:12],
)
def test_what_is_no_answer_is_told_in_words(answer: Any) -> None:
    with node(answer if callable(answer) else lambda request: answer) as (url, asked):
        with pytest.raises(ChainUnavailable, match="did not answer as a node does") as caught:
            Chain.connect(url).nonce("0x" + "11" * 20)
        assert not isinstance(caught.value, NodeError)
        assert len(asked) == 1 + 3


def test_an_error_of_a_node_is_told_from_no_answer() -> None:
    with node(lambda request: error(request, -32602, "invalid\x1b[2J argument")) as (url, asked):
        with pytest.raises(NodeError, match="answers eth_getBalance with an error") as caught:
            Chain.connect(url).balance("0x" + "11" * 20)
        assert (caught.value.code, caught.value.reason) == (-32602, "invalid[2J argument")
        assert len(asked) == 2, "it is not asked again"
    refuses = node(lambda request: error(request, 3, "execution reverted: no"))
    with refuses as (url, _), pytest.raises(ContractRevert, match="no"):
        Chain.connect(url).call("0x" + "11" * 20, "0x")


PRUNED = [
    (4444, "pruned history unavailable"),
    (-32000, "missing trie node 5d1c (path ) state 0x5d1c is not available"),
    (-32000, "required historical state unavailable (reexec=128)"),
    (-32000, "state already discarded"),
    (-32000, "distance to target block exceeds maximum proof window"),
    (-32602, "old data not available due to pruning"),
]


@pytest.mark.parametrize(("code", "message"), PRUNED)
def test_a_node_that_forgot_makes_way_for_one_that_did_not(code: int, message: str) -> None:
    with node(lambda request: error(request, code, message)) as (old, _):
        with node(lambda request: result(request, [])) as (archive, _):
            assert Chain.connect(f"{old},{archive}").ask("eth_getLogs", {}) == []
        with pytest.raises(HistoryPruned) as caught:
            Chain.connect(old).ask("eth_getLogs", {})
        assert caught.value.code == code


def test_a_contract_that_says_pruned_has_not_forgotten() -> None:
    refuses = node(lambda request: error(request, 3, "execution reverted: pruned, rate limit"))
    with refuses as (url, _), pytest.raises(ContractRevert):
        Chain.connect(url).call("0x" + "11" * 20, "0x")


def test_null_is_believed_after_all_endpoints_said_it() -> None:
    block = {"number": "0x7", "hash": WORD, "timestamp": "0x1", "baseFeePerGas": {"odd": 1}, "extraData": 5}
    answers = {"eth_getBlockByNumber": block}
    with (
        node(lambda request: result(request, None)) as (first, _),
        node(lambda request: result(request, answers.get(request["method"]))) as (second, _),
    ):
        chain = Chain.connect(f"{first},{second}")
        found = chain.block(7)
        assert found is not None
        assert (found.number, found.base_fee) == (7, None)
        assert chain.receipt(WORD) is None
        assert Chain.connect(first).block(7) is None


def test_a_method_that_one_endpoint_lacks_is_asked_of_the_next() -> None:
    with (
        node(lambda request: error(request, -32601, "no such method")) as (first, _),
        node(lambda request: result(request, "0x9")) as (second, _),
    ):
        assert Chain.connect(f"{first},{second}").ask("eth_gasPrice") == "0x9"
        with pytest.raises(NodeError, match="no such method"):
            Chain.connect(first).ask("eth_gasPrice")


def test_a_busy_node_is_asked_again() -> None:
    said = iter([error, error, result])

    def answer(request: Any) -> Any:
        kind = next(said)
        return result(request, "0x9") if kind is result else error(request, -32016, "over rate limit")

    with node(answer) as (url, asked):
        assert Chain.connect(url).ask("eth_gasPrice") == "0x9"
        assert len(asked) == 4


def test_an_answer_that_is_too_large_is_an_error_that_asks_for_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "_MOST_BYTES", 1000)
    with node(lambda request: result(request, "0x" + "00" * 2000)) as (url, asked):
        with pytest.raises(NodeError, match="more than 1,000 bytes"):
            Chain.connect(url).code("0x" + "11" * 20)
        assert len(asked) == 2


def test_an_endpoint_that_hangs_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "SECONDS", 0.3)
    with (
        raw_server(drip(b"HTTP/1.1 200 OK\r\n"), 0.02) as slow,
        node(lambda request: result(request, "0x9")) as (url, _),
    ):
        reader = Endpoints([slow, url])
        reader._chain_id = 5
        reader._checked = {slow, url}
        assert reader.ask("eth_gasPrice") == "0x9"
        with pytest.raises(ChainUnavailable):
            Chain.connect(slow)


def test_endpoints_of_two_chains_are_refused_even_if_one_was_away_at_first() -> None:
    with node(lambda request: result(request, "0x9")) as (first, _):
        reader = Endpoints([first, first.replace("127.0.0.1", "localhost")])
        assert reader.open() == 5
        reader._chain_id = 6
        reader._checked.clear()
        with pytest.raises(InputError, match="of one chain"):
            reader.ask("eth_gasPrice")


# -- many questions at once


def batched(limit: int, respond: Callable[[list[Any]], Any]) -> Answer:
    def answer(request: Any) -> Any:
        if isinstance(request, dict):
            return block_of(request)
        return respond(request) if len(request) <= limit else error({"id": None}, -32600, "batch too large")

    return answer


def block_of(request: Any) -> dict[str, Any]:
    number = request["params"][0]
    return result(request, {"number": number, "hash": f"0x{int(number, 16):064x}", "timestamp": "0x1"})


@pytest.mark.parametrize("limit", [0, 1, 3, 50, 1000])
def test_batches_are_made_as_small_as_a_node_wants_them(limit: int) -> None:
    numbers = list(range(130))
    with node(batched(limit, lambda batch: [block_of(one) for one in batch])) as (url, asked):
        chain = connect(url)
        assert [block and block.number for block in blocks(chain, numbers)] == numbers
        first = len(asked)
        assert [block and block.number for block in blocks(chain, numbers)] == numbers
        assert len(asked) - first <= 130 // max(min(limit, 50) // 4, 1) + 1


@pytest.mark.parametrize(
    "respond",
    [
        lambda batch: [block_of(one) for one in reversed(batch)],
        lambda batch: [block_of(one) for one in batch[::2]],
        lambda batch: [block_of(one) if number % 3 else error(one, -32000, "no") for number, one in enumerate(batch)],
        lambda batch: [{**block_of(one), "id": one["id"] + 1} for one in batch],
        lambda batch: [{**block_of(one), "id": [one["id"]]} for one in batch],
        lambda batch: [None, 5, "x", *map(block_of, batch), {}],
        lambda batch: [result(one, None if number else "0x1") for number, one in enumerate(batch)],
        lambda batch: {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "batches are not supported"}},
        lambda batch: 413,
        lambda batch: b"not json",
    ],
    ids=["reversed", "half", "errors", "shifted ids", "odd ids", "more", "wrong", "refused", "status", "no JSON"],
)
def test_every_question_of_a_batch_gets_its_own_answer(respond: Any) -> None:
    numbers = list(range(1, 20))
    with node(batched(1000, respond)) as (url, _):
        found = blocks(connect(url), numbers)
    assert all(block is None or block.number == number for number, block in zip(numbers, found, strict=True))
