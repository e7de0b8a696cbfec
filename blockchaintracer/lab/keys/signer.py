"""The protocol that every signer follows, and the check of what it gives back."""

from __future__ import annotations

from typing import Any, Protocol

from blockchaintracer.core.errors import KeyStoreError
from blockchaintracer.lab.keys.transaction_bytes import decode_signed, encode_signed


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
