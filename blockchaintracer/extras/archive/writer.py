"""Writes an archive. Every byte is hashed once more while it is written: a damaged object does not travel."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from blockchaintracer.core.digest import format_listing
from blockchaintracer.core.errors import StoreError
from blockchaintracer.extras.archive.form import NAME, SUMS, SUMS512, end, header, padding
from blockchaintracer.lab.store.store import REPAIR

_CHUNK = 1 << 20
Progress = Callable[[int], None]
"""Called with the bytes that were written."""


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """A member that is a file whose digest is known."""

    path: Path
    sha256: str


Member = bytes | ArchiveFile | Callable[[], bytes]
"""What an archive holds under a name. What is called is called twice, and gives the same: it is too much to keep."""


def write_archive(target: BinaryIO, members: Mapping[str, Member], progress: Progress | None = None) -> int:
    """Writes an archive; its length.

    Args:
        members: by name, without the listing of their digests.

    Raises:
        StoreError: if a file is not what its digest says; then what was written is no archive.
        ValueError: for a name that no archive has.
    """
    members, digests = _with_sums(members)
    length = 0
    for name, member in _made(members):
        size = len(member) if isinstance(member, bytes) else member.path.stat().st_size
        target.write(header(name, size))
        if _copied(target, name, member, digests[name], progress) != size:
            raise StoreError(f"{name} has changed while it was read")
        target.write(bytes(padding(size)))
        length += len(header(name, size)) + size + padding(size)
    target.write(bytes(end(length)))
    return length + end(length)


def write_folder(target: Path, members: Mapping[str, Member], progress: Progress | None = None) -> int:
    """Writes the same members as files of a new folder; their bytes. Raises as `write_archive`."""
    members, digests = _with_sums(members)
    length = 0
    for name, member in _made(members):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        with (target / name).open("xb") as file:
            length += _copied(file, name, member, digests[name], progress)
    return length


def _made(members: Mapping[str, Member]) -> Iterator[tuple[str, bytes | ArchiveFile]]:
    return ((name, member() if callable(member) else member) for name, member in members.items())


def _with_sums(members: Mapping[str, Member]) -> tuple[dict[str, Member], dict[str, str]]:
    """Add the two listings. Returns the members in their order, and the SHA-256 of each."""
    if wrong := [name for name in members if not NAME.fullmatch(name) or name in (SUMS, SUMS512)]:
        raise ValueError(f"{wrong[0]} is no member of an archive")
    others, digests = {}, {}
    for name, member in _made(members):
        other = hashlib.sha512()
        for block in _blocks(member):
            other.update(block)
        others[name], digests[name] = other.hexdigest(), _sha256(member)
    listing = "".join(f"{digest}  {name}\n" for name, digest in sorted(others.items())).encode()
    digests[SUMS512] = _sha256(listing)
    sums = format_listing(digests.items())
    return {SUMS: sums, **dict(sorted({**members, SUMS512: listing}.items()))}, {**digests, SUMS: _sha256(sums)}


def _copied(target: BinaryIO, name: str, member: bytes | ArchiveFile, expected: str, progress: Progress | None) -> int:
    actual, count = hashlib.sha256(), 0
    for block in _blocks(member):
        actual.update(block)
        count += len(block)
        target.write(block)
        if progress:
            progress(len(block))
    if actual.hexdigest() != expected:
        raise StoreError(
            f"expected {name} to have the SHA-256 {expected}, got {actual.hexdigest()}",
            hint=f"The object in the store is damaged. {REPAIR}",
        )
    return count


def _sha256(member: bytes | ArchiveFile) -> str:
    return hashlib.sha256(member).hexdigest() if isinstance(member, bytes) else member.sha256


def _blocks(member: bytes | ArchiveFile) -> Iterator[bytes]:
    if isinstance(member, bytes):
        yield member
        return
    with member.path.open("rb") as file:
        while block := file.read(_CHUNK):
            yield block
