"""JSON-RPC answers of an Ethereum node: which are answers to the question, and what an error says. How a question
travels is decided in `endpoints`, what an answer is worth elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from blockchaintracer.core.errors import ChainUnavailable, HistoryPruned, NodeError

_LARGEST = 2**63
_PRUNED_CODE = 4444
"""EIP-4444"""
_PRUNED = re.compile(
    r"prun|missing trie node|(history|histor\w+ (state|data|blocks?)|state|data|block)\b.*\b(not |un)available"
    r"|state already discarded|proof window|archive|before (the )?(earliest|oldest)",
    re.IGNORECASE,
)
_BUSY = re.compile(
    r"rate.?limit|too many requests|requests? (per|limit|count|rate)|throttl|compute units|capacity|quota",
    re.IGNORECASE,
)
_BUSY_CODES = (429, -32016)
_LIMIT_EXCEEDED = -32005
"""EIP-1474: too many requests, or for logs too wide a question."""
_MOST_WORDS = 500

_numbers = count(1)


class WrongAnswer(ConnectionError):
    """What came is no answer to the question. The text names no address."""


class Busy(WrongAnswer):
    """The node asks to wait.

    Args:
        wait_s: as long as this; 0 if it does not say.
    """

    def __init__(self, message: str, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class Node:
    """What answers JSON-RPC questions about one chain.

    Args:
        address: what messages call it; never with credentials.

    Attributes:
        is_several: whether several nodes answer, of which one may know what another has forgotten.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.is_several = False

    def post(self, request: dict[str, Any]) -> Any:
        """Return the JSON that answers one request."""
        raise NotImplementedError

    def ask(self, method: str, *params: Any) -> Any:
        """Return the result of a method, whose needed fields have the right form.

        Raises:
            NodeError: if the node answers with an error; `HistoryPruned` if it no longer has what was asked for.
            ChainUnavailable: if it gives no answer.
        """
        request = question(method, params)
        try:
            return result_of(self.post(request), request, self.address)
        except WrongAnswer as error:
            raise self.unavailable(error) from None

    def ask_many(self, questions: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Return the results of many methods in their order. Raises as `ask`."""
        return [self.ask(method, *params) for method, params in questions]

    def ask_each(self, method: str, *params: Any) -> list[Any]:
        """Return all that the lists of all endpoints hold: one may leave something out. Raises as `ask`."""
        return list(self.ask(method, *params))

    def unavailable(self, reason: object) -> ChainUnavailable:
        """Return the error for an answer that is missing or wrong."""
        return ChainUnavailable(
            f"{self.address} did not answer as a node does: {reason}",
            hint="Try again, or name another node: --rpc URL.",
        )


def question(method: str, params: Sequence[Any]) -> dict[str, Any]:
    """Return a JSON-RPC request with a number of its own."""
    return {"jsonrpc": "2.0", "id": next(_numbers), "method": method, "params": list(params)}


def result_of(answer: Any, request: dict[str, Any], address: str, status: int = 200) -> Any:
    """Return the result if it has the id of this request and the right form for the method.

    Args:
        status: of the HTTP answer. A node may send an error with any.
    """
    if not isinstance(answer, dict):
        raise WrongAnswer(f"HTTP {status} and no JSON-RPC answer")
    if (error := answer.get("error")) is not None:
        if not isinstance(error, dict) or not isinstance(error.get("message"), str):
            raise WrongAnswer(f"HTTP {status} and an error that is none")
        code, reason = error.get("code"), "".join(filter(str.isprintable, error["message"][:_MOST_WORDS]))
        told = NodeError(address, request["method"], reason, code if isinstance(code, int) else None, error.get("data"))
        is_limit = code == _LIMIT_EXCEEDED and request["method"] != "eth_getLogs"
        if not told.is_revert and (code in _BUSY_CODES or is_limit or _BUSY.search(reason)):
            raise Busy("too many requests")
        # an error of another question's id is none of ours
        if answer.get("id") not in (request["id"], None):
            raise WrongAnswer("an answer to another question")
        if not told.is_revert and (code == _PRUNED_CODE or _PRUNED.search(reason)):
            raise HistoryPruned(address, request["method"], reason, told.code, told.data)
        raise told
    if status != 200 or "result" not in answer:
        raise WrongAnswer(f"HTTP {status}")
    if answer.get("id") != request["id"]:
        raise WrongAnswer("an answer to another question")
    fits = _SHAPES.get(request["method"])
    if fits and not fits(answer["result"], request["params"]):
        raise WrongAnswer(f"no answer to {request['method']}")
    return answer["result"]


def _text(pattern: str) -> Callable[[Any], bool]:
    match = re.compile(f"0x({pattern})").fullmatch
    return lambda value: isinstance(value, str) and match(value) is not None


is_address = _text("[0-9a-fA-F]{40}")
"""Return whether a value is 20 bytes in 0x-hex."""
_is_hash, _is_hex = _text("[0-9a-fA-F]{64}"), _text("[0-9a-fA-F]*")
_is_quantity = _text("0|[1-9a-fA-F][0-9a-fA-F]{0,63}")


def is_number(value: Any) -> bool:
    """Return whether a value is a number in 0x-hex, below 2**63."""
    return _is_quantity(value) and int(value, 16) < _LARGEST


def _is_data(value: Any) -> bool:
    # counting the digits apart takes a tenth of the time
    return _is_hex(value) and len(value) % 2 == 0


def _alone(fits: Callable[[Any], bool]) -> Callable[[Any, list[Any]], bool]:
    return lambda result, params: fits(result)


def _same(text: Any, other: Any) -> bool:
    return isinstance(text, str) and isinstance(other, str) and text.lower() == other.lower()


def _is_block(result: Any, params: list[Any]) -> bool:
    if result is None:
        return True
    if not (isinstance(result, dict) and all(is_number(result.get(name)) for name in ("timestamp", "number"))):
        return False
    asked = params[0] if params else None
    if _is_hash(asked):
        return _same(result.get("hash"), asked)
    return _is_hash(result.get("hash")) and (not is_number(asked) or int(result["number"], 16) == int(str(asked), 16))


def _is_receipt(result: Any, params: list[Any]) -> bool:
    return result is None or (
        isinstance(result, dict)
        and _same(result.get("transactionHash"), params[0])
        and _is_hash(result.get("blockHash"))
        and all(is_number(result.get(name)) for name in ("blockNumber", "status"))
        and _are_logs(result.get("logs"), params)
    )


def _is_transaction(result: Any, params: list[Any]) -> bool:
    return result is None or (
        isinstance(result, dict)
        and _same(result.get("hash"), params[0])
        and is_address(result.get("from"))
        and (result.get("to") is None or is_address(result["to"]))
        and _is_data(result.get("input"))
    )


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
        and all(map(is_number, numbers))
        and all(map(is_address, addresses))
        and all(map(_is_data, data))
    )


_SHAPES: dict[str, Callable[[Any, list[Any]], bool]] = {
    **dict.fromkeys(
        ("eth_chainId", "eth_blockNumber", "eth_getTransactionCount", "eth_estimateGas"), _alone(is_number)
    ),
    **dict.fromkeys(("eth_gasPrice", "eth_maxPriorityFeePerGas", "eth_getBalance"), _alone(_is_quantity)),
    **dict.fromkeys(("eth_call", "eth_getCode", "eth_getRawTransactionByHash"), _alone(_is_data)),
    **dict.fromkeys((f"eth_get{part}By{by}" for part in ("Block", "Header") for by in ("Number", "Hash")), _is_block),
    "eth_sendRawTransaction": _alone(_is_hash),
    "eth_getTransactionReceipt": _is_receipt,
    "eth_getTransactionByHash": _is_transaction,
    "eth_getLogs": _are_logs,
    "eth_getBlockReceipts": lambda result, params: (
        result is None
        or (
            isinstance(result, list)
            and all(isinstance(it, dict) and _are_logs(it.get("logs"), params) for it in result)
        )
    ),
}
"""What the result of a method looks like, by the Ethereum JSON-RPC specification (execution-apis)."""
