"""Habits of nodes that are not anvil, as faults of `tests.support.proxy`: what they lack, add, limit and refuse."""

from __future__ import annotations

import json
from typing import Any

from tests.support.memory_node import Answer, RpcError
from tests.support.proxy import Answer as Reply
from tests.support.proxy import Ask, Fault

BLOCKS = ("eth_getBlockByNumber", "eth_getBlockByHash")


def refusal(request: dict[str, Any], code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request["id"], "error": {"code": code, "message": message}}


def lacks(*methods: str) -> Fault:
    """Methods that the node does not have."""

    def fault(request: dict[str, Any], ask: Ask) -> Reply:
        method = request["method"]
        return refusal(request, -32601, f"the method {method} does not exist") if method in methods else ask()

    return fault


def changes_blocks(**fields: Any) -> Fault:
    """Blocks with other fields; None takes one away."""

    def fault(request: dict[str, Any], ask: Ask) -> Reply:
        answer = ask()
        block = answer.get("result")
        if request["method"] in BLOCKS and isinstance(block, dict):
            _change(block, fields)
        return answer

    return fault


def changes_logs(**fields: Any) -> Fault:
    """Logs with other fields; None takes one away."""

    def fault(request: dict[str, Any], ask: Ask) -> Reply:
        answer = ask()
        for log in answer.get("result") or [] if request["method"] == "eth_getLogs" else []:
            _change(log, fields)
        return answer

    return fault


def _change(item: dict[str, Any], fields: dict[str, Any]) -> None:
    item.update(fields)
    for name, value in fields.items():
        if value is None:
            del item[name]


def without_tags(request: dict[str, Any], ask: Ask) -> Reply:
    """The tags of final blocks are unknown."""
    if any(tag in ("finalized", "safe") for tag in request["params"] if isinstance(tag, str)):
        return refusal(request, -39001, "Unknown block")
    return ask()


def both(*faults: Fault) -> Fault:
    """Several habits at once, the first asked first."""

    def fault(request: dict[str, Any], ask: Ask) -> Reply:
        first, *others = faults
        return first(request, (lambda: both(*others)(request, ask)) if others else ask)  # type: ignore[arg-type,return-value]

    return fault


def spans_of(most: int, code: int, message: str) -> Fault:
    """Logs of so many blocks at once and no more."""

    def fault(request: dict[str, Any], ask: Ask) -> Reply:
        if request["method"] == "eth_getLogs":
            first, last = (request["params"][0].get(name, "latest") for name in ("fromBlock", "toBlock"))
            if not last.startswith("0x") or int(last, 16) - int(first, 16) >= most:
                return refusal(request, code, message)
        return ask()

    return fault


class Busy:
    """Asks to wait, then answers, then asks to wait again."""

    def __init__(self, code: int, message: str, every: int = 5) -> None:
        self.code, self.message, self.every, self.came = code, message, every, 0

    def __call__(self, request: dict[str, Any], ask: Ask) -> Reply:
        self.came += 1
        return refusal(request, self.code, self.message) if self.came % self.every == 0 else ask()


WITHOUT_1559 = both(lacks("eth_feeHistory", "eth_maxPriorityFeePerGas"), changes_blocks(baseFeePerGas=None))
LONG_EXTRA = changes_blocks(extraData="0x" + "d7" * 97)
"""A clique, BSC or Besu block: signatures of those who made it."""

KINDS: dict[str, Fault] = {
    "logs without times": changes_logs(blockTimestamp=None),
    "logs of second 0": changes_logs(blockTimestamp="0x0"),
    "times as numbers": changes_logs(blockTimestamp=1_700_000_000),
    "long extraData": LONG_EXTRA,
    "no EIP-1559": WITHOUT_1559,
    "no receipts of a block": lacks("eth_getBlockReceipts"),
    "spans of 5 blocks": spans_of(5, -32005, "query exceeds max block range 5"),
    "spans of 1 block": spans_of(1, -32600, "eth_getLogs is limited to a 1 range"),
    "over rate limit": Busy(-32016, "over rate limit"),
    "limit exceeded": Busy(-32005, "daily request count exceeded, request rate limited"),
}
"""Kinds of nodes, and what each does."""


def through(node: Answer, fault: Fault) -> Answer:
    """The answers of a node in this process that has a habit."""

    def answer(method: str, params: list[Any]) -> Any:
        def ask() -> dict[str, Any]:
            try:
                return {"result": json.loads(json.dumps(node(method, params)))}
            except RpcError as error:
                return {"error": error.error}

        reply: Any = fault({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, ask)
        if "error" in reply:
            raise RpcError(reply["error"]["code"], reply["error"]["message"], reply["error"].get("data"))
        return reply["result"]

    return answer
