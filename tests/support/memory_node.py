"""A node in this process: JSON-RPC before contracts that revm runs, as a real node answers, and as one that forgets.

Every transaction is a block of its own. Nothing listens anywhere: `answering` gives its answers to the client's reader.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pyrevm
import rlp
from eth_account import Account
from eth_account.typed_transactions import TypedTransaction
from eth_hash.auto import keccak
from hexbytes import HexBytes
from trie import HexaryTrie

from blockchaintracer.core.chain.endpoints import Endpoints
from blockchaintracer.core.fetch import FetchError
from tests.support.evm import START, Chain, Reverted
from tests.support.forged_bundles import bloom

MODES = ("4444", "-32000", "null", "empty")
"""How nodes answer about what they have forgotten."""
BLOCK_S = 12
RICH = 10**24
_FIELDS = "parentHash sha3Uncles miner stateRoot transactionsRoot receiptsRoot logsBloom difficulty number gasLimit"
_FIELDS = f"{_FIELDS} gasUsed timestamp extraData mixHash nonce baseFeePerGas".split()
Answer = Callable[[str, list[Any]], Any]


class RpcError(Exception):
    """A node's refusal."""

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message} | ({"data": data} if data else {})


class MemoryNode:
    """A chain with all its history.

    Attributes:
        asked: how often each method came.
    """

    def __init__(self, chain_id: int = 4242) -> None:
        self.chain = Chain(chain_id)
        self.asked: Counter[str] = Counter()
        self.blocks: list[dict[str, Any]] = []
        self.transactions: dict[str, dict[str, Any]] = {}
        self.receipts: dict[str, dict[str, Any]] = {}
        self.raw: dict[str, str] = {}
        self.nonces: Counter[str] = Counter()
        self._mine([])

    @property
    def head(self) -> int:
        return len(self.blocks) - 1

    def mine(self, count: int = 1) -> None:
        """Add empty blocks."""
        for _ in range(count):
            self._mine([])

    def _mine(self, transactions: list[str], receipts: list[dict[str, Any]] = []) -> dict[str, Any]:  # noqa: B006
        """Add a block whose hash is that of its header, and whose receipts are those of their trie."""
        number, trie = len(self.blocks), HexaryTrie({})
        for index, receipt in enumerate(receipts):
            trie[rlp.encode(index)] = b"\x02" + rlp.encode(
                [int(receipt["status"], 16), 21_000, bytes.fromhex(receipt["logsBloom"][2:]), _plain(receipt["logs"])]
            )
        fields: dict[str, Any] = dict.fromkeys(_FIELDS, bytes(32)) | {
            "parentHash": bytes.fromhex(self.blocks[-1]["hash"][2:]) if number else bytes(32),
            "miner": bytes(20),
            "receiptsRoot": bytes(trie.root_hash),
            "logsBloom": bloom([log for receipt in receipts for log in _plain(receipt["logs"])]),
            "difficulty": 0,
            "number": number,
            "gasLimit": 30_000_000,
            "gasUsed": 21_000,
            "timestamp": START + BLOCK_S * number,
            "extraData": b"",
            "nonce": bytes(8),
            "baseFeePerGas": 7,
        }
        identifier = "0x" + keccak(rlp.encode([fields[name] for name in _FIELDS])).hex()
        block = {name: hex(value) if isinstance(value, int) else f"0x{value.hex()}" for name, value in fields.items()}
        self.blocks.append(block | {"hash": identifier, "transactions": transactions})
        return self.blocks[-1]

    def deploy(self, name: str, *arguments: Any) -> str:
        """Deploy a contract in a block of its own; its address."""
        self._next_block()
        address = self.chain.deploy(name, *arguments).address
        self._include(f"deploy {address}".encode(), "0x" + "d0" * 20, None, b"", True)
        return address

    def send(self, caller: str, to: str, data: bytes) -> dict[str, Any]:
        """Include a transaction without a signature; its receipt."""
        self._next_block()
        succeeded = True
        try:
            self.chain.call(caller, to, data, static=False)
        except Reverted:
            succeeded = False
        return self._include(b"%d" % self.head, caller, to, data, succeeded)

    def _next_block(self) -> None:
        number = len(self.blocks)
        self.chain.evm.set_block_env(pyrevm.BlockEnv(number=number, timestamp=START + BLOCK_S * number))

    def _include(self, raw: bytes, sender: str, to: str | None, data: bytes, succeeded: bool) -> dict[str, Any]:
        identifier, emitted = "0x" + keccak(raw).hex(), self.chain.evm.result.logs if succeeded else []
        told = [
            {
                "address": log.address.lower(),
                "topics": ["0x" + bytes(topic).hex() for topic in log.data[0]],
                "data": "0x" + bytes(log.data[1]).hex(),
                "logIndex": hex(index),
                "removed": False,
            }
            for index, log in enumerate(emitted)
        ]
        receipt: dict[str, Any] = {
            "status": "0x1" if succeeded else "0x0",
            "from": sender.lower(),
            "to": to and to.lower(),
            "gasUsed": "0x5208",
            "cumulativeGasUsed": "0x5208",
            "contractAddress": None,
            "logs": told,
            "logsBloom": "0x" + bloom(_plain(told)).hex(),
            "effectiveGasPrice": "0x7",
            "type": "0x2",
        }
        block = self._mine([identifier], [receipt])
        place = {
            "blockNumber": block["number"],
            "blockHash": block["hash"],
            "transactionIndex": "0x0",
            "transactionHash": identifier,
        }
        logs = [log | place | {"blockTimestamp": block["timestamp"]} for log in told]
        self.receipts[identifier] = receipt | place | {"logs": logs}
        self.transactions[identifier] = {
            **{name: value for name, value in place.items() if name != "transactionHash"},
            "hash": identifier,
            "from": sender.lower(),
            "to": to and to.lower(),
            "input": "0x" + data.hex(),
            "nonce": hex(self.nonces[sender.lower()]),
            "value": "0x0",
            "gas": "0x5208",
            "gasPrice": "0x7",
            "type": "0x2",
        }
        self.nonces[sender.lower()] += 1
        return self.receipts[identifier]

    # -- what a client asks

    def answer(self, method: str, params: list[Any]) -> Any:
        """The result of a question."""
        self.asked[method] += 1
        match method:
            case "eth_chainId":
                return hex(self.chain.chain_id)
            case "eth_blockNumber":
                return hex(self.head)
            case "eth_getBlockByNumber":
                number = self.number(params[0])
                return self.blocks[number] if number <= self.head else None
            case "eth_getBlockByHash":
                return next((block for block in self.blocks if block["hash"] == params[0]), None)
            case "eth_getBlockReceipts":
                block = self.answer("eth_getBlockByHash" if len(params[0]) == 66 else "eth_getBlockByNumber", params)
                return block and [self.receipts[each] for each in block["transactions"]]
            case "eth_getTransactionReceipt":
                return self.receipts.get(params[0])
            case "eth_getTransactionByHash":
                return self.transactions.get(params[0])
            case "eth_getRawTransactionByHash":
                return self.raw.get(params[0])
            case "eth_getLogs":
                return self._logs(params[0])
            case "eth_getCode":
                return "0x" + bytes(self.chain.evm.get_code(params[0]) or b"").hex()
            case "eth_getBalance":
                return hex(RICH)
            case "eth_getTransactionCount":
                return hex(self.nonces[params[0].lower()])
            case "eth_gasPrice" | "eth_maxPriorityFeePerGas":
                return "0x1"
            case "eth_estimateGas":
                self._call(params[0])
                return hex(2_000_000)
            case "eth_call":
                return "0x" + self._call(params[0]).hex()
            case "eth_sendRawTransaction":
                return self._send_raw(bytes.fromhex(params[0][2:]))
        raise RpcError(-32601, f"the method {method} does not exist")

    def number(self, tag: str) -> int:
        """The number that a tag or a hex number stands for."""
        if tag in ("latest", "pending"):
            return self.head
        if tag in ("finalized", "safe"):
            return max(self.head - 2, 0)
        return 0 if tag == "earliest" else int(tag, 16)

    def _logs(self, question: dict[str, Any]) -> list[dict[str, Any]]:
        first, last = self.number(question.get("fromBlock", "latest")), self.number(question.get("toBlock", "latest"))
        topics = [each if isinstance(each, list) or each is None else [each] for each in question.get("topics", [])]
        asked_of = question["address"] if isinstance(question["address"], list) else [question["address"]]
        addresses = {address.lower() for address in asked_of}

        def fits(log: dict[str, Any]) -> bool:
            return log["address"] in addresses and all(
                asked is None or (place < len(log["topics"]) and log["topics"][place] in asked)
                for place, asked in enumerate(topics)
            )

        held = [self.receipts[each] for block in self.blocks[first : last + 1] for each in block["transactions"]]
        return [log for receipt in held for log in receipt["logs"] if fits(log)]

    def _call(self, call: dict[str, Any]) -> bytes:
        data = bytes.fromhex((call.get("data") or call.get("input"))[2:])
        number = self.head
        self.chain.evm.set_block_env(pyrevm.BlockEnv(number=number, timestamp=START + BLOCK_S * (number + 1)))
        before = self.chain.evm.snapshot()
        try:
            return self.chain.call(call.get("from", "0x" + "00" * 20), call["to"], data, static=False)
        except Reverted as error:
            raise RpcError(3, "execution reverted", "0x" + error.data.hex()) from None
        finally:
            self.chain.evm.revert(before)

    def _send_raw(self, raw: bytes) -> str:
        fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
        sender, to = Account.recover_transaction(raw), "0x" + bytes(fields["to"]).hex()
        self._next_block()
        succeeded = True
        try:
            self.chain.call(sender, to, bytes(fields["data"]), static=False)
        except Reverted:
            succeeded = False
        identifier = self._include(raw, sender, to, bytes(fields["data"]), succeeded)["transactionHash"]
        self.raw[identifier] = "0x" + raw.hex()
        return identifier


def _plain(logs: list[dict[str, Any]]) -> list[Any]:
    """Logs as their receipt has them: emitter, topics and data."""
    words = [[log["address"], *log["topics"], log["data"]] for log in logs]
    return [[each[0], each[1:-1], each[-1]] for each in ([bytes.fromhex(word[2:]) for word in it] for it in words)]


def forgetful(node: MemoryNode, mode: str, cut: int, *, headers: bool = False) -> Answer:
    """The answers of a node that has forgotten the bodies, receipts and logs before a block, and keeps the state.

    Args:
        headers: whether it gives headers by themselves, as geth does.
    """

    def is_old(method: str, params: list[Any]) -> bool:
        if method == "eth_getLogs":
            return node.number(params[0].get("fromBlock", "latest")) < cut
        if method in ("eth_getBlockByNumber", "eth_getBlockReceipts"):
            return 0 < node.number(params[0]) < cut
        if method == "eth_getBlockByHash":
            return any(block["hash"] == params[0] for block in node.blocks[1:cut])
        if method in ("eth_getTransactionReceipt", "eth_getTransactionByHash", "eth_getRawTransactionByHash"):
            transaction = node.transactions.get(params[0])
            return transaction is not None and int(transaction["blockNumber"], 16) < cut
        return False

    def answer(method: str, params: list[Any]) -> Any:
        if headers and method.startswith("eth_getHeaderBy"):
            return node.answer(method.replace("Header", "Block"), params)
        if not is_old(method, params):
            return node.answer(method, params)
        node.asked[method] += 1
        if mode == "4444":
            raise RpcError(4444, "pruned history unavailable")
        if mode == "-32000":
            raise RpcError(-32000, "history not available")
        if method == "eth_getLogs":
            # some leave out what they have forgotten, others all
            rest = {**params[0], "fromBlock": hex(cut)}
            past = node.number(params[0].get("toBlock", "latest")) < cut
            return [] if mode == "null" or past else node.answer(method, [rest])
        return [] if mode == "empty" and method == "eth_getBlockReceipts" else None

    return answer


def without_old_state(node: MemoryNode, answer: Answer) -> Answer:
    """The answers of a node that keeps the state of its newest block alone, as a pruned one does."""

    def pruned(method: str, params: list[Any]) -> Any:
        if method in ("eth_call", "eth_getCode", "eth_getStorageAt") and node.number(params[-1]) < node.head:
            node.asked["old state"] += 1
            raise RpcError(-32000, "missing trie node 2f1c (path ) state 0x2f1c is not available")
        return answer(method, params)

    return pruned


@contextmanager
def answering(**nodes: Answer) -> Iterator[None]:
    """Inside, http://NAME/ is one of the nodes. Every other address is unreachable."""

    def one(answer: Answer, question: dict[str, Any]) -> dict[str, Any]:
        reply = {"jsonrpc": "2.0", "id": question["id"]}
        try:
            return reply | {"result": answer(question["method"], question.get("params") or [])}
        except RpcError as error:
            return reply | {"error": error.error}

    def post(endpoints: Endpoints, url: str, request: Any, seconds: float) -> tuple[Any, int]:
        name = url.removeprefix("http://").split("/")[0]
        if name not in nodes:
            raise FetchError("nothing answers there")
        # a node sees and gives text, and what it gives is the client's own
        question = json.loads(json.dumps(request))
        reply = [one(nodes[name], it) for it in question] if isinstance(question, list) else one(nodes[name], question)
        return json.loads(json.dumps(reply)), 200

    with patch.object(Endpoints, "_post", post):
        yield
