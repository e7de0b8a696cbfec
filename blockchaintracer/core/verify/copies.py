"""Copies of what a record names by digest: how a verifier finds and reads them."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from typing_extensions import override

from blockchaintracer.core.digest import NO_CID, PROFILES, FileDigest, Progress, digest_file, locked, sha256_file
from blockchaintracer.core.errors import BlockchainTracerError, ChainUnavailable, InputError, NotVerified, StoreError
from blockchaintracer.core.formats import PUBLISHED, read_limited
from blockchaintracer.core.plain_json import parse_json
from blockchaintracer.core.record import normal_digest

CHUNK = 1 << 20
VERSION_FILE = "blockchaintracer.json"
"""Names the version of a published folder. One without it, such as the lab's store, has the layout of version 1."""

_SHOWN = 8


class SourceError(Exception):
    """Why a source did not give a copy.

    Args:
        unavailable: whether it may have one and could not be asked.
        wrong: whether what it gave is not what it should be.
    """

    def __init__(self, reason: str, *, unavailable: bool = False, wrong: bool = False) -> None:
        super().__init__(reason)
        self.unavailable = unavailable
        self.wrong = wrong


@dataclass(frozen=True)
class Damaged:
    """A copy that is not what its name says.

    Args:
        where: the file, or the source that gave it.
        sha256: what it is instead; None if that is not known.
        differences: where it differs from a whole copy; None without a whole copy.
        reason: how it is damaged, if its SHA-256 does not say.
    """

    where: str
    sha256: str | None
    differences: Differences | None = None
    reason: str = ""

    def __str__(self) -> str:
        place = f", {self.differences}" if self.differences else ""
        return f"the copy at {self.where} is damaged: {self.reason or f'its SHA-256 is {self.sha256}'}{place}"


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
        path: a whole copy, or None. A download is deleted when the context ends.
        where: the file or source it is from.
        digest: of the whole copy; with `cid` only if a profile was asked for. None without one.
        damaged: the copies that were looked at before and are not whole.
        told: why a source has none.
        unavailable: why a source that may have one could not be asked.
        wrong: why a whole copy is not what a record of it says.
    """

    path: Path | None = None
    where: str = ""
    digest: FileDigest | None = None
    damaged: list[Damaged] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    unavailable: list[str] = field(default_factory=list)
    wrong: str | None = None

    @property
    def reasons(self) -> list[str]:
        """Why there is no whole copy, source by source."""
        return [*map(str, self.damaged), *self.told, *self.unavailable]

    def note(self, source: str, error: SourceError) -> None:
        """Note what came of asking a source."""
        if error.wrong:
            self.damaged.append(Damaged(source, None, reason=str(error)))
        else:
            (self.unavailable if error.unavailable else self.told).append(f"{source} {error}")

    def error(self, expected: str, hint: str) -> BlockchainTracerError:
        """Make the error of a reader that needs a whole copy: nothing is decided while a source is unavailable."""
        kind = ChainUnavailable if self.unavailable else NotVerified if self.damaged else StoreError
        return kind(f"{expected}: {'; '.join(self.reasons) or 'no source was given'}", hint=hint)


def compare_files(original: Path, other: Path) -> Differences | None:
    """Return where a file differs from its original, or None."""
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
    """Where a verifier finds the bytes of a digest. Every copy is hashed before it is used."""

    progress: Progress | None

    def find_copy(
        self, sha256: str, *, limit: int | None = None, cid_profile: str | None = None
    ) -> AbstractContextManager[Copy]:
        """Look for a whole copy. It can be read inside the context.

        Args:
            sha256: 64 hex digits.
            limit: bytes that the copy may have at most. A larger copy counts as damaged.
            cid_profile: compute the CID under this profile too.
        """

    def read_bytes(self, sha256: str, limit: int) -> tuple[bytes | None, Copy]:
        """Read a whole copy of at most `limit` bytes. The bytes are None if there is no such copy."""


class FolderCopies:
    """Published folders of objects, ``objects/<2 hex digits>/<62 hex digits>``. The first whole copy is used."""

    def __init__(self, folders: Sequence[str | os.PathLike[str]] = (), progress: Progress | None = None) -> None:
        self._sources = [os.fspath(folder) for folder in folders]
        self.progress = locked(progress)

    @contextmanager
    def find_copy(self, sha256: str, *, limit: int | None = None, cid_profile: str | None = None) -> Iterator[Copy]:
        """Look for a whole copy, as `Copies.find_copy`."""
        # a folder for each of many files would take longer than hashing them: it is made when something is fetched
        copy, scratch = Copy(), Path(tempfile.gettempdir(), f"blockchaintracer-{secrets.token_hex(16)}")
        try:
            for number, source in enumerate(self._sources):
                try:
                    path = self._locate(source, sha256, scratch / str(number), limit)
                    if path is None:
                        continue
                    if limit is not None and path.stat().st_size > limit:
                        raise SourceError(f"has more than the {limit} bytes allowed", wrong=True)
                    digest = self._digest(path, cid_profile)
                except SourceError as error:
                    copy.note(self._name(source), error)
                    continue
                except (InputError, OSError) as error:
                    # the copy is there and cannot be read, or changes while it is
                    why = error.message if isinstance(error, InputError) else error.strerror
                    copy.unavailable.append(f"{self._name(source)} {why}")
                    continue
                where = str(path) if path.parent != scratch else self._name(source)
                if digest.sha256 == sha256:
                    copy.path, copy.where, copy.digest = path, where, digest
                    break
                copy.damaged.append(Damaged(where, digest.sha256))
            if copy.path:
                copy.damaged = [_compared(copy.path, bad) for bad in copy.damaged]
            yield copy
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def read_bytes(self, sha256: str, limit: int) -> tuple[bytes | None, Copy]:
        """Read a whole copy, as `Copies.read_bytes`."""
        data = None
        with self.find_copy(sha256, limit=limit) as copy, suppress(InputError):
            data = read_limited(copy.path, limit, "an object") if copy.path else None
        # the file may have changed after it was hashed: only bytes with the right digest are returned
        if copy.path and (data is None or hashlib.sha256(data).hexdigest() != sha256):
            copy.unavailable.append(f"{copy.where} changed while it was read")
            data = copy.digest = None
        return data, copy

    def _locate(self, source: str, sha256: str, scratch: Path, limit: int | None) -> Path | None:
        """Return a file that a source has under a digest, fetched to `scratch` if it is elsewhere, whose folder is made
        then. None if none."""
        if not Path(source).is_dir():
            raise SourceError("is no published folder")
        check_layout(Path(source))
        path = Path(source, object_name(sha256))
        if not path.exists():
            raise SourceError("does not have it")
        return path

    def _name(self, source: str) -> str:
        return source

    def _digest(self, path: Path, cid_profile: str | None) -> FileDigest:
        return digest_file(path, cid_profile if cid_profile in PROFILES else NO_CID, self.progress)


class GivenFiles(FolderCopies):
    """Files that somebody shows, by their digest, and other copies for the rest: a manifest may be among the files."""

    def __init__(self, files: Sequence[Path], others: Copies) -> None:
        super().__init__(["the files that were given"], others.progress)
        self._others = others
        self.files = {sha256_file(file, others.progress): file for file in files if file.is_file()}

    @override
    @contextmanager
    def find_copy(self, sha256: str, *, limit: int | None = None, cid_profile: str | None = None) -> Iterator[Copy]:
        find = super().find_copy if sha256 in self.files else self._others.find_copy
        with find(sha256, limit=limit, cid_profile=cid_profile) as copy:
            yield copy

    @override
    def _locate(self, source: str, sha256: str, scratch: Path, limit: int | None) -> Path | None:
        return self.files.get(sha256)


def check_layout(folder: Path) -> None:
    """Refuse a published folder of a version that is not read here."""
    if (file := folder / VERSION_FILE).exists():
        PUBLISHED.check_header(parse_json(read_limited(file, CHUNK, "a version"), VERSION_FILE), str(folder))


def object_name(sha256: str) -> str:
    """Return the path of an object in a store or a published folder."""
    digest = normal_digest(sha256)
    return f"objects/{digest[:2]}/{digest[2:]}"


def _compared(whole: Path, bad: Damaged) -> Damaged:
    known = bad.sha256 and os.path.isfile(bad.where)
    return replace(bad, differences=compare_files(whole, Path(bad.where))) if known else bad
