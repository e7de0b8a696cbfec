"""Several JSON-RPC endpoints as one web3 provider: the first that answers as a node does is asked, and no answer is
passed on that isn't one to the question. What an answer is worth is decided elsewhere."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from requests.exceptions import ConnectTimeout, ReadTimeout, RequestException
from web3.providers import JSONBaseProvider

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.networks import redact_url

if TYPE_CHECKING:
    from web3.types import RPCEndpoint, RPCResponse

_TIMEOUT_S = 20
_PROBE_S = 5
_ROUNDS = 3
_PAUSE_S = 0.25
_MAX_PAUSE_S = 5.0
_BEHIND = 20
"""Blocks that an endpoint may be behind another before it is asked last."""
_QUANTITY = re.compile(r"0x(0|[1-9a-fA-F][0-9a-fA-F]{0,63})")
_DATA = re.compile(r"0x[0-9a-fA-F]*")
_HASH = re.compile(r"0x[0-9a-fA-F]{64}")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_LARGEST = 2**63


class WrongAnswer(ConnectionError):
    """An endpoint answered with something that is no answer to the question. Its text names no address."""


class Endpoints(JSONBaseProvider):
    """JSON-RPC over HTTP at one or more addresses of one chain.

    A question goes to the endpoint that answered last. One that can't be reached, refuses (429, 5xx) or answers
    wrongly makes way for the next; after the last, all are tried again, a little later each time.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        from requests import Session

        super().__init__()
        self._urls = list(urls)
        self._session = Session()
        self._checked: set[str] = set()
        self._chain_id: int | None = None
        self._current = 0

    def open(self) -> int:
        """Ask all endpoints for their chain and return its id. An endpoint that is far behind the others is asked last
        from now on."""
        if len(self._urls) == 1:
            return self._learn(self._urls[0], self._chain_of(self._urls[0], _TIMEOUT_S))
        with ThreadPoolExecutor(len(self._urls)) as pool:
            answers = list(pool.map(self._probe, self._urls))
        for url, answer in zip(self._urls, answers, strict=True):
            if isinstance(answer, tuple):
                self._learn(url, answer[0])
        heads = [answer[1] if isinstance(answer, tuple) else -1 for answer in answers]
        if self._chain_id is None:
            raise next(answer for answer in answers if isinstance(answer, Exception))
        newest = max(heads)
        self._urls = [
            url
            for url, head in sorted(
                zip(self._urls, heads, strict=True), key=lambda endpoint: newest - endpoint[1] > _BEHIND
            )
        ]
        return self._chain_id

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Return the first valid answer."""
        problem: Exception | None = None
        hung: set[str] = set()
        for attempt in range(_ROUNDS):
            pause = _PAUSE_S * 2**attempt
            for offset in range(len(self._urls)):
                at = (self._current + offset) % len(self._urls)
                url = self._urls[at]
                if url in hung:
                    continue
                try:
                    if url not in self._checked and self._chain_id is not None:
                        self._learn(url, self._chain_of(url, _TIMEOUT_S))
                    answer = self._post(url, method, params, _TIMEOUT_S)
                except _Busy as busy:
                    problem, pause = busy, max(pause, min(busy.wait_s, _MAX_PAUSE_S))
                except (ConnectTimeout, ReadTimeout) as slow:
                    problem = slow
                    hung.add(url)
                except (RequestException, WrongAnswer) as error:
                    problem = error
                else:
                    self._current = at
                    return answer
            if len(hung) == len(self._urls):
                break
            if attempt + 1 < _ROUNDS:
                time.sleep(pause)
        raise problem or WrongAnswer("no endpoint")

    def _learn(self, url: str, chain_id: int) -> int:
        if self._chain_id is None:
            self._chain_id = chain_id
        if chain_id != self._chain_id:
            raise InputError(
                f"expected endpoints of one chain, got chain {self._chain_id} and chain {chain_id} at "
                f"{redact_url(url)}",
                hint="Name endpoints of the same chain, separated by commas.",
            )
        self._checked.add(url)
        return chain_id

    def _probe(self, url: str) -> tuple[int, int] | Exception:
        try:
            chain_id = self._chain_of(url, _PROBE_S)
            return chain_id, int(self._post(url, "eth_blockNumber", [], _PROBE_S).get("result", "0x0"), 16)
        except (RequestException, WrongAnswer) as error:
            return error

    def _chain_of(self, url: str, timeout_s: float) -> int:
        answer = self._post(url, "eth_chainId", [], timeout_s)
        if "result" not in answer:
            raise WrongAnswer("does not tell its chain id")
        return int(answer["result"], 16)

    def _post(self, url: str, method: str, params: Any, timeout_s: float) -> RPCResponse:
        request = self.encode_rpc_request(method, params)  # type: ignore[arg-type]
        response = self._session.post(
            url, data=request, headers={"Content-Type": "application/json"}, timeout=timeout_s, allow_redirects=False
        )
        if response.status_code in (429, 503):
            raise _Busy(f"HTTP {response.status_code}", _seconds(response.headers.get("Retry-After")))
        try:
            answer = json.loads(response.content)
        except (ValueError, RecursionError):
            raise WrongAnswer(f"HTTP {response.status_code} and no JSON") from None
        return checked(answer, json.loads(request), response.status_code)


class _Busy(WrongAnswer):
    def __init__(self, message: str, wait_s: float) -> None:
        super().__init__(message)
        self.wait_s = wait_s


def _seconds(text: str | None) -> float:
    return float(text) if text and re.fullmatch(r"\d{1,4}", text) else 0.0


def checked(answer: Any, request: dict[str, Any], status: int = 200) -> RPCResponse:
    """Return an answer if it has the id of this request and a result of the right shape for the method."""
    if not isinstance(answer, dict):
        raise WrongAnswer(f"HTTP {status} and no JSON-RPC answer")
    error = answer.get("error")
    if error is not None:
        if not isinstance(error, dict) or not isinstance(error.get("message"), str):
            raise WrongAnswer(f"HTTP {status} and an error that is none")
        if error.get("code") == 429 or "too many requests" in error["message"].lower():
            raise _Busy("too many requests", 0.0)
        # a node may refuse with any HTTP status; an error of another question's id is none of ours
        if answer.get("id") not in (request["id"], None):
            raise WrongAnswer("an answer to another question")
        return answer  # type: ignore[return-value]
    if status != 200 or "result" not in answer:
        raise WrongAnswer(f"HTTP {status}")
    if answer.get("id") != request["id"]:
        raise WrongAnswer("an answer to another question")
    method, params = request["method"], request["params"]
    fits = _SHAPES.get(method)
    if fits and not fits(answer["result"], params):
        raise WrongAnswer(f"no answer to {method}")
    return answer  # type: ignore[return-value]


def _is(pattern: re.Pattern[str]) -> Callable[[Any, list[Any]], bool]:
    return lambda result, params: isinstance(result, str) and pattern.fullmatch(result) is not None


def _is_number(value: Any) -> bool:
    return isinstance(value, str) and _QUANTITY.fullmatch(value) is not None and int(value, 16) < _LARGEST


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and _HASH.fullmatch(value) is not None


def _is_data(value: Any) -> bool:
    # counting the digits apart takes a tenth of the time
    return isinstance(value, str) and len(value) % 2 == 0 and _DATA.fullmatch(value) is not None


def _is_address(value: Any) -> bool:
    return isinstance(value, str) and _ADDRESS.fullmatch(value) is not None


def _same(text: Any, other: Any) -> bool:
    return isinstance(text, str) and isinstance(other, str) and text.lower() == other.lower()


def _is_block(result: Any, params: list[Any]) -> bool:
    if result is None:
        return True
    if not isinstance(result, dict) or not _is_number(result.get("timestamp")):
        return False
    asked = params[0] if params else None
    if asked == "pending":
        return True
    if not (_is_number(result.get("number")) and _is_hash(result.get("hash"))):
        return False
    if not _is_number(result.get("baseFeePerGas", "0x0")):
        return False
    if _is_hash(asked):
        return _same(result["hash"], asked)
    return not _is_number(asked) or int(result["number"], 16) == int(str(asked), 16)


def _is_receipt(result: Any, params: list[Any]) -> bool:
    if result is None:
        return True
    return (
        isinstance(result, dict)
        and _same(result.get("transactionHash"), params[0])
        and _is_hash(result.get("blockHash"))
        and all(_is_number(result.get(name)) for name in ("blockNumber", "transactionIndex", "status", "gasUsed"))
        and _are_logs(result.get("logs"), params)
    )


def _is_transaction(result: Any, params: list[Any]) -> bool:
    if result is None:
        return True
    return isinstance(result, dict) and _same(result.get("hash"), params[0]) and _is_address(result.get("from"))


def _are_logs(result: Any, params: list[Any]) -> bool:
    """Check logs. Each distinct value is checked once, because thousands of logs share most values."""
    if not isinstance(result, list):
        return False
    try:
        topics = [log["topics"] for log in result]
        hashes = {log["transactionHash"] for log in result} | {log["blockHash"] for log in result}
        numbers = {log[name] for log in result for name in ("blockNumber", "logIndex", "transactionIndex")}
        addresses, data = {log["address"] for log in result}, {log["data"] for log in result}
        if not all(type(each) is list for each in topics):
            return False
        hashes.update(*topics)
    except (KeyError, TypeError):
        return False
    return (
        all(map(_is_hash, hashes))
        and all(map(_is_number, numbers))
        and all(map(_is_address, addresses))
        and all(map(_is_data, data))
    )


_SHAPES: dict[str, Callable[[Any, list[Any]], bool]] = {
    **dict.fromkeys(
        ("eth_chainId", "eth_blockNumber", "eth_getTransactionCount", "eth_estimateGas"),
        lambda result, params: _is_number(result),
    ),
    **dict.fromkeys(("eth_gasPrice", "eth_maxPriorityFeePerGas", "eth_getBalance"), _is(_QUANTITY)),
    **dict.fromkeys(("eth_call", "eth_getCode"), lambda result, params: _is_data(result)),
    **dict.fromkeys(("eth_getBlockByNumber", "eth_getBlockByHash"), _is_block),
    "eth_sendRawTransaction": _is(_HASH),
    "eth_getTransactionReceipt": _is_receipt,
    "eth_getTransactionByHash": _is_transaction,
    "eth_getLogs": _are_logs,
}
"""What the result of a method looks like, by the Ethereum JSON-RPC specification (execution-apis)."""
