"""The one form of an archive: which members there are, in what order, and what their headers hold."""

from __future__ import annotations

import re
import tarfile

SUMS = "SHA256SUMS"
"""First member: the digest of every other, as `sha256sum` prints them."""
HEAD = "registry.json"
EVENTS = "events.jsonl"
BLOCKS = "blocks.jsonl"

BLOCK = tarfile.BLOCKSIZE
NAME = re.compile(rf"{SUMS}|{HEAD}|{EVENTS}|{BLOCKS}|(objects|proofs)/[0-9a-f]{{2}}/[0-9a-f]{{62}}")
"""Below 100 characters, which is what the header itself holds."""


def header(name: str, size: int) -> bytes:
    """The 512 bytes before a member: a regular file without an owner or a time."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    return info.tobuf(tarfile.GNU_FORMAT)


def padding(size: int) -> int:
    """Zero bytes after a member of that size."""
    return -size % BLOCK


def end(size: int) -> int:
    """Zero bytes after the last member of an archive that is that long so far."""
    return 2 * BLOCK + -(size + 2 * BLOCK) % tarfile.RECORDSIZE


def proof_name(sha256: str) -> str:
    """The member that holds the proof of a batched record, by the digest of the proof itself."""
    return f"proofs/{sha256[:2]}/{sha256[2:]}"
