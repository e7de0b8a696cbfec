"""The proof that a block holds a receipt: kept when a transaction is included, because nodes forget receipts. What it
says stands if the chain has a block with the hash of its header."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from blockchaintracer.core.chain.abi import EventLog
from blockchaintracer.core.chain.connection import SentTransaction, TransactionReceipt
from blockchaintracer.core.record import checksummed, from_hex, keccak, normal_id, to_hex, unsigned
from blockchaintracer.core.record_view import Position
from blockchaintracer.core.verify.chain_shapes import (
    Malformed,
    TrieNodes,
    decode_rlp,
    index_key,
    integer,
    read_header,
    read_receipt,
)

LEGACY = 0xC0
"""From this first byte on, a transaction has no type."""
MAX_TRANSACTION = 1 << 18
"""Bytes; nodes take half as many."""
SIGNED_TYPES = {1: (11, 4), 2: (12, 5), 3: (14, 5), 4: (13, 5)}
"""Parts of a signed transaction, and the place of its receiver, by type (EIP-2718, 2930, 1559, 4844, 7702)."""


def signed_by(digest: bytes, signature: bytes) -> str | None:
    """Recover the checksummed account that signed 32 bytes (65 bytes of ECDSA), or None if it is no signature."""
    from eth_keys.main import lazy_key_api as keys

    try:
        standard = signature[:-1] + bytes([signature[-1] - 27 if signature[-1] in (27, 28) else signature[-1]])
        return str(keys.Signature(standard).recover_public_key_from_msg_hash(digest).to_checksum_address())
    except Exception:  # whatever eth-keys raises on bytes that are no signature
        return None


def read_transaction(raw: bytes) -> tuple[str, bytes, bytes]:
    """Return who signed a transaction, its receiver and its data. Raises Malformed if it is none, or unsigned."""
    import rlp

    kind = raw[:1] if raw[0] < LEGACY else b""
    size, to = SIGNED_TYPES.get(raw[0], (0, 0)) if kind else (9, 3)
    try:
        parts = decode_rlp(raw[len(kind) :], 4)  # an access list's entry has a list of keys (EIP-2930)
        receiver, _, data = parts[to : to + 3]
        if (len(parts), type(receiver), type(data)) != (size, bytes, bytes) or len(receiver) not in (0, 20):
            raise ValueError("other parts than a transaction has")
        v, r, s = (integer(part, 32, "a signature's number") for part in parts[-3:])
        # a legacy signature may name the chain, which is then signed, too (EIP-155)
        chain = [(v - 35) // 2, 0, 0] if not kind and v >= 35 else []
        parity = v if kind else (v - 35) % 2 if chain else v - 27
        signature = r.to_bytes(32) + s.to_bytes(32) + bytes([parity])
        if not (sender := signed_by(keccak(kind + rlp.encode([*parts[:-3], *chain])), signature)):
            raise ValueError("no signature")
    except Exception as error:  # whatever is raised on bytes of any form
        raise Malformed(f"expected a signed transaction: {type(error).__name__}") from None
    return sender, receiver, data


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

    @property
    def block_hash(self) -> str:
        """Hash of the block, 0x-hex."""
        return to_hex(keccak(from_hex(self.header)))

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
        raw = from_hex(self.raw)
        if len(raw) > MAX_TRANSACTION or to_hex(keccak(raw)) != self.transaction:
            raise Malformed(f"expected the bytes of transaction {self.transaction}")
        sender, to, data = read_transaction(raw)
        return SentTransaction(self.transaction, sender, checksummed(to_hex(to)) if to else None, data)

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
