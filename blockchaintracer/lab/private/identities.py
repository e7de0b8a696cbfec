"""The lab's keys that decrypt: age identities, each in a file encrypted under a passphrase. They sign nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from blockchaintracer.core.errors import KeyStoreError
from blockchaintracer.lab.files import locked, write_whole
from blockchaintracer.lab.keys import key_name, passphrase_of
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.private.age import (
    identity_of,
    new_identity,
    open_with_passphrase,
    recipient_of,
    with_passphrase,
)


class EncryptionKeys:
    """The encryption keys of one lab: ``NAME.age`` has the identity as ``age -p`` does, ``NAME.pub`` the recipient.

    Args:
        home: the lab's working folder.
        ask: asks a person for a passphrase; without it a missing passphrase is an error.
    """

    def __init__(self, home: Home, ask: Callable[[str], str] | None = None) -> None:
        self.folder = home.encryption_keys
        self._ask = ask

    def names(self) -> list[str]:
        """The names of the keys, sorted."""
        return sorted(path.stem for path in self.folder.glob("*.age"))

    def recipient(self, name: str) -> str:
        """The public half of a key, for others to encrypt to: ``age1…``.

        Raises:
            KeyStoreError: if there is no such key.
        """
        path = self._path(name).with_suffix(".pub")
        try:
            found = path.read_text().strip()
        except OSError as error:
            raise KeyStoreError(f"expected the recipient of {name!r} in {path}: {error.strerror}") from None
        recipient_of(found)
        return found

    def create(self, name: str) -> str:
        """A new key; its recipient.

        Raises:
            KeyStoreError: if the name is taken, or nobody can be asked for a passphrase.
        """
        identity, recipient = new_identity()
        return self._keep(name, str(identity), recipient)

    def add(self, name: str, text: str, where: str) -> str:
        """Keeps an age identity that is there already; its recipient.

        Args:
            text: an identity file with one identity.
            where: the text is from, for errors, which never show it.

        Raises:
            KeyStoreError: if it isn't one, the name is taken, or nobody can be asked for a passphrase.
        """
        found = identity_of(text, where)
        if len(found) != 1 or not hasattr(found[0], "to_public") or text.lstrip().startswith("-----BEGIN"):
            raise KeyStoreError(
                f"expected one age identity in {where}, got {len(found)} or an SSH key",
                hint="An SSH key stays where it is: name its file with --identity.",
            )
        return self._keep(name, str(found[0]), str(found[0].to_public()))

    def identities(self, chosen: Sequence[str] = ()) -> list[Any]:
        """Identities to decrypt with: by name, or in files by their paths; all of the lab's if none is chosen.

        Raises:
            KeyStoreError: if one can't be found or opened.
        """
        found: list[Any] = []
        for name in chosen or self.names():
            path = self.folder / f"{name}.age"
            if name in self.names():
                data = open_with_passphrase(path.read_bytes(), passphrase_of(path, self._ask), str(path))
                found += identity_of(data.decode(errors="replace"), str(path))
                continue
            file = Path(name).expanduser()
            try:
                text = file.read_text()
            except (OSError, ValueError):
                known = ", ".join(self.names()) or "none"
                raise KeyStoreError(
                    f"expected an encryption key or an identity file named {name!r}, got none; keys here: {known}"
                ) from None
            found += identity_of(text, str(file))
        return found

    def _path(self, name: str) -> Path:
        path = self.folder / f"{key_name(name)}.age"
        if not path.exists():
            known = ", ".join(self.names()) or "none"
            raise KeyStoreError(f"expected an encryption key named {name!r}, got none; known here: {known}")
        return path

    def _keep(self, name: str, identity: str, recipient: str) -> str:
        path = self.folder / f"{key_name(name)}.age"
        try:
            with locked(self.folder / ".lock"):
                if path.exists():
                    raise KeyStoreError(f"an encryption key named {name!r} exists already", hint="Choose another name.")
                text = f"# public key: {recipient}\n{identity}\n"
                kept = with_passphrase(text.encode(), passphrase_of(path, self._ask))
                write_whole(path.with_suffix(".pub"), f"{recipient}\n".encode())
                write_whole(path, kept)
        except OSError as error:
            raise KeyStoreError(f"the key {name!r} can't be written to {self.folder}: {error.strerror}") from None
        return recipient
