"""A connection to one EVM chain, and what can be said of its blocks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from blockchaintracer.core.chain.abi import EventLog
from blockchaintracer.core.chain.answers import Node, is_address, is_number
from blockchaintracer.core.chain.reverts import revert_of
from blockchaintracer.core.errors import ChainUnavailable, HistoryPruned, InputError, NodeError
from blockchaintracer.core.networks import Network, network_by_chain_id, redact_url, when
from blockchaintracer.core.record import checksummed, from_hex

if TYPE_CHECKING:
    from blockchaintracer.core.chain.endpoints import Endpoints

T = TypeVar("T")
_BEHIND_S = 3_600
"""How old the newest block of a built-in network may be."""


@dataclass(frozen=True, slots=True)
class Block:
    """What identifies a block and when it says it was made.

    Args:
        hash: 0x-hex.
        timestamp: Unix time in seconds, by the chain's own rules.
        base_fee: in wei for a unit of gas; None if the block has none, or the node tells none.
    """

    number: int
    hash: str
    timestamp: int
    base_fee: int | None = field(default=None, compare=False)

    @classmethod
    def of_json(cls, block: dict[str, Any]) -> Block:
        """Return a block of a node's answer."""
        number, timestamp = int(block["number"], 16), int(block["timestamp"], 16)
        return cls(number, block["hash"].lower(), timestamp, _optional(block.get("baseFeePerGas")))


@dataclass(frozen=True, slots=True)
class TransactionReceipt:
    """What became of a transaction. Hashes are 0x-hex, addresses checksummed.

    Args:
        sender, to, contract, gas_used, fee_wei: None if the node does not tell; `to` and `contract` also if the
            transaction calls nothing, or makes no contract.
        is_kept: whether it is no node's answer, but was kept with its proof.
    """

    transaction: str
    block: int
    block_hash: str
    succeeded: bool
    logs: tuple[EventLog, ...]
    sender: str | None
    to: str | None
    contract: str | None
    gas_used: int | None
    fee_wei: int | None
    is_kept: bool = False

    @classmethod
    def of_json(cls, receipt: dict[str, Any]) -> TransactionReceipt:
        """Return a receipt of a node's answer."""
        gas_used, gas_price = _optional(receipt.get("gasUsed")), _optional(receipt.get("effectiveGasPrice"))
        return cls(
            receipt["transactionHash"].lower(),
            int(receipt["blockNumber"], 16),
            receipt["blockHash"].lower(),
            int(receipt["status"], 16) == 1,
            tuple(map(EventLog.of_json, receipt["logs"])),
            _address(receipt.get("from")),
            _address(receipt.get("to")),
            _address(receipt.get("contractAddress")),
            gas_used,
            None if gas_used is None or gas_price is None else gas_used * gas_price,
        )


@dataclass(frozen=True, slots=True)
class SentTransaction:
    """A transaction by a node's word. Addresses are checksummed; `to` is None if it makes a contract. `place` is the
    hash of its block and its index there, None if the node tells none."""

    hash: str
    sender: str
    to: str | None
    data: bytes
    place: tuple[str, int] | None = None


class Chain:
    """One chain behind one connection. All failures to reach it are `ChainUnavailable`.

    Args:
        node: answers the questions.
    """

    def __init__(self, node: Node) -> None:
        self.node = node
        self.has_lens: bool | None = None

    @property
    def address(self) -> str:
        """What messages call the connection; never with credentials."""
        return self.node.address

    @classmethod
    def connect(cls, url: str, reader: type[Endpoints] | None = None) -> Chain:
        """Connect to one or several JSON-RPC endpoints of one chain over HTTP, and ask for the chain id.

        Args:
            url: of the endpoint; several are separated by commas, the preferred one first.
            reader: asks the endpoints, if not `Endpoints` itself.

        Raises:
            InputError: if `url` is not an HTTP address, or the endpoints are of different chains.
            ChainUnavailable: if nothing answers there.
        """
        urls = [address.strip() for address in url.split(",") if address.strip()]
        for address in urls or [url]:
            if not address.startswith(("http://", "https://")):
                raise InputError(
                    f"expected an RPC address starting with http:// or https://, got {redact_url(address)!r}"
                )
        from blockchaintracer.core.chain.endpoints import Endpoints

        endpoints = (reader or Endpoints)(urls)
        chain = cls(endpoints)
        chain.chain_id = endpoints.open()
        return chain

    @cached_property
    def chain_id(self) -> int:
        """EIP-155 chain id."""
        return self._number("eth_chainId")

    def ask(self, method: str, *params: Any) -> Any:
        """Return the result of a JSON-RPC method as the node gives it. Raises as `Node.ask`."""
        return self.node.ask(method, *params)

    def _number(self, method: str, *params: Any) -> int:
        return int(self.ask(method, *params), 16)

    @property
    def network(self) -> Network | None:
        """The built-in network of this chain, or None."""
        return network_by_chain_id(self.chain_id)

    @property
    def name(self) -> str:
        """Name of the chain, or its number."""
        return self.network.title if self.network else f"chain {self.chain_id}"

    def remembered(self, question: Callable[[], T | None]) -> T | None:
        """Ask for a part of the chain's history. Returns None if the node answers that it does not have it."""
        try:
            return question()
        except NodeError:
            return None

    def block(self, which: int | str) -> Block | None:
        """Return a block by number, hash (0x-hex), ``latest`` or ``finalized``, or None if the chain has no such
        block."""
        question = _block_question(which)
        pruned: HistoryPruned | None = None
        try:
            block = self.ask(*question)
        except HistoryPruned as error:
            block, pruned = None, error
        if block is None:
            # a node that has forgotten the transactions of a block may still have its header
            block = self.remembered(lambda: self.ask(question[0].replace("Block", "Header"), question[1]))
        if block is None and pruned is not None:
            raise pruned
        return None if block is None else Block.of_json(block)

    def head(self) -> Block:
        """Return the newest block."""
        block = self.block("latest")
        if block is None:
            raise ChainUnavailable(f"{self.address} has no newest block", hint="Wait until the node has synchronised.")
        return block

    def behind(self) -> str:
        """Say of a built-in network's node whose newest block is over an hour old that it is behind; else empty."""
        if not self.network or not self.network.block_time_s:
            return ""
        newest = self.head().timestamp
        said = f"the newest block of {self.address} is of {when(newest)}: what came since, it does not know"
        return said if time.time() - newest > _BEHIND_S else ""

    def finalized(self) -> Block | None:
        """Return the newest block that the chain calls final, or None where the chain does not say."""
        try:
            return self.block("finalized")
        except ChainUnavailable:
            # a node that doesn't know the tag answers with an error: then nothing is known to be final
            return None

    def receipt(self, transaction: str) -> TransactionReceipt | None:
        """Return the receipt of a transaction (0x-hex), or None while it is in no block."""
        receipt = self.ask("eth_getTransactionReceipt", transaction)
        return None if receipt is None else TransactionReceipt.of_json(receipt)

    def transaction(self, transaction: str) -> SentTransaction | None:
        """Return a transaction (0x-hex), or None if the node does not know it."""
        found = self.ask("eth_getTransactionByHash", transaction)
        if found is None:
            return None
        sender, block, index = checksummed(found["from"].lower()), found.get("blockHash"), found.get("transactionIndex")
        place = (block.lower(), int(index, 16)) if isinstance(block, str) and is_number(index) else None
        return SentTransaction(transaction.lower(), sender, _address(found.get("to")), from_hex(found["input"]), place)

    def raw_transaction(self, transaction: str) -> bytes | None:
        """Return a transaction (0x-hex) as it was signed, or None if the node does not give it: many do not."""
        try:
            return from_hex(self.ask("eth_getRawTransactionByHash", transaction))
        except ChainUnavailable:
            return None

    def transactions(self, number: int) -> list[str] | None:
        """Return the hashes of the transactions in a block, or None if the node does not have the block."""
        block = self.ask(*_block_question(number))
        return None if block is None else block.get("transactions") or []

    def logs(self, query: dict[str, Any]) -> list[EventLog]:
        """Return the logs that fit a filter of ``eth_getLogs``, oldest first, without those that were taken back."""
        told = self.node.ask_each("eth_getLogs", query)
        logs = {EventLog.of_json(log) for log in told if log.get("removed") is not True}
        return sorted(logs, key=lambda log: log.position)

    def call(self, to: str, data: str, sender: str | None = None) -> bytes:
        """Return what a contract answers to a call (0x-hex) now.

        Raises:
            ContractRevert: if it refuses.
        """
        question = {"to": to, "data": data} | ({"from": sender} if sender else {})
        try:
            return from_hex(self.ask("eth_call", question, "latest"))
        except NodeError as error:
            raise revert_of(error) from None

    def code(self, address: str, block: int | None = None) -> bytes:
        """Return the code at an address now or in a block, empty if it had no contract."""
        return from_hex(self.ask("eth_getCode", checksummed(address), "latest" if block is None else hex(block)))

    def has_code(self, address: str) -> bool:
        """Return whether an address has a contract."""
        return len(self.code(address)) > 0

    def balance(self, address: str) -> int:
        """Return the balance of an address in wei."""
        return self._number("eth_getBalance", checksummed(address), "latest")

    def nonce(self, address: str, block: str = "latest") -> int:
        """Return how many transactions an account has sent, in blocks (``latest``) or at all (``pending``)."""
        return self._number("eth_getTransactionCount", checksummed(address), block)


def _block_question(which: int | str) -> tuple[Any, ...]:
    by_hash = isinstance(which, str) and which.startswith("0x")
    name = "eth_getBlockByHash" if by_hash else "eth_getBlockByNumber"
    return name, hex(which) if isinstance(which, int) else which, False


def _optional(value: Any) -> int | None:
    """Read a number that a node may leave out, or give in another form."""
    return int(value, 16) if is_number(value) else None


def _address(value: Any) -> str | None:
    return checksummed(value.lower()) if isinstance(value, str) and is_address(value) else None
