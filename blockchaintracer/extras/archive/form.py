"""The one form of an archive: which members there are, in what order, and what their headers hold."""

from __future__ import annotations

import re
import tarfile

SUMS = "SHA256SUMS"
"""First member: the digest of every other, as `sha256sum` prints them."""
SUMS512 = "SHA512SUMS"
"""The same by SHA-512, without the two listings: the first hash may be broken one day."""
README = "README.txt"
CRATE = "ro-crate-metadata.json"
HEAD = "registry.json"
EVENTS = "events.jsonl"
BLOCKS = "blocks.jsonl"

BLOCK = tarfile.BLOCKSIZE
NAME = re.compile(
    rf"{SUMS}|{SUMS512}|{README}|{CRATE}|{HEAD}|{EVENTS}|{BLOCKS}|blockchaintracer\.json|page\.html"
    r"|docs/[a-z-]{1,40}\.md|contract/[A-Za-z-]{1,40}\.json|objects/[0-9a-f]{2}/[0-9a-f]{62}"
    r"|proofs/0x[0-9a-f]{64}(-[0-9]{1,3})?\.json|(identities|witnesses|renewals)/[0-9A-Za-z_.-]{1,76}\.json"
)
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


def proof_name(record_id: str, number: int = 0) -> str:
    """The member that holds the key of a record with what proves it; a number for each further batch that holds it."""
    return f"proofs/{record_id}{f'-{number}' if number else ''}.json"
