"""Encrypting and decrypting in the age format (age-encryption.org/v1), by pyrage. No format, no cipher is our own.

>>> from blockchaintracer.lab.private.age import decrypt, encrypt, new_identity
>>> identity, recipient = new_identity()
>>> decrypt(encrypt(b"data", [recipient]), [identity])
b'data'
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from blockchaintracer.core.errors import InputError, KeyStoreError, NotVerified, StoreError
from blockchaintracer.core.formats import UnknownVersion
from blockchaintracer.lab.files import replacing
from blockchaintracer.lab.optional import require

_SHOWN = 24
_VERSION_1 = re.compile(rb"age-encryption\.org/v1\n|-----BEGIN AGE ENCRYPTED FILE-----\s+YWdlLWVuY3J5cHRpb24ub3JnL3Yx")
"""How a file begins: as bytes, and in base64."""


def pyrage() -> Any:
    """Import the library with its modules."""
    for module in ("passphrase", "ssh", "x25519"):
        require(f"pyrage.{module}", "privacy")
    return require("pyrage", "privacy")


def recipient_of(text: str) -> Any:
    """Read a recipient: ``age1…`` (X25519), or a line of an OpenSSH public key (``ssh-ed25519 …``, ``ssh-rsa …``).

    Raises:
        InputError: if it is neither. A private key that was given by mistake is not shown.
    """
    age, given = pyrage(), text.strip()
    try:
        if given.startswith("age1"):
            return age.x25519.Recipient.from_str(given)
        if given.startswith("ssh-"):
            return age.ssh.Recipient.from_str(given)
    except age.RecipientError:
        pass
    if given.startswith(("AGE-SECRET-KEY", "-----BEGIN")):
        raise InputError("expected a recipient, got a private key", hint="Give its public half, age1… or ssh-….")
    shown = given[:_SHOWN] + ("…" if len(given) > _SHOWN else "")
    raise InputError(
        f"expected a recipient, age1… or a line of an SSH public key, got {shown!r}",
        hint="`blockchaintracer keys export NAME --encryption` prints one.",
    )


def identity_of(text: str, where: str) -> list[Any]:
    """Read the identities in an age identity file, or the one in an OpenSSH private key."""
    age = pyrage()
    try:
        if text.lstrip().startswith("-----BEGIN"):
            return [age.ssh.Identity.from_buffer(text.encode())]
        lines = [line.strip() for line in text.splitlines()]
        identities = [age.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
        if identities:
            return identities
    except age.IdentityError:
        pass
    raise KeyStoreError(
        f"expected an age identity (AGE-SECRET-KEY-1…) or an OpenSSH private key in {where}, got something else",
        hint="An SSH key under a passphrase can't be used here: give age a key of its own.",
    )


def new_identity() -> tuple[Any, str]:
    """Make an X25519 identity; the identity and its recipient ``age1…``."""
    identity = pyrage().x25519.Identity.generate()
    return identity, str(identity.to_public())


def encrypt(data: bytes, recipients: Sequence[str]) -> bytes:
    """Encrypt `data` so that the key of any one recipient opens it."""
    out = io.BytesIO()
    encrypt_stream(io.BytesIO(data), out, recipients)
    return out.getvalue()


def encrypt_stream(source: Any, target: Any, recipients: Sequence[str]) -> None:
    """Encrypt a binary stream to another, in blocks: memory stays flat."""
    if not recipients:
        raise InputError("expected at least one recipient to encrypt to, got none")
    keys = [recipient_of(text) for text in dict.fromkeys(text.strip() for text in recipients)]
    age = pyrage()
    try:
        age.encrypt_io(source, target, keys)
    except age.EncryptError as error:
        raise StoreError(f"it can't be encrypted: {error}") from None


def decrypt(data: bytes, identities: Sequence[Any]) -> bytes:
    """Decrypt what `encrypt` gave; raises as `decrypt_stream`."""
    out = io.BytesIO()
    decrypt_stream(io.BytesIO(data), out, identities)
    return out.getvalue()


def decrypt_stream(source: Any, target: Any, identities: Sequence[Any]) -> None:
    """Decrypt a binary stream to another. What was written before an error is not authentic: throw it away."""
    age = pyrage()
    if not identities:
        raise InputError(
            "expected a key to decrypt with, got none",
            hint="`blockchaintracer keys create NAME --encryption` makes one; --identity names another's file.",
        )
    try:
        age.decrypt_io(source, target, list(identities))
    except (age.DecryptError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        source.seek(0)
        _require_known_version(error, source.read(100))
        reason = "none of the given keys is a recipient's" if "No matching keys" in str(error) else "it is damaged"
        raise NotVerified(f"it can't be decrypted: {reason}") from None


def with_passphrase(data: bytes, passphrase: str) -> bytes:
    """Encrypt `data` under a passphrase (age's scrypt recipient), armored: ``age -d`` opens it too."""
    return bytes(pyrage().passphrase.encrypt(data, passphrase, armored=True))


def open_with_passphrase(data: bytes, passphrase: str, where: str) -> bytes:
    """Decrypt what `with_passphrase` gave."""
    age = pyrage()
    try:
        return bytes(age.passphrase.decrypt(data, passphrase))
    except age.DecryptError as error:
        _require_known_version(error, data)
        if "Excessive work" in str(error):
            # the library measures this machine, and tries no passphrase that would take it sixteen times too long
            raise KeyStoreError(
                f"the passphrase of {where} was not tried: it would take this machine too long, slow as it is now",
                hint="Try again when the machine is less busy, or with `age -d`, which does not measure it.",
            ) from None
        raise KeyStoreError(f"the passphrase does not open {where}, or it is damaged") from None


def _require_known_version(error: Exception, data: bytes) -> None:
    # the library says the same of some damage behind the version
    if "Unknown age format" in str(error) and not _VERSION_1.match(data):
        raise UnknownVersion(
            "it is written in a later version of the age format; this program reads age-encryption.org/v1",
            hint="Upgrade: pip install --upgrade pyrage.",
        ) from None


@contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """Open a new file to write, readable by its owner alone. It appears whole, or not at all if the block raises."""
    if os.path.lexists(path):
        raise InputError(f"expected no file at {path} yet", hint="Choose another name, or remove it.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, new=True) as file:
            yield file
    except OSError as error:
        raise InputError(f"{path} can't be written: {error.strerror}") from None
