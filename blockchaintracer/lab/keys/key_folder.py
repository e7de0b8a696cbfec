"""A folder with one key a file: their names, their passphrases, and how a new one is written."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from blockchaintracer.core.errors import InputError, KeyStoreError
from blockchaintracer.lab.files import locked

PASSPHRASE_FILE = "BLOCKCHAINTRACER_PASSPHRASE_FILE"  # noqa: S105 -- the name of a variable
MIN_PASSPHRASE = 12
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class KeyFolder:
    """The keys of one kind of a lab."""

    suffix: ClassVar[str]
    noun: ClassVar[str]

    def __init__(self, folder: Path, ask: Callable[[str], str] | None) -> None:
        self.folder = folder
        self._ask = ask

    def names(self) -> list[str]:
        """Return the names of the keys, sorted."""
        return sorted(path.stem for path in self.folder.glob(f"*{self.suffix}"))

    def path_of(self, name: str) -> Path:
        """Return where the key of a name is, or would be."""
        return self.folder / f"{key_name(name)}{self.suffix}"

    def no_key(self, name: str) -> KeyStoreError:
        """Return the error of a key that isn't there."""
        known = ", ".join(self.names()) or "none"
        return KeyStoreError(f"expected {self.noun} named {name!r}, got none; known here: {known}")

    @contextmanager
    def adding(self, name: str) -> Iterator[Path]:
        """Hold the folder for a new key; the file to write."""
        path = self.path_of(name)
        try:
            with locked(self.folder / ".lock"):
                if path.exists():
                    raise KeyStoreError(f"{self.noun} named {name!r} exists already", hint="Choose another name.")
                yield path
        except OSError as error:
            raise KeyStoreError(f"the key {name!r} can't be written to {self.folder}: {error.strerror}") from None

    def passphrase(self, path: Path) -> str:
        """Return the passphrase of a key's file (`passphrase_of`)."""
        return passphrase_of(path, self._ask)


def chosen_passphrase(path: Path, ask: Callable[[str], str] | None) -> str:
    """Return the passphrase of a file that is made now (`passphrase_of`): 12 characters at least."""
    passphrase = passphrase_of(path, ask)
    if len(passphrase) < MIN_PASSPHRASE:
        raise KeyStoreError(
            f"expected a passphrase of at least {MIN_PASSPHRASE} characters, got {len(passphrase)}",
            hint="A thief of the file can try short ones. Four or five random words are long enough.",
        )
    return passphrase


def passphrase_of(path: Path, ask: Callable[[str], str] | None) -> str:
    """Return the passphrase of a file: from the file beside it, which is this one's own, from the file that
    ``$BLOCKCHAINTRACER_PASSPHRASE_FILE`` names, or from a person.
    """
    beside, chosen = path.with_suffix(".passphrase"), os.environ.get(PASSPHRASE_FILE)
    file = beside if beside.exists() else Path(chosen) if chosen else None
    if file is not None:
        try:
            return file.read_text().rstrip("\n")
        except OSError as error:
            raise KeyStoreError(f"expected a passphrase in {file}: {error.strerror}") from None
    if ask is None:
        raise KeyStoreError(
            f"the key {path.stem!r} needs its passphrase and nobody can be asked",
            hint=f"Keep it in a file that only you can read and name the file in ${PASSPHRASE_FILE}.",
        )
    return ask(f"Passphrase of {path.stem}")


def key_name(name: str) -> str:
    """Check that a text can be a key's name."""
    if not _NAME.fullmatch(name):
        raise InputError(f"expected a key's name of letters, digits, '.', '_' and '-', got {name!r}")
    return name
