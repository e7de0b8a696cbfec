"""The lab's keys that decrypt: age identities, each in a file encrypted under a passphrase. They sign nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from blockchaintracer.core.errors import KeyStoreError
from blockchaintracer.lab.files import write_whole
from blockchaintracer.lab.keys.key_folder import KeyFolder, chosen_passphrase
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.private.age import (
    identity_of,
    new_identity,
    open_with_passphrase,
    recipient_of,
    with_passphrase,
)

_REPLACED = "# replaced by "


class EncryptionKeys(KeyFolder):
    """The encryption keys of one lab: ``NAME.age`` has the identity as ``age -p`` does, ``NAME.pub`` the recipient."""

    suffix, noun = ".age", "an encryption key"

    def __init__(self, home: Home, ask: Callable[[str], str] | None = None) -> None:
        super().__init__(home.encryption_keys, ask)

    def recipient(self, name: str) -> str:
        """Return the public half of a key, for others to encrypt to: ``age1…``."""
        if not self.path_of(name).exists():
            raise self.no_key(name)
        recipient = self._public(name).partition("\n")[0].strip()
        recipient_of(recipient)
        return recipient

    def replaced_by(self, name: str) -> str | None:
        """Return the name of the key that took the place of another, or None."""
        return self._public(name).partition(_REPLACED)[2].strip() or None

    def replace(self, old: str, new: str) -> str:
        """Make a key in the place of another, which still decrypts; the recipient of the new one."""
        before, recipient = self.recipient(old), self.create(new)
        write_whole(self.path_of(old).with_suffix(".pub"), f"{before}\n{_REPLACED}{new}\n".encode())
        return recipient

    def _public(self, name: str) -> str:
        path = self.path_of(name).with_suffix(".pub")
        try:
            return path.read_text()
        except OSError as error:
            raise KeyStoreError(f"expected the recipient of {name!r} in {path}: {error.strerror}") from None

    def create(self, name: str) -> str:
        """Make a new key; its recipient."""
        identity, recipient = new_identity()
        return self._write(name, str(identity), recipient)

    def import_key(self, name: str, text: str, where: str) -> str:
        """Keep an age identity that exists already; its recipient."""
        identities = identity_of(text, where)
        if len(identities) != 1 or not hasattr(identities[0], "to_public") or text.lstrip().startswith("-----BEGIN"):
            raise KeyStoreError(
                f"expected one age identity in {where}, got {len(identities)} or an SSH key",
                hint="An SSH key stays where it is: name its file with --identity.",
            )
        return self._write(name, str(identities[0]), str(identities[0].to_public()))

    def identities(self, chosen: Sequence[str] = ()) -> list[Any]:
        """Open identities to decrypt with: by name, or in files by their paths; all of the lab's if none is chosen."""
        identities: list[Any] = []
        for name in chosen or self.names():
            if name in self.names():
                path = self.path_of(name)
                data = open_with_passphrase(path.read_bytes(), self.passphrase(path), str(path))
                identities += identity_of(data.decode(errors="replace"), str(path))
                continue
            file = Path(name).expanduser()
            try:
                text = file.read_text()
            except (OSError, ValueError):
                known = ", ".join(self.names()) or "none"
                raise KeyStoreError(
                    f"expected an encryption key or an identity file named {name!r}, got none; keys here: {known}"
                ) from None
            identities += identity_of(text, str(file))
        return identities

    def _write(self, name: str, identity: str, recipient: str) -> str:
        with self.adding(name) as path:
            text = f"# public key: {recipient}\n{identity}\n"
            data = with_passphrase(text.encode(), chosen_passphrase(path, self._ask))
            write_whole(path.with_suffix(".pub"), f"{recipient}\n".encode())
            write_whole(path, data)
        return recipient
