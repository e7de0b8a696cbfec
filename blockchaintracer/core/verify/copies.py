"""Copies of what a record names by digest: what a verifier needs of them, from wherever they come."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from blockchaintracer.core.digest import FileDigest, Progress

CHUNK = 1 << 20


_SHOWN = 8


@dataclass(frozen=True)
class Damaged:
    """A copy that is not what its name says.

    Args:
        where: the file, or the source that gave it.
        sha256: what it is instead.
        differences: where it differs from a whole copy; None if there is none to compare with.
    """

    where: str
    sha256: str
    differences: Differences | None = None

    def __str__(self) -> str:
        place = f", {self.differences}" if self.differences else ""
        return f"the copy at {self.where} is damaged: its SHA-256 is {self.sha256}{place}"


@dataclass(frozen=True)
class Differences:
    """Where two files differ.

    Args:
        first: offset of the first byte that differs.
        ranges: first and last offset of each run of chunks of 1 MiB that differ.
        chunks: how many chunks differ.
        total: chunks of the longer file.
        sizes: of the original and of the other file, in bytes.
    """

    first: int
    ranges: tuple[tuple[int, int], ...]
    chunks: int
    total: int
    sizes: tuple[int, int]

    def __str__(self) -> str:
        shown = ", ".join(f"{start}-{end}" for start, end in self.ranges[:_SHOWN])
        more = f" and {len(self.ranges) - _SHOWN} more ranges" if len(self.ranges) > _SHOWN else ""
        size = f"; its size is {self.sizes[1]} bytes, not {self.sizes[0]}" if len(set(self.sizes)) > 1 else ""
        chunks = f"{self.chunks} of {self.total} chunks of 1 MiB"
        return f"it differs from byte {self.first} on, in {chunks}: bytes {shown}{more}{size}"


@dataclass
class Copy:
    """What was found of one digest.

    Args:
        path: a whole copy; None if there is none. Of a download it ends with the context it was found in.
        where: the file or source it is from.
        digest: of the whole copy; with `cid` only if a profile was asked for.
        damaged: the copies that were looked at before and are not whole.
        told: why a source could not be asked.
        wrong: why a whole copy is not what a record of it says.
    """

    path: Path | None = None
    where: str = ""
    digest: FileDigest | None = None
    damaged: list[Damaged] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    wrong: str | None = None


def compare_files(original: Path, other: Path) -> Differences | None:
    """Where a file differs from its original; None if it doesn't."""
    ranges: list[tuple[int, int]] = []
    first, chunks, offset = None, 0, 0
    with original.open("rb") as one, other.open("rb") as two:
        while True:
            here, there = one.read(CHUNK), two.read(CHUNK)
            if not here and not there:
                break
            length = max(len(here), len(there))
            if here != there:
                chunks += 1
                if first is None:
                    pairs = enumerate(zip(here, there, strict=False))
                    first = offset + next((at for at, (a, b) in pairs if a != b), min(len(here), len(there)))
                last = offset + length - 1
                if ranges and ranges[-1][1] == offset - 1:
                    ranges[-1] = (ranges[-1][0], last)
                else:
                    ranges.append((offset, last))
            offset += length
    if first is None:
        return None
    sizes = original.stat().st_size, other.stat().st_size
    return Differences(first, tuple(ranges), chunks, -(-offset // CHUNK), sizes)


class Copies(Protocol):
    """Where a verifier finds the bytes of a digest. Nothing here is believed: each copy is hashed where it lies.

    Args:
        progress: told of the bytes hashed.
    """

    progress: Progress | None

    def find(
        self, sha256: str, *, limit: int | None = None, cid_profile: str | None = None
    ) -> AbstractContextManager[Copy]:
        """Look for a whole copy; it is good inside the context.

        Args:
            sha256: 64 hex digits.
            limit: bytes it may have at most; a larger copy counts as damaged.
            cid_profile: compute the CID under this profile too.
        """

    def read_bytes(self, sha256: str, limit: int) -> tuple[bytes | None, Copy]:
        """Read a whole copy of at most `limit` bytes; None if there is none."""
