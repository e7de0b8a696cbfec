"""Proof files of strangers: which of the three kinds one is, told strictly, and never to decide what is checked."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.core.formats import BATCH_PROOF, BUNDLE, BUNDLE_BYTES, UnknownVersion, read_limited
from blockchaintracer.core.plain_json import parse_json
from blockchaintracer.lab.formats import DISCLOSURE

START = b'{"algorithms":["' + '","'.join(BUNDLE.algorithms).encode() + b'"],"blocks":{"'
"""how every bundle begins, as its canonical form has its keys in order"""

T = TypeVar("T")


class ProofKind(StrEnum):
    """The kinds of proof file."""

    BUNDLE = "a proof bundle"
    BATCH = "the proof of a batched record"
    DISCLOSURE = "a disclosure"


_KINDS = {BUNDLE: ProofKind.BUNDLE, BATCH_PROOF: ProofKind.BATCH, DISCLOSURE: ProofKind.DISCLOSURE}


def read_proof(path: Path) -> tuple[ProofKind, bytes]:
    """Read a file that is said to be a proof, and tell its kind. Nothing in it is checked yet.

    Raises:
        NotVerified: if it is none of the kinds, or damaged so that its kind cannot be told.
        InputError: if it cannot be read.
    """
    if path.is_file() and path.stat().st_size > BUNDLE_BYTES:
        raise _refusal(path, f"it has more than {BUNDLE_BYTES} bytes")
    data = read_limited(path, BUNDLE_BYTES, "a proof file")
    if data.startswith(START):
        return ProofKind.BUNDLE, data
    problem = "it does not begin with {"
    if data.startswith(b"\xef\xbb\xbf"):
        problem = "it begins with a byte-order mark"
    elif data[:1].isspace():
        problem = "it begins with white space"
    elif data.startswith(b"{"):
        kind = damaged(path, lambda: _kind(data))
        if kind:
            return kind, data
        problem = "its type is none of theirs"
    raise _refusal(path, problem)


def damaged(path: Path, read: Callable[[], T]) -> T:
    """Read a proof file. What is not well formed is damaged or forged, so not verified: it is no wrong question."""
    try:
        return read()
    except UnknownVersion:
        raise
    except InputError as error:
        raise _refusal(path, error.message) from None


def proof_kind(path: Path) -> ProofKind | None:
    """Return which proof a file claims to be, also behind a byte-order mark or white space, or None."""
    try:
        data = read_limited(path, BUNDLE_BYTES, "a proof").removeprefix(b"\xef\xbb\xbf").strip()
        return _kind(data) if any(f'"{known.prefix}'.encode() in data for known in _KINDS) else None
    except InputError:
        return None


def _kind(data: bytes) -> ProofKind | None:
    plain = parse_json(data, "a proof")
    if not isinstance(plain, dict):
        return None
    return next((kind for known, kind in _KINDS.items() if known.names(plain.get("type"))), None)


def _refusal(path: Path, problem: str) -> NotVerified:
    return NotVerified(
        f"{path} is damaged, or is no proof: {problem}",
        hint=f"Ask for it again. To look it up as data: `verify --data {path}`.",
    )
