"""Searches what is about to leave this machine for credentials, file by file and line by line."""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from blockchaintracer.core.digest import sha256_file
from blockchaintracer.core.errors import ChainUnavailable, InputError, StoreError
from blockchaintracer.core.networks import when
from blockchaintracer.core.plain_json import parse_json
from blockchaintracer.lab.capture.git import restore_changed, restore_commit
from blockchaintracer.lab.capture.secret_masking import SCANNED, SecretFinding, scan_secrets
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.plain_text import named
from blockchaintracer.lab.store.store import Store

TOTAL = 64 << 20
"""Bytes that are searched altogether; what is left is named."""
_NAMED = 20
_MADE = frozenset({"manifest", "proof", "encrypted", "token"})
"""What the package made: without secrets, or unreadable to others; and tokens of CI jobs that have expired."""
_AGE, _AGE_BYTES = (b"age-encryption.org/v", b"-----BEGIN AGE ENCRYPTED FILE-----"), 64
TOKEN_VALUE = "ciToken"  # noqa: S105 -- the name of a value
"""The name under which a document's values say that its content is the token of a CI job."""

Found = tuple[str, str, str]
"""What an object is to a record, its name, and its SHA-256. Of the files of a commit the name is ``commit HASH``."""


def token_withheld(lab: Lab, digest: str) -> str | None:
    """Say why the token that a document commits to is not shown to others, or return None if it may be: once it has
    expired, nobody can use it. A clock can be ahead, so the chain's newest block must be past that end, too. The blocks
    of a devnet have the time of this machine."""
    if not lab.store.has(digest):
        return "the CI token, which is not in this lab's store"
    with suppress(InputError, StoreError, ValueError, LookupError, TypeError):
        part = lab.store.get_bytes(digest, 1 << 16).split(b".")[1]
        ends = parse_json(base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)), "the token")["exp"]
        with suppress(ChainUnavailable):
            if time.time() > ends and (lab.on_devnet or lab.chain.head().timestamp > ends):
                return None
        return f"the CI token, which is valid until {when(ends)}: publish it after that, while the chain's node answers"
    return "what calls itself a CI token, and cannot be read"


def require_no_secrets(
    store: Store, found: Iterable[Found], allowed: Collection[str] = (), hidden: Collection[str] = ()
) -> list[str]:
    """Search objects of the store, each file of a commit too, and return what was not searched, with the reason.

    Args:
        allowed: ``PATH:LINE`` of what a person looked at and lets pass.
        hidden: digests of what is not to be shown in the open.

    Raises:
        InputError: if something is hidden, or naming path, line and kind of what looks like a secret.
    """
    findings, skipped, room = list[tuple[str, SecretFinding]](), list[str](), TOTAL
    entries = dict.fromkeys(entry for entry in found if entry[0] not in _MADE or _is_plain(store, entry))
    commits = [(store.where(digest), _commit(name)) for what, name, digest in entries if what == "code"]
    for entry in entries:
        # an object of a digest is always the same
        if entry not in _searched or _searched[entry].room > room:
            _searched[entry] = _search(store, *entry, room)
        searched = _searched[entry]
        digests = searched.digests
        if entry[0] == "diff" and hidden:
            digests = digests | _changed(store, entry[2], commits)
        if shown := sorted(name for name, digest in digests.items() if digest in hidden):
            raise InputError(
                f"what is to be published was hidden before: {', '.join(shown[:_NAMED])}. Nothing was published.",
                hint="It was encrypted, decrypted or private. `record --in-the-open` shows it for good.",
            )
        room -= searched.size
        skipped += searched.skipped
        findings += [(name, secret) for name, secret in searched.findings if f"{name}:{secret.line}" not in allowed]
    if not findings:
        return skipped
    places = [f"{name}:{secret.line} {secret.kind}" for name, secret in findings]
    raise InputError(
        f"what is to be published seems to hold secrets: {named(places, _NAMED)}. Nothing was published.",
        hint="Take it out of the files and of the commit, change it, and record again. If it is none, let each pass: "
        "--allow-secret PATH:LINE.",
        findings=[{"path": name, "line": secret.line, "kind": secret.kind} for name, secret in findings],
    )


def _is_plain(store: Store, entry: Found) -> bool:
    """Whether what a manifest calls encrypted is not: a stranger's can name the digest of any file."""
    if entry[0] != "encrypted":
        return False
    with store.where(entry[2]).open("rb") as file:
        return not file.read(_AGE_BYTES).startswith(_AGE)


@dataclass
class _Searched:
    room: int
    size: int = 0
    findings: list[tuple[str, SecretFinding]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)


_searched: dict[Found, _Searched] = {}


def _search(store: Store, what: str, name: str, digest: str, room: int) -> _Searched:
    searched = _Searched(room)
    for path, file in _files(store, what, name, digest):
        size = file.stat().st_size
        with file.open("rb") as opened:
            searched.digests[path] = hashlib.file_digest(opened, "sha256").hexdigest() if what == "code" else digest
        if size > min(SCANNED, room - searched.size):
            searched.skipped.append(f"{path} ({size:,} bytes)")
            continue
        data = file.read_bytes()
        if b"\0" in data[:8192]:
            searched.skipped.append(f"{path} (no text)")
            continue
        searched.size += size
        searched.findings += [(path, secret) for secret in scan_secrets(data, diff=what == "diff")]
    return searched


def _files(store: Store, what: str, name: str, digest: str) -> Iterator[tuple[str, Path]]:
    if what != "code":
        yield name, store.where(digest)
        return
    with tempfile.TemporaryDirectory(prefix="blockchaintracer-") as scratch:
        yield from _files_of(restore_commit(store.where(digest), _commit(name), Path(scratch, "files")))


def _commit(name: str) -> str:
    return name.removeprefix("commit ")


def _files_of(root: Path) -> Iterator[tuple[str, Path]]:
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(inner for inner in folders if inner != ".git")
        for file in (Path(folder, entry) for entry in sorted(files)):
            if not file.is_symlink():
                yield file.relative_to(root).as_posix(), file


def _changed(store: Store, diff: str, commits: Sequence[tuple[Path, str]]) -> dict[str, str]:
    """Return the digest of each file after a difference. What is kept whole beside it is no difference."""
    data = store.get_bytes(diff)
    if not data.startswith(b"diff --git "):
        return {}
    with tempfile.TemporaryDirectory(prefix="blockchaintracer-") as scratch:
        return {name: sha256_file(file) for name, file in _files_of(restore_changed(data, commits, Path(scratch)))}
