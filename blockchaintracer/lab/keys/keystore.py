"""Signing keys in encrypted keystore files of one lab."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from typing_extensions import override

from blockchaintracer.core.errors import InputError, KeyStoreError
from blockchaintracer.core.plain_json import parse_json
from blockchaintracer.core.record import checksummed
from blockchaintracer.lab.files import write_whole
from blockchaintracer.lab.formats import KEYSTORE
from blockchaintracer.lab.keys.environment_signer import AccountSigner, account_of
from blockchaintracer.lab.keys.key_folder import PASSPHRASE_FILE, KeyFolder, chosen_passphrase
from blockchaintracer.lab.lab_folder import Home


class KeystoreSigner(AccountSigner):
    """A key in an encrypted keystore file (Web3 Secret Storage, scrypt), opened when it first signs."""

    def __init__(self, path: Path, passphrase: Callable[[], str]) -> None:
        self._path = path
        self.source = f"keystore {path.stem}"
        """Where the key is, in words."""
        self._passphrase = passphrase
        self._account: Any = None
        try:
            document = parse_json(path.read_bytes(), path.name)
            self.address: str = checksummed("0x" + str(document["address"]).lower().removeprefix("0x"))
            """Checksummed address."""
        except (OSError, InputError, ValueError, KeyError, TypeError) as error:
            raise KeyStoreError(f"expected a keystore file at {path}, got: {type(error).__name__}") from None
        KEYSTORE.check_version(document.get("version"), str(path))

    @override
    def account(self) -> Any:
        if self._account is None:
            from eth_account import Account

            try:
                key = Account.decrypt(parse_json(self._path.read_bytes(), self._path.name), self._passphrase())
            except ValueError:
                raise KeyStoreError(
                    f"the passphrase does not open {self._path}",
                    hint=f"Type it when asked, or keep it in a file that ${PASSPHRASE_FILE} names.",
                ) from None
            self._account = Account.from_key(key)
        return self._account


class KeyStore(KeyFolder):
    """The encrypted signing keys of one lab."""

    suffix, noun = ".json", "a key"

    def __init__(self, home: Home, ask: Callable[[str], str] | None = None) -> None:
        super().__init__(home.keys, ask)

    def name_of(self, address: str) -> str | None:
        """Return the name of the key with this address; None if no key has it."""
        for name in self.names():
            # a file that is not a keystore has no address
            with suppress(KeyStoreError):
                if self.signer(name).address.lower() == address.lower():
                    return name
        return None

    def signer(self, name: str) -> KeystoreSigner:
        """Return the signer of a key by name, or of a keystore file by its path."""
        path = Path(name).expanduser() if os.sep in name else self.path_of(name)
        if not path.exists():
            raise self.no_key(name)
        return KeystoreSigner(path, lambda: self.passphrase(path))

    def create(self, name: str, *, devnet: bool = False) -> KeystoreSigner:
        """Make a new random key. A person chooses its passphrase; for the devnet it is generated and written to a file
        beside the key that only the owner can read.
        """
        from eth_account import Account

        # scrypt's cost is for passphrases that people choose: a generated one has 256 bits already
        iterations = 2**12 if devnet else None
        return self._keep(
            name, lambda passphrase: Account.encrypt(Account.create().key, passphrase, iterations=iterations), devnet
        )

    def import_key(self, name: str, text: str, where: str) -> KeystoreSigner:
        """Keep a key that exists already: a keystore file's content as it is, under its own passphrase, or a private
        key of 64 hex digits, under a passphrase that a person chooses.
        """
        if text.lstrip().startswith("{"):
            document = _keystore(text, where)
            return self._keep(name, lambda _: document, needs_passphrase=False)
        account = account_of(text, where)
        from eth_account import Account

        return self._keep(name, lambda passphrase: Account.encrypt(account.key, passphrase))

    def _keep(
        self, name: str, make: Callable[[str], dict[str, Any]], devnet: bool = False, *, needs_passphrase: bool = True
    ) -> KeystoreSigner:
        with self.adding(name) as path:
            passphrase = ""
            if devnet:
                passphrase = secrets.token_urlsafe(32)
                # first: if the process dies after it there is no key yet, and the next try replaces it
                write_whole(path.with_suffix(".passphrase"), passphrase.encode())
            elif needs_passphrase:
                passphrase = chosen_passphrase(path, self._ask)
            write_whole(path, json.dumps(make(passphrase)).encode())
        return self.signer(name)


def _keystore(text: str, where: str) -> dict[str, Any]:
    from eth_utils.address import is_address

    try:
        document = parse_json(text.encode(), where)
        crypto = {key.lower(): value for key, value in document.items()}["crypto"]
        if document["version"] == 3 and is_address(document["address"]) and {"ciphertext", "kdf", "mac"} <= {*crypto}:
            return dict(document)
    except (InputError, ValueError, KeyError, TypeError, AttributeError):
        pass
    raise KeyStoreError(
        f"expected a keystore (Web3 Secret Storage, version 3, with its address) in {where}, got something else"
    )
