"""A node in this process: contracts run by revm, answered for by JSON-RPC over HTTP as any node does.

One honest chain for the tests of the verifier. Every transaction is signed, blocks have headers whose hash is theirs,
and logs are filtered as a node does. `lie` changes what a question is answered with.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import pyrevm
import rlp
from eth_account import Account
from eth_utils import keccak, to_checksum_address

from .actors import Actor
from .artifacts import artifact
from .evm import DEPLOYER, START, Chain, Contract, Reverted
from .forged_bundles import bloom
from .memory_node import RpcError
from .serving import serving

REFUSED = object()
"""What a lie gives for a method that the node refuses."""
Lie = Callable[[str, list[Any], Any], Any]
_FIELDS = "parentHash sha3Uncles miner stateRoot transactionsRoot receiptsRoot logsBloom difficulty number gasLimit"
_FIELDS = (f"{_FIELDS} gasUsed timestamp extraData mixHash nonce baseFeePerGas").split()


def hex_of(value: Any) -> Any:
    """A value as JSON-RPC writes it."""
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if isinstance(value, int) and not isinstance(value, bool):
        return hex(value)
    if isinstance(value, list | tuple):
        return [hex_of(item) for item in value]
    return {key: hex_of(item) for key, item in value.items()} if isinstance(value, dict) else value


class RevmNode:
    """A chain of blocks and the node that tells of it.

    Attributes:
        lie: is given a method, its parameters and the honest result, and returns what is answered.
        behind: so many blocks before the newest one are not final; None if the chain does not say what is final.
    """

    def __init__(self, chain_id: int = 31337) -> None:
        self.chain = Chain(chain_id)
        self.blocks: list[dict[str, Any]] = []
        self.transactions: dict[bytes, dict[str, Any]] = {}
        self.receipts: dict[bytes, dict[str, Any]] = {}
        self.raw: dict[bytes, bytes] = {}
        self.codes: dict[str, list[tuple[int, bytes]]] = {}
        self.lie: Lie = lambda method, params, result: result
        self.behind: int | None = 2
        self._nonces: dict[str, int] = {}
        self._waiting: list[tuple[dict[str, Any], dict[str, Any], bytes]] = []
        self.mine()

    # -- the chain

    @property
    def number(self) -> int:
        """Of the block that comes next."""
        return len(self.blocks)

    def deploy(self, by: Actor, name: str, *arguments: Any) -> Contract:
        """A contract, made in a block of its own."""
        self._begin()
        contract = self.chain.deploy(name, *arguments, by=by.address)
        data = artifact(name).bytecode + contract.interface.encode_constructor(*arguments)
        self._add(by, None, data, self._logs())
        self._waiting[-1][1]["contractAddress"] = to_checksum_address(contract.address)
        self.codes[contract.address] = [(self.number, bytes(self.chain.evm.get_code(contract.address)))]
        self.mine()
        return contract

    def place(self, address: str, code: bytes) -> None:
        """Give an account code, from the next block on."""
        self.codes.setdefault(address, []).append((self.number, code))
        self.chain.evm.insert_account_info(address, pyrevm.AccountInfo(balance=10**20, nonce=1, code=code))

    def code(self, address: str, number: int) -> bytes:
        changes = [code for since, code in self.codes.get(address.lower(), []) if since <= number]
        return changes[-1] if changes else b""

    def send(self, sender: Actor, to: str, data: bytes, *, mine: bool = True, by: str = "") -> str:
        """Run a signed transaction in the next block; its hash. `mine=False` leaves the block open for more; `by` is
        an account with code that the sender makes the call."""
        self._begin()
        try:
            self.chain.call(by or sender.address, to.lower(), data, static=False)
            logs = self._logs()
        except Reverted:
            logs = None
        identifier = self._add(sender, to_checksum_address(to), data, logs)
        if mine:
            self.mine()
        return identifier

    def _begin(self) -> None:
        self.chain._now = START + 12 * self.number
        self.chain.evm.set_block_env(pyrevm.BlockEnv(number=self.number, timestamp=self.chain.now))

    def _logs(self) -> list[Any]:
        return [[bytes.fromhex(log.address[2:]), *log.data] for log in self.chain.evm.result.logs]

    def _add(self, sender: Actor, to: str | None, data: bytes, logs: list[Any] | None) -> str:
        """Put a transaction into the open block. Without logs it was reverted."""
        nonce = self._nonces.get(sender.address, 0)
        self._nonces[sender.address] = nonce + 1
        fields = {"to": to, "data": data, "nonce": nonce, "gas": 10**7, "value": 0, "type": 2}
        fees = {"maxFeePerGas": 10**9, "maxPriorityFeePerGas": 1, "chainId": self.chain.chain_id}
        given = {key: value for key, value in fields.items() if value is not None}
        signed = Account.from_key(sender.key.secret).sign_transaction(given | fees)
        identifier = bytes(signed.hash)
        transaction = {
            **fields,
            **fees,
            "hash": identifier,
            "from": to_checksum_address(sender.address),
            "input": data,
            "gasPrice": 10**9,
            "accessList": [],
            "v": signed.v,
            "r": signed.r,
            "s": signed.s,
        }
        receipt = {
            "transactionHash": identifier,
            "from": transaction["from"],
            "to": to,
            "status": 0 if logs is None else 1,
            "gasUsed": 50_000,
            "cumulativeGasUsed": 50_000,
            "effectiveGasPrice": 10**9,
            "contractAddress": None,
            "type": 2,
            "logsBloom": bloom(logs or []),
            "logs": logs or [],
        }
        self._waiting.append((transaction, receipt, bytes(signed.raw_transaction)))
        return f"0x{identifier.hex()}"

    def mine(self, count: int = 1) -> None:
        """Close the open block and make more, empty ones."""
        for _ in range(count):
            number, waiting, self._waiting = self.number, self._waiting, []
            logs = [log for _, receipt, _ in waiting for log in receipt["logs"]]
            header: dict[str, Any] = dict.fromkeys(_FIELDS, bytes(32)) | {
                "parentHash": self.blocks[-1]["hash"] if self.blocks else bytes(32),
                "miner": bytes(20),
                "logsBloom": bloom(logs),
                **dict.fromkeys(("difficulty", "gasUsed"), 0),
                "number": number,
                "gasLimit": 30_000_000,
                "timestamp": START + 12 * number,
                "extraData": b"revm",
                "nonce": bytes(8),
                "baseFeePerGas": 7,
            }
            block_hash = keccak(rlp.encode([header[name] for name in _FIELDS]))
            place = {"blockHash": block_hash, "blockNumber": number}
            at = 0
            for index, (transaction, receipt, raw) in enumerate(waiting):
                there = {**place, "transactionIndex": index}
                identifier = transaction["hash"]
                self.transactions[identifier] = {**transaction, **there}
                told = [
                    {
                        "address": to_checksum_address(emitter),
                        "topics": topics,
                        "data": data,
                        "logIndex": at + number_in,
                        "transactionHash": identifier,
                        "removed": False,
                        **there,
                    }
                    for number_in, (emitter, topics, data) in enumerate(receipt["logs"])
                ]
                at += len(told)
                self.receipts[identifier] = {**receipt, **there, "logs": told}
                self.raw[identifier] = raw
            hashes = [transaction["hash"] for transaction, _, _ in waiting]
            more = {"hash": block_hash, "transactions": hashes, "uncles": [], "size": 600, "totalDifficulty": 0}
            self.blocks.append(header | more)

    # -- the node

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Answer over HTTP; yield the address."""
        node = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # head and body in one piece: in two, each answer waits 40 ms for the first to be acknowledged
            wbufsize = -1

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                answers = [node.answer(each) for each in (asked if isinstance(asked, list) else [asked])]
                data = json.dumps(answers if isinstance(asked, list) else answers[0]).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *arguments: Any) -> None:
                pass

        with serving(Handler) as url:
            yield url

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one question, true or as `lie` has it."""
        head = {"jsonrpc": "2.0", "id": request["id"]}
        try:
            return head | {"result": self.result(request["method"], request.get("params") or [])}
        except RpcError as error:
            return head | {"error": error.error}

    def result(self, method: str, params: list[Any]) -> Any:
        """What is answered to a question, true or as `lie` has it. Raises RpcError."""
        ask = getattr(self, f"_{method}", None)
        try:
            result = self.lie(method, params, hex_of(ask(*params))) if ask else REFUSED
        except Reverted as error:
            raise RpcError(3, "execution reverted", f"0x{error.data.hex()}") from None
        if result is REFUSED:
            raise RpcError(-32601, f"the method {method} does not exist")
        return result

    def _eth_chainId(self) -> int:
        return self.chain.chain_id

    def _eth_blockNumber(self) -> int:
        return self.number - 1

    def _eth_getBlockByNumber(self, which: str, full: bool = False) -> Any:
        if which == "finalized" and self.behind is None:
            return None
        number = self._number(which)
        return self.blocks[number] if 0 <= number < self.number else None

    def _eth_getBlockByHash(self, block_hash: str, full: bool = False) -> Any:
        return next((block for block in self.blocks if hex_of(block["hash"]) == block_hash.lower()), None)

    def _eth_getTransactionByHash(self, identifier: str) -> Any:
        return self.transactions.get(bytes.fromhex(identifier[2:]))

    def _eth_getTransactionReceipt(self, identifier: str) -> Any:
        return self.receipts.get(bytes.fromhex(identifier[2:]))

    def _eth_getRawTransactionByHash(self, identifier: str) -> Any:
        return self.raw.get(bytes.fromhex(identifier[2:]))

    def _eth_getCode(self, address: str, which: str = "latest") -> bytes:
        return self.code(address, self._number(which))

    def _eth_getBalance(self, address: str, which: str = "latest") -> int:
        return 10**18

    def _eth_call(self, transaction: dict[str, Any], which: str = "latest", *more: Any) -> bytes:
        data = transaction.get("data") or transaction.get("input") or "0x"
        sender = transaction.get("from", DEPLOYER).lower()
        to = transaction["to"].lower()
        if not self.code(to, self.number):
            return b""
        return bytes(self.chain.call(sender, to, bytes.fromhex(data[2:]), static=True))

    def _eth_getLogs(self, asked: dict[str, Any]) -> list[Any]:
        first, last = self._number(asked.get("fromBlock", "0x0")), self._number(asked.get("toBlock", "latest"))
        addresses = asked.get("address", [])
        addresses = [it.lower() for it in (addresses if isinstance(addresses, list) else [addresses])]
        topics = [[one] if isinstance(one, str) else one for one in asked.get("topics", [])]
        logs = [log for receipt in self.receipts.values() for log in receipt["logs"]]
        return [
            log
            for log in logs
            if first <= log["blockNumber"] <= last
            and (not addresses or log["address"].lower() in addresses)
            and len(log["topics"]) >= len(topics)
            and all(not of or hex_of(bytes(t)) in of for t, of in zip(log["topics"], topics, strict=False))
        ]

    def _number(self, which: str) -> int:
        newest = self.number - 1
        names = {"latest": newest, "pending": newest, "earliest": 0, "safe": newest, "finalized": newest}
        if which == "finalized":
            return newest - (self.behind or 0)
        return names[which] if which in names else int(which, 16)


def refused(node: RevmNode, identifier: str) -> bool:
    """Whether a transaction was reverted."""
    return bool(node.receipts[bytes.fromhex(identifier[2:])]["status"] == 0)
