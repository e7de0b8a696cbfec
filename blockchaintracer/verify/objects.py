"""Copies of what a record names by digest: looked for in the store and in sources, re-hashed where they lie."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from blockchaintracer.digest import (
    DEFAULT_PROFILE,
    PROFILES,
    FileDigest,
    Progress,
    digest_file,
    locked,
    sha256_file,
)
from blockchaintracer.errors import InputError
from blockchaintracer.store import FETCH_LIMIT, SourceError, Store, is_url, public_name, read_from_url

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
class Found:
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


class Objects:
    """The store and the sources. The store's copy is looked at first, and sources until one has a whole copy.

    Args:
        store: the lab's store.
        sources: as `Store.fetch`.
        progress: told of the bytes hashed.
    """

    def __init__(self, store: Store, sources: Sequence[str | os.PathLike[str]] = (), progress: Progress | None = None):
        self._sources = [os.fspath(store.folder), *(os.fspath(source) for source in sources)]
        self.progress = locked(progress)

    @contextmanager
    def find(self, sha256: str, *, limit: int | None = None, cid_profile: str | None = None) -> Iterator[Found]:
        """Looks for a whole copy of an object; what is found is good inside the context.

        Args:
            sha256: its digest.
            limit: bytes it may have at most; what is larger counts as damaged.
            cid_profile: compute the CID under this profile too.
        """
        found = Found()
        with tempfile.TemporaryDirectory(prefix="blockchaintracer-") as scratch:
            for number, source in enumerate(self._sources):
                try:
                    path = _copy(source, sha256, Path(scratch, str(number)), limit)
                    if path is None:
                        continue
                    digest = self._digest(path, cid_profile)
                except (SourceError, InputError) as error:
                    found.told.append(f"{public_name(source)} {error}")
                    continue
                where = public_name(source) if is_url(source) else str(path)
                if digest.sha256 == sha256 and (limit is None or digest.size <= limit):
                    found.path, found.where, found.digest = path, where, digest
                    break
                found.damaged.append(Damaged(where, digest.sha256))
            if found.path:
                found.damaged = [self._compared(found.path, bad) for bad in found.damaged]
            yield found

    def read(self, sha256: str, limit: int) -> tuple[bytes | None, Found]:
        """The bytes of an object of at most `limit` bytes; None if there is no whole copy."""
        with self.find(sha256, limit=limit) as found:
            data = found.path.read_bytes() if found.path else None
        # read a second time: what is given away is what was hashed, or nothing
        if data is not None and hashlib.sha256(data).hexdigest() != sha256:
            found.told.append(f"{found.where} changed while it was read")
            data = None
        return data, found

    def _digest(self, path: Path, cid_profile: str | None) -> FileDigest:
        if cid_profile in PROFILES:
            return digest_file(path, cid_profile, self.progress)
        return FileDigest(sha256_file(path, self.progress), path.stat().st_size, "", DEFAULT_PROFILE)

    def _compared(self, whole: Path, bad: Damaged) -> Damaged:
        other = Path(bad.where)
        return Damaged(bad.where, bad.sha256, compare_files(whole, other) if other.is_file() else None)


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


def _copy(source: str, sha256: str, scratch: Path, limit: int | None) -> Path | None:
    """A file with what a source has under this digest; None if it has nothing."""
    if not is_url(source):
        path = Store(source).path_of(sha256)
        return path if path.exists() else None
    count, allowed = 0, FETCH_LIMIT if limit is None else limit
    with scratch.open("wb") as file:
        for block in read_from_url(source, sha256):
            count += len(block)
            if count > allowed:
                raise SourceError(f"has more than the {allowed} bytes allowed")
            file.write(block)
    return scratch
