"""Every small lie of a node: each of its answers, changed in each way that still looks like an answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from blockchaintracer.core.errors import BlockchainTracerError

from .evm import Interface
from .revm_lab import RevmLab
from .revm_node import REFUSED

_FIELDS = {
    "eth_getBlockByNumber": ("hash", "timestamp"),
    "eth_getTransactionByHash": ("from", "to", "input"),
    "eth_getTransactionReceipt": ("blockHash", "blockNumber", "status", "logs"),
}
"""Fields whose lies are told; what the client does not read is left out."""


def lies_of(method: str, result: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a node could answer instead, and what was changed."""
    yield "refused", REFUSED
    if isinstance(result, dict):
        yield "nothing", None
        for field in _FIELDS.get(method, ()):
            for how, changed in _other(result[field]):
                yield f"{field} {how}", {**result, field: changed}
    elif isinstance(result, list) and result:
        yield "no logs", []
        if len(result) > 1:
            yield "without the first", result[1:]
            yield "without the last", result[:-1]
        yield "the last is later", [*result[:-1], {**result[-1], "blockNumber": _more(result[-1]["blockNumber"])}]
        yield (
            "the last is of another",
            [*result[:-1], {**result[-1], "transactionHash": _flip(result[-1]["blockHash"])}],
        )
        for how, changed in _other(result[-1]["data"], zero=False):
            yield f"data {how}", [*result[:-1], {**result[-1], "data": changed}]
    elif isinstance(result, str) and method in ("eth_call", "eth_getCode"):
        for how, changed in _other(result):
            yield how, changed
    elif isinstance(result, str) and method == "eth_getRawTransactionByHash":
        yield "another", _flip(result)


def _other(value: Any, zero: bool = True) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list):
        yield "left out", []
    elif isinstance(value, str) and len(value) > 66 and (len(value) - 2) % 64 == 0:
        for at in range(2, len(value), 64):
            # the lowest bit, so that what is small stays a number of its type
            yield f"word {at // 64} flipped", value[: at + 63] + f"{int(value[at + 63], 16) ^ 1:x}" + value[at + 64 :]
            if zero and int(value[at : at + 64], 16):
                yield f"word {at // 64} zero", value[:at] + "0" * 64 + value[at + 64 :]
    elif isinstance(value, str) and len(value) > 18:
        yield "changed", _flip(value)
    elif isinstance(value, str):
        yield "more", _more(value)
    else:
        yield "some", "0x" + "ab" * 20


def _flip(value: str) -> str:
    return value[:-1] + f"{int(value[-1], 16) ^ 1:x}"


def _more(value: str) -> str:
    return hex(int(value, 16) ^ 1) if value != "0x" else "0x60"


class Questions:
    """What a node is asked, by name, and what comes of each lie."""

    def __init__(self, lab: RevmLab, interface: Interface) -> None:
        self._lab = lab
        self._functions = {f"0x{selector.hex()}": name for (name, _), (selector, _) in interface._calls.items()}
        self._events = {f"0x{topic.hex()}": entry["name"] for topic, entry in interface._events.items()}

    def name(self, method: str, params: list[Any]) -> str:
        if method == "eth_call":
            data = params[0].get("data") or params[0]["input"]
            return f"{self._functions.get(data[:10], 'call')}({data[10:]})"
        if method == "eth_getLogs":
            first, *others = params[0]["topics"]
            asked = ", ".join(f"{topic}" for topic in others if topic)
            return f"{self._events[first if isinstance(first, str) else first[0]]}({asked})"
        return f"{method.removeprefix('eth_get')} {params[0] if params else ''}"

    def lies(self, ask: Callable[[], list[str]]) -> Iterator[tuple[str, list[str], list[str]]]:
        """Yield each lie, what is told then and was not before, and what is not told any more.

        Args:
            ask: asks the node, and returns lines.
        """
        node, asked = self._lab.node, {}

        def note(method: str, params: list[Any], result: Any) -> Any:
            asked.setdefault(json.dumps([method, params]), result)
            return result

        node.lie = note
        honest = ask()
        for question, result in list(asked.items()):
            method, params = json.loads(question)
            if method == "eth_chainId":
                continue
            for how, changed in lies_of(method, result):

                def lie(its: str, given: list[Any], true: Any, question: str = question, other: Any = changed) -> Any:
                    return other if json.dumps([its, given]) == question else true

                node.lie = lie
                try:
                    lines = ask()
                except BlockchainTracerError as error:
                    # the words of a refusal are the connection's, and not the verifier's
                    lines = [type(error).__name__]
                more = [line for line in lines if line not in honest]
                gone = [line for line in honest if line not in lines] if not more else []
                yield f"{self.name(method, params)}: {how}", more, gone
