"""The protocol that every signer follows, the check of what it gives back, and the bytes of a signed transaction."""

from __future__ import annotations

from typing import Any, Protocol

from blockchaintracer.core.errors import KeyStoreError
from blockchaintracer.core.record import keccak


class Signer(Protocol):
    """A signer. The client asks for an account's address and two kinds of signature."""

    @property
    def address(self) -> str:
        """Checksummed address."""

    @property
    def source(self) -> str:
        """The place of the key, in words: ``keystore lab``."""

    def sign_transaction(self, transaction: dict[str, Any]) -> bytes:
        """Return the signed transaction (all fields, by the names of the JSON-RPC), ready to send."""

    def sign_typed_data(self, document: dict[str, Any]) -> bytes:
        """65 bytes of ECDSA over an EIP-712 document."""


class CheckedSigner:
    """A signer whose every answer is checked: it signs by the address that it announces, and what it was asked to sign.

    A wallet, a program or a key service could sign something else, by mistake or because it was taken over: a
    transaction to another address, with another fee, for another chain.
    """

    def __init__(self, signer: Signer) -> None:
        self._signer = signer
        self.address = signer.address
        """Checksummed address, as the signer first announced it."""

    @property
    def source(self) -> str:
        """The place of the key, in words."""
        return self._signer.source

    def sign_transaction(self, transaction: dict[str, Any]) -> bytes:
        """The signed transaction, ready to send."""
        from eth_account import Account

        raw = bytes(self._signer.sign_transaction(dict(transaction)))
        try:
            signed = decode_signed(raw)
            # the fields that were asked for, with the signature that came, are the bytes that came, or it is another's
            asked = encode_signed(transaction, signed["parity"], signed["r"], signed["s"])
            sender = Account.recover_transaction(raw)
        except Exception as error:
            # whatever these libraries raise on bytes that are no transaction; their text may quote what was signed
            raise self._refused("the transaction", f"something else came ({type(error).__name__})") from None
        if asked != raw:
            differs = [name for name in transaction if _value(signed.get(name)) != _value(transaction[name])]
            raise self._refused("the transaction as it was asked for", f"{', '.join(differs) or 'its form'} differs")
        self._require(sender, "the transaction")
        return raw

    def sign_typed_data(self, document: dict[str, Any]) -> bytes:
        """65 bytes of ECDSA over an EIP-712 document."""
        from eth_account import Account
        from eth_account.messages import encode_typed_data

        signature = bytes(self._signer.sign_typed_data(document))
        try:
            signer = Account.recover_message(encode_typed_data(full_message=document), signature=signature)
        except Exception as error:
            raise self._refused("the document", f"no signature came ({type(error).__name__})") from None
        self._require(signer, "the document")
        return signature

    def _require(self, account: str, what: str) -> None:
        if account.lower() != self.address.lower():
            raise self._refused(
                f"{what}, signed by {self.address}",
                f"the signature leads to {account}: it is another account's, or over something else",
            )

    def _refused(self, expected: str, got: str) -> KeyStoreError:
        return KeyStoreError(
            f"{self.source}: expected {expected}, but {got}",
            hint="Nothing was sent. Look at the signer before you use it again.",
        )


def _value(value: Any) -> Any:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return value.lower() if isinstance(value, str) else value


_LEGACY = ("nonce", "gasPrice", "gas", "to", "value", "data")
_LEGACY_PARTS = 9


def signing_digest(transaction: dict[str, Any]) -> bytes:
    """Return the 32 bytes that the sender signs."""
    if "type" in transaction:
        return bytes(_typed(transaction).hash())
    import rlp

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
