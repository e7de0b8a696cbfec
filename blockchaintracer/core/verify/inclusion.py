"""The proof that a block holds a receipt: kept when a transaction is included, because nodes forget receipts. What it
says stands if the chain has a block with the hash of its header."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from blockchaintracer.core.chain.abi import EventLog
from blockchaintracer.core.chain.connection import SentTransaction, TransactionReceipt
from blockchaintracer.core.record import checksummed, from_hex, normal_id, to_hex, unsigned
from blockchaintracer.core.record_view import Position
from blockchaintracer.core.verify.chain_shapes import Malformed, TrieNodes, index_key, read_header, read_receipt

_LEGACY = 0xC0
"""From this first byte on, a transaction has no type."""


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A block's header and the path to one of its receipts, all 0x-hex.

    Args:
        transaction: its hash, by the word of who kept the receipt: a receipt holds none.
        index: place of the transaction in its block.
        nodes: the nodes of the receipts' trie on the path.
        raw: the transaction as it was signed, or empty. Its hash is `transaction`.
    """

    transaction: str
    header: str
    index: int
    nodes: tuple[str, ...]
    raw: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return JSON-ready values. `from_json` takes them back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Inclusion:
        """Read what `as_json` returns, of any origin. Raises ValueError if it does not prove a receipt."""
        transaction = normal_id(data["transaction"], "transaction hash")
        header, *nodes = (to_hex(from_hex(text)) for text in (data["header"], *data["nodes"]))
        raw = to_hex(from_hex(data["raw"])) if data["raw"] else ""
        inclusion = cls(transaction, header, unsigned(data["index"], 32), tuple(nodes), raw)
        inclusion.receipt()
        if raw:
            inclusion.sent()
        return inclusion

    def sent(self) -> SentTransaction:
        """Return the transaction by its own bytes, with the account that signed it. Raises ValueError if it has another
        hash, or no account signed it."""
        import rlp
        from eth_account import Account
        from eth_account.typed_transactions.typed_transaction import TypedTransaction
        from eth_hash.auto import keccak
        from hexbytes import HexBytes

        raw = from_hex(self.raw)
        if to_hex(keccak(raw)) != self.transaction:
            raise Malformed(f"expected the bytes of transaction {self.transaction}")
        try:
            fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict() if raw[0] < _LEGACY else {}
            to, data = (fields["to"], fields["data"]) if fields else rlp.decode(raw)[3:6:2]
            sender = Account.recover_transaction(raw)
        except Exception as error:  # the decoders let their own errors through
            raise Malformed(f"expected a signed transaction: {type(error).__name__}") from None
        return SentTransaction(self.transaction, sender, checksummed(to_hex(bytes(to))) if to else None, bytes(data))

    def receipt(self) -> TransactionReceipt:
        """Return the receipt, of a transaction that succeeded. The places of its logs are counted from its first."""
        header = read_header(from_hex(self.header))
        nodes = TrieNodes([*map(from_hex, self.nodes)])
        data = nodes.value(header.receipts_root, index_key(self.index))
        if not data or nodes.unread:
            raise Malformed(f"expected the path to receipt {self.index} of block {header.number}")
        logs = tuple(
            EventLog(
                checksummed(to_hex(log.emitter)),
                tuple(map(to_hex, log.topics)),
                to_hex(log.data),
                Position(header.number, self.index, place),
                header.hash,
                self.transaction,
            )
            for place, log in enumerate(read_receipt(data).logs)
        )
        unknown = (None,) * 5
        return TransactionReceipt(self.transaction, header.number, header.hash, True, logs, *unknown, is_kept=True)
