"""Makes an address book, its next version, and its signatures: for the people who keep a community's list."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from blockchaintracer.core.errors import InputError, KeyStoreError
from blockchaintracer.core.formats import read_limited
from blockchaintracer.core.plain_json import canonical, parse_json
from blockchaintracer.extras.community.book import (
    MAX_BYTES,
    MAX_LIFE,
    TARGET,
    check_keys,
    read_content,
    read_metadata,
    read_plain,
)
from blockchaintracer.lab.files import private, write_output
from blockchaintracer.lab.formats import COMMUNITY
from blockchaintracer.lab.keys import chosen_passphrase, passphrase_of
from blockchaintracer.lab.optional import require

_KEY_LIMIT = 1 << 14
Ask = Callable[[str], str] | None


@dataclass(frozen=True)
class Signed:
    """How far the signatures of an address book have come: for each role how many there are and are needed."""

    version: int
    root_version: int
    expires: datetime
    root: tuple[int, int]
    targets: tuple[int, int]

    @property
    def is_complete(self) -> bool:
        """Whether others can add it."""
        return self.root[0] >= self.root[1] and self.targets[0] >= self.targets[1]


def make_key(file: Path, ask: Ask) -> str:
    """Make an Ed25519 key, encrypted under a passphrase, and its public part in ``FILE.pub``. Returns the id of it."""
    signer = require("securesystemslib.signer", "identity").CryptoSigner.generate_ed25519()
    serialization = require("cryptography.hazmat.primitives.serialization", "identity")
    passphrase = chosen_passphrase(file, ask)
    encryption = serialization.BestAvailableEncryption(passphrase.encode())
    data = signer._private_key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    public = signer._private_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    try:
        with open(file, "xb", opener=private) as opened:
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
    except OSError as error:
        raise InputError(f"expected a new file for the key, got {file}: {error.strerror}") from None
    write_output(file.with_name(file.name + ".pub"), public)
    return str(signer.public_key.keyid)


def make_book(
    file: Path,
    content: Path,
    *,
    keys: Sequence[Path] = (),
    threshold: int = 1,
    root_keys: Sequence[Path] = (),
    root_threshold: int | None = None,
    days: int = 366,
    now: datetime,
) -> Signed:
    """Write an address book without signatures; or, over a signed one, its next version.

    Args:
        content: JSON of ``name`` and ``registries`` (docs/community.md).
        keys: public keys of those who sign each version. For a next version, none: they stay as they are.
        root_keys: public keys of those who can replace keys. Default: `keys`.
        days: until it expires. Root metadata lives three times as long, as far as it may.
    """
    api = require("tuf.api.metadata", "identity")
    plain = parse_json(read_limited(content, MAX_BYTES, "the content of an address book"), str(content))
    read_content(plain)
    if not 0 < days <= MAX_LIFE["targets"].days:
        raise InputError(f"expected 1 to {MAX_LIFE['targets'].days} days until it expires, got {days}")
    roots: list[Any] = []
    version = 1
    if file.exists():
        old = read_plain(read_limited(file, MAX_BYTES, "an address book"))
        roots = [read_metadata(api, it, "root") for it in old["roots"]]
        version = read_metadata(api, old["targets"], "targets").signed.version + 1
    elif not keys:
        raise InputError("expected keys of those who sign a new address book, got none", hint="--key FILE.pub")
    now = now.replace(microsecond=0)
    if keys or root_keys:
        life = min(timedelta(days=3 * days), MAX_LIFE["root"] - timedelta(days=1))
        root = api.Root(version=len(roots) + 1, expires=now + life, consistent_snapshot=None)
        for role, files, needed in (
            ("targets", keys, threshold),
            ("root", root_keys or keys, root_threshold or threshold),
        ):
            if not files:
                raise InputError("expected the keys of both roles", hint="Give --key for each who signs versions.")
            for key in (_public(it) for it in files):
                root.add_key(key, role)
            if needed > len(files):
                raise InputError(
                    f"expected a threshold of at most {len(files)}, the number of keys, got {needed}",
                    hint="Name more keys, or a lower --threshold or --root-threshold.",
                )
            root.roles[role].threshold = needed
        check_keys(root)
        roots.append(api.Metadata(root))
    book = canonical(plain)
    target = api.TargetFile.from_data(TARGET, book, ["sha256"])
    targets = api.Metadata(api.Targets(version=version, expires=now + timedelta(days=days), targets={TARGET: target}))
    return _write(file, roots, targets, plain)


def sign_book(file: Path, key: Path, ask: Ask) -> tuple[Signed, list[str]]:
    """Add the signatures that a key may make. Returns how far the book is, and what was signed now."""
    api = require("tuf.api.metadata", "identity")
    plain = read_plain(read_limited(file, MAX_BYTES, "an address book"))
    roots = [read_metadata(api, it, "root") for it in plain["roots"]]
    targets = read_metadata(api, plain["targets"], "targets")
    signer = _signer(key, ask)
    done, last = [], roots[-1]
    keyid = signer.public_key.keyid
    rooted = [root.signed.roles["root"].keyids for root in roots[-2:]]
    if any(keyid in keyids for keyids in rooted):
        last.sign(signer, append=True)
        done.append(f"root {last.signed.version}")
    if keyid in last.signed.roles["targets"].keyids:
        targets.sign(signer, append=True)
        done.append(f"version {targets.signed.version}")
    if not done:
        raise InputError(
            f"expected a key that the address book names, got {keyid}", hint="`community new --key` names keys."
        )
    return _write(file, roots, targets, plain["book"]), done


def _write(file: Path, roots: Sequence[Any], targets: Any, book: Any) -> Signed:
    whole = {**COMMUNITY.header(), "roots": [it.to_dict() for it in roots], "targets": targets.to_dict(), "book": book}
    write_output(file, canonical(whole))
    last, previous = roots[-1], roots[-2].signed if len(roots) > 1 else None
    of_root = last.signed.get_root_verification_result(previous, last.signed_bytes, last.signatures)
    of_targets = last.signed.get_verification_result("targets", targets.signed_bytes, targets.signatures)
    weakest = min((of_root.first, of_root.second), key=lambda it: len(it.signed) - it.threshold)
    return Signed(
        targets.signed.version,
        last.signed.version,
        min(last.signed.expires, targets.signed.expires),
        (len(weakest.signed), weakest.threshold),
        (len(of_targets.signed), of_targets.threshold),
    )


def _public(file: Path) -> Any:
    serialization = require("cryptography.hazmat.primitives.serialization", "identity")
    ed25519 = require("cryptography.hazmat.primitives.asymmetric.ed25519", "identity")
    try:
        key = serialization.load_pem_public_key(read_limited(file, _KEY_LIMIT, "a public key"))
    except ValueError:
        key = None
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise InputError(f"{file}: expected an Ed25519 public key", hint="`community key FILE` writes FILE.pub.")
    return require("securesystemslib.signer", "identity").SSlibKey.from_crypto(key)


def _signer(file: Path, ask: Ask) -> Any:
    serialization = require("cryptography.hazmat.primitives.serialization", "identity")
    ed25519 = require("cryptography.hazmat.primitives.asymmetric.ed25519", "identity")
    data = read_limited(file, _KEY_LIMIT, "a key")
    passphrase = passphrase_of(file, ask)
    try:
        key = serialization.load_pem_private_key(data, passphrase.encode())
    except (ValueError, TypeError):
        raise KeyStoreError(f"the passphrase does not open {file}, or it is no key") from None
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise InputError(f"{file}: expected an Ed25519 key", hint="`community key FILE` makes one.")
    return require("securesystemslib.signer", "identity").CryptoSigner(key)
