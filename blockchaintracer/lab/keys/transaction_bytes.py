"""Signed transactions as bytes and as fields: typed (EIP-2718), or legacy with a chain id (EIP-155)."""

from __future__ import annotations

from typing import Any

_LEGACY = ("nonce", "gasPrice", "gas", "to", "value", "data")
_LEGACY_PARTS = 9


def signing_digest(transaction: dict[str, Any]) -> bytes:
    """Return the 32 bytes that the sender signs."""
    if "type" in transaction:
        return bytes(_typed(transaction).hash())
    import rlp
    from eth_utils.crypto import keccak

    return keccak(rlp.encode([*_legacy(transaction), transaction["chainId"], 0, 0]))


def encode_signed(transaction: dict[str, Any], parity: int, r: int, s: int) -> bytes:
    """Return the transaction with its signature as bytes that a node accepts."""
    if "type" in transaction:
        return bytes(_typed({**transaction, "v": parity, "r": r, "s": s}).encode())
    import rlp

    return bytes(rlp.encode([*_legacy(transaction), 2 * transaction["chainId"] + 35 + parity, r, s]))


def decode_signed(raw: bytes) -> dict[str, Any]:
    """Return the fields of a signed transaction, with ``parity``, ``r`` and ``s``. A legacy one has no ``type``.

    Raises:
        ValueError: if it is a legacy transaction that names no chain. The decoders raise their own errors too.
    """
    if raw[:1] < b"\xc0":
        from eth_account.typed_transactions.typed_transaction import TypedTransaction
        from hexbytes import HexBytes

        typed = dict(TypedTransaction.from_bytes(HexBytes(raw)).as_dict())
        return {**typed, "parity": typed["v"]}
    import rlp

    parts = rlp.decode(raw)
    if len(parts) != _LEGACY_PARTS or not all(isinstance(part, bytes) for part in parts):
        raise ValueError(f"expected {_LEGACY_PARTS} values, got another list")
    values = dict(zip((*_LEGACY, "v", "r", "s"), parts, strict=True))
    fields = {name: part if name in ("to", "data") else int.from_bytes(part, "big") for name, part in values.items()}
    chain_id, parity = divmod(fields["v"] - 35, 2)
    if chain_id < 1:
        raise ValueError("it names no chain (EIP-155)")
    return {**fields, "chainId": chain_id, "parity": parity}


def _typed(transaction: dict[str, Any]) -> Any:
    from eth_account.typed_transactions.typed_transaction import TypedTransaction

    return TypedTransaction.from_dict(transaction)


def _legacy(transaction: dict[str, Any]) -> list[Any]:
    values = (transaction[name] for name in _LEGACY)
    return [bytes.fromhex(value.removeprefix("0x")) if isinstance(value, str) else value for value in values]
