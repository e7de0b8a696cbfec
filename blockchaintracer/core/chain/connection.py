"""A connection to one EVM chain, and what can be said of its blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.core.networks import Network, network_by_chain_id, redact_url
from blockchaintracer.core.record import checksummed, to_hex

if TYPE_CHECKING:
    from web3 import Web3
    from web3.types import BlockData

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Block:
    """What identifies a block and when it says it was made.

    Args:
        hash: 0x-hex.
        timestamp: Unix time in seconds, by the chain's own rules.
    """

    number: int
    hash: str
    timestamp: int


class Chain:
    """One chain behind one connection. All failures to reach it are `ChainUnavailable`.

    Args:
        address: what messages call the connection; never with credentials.
    """

    def __init__(self, web3: Web3, address: str) -> None:
        self.web3 = web3
        self.address = address

    @classmethod
    def connect(cls, url: str) -> Chain:
        """Connect to one or several JSON-RPC endpoints of one chain over HTTP, and ask for the chain id.

        Args:
            url: of the endpoint; several are separated by commas, the preferred one first.

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
        from web3 import Web3

        from blockchaintracer.core.chain.endpoints import Endpoints

        endpoints = Endpoints(urls)
        chain = cls(Web3(endpoints), ", ".join(redact_url(address) for address in urls))
        # it asks for the chain id before every call, and refuses blocks of chains with longer extraData
        chain.web3.middleware_onion.remove("validation")
        with chain.reaching():
            chain.chain_id = endpoints.open()
        return chain

    @cached_property
    def chain_id(self) -> int:
        """EIP-155 chain id."""
        return self.ask(lambda: self.web3.eth.chain_id)

    def require_same(self) -> None:
        """Ask for the chain id again: an address can lead to another chain later."""
        now = self.ask(lambda: self.web3.eth.chain_id)
        if now != self.chain_id:
            raise ChainUnavailable(
                f"{self.address} was chain {self.chain_id} and is chain {now} now",
                hint="Check the address: what is stored waits for the chain that it's for.",
            )

    @cached_property
    def contract_classes(self) -> dict[str, Any]:
        """Contract classes by artifact, because building one takes longer than many calls."""
        return {}

    @property
    def network(self) -> Network | None:
        """The built-in network of this chain, or None."""
        return network_by_chain_id(self.chain_id)

    @property
    def name(self) -> str:
        """Name of the chain, or its number."""
        return self.network.title if self.network else f"chain {self.chain_id}"

    def ask(self, question: Callable[[], T]) -> T:
        """Run a call and turn every failure of the connection into `ChainUnavailable`."""
        with self.reaching():
            return question()

    @contextmanager
    def reaching(self) -> Iterator[None]:
        """Turn failures of the connection inside the block into `ChainUnavailable`. Refusals by a contract pass."""
        from eth_abi.exceptions import DecodingError
        from requests.exceptions import RequestException
        from web3.exceptions import (
            BadFunctionCallOutput,
            BlockNotFound,
            ContractLogicError,
            TransactionNotFound,
            Web3Exception,
        )

        from blockchaintracer.core.chain.endpoints import WrongAnswer

        try:
            yield
        except (ContractLogicError, BlockNotFound, TransactionNotFound, BadFunctionCallOutput):
            raise
        except (RequestException, Web3Exception, DecodingError, ConnectionError, TimeoutError) as error:
            # the text of such errors can hold the RPC address with its key: only a node's own answer is repeated
            answer = getattr(error, "rpc_response", None) or {}
            refusal = answer.get("error") if isinstance(answer, dict) else None
            reason = refusal.get("message") if isinstance(refusal, dict) else None
            reason = str(error) if isinstance(error, WrongAnswer) else reason
            raise ChainUnavailable(
                f"{self.address} did not answer as a node does: {reason or type(error).__name__}",
                hint="Nothing is lost: what was stored is sent by `blockchaintracer outbox flush`.",
            ) from None

    def block(self, which: int | str) -> Block | None:
        """Return a block by number, hash (0x-hex), ``latest`` or ``finalized``, or None if the chain has no such
        block."""
        data = self._block(which)
        return None if data is None else _identified(data)

    def _block(self, which: int | str) -> BlockData | None:
        from web3.exceptions import BlockNotFound

        try:
            return self.ask(lambda: self.web3.eth.get_block(which))  # type: ignore[arg-type]
        except BlockNotFound:
            return None

    def head(self) -> Block:
        """Return the newest block."""
        data = self._block("latest")
        if data is None:
            raise ChainUnavailable(f"{self.address} has no newest block", hint="Wait until the node has synchronised.")
        return _identified(data)

    def finalized(self) -> Block | None:
        """Return the newest block that the chain calls final, or None where the chain does not say."""
        try:
            return self.block("finalized")
        except ChainUnavailable:
            # a node that doesn't know the tag answers with an error: then nothing is known to be final
            return None

    def is_canonical(self, number: int, block_hash: str) -> bool:
        """Return whether the chain has exactly this block at this height now."""
        block = self.block(number)
        return block is not None and block.hash == block_hash

    def receipt(self, transaction: str) -> Any | None:
        """Return the receipt of a transaction (0x-hex), or None while it is in no block."""
        from web3.exceptions import TransactionNotFound

        with self.reaching():
            try:
                return self.web3.eth.get_transaction_receipt(transaction)  # type: ignore[arg-type]
            except TransactionNotFound:
                return None

    def transaction(self, transaction: str) -> Any | None:
        """Return a transaction (0x-hex), or None if the node does not know it."""
        from web3.exceptions import TransactionNotFound

        with self.reaching():
            try:
                return self.web3.eth.get_transaction(transaction)  # type: ignore[arg-type]
            except TransactionNotFound:
                return None

    def code(self, address: str) -> bytes:
        """Return the code at an address, empty if it has no contract."""
        return bytes(self.ask(lambda: self.web3.eth.get_code(checksummed(address))))  # type: ignore[arg-type]

    def has_code(self, address: str) -> bool:
        """Return whether an address has a contract."""
        return len(self.code(address)) > 0

    def balance(self, address: str) -> int:
        """Return the balance of an address in wei."""
        return int(self.ask(lambda: self.web3.eth.get_balance(checksummed(address))))  # type: ignore[arg-type]


def _identified(data: BlockData) -> Block:
    return Block(number=data["number"], hash=to_hex(data["hash"]), timestamp=data["timestamp"])
