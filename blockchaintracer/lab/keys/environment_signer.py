"""A signing key in an environment variable, as CI systems hand secrets over."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from blockchaintracer.core.errors import KeyStoreError

PRIVATE_KEY = "BLOCKCHAINTRACER_PRIVATE_KEY"
_KEY = re.compile(r"(0x)?[0-9a-fA-F]{64}")


class AccountSigner(ABC):
    """A signer whose private key is in this process while it signs."""

    @abstractmethod
    def account(self) -> Any:
        """Return the account (eth-account)."""

    def sign_transaction(self, transaction: dict[str, Any]) -> bytes:
        """Return the signed transaction, ready to send."""
        return bytes(self.account().sign_transaction(transaction).raw_transaction)

    def sign_typed_data(self, document: dict[str, Any]) -> bytes:
        """Return 65 bytes of ECDSA over an EIP-712 document."""
        from eth_account.messages import encode_typed_data

        return bytes(self.account().sign_message(encode_typed_data(full_message=document)).signature)


class EnvironmentSigner(AccountSigner):
    """The key in ``$BLOCKCHAINTRACER_PRIVATE_KEY``: 64 hex digits, with or without 0x. For CI, not for a person.

    Raises:
        KeyStoreError: if the variable holds no key; what it holds is never shown.
    """

    def __init__(self) -> None:
        self._account = account_of(os.environ.get(PRIVATE_KEY, ""), f"${PRIVATE_KEY}")
        self.address = str(self._account.address)
        """Checksummed address."""
        self.source = f"environment variable ${PRIVATE_KEY}"
        """The place of the key, in words."""

    @override
    def account(self) -> Any:
        return self._account


def account_of(text: str, where: str) -> Any:
    """Return the account (eth-account) of a private key in hex.

    Raises:
        KeyStoreError: if it is no key. Neither the text nor its length is shown.
    """
    from eth_account import Account

    try:
        if _KEY.fullmatch(text.strip()):
            return Account.from_key(text.strip())
    except Exception:  # noqa: S110 -- the library's text may quote the key: it goes nowhere
        pass
    raise KeyStoreError(f"expected a private key of 64 hex digits in {where}, got something else")


def without_secrets(variables: Mapping[str, str]) -> dict[str, str]:
    """Return environment variables for a program that need not sign: without the key."""
    return {name: value for name, value in variables.items() if name != PRIVATE_KEY}
