"""Reads an archive of a stranger: everything in it is checked before any of it is used.

Nothing is unpacked by a general reader of tar files: links, devices, sparse files, long names and whatever else the
format can hold have no place in the one form that is accepted.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import BinaryIO, Self

from typing_extensions import override

from blockchaintracer.core.digest import open_regular, parse_listing
from blockchaintracer.core.errors import BlockchainTracerError, InputError, NotVerified
from blockchaintracer.core.verify.copies import object_name
from blockchaintracer.extras.archive.contents import Head, parse_head
from blockchaintracer.extras.archive.form import BLOCK, BLOCKS, EVENTS, HEAD, NAME, SUMS, SUMS512, end, header, padding

LIMIT = 64 << 30
"""Default for the most bytes that an archive may have. Nothing in it is compressed, so it can't become more."""
_LISTING_LIMIT = 256 << 20
_SMALL = 1 << 20
_CHUNK = 1 << 20
Progress = Callable[[int], None]
"""Called with the bytes that were read."""


class ArchiveRefused(NotVerified):
    """An archive of which nothing is used: `place` says where, as a member's name or a byte offset.

    Args:
        place: such as ``events.jsonl`` or ``byte 1024``.
        message: what was expected there and what came.
    """

    def __init__(self, place: str, message: str) -> None:
        super().__init__(
            f"{place}: {message}",
            hint="The file is damaged or forged: nothing of it was kept. Ask for it again.",
            place=place,
        )
        self.place = place


@dataclass(frozen=True, slots=True)
class _Member:
    offset: int
    size: int
    sha256: str
    sha512: str = ""


class Archive:
    """An archive whose form and digests hold. Its user checks what the events say.

    Args:
        file: open, at its start; it is closed with the archive.
        limit: bytes it may have.
        progress: called with the bytes hashed.

    Raises:
        ArchiveRefused: at the first thing that is not as it must be.
    """

    def __init__(self, file: BinaryIO, limit: int = LIMIT, progress: Progress | None = None) -> None:
        self._file = file
        self._length = os.fstat(file.fileno()).st_size
        if self._length > limit:
            raise ArchiveRefused("byte 0", f"expected at most {limit:,} bytes, got {self._length:,}")
        self._members = self._scan(progress)
        self._finish()

    def _finish(self) -> None:
        for needed in (BLOCKS, EVENTS, HEAD, SUMS512):
            if needed not in self._members:
                raise ArchiveRefused(SUMS, f"expected {needed} among the members, it is not")
        others = {name: it.sha512 for name, it in self._members.items() if name not in (SUMS, SUMS512)}
        listing = "".join(f"{digest}  {name}\n" for name, digest in sorted(others.items())).encode()
        if self.read(SUMS512, _LISTING_LIMIT) != listing:
            raise ArchiveRefused(SUMS512, "expected the SHA-512 of every other member, got something else")
        with refusing(HEAD):
            self.head: Head = parse_head(self.read(HEAD, _SMALL))

    @classmethod
    def open(cls, path: str | os.PathLike[str], limit: int = LIMIT, progress: Progress | None = None) -> Archive:
        """An archive in a file, or in a folder with the same members.

        Raises:
            InputError: if it can't be read.
            ArchiveRefused: if it is none.
        """
        try:
            if Path(path, SUMS).is_file():
                return _FolderArchive(Path(path), limit, progress)
            if not Path(path).is_file():
                raise InputError(f"expected an archive in a regular file, or in a folder with {SUMS}, got {path}")
            file = Path(path).open("rb")  # noqa: SIM115 -- closed with the archive
        except OSError as error:
            raise InputError(f"expected an archive that can be read in {path}: {error.strerror}") from None
        try:
            return cls(file, limit, progress)
        except BaseException:
            file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    @property
    def objects(self) -> list[str]:
        """The digests of the objects in it, ascending."""
        return [name.removeprefix("objects/").replace("/", "") for name in self._members if name.startswith("objects/")]

    @property
    def proofs(self) -> list[str]:
        """The members that are keys of records with what proves them."""
        return [name for name in self._members if name.startswith("proofs/")]

    @property
    def evidence(self) -> list[str]:
        """The members that are of identities, witnesses and renewals."""
        return [name for name in self._members if name.partition("/")[0] in ("identities", "witnesses", "renewals")]

    def object_blocks(self, sha256: str) -> Iterator[bytes]:
        """The content of an object. Whoever keeps it hashes it: the file may have changed since it was checked."""
        name = object_name(sha256)
        member = self._members[name]
        self._seek(name, member)
        left = member.size
        while left:
            block = self._file.read(min(_CHUNK, left))
            if not block:
                raise ArchiveRefused(object_name(sha256), "the file has become shorter while it was read")
            left -= len(block)
            yield block

    def read(self, name: str, limit: int | None = None) -> bytes:
        """The content of a member, re-hashed.

        Raises:
            ArchiveRefused: if it is larger than `limit`, or has changed since it was checked.
        """
        member = self._members[name]
        if limit is not None and member.size > limit:
            raise ArchiveRefused(name, f"expected at most {limit:,} bytes, got {member.size:,}")
        self._seek(name, member)
        data = self._file.read(member.size)
        if hashlib.sha256(data).hexdigest() != member.sha256:
            raise ArchiveRefused(name, "it has changed while the archive was read")
        return data

    def _seek(self, name: str, member: _Member) -> None:
        self._file.seek(member.offset)

    # -- checking

    def _scan(self, progress: Progress | None) -> dict[str, _Member]:
        size = self._header(0, SUMS)
        if size > _LISTING_LIMIT:
            raise ArchiveRefused(SUMS, f"expected at most {_LISTING_LIMIT:,} bytes, got {size:,}")
        at, (actual, _), data = self._content(BLOCK, SUMS, size, keep=True)
        members = {SUMS: _Member(BLOCK, size, actual)}
        for name, expected in _listed(data):
            size = self._header(at, name)
            offset = at + BLOCK
            at, (actual, other), _ = self._content(offset, name, size, progress=progress)
            if actual != expected:
                raise ArchiveRefused(name, f"expected the SHA-256 {expected}, got {actual}")
            members[name] = _Member(offset, size, expected, other)
        rest = self._length - at
        if rest != end(at) or any(self._read(at, rest)):
            raise ArchiveRefused(f"byte {at}", f"expected {end(at)} zero bytes and then the end, got {rest} bytes")
        return members

    def _header(self, at: int, name: str) -> int:
        """Check the header of the member that starts here. Returns the member's size."""
        raw = self._read(at, BLOCK)
        try:
            info = tarfile.TarInfo.frombuf(raw, "utf-8", "strict")
            size, actual, kind = info.size, info.name, info.type
        except (tarfile.HeaderError, UnicodeDecodeError, ValueError):
            raise ArchiveRefused(f"byte {at}", f"expected the header of {name}, got none of a tar file") from None
        if kind != tarfile.REGTYPE:
            what = {tarfile.SYMTYPE: "a symbolic link", tarfile.LNKTYPE: "a hard link", tarfile.DIRTYPE: "a folder"}
            raise ArchiveRefused(
                f"byte {at}", f"expected the file {name}, got {what.get(kind, 'another kind of entry')}"
            )
        if actual != name:
            raise ArchiveRefused(f"byte {at}", f"expected {name}, got {actual[:200]!r}")
        if size < 0 or at + BLOCK + size + padding(size) > self._length:
            raise ArchiveRefused(f"byte {at}", f"{name} says to have {size:,} bytes, and the archive ends before that")
        if raw != header(name, size):
            raise ArchiveRefused(f"byte {at}", f"the header of {name} is not in the one form that an archive has")
        return size

    def _content(
        self, at: int, name: str, size: int, *, keep: bool = False, progress: Progress | None = None
    ) -> tuple[int, tuple[str, str], bytes]:
        """Hash a member. Returns where the next member starts, SHA-256 and SHA-512, and with `keep` the content."""
        actual, other, kept, left = hashlib.sha256(), hashlib.sha512(), bytearray(), size
        while left:
            block = self._read(at, min(_CHUNK, left))
            actual.update(block)
            other.update(block)
            if keep:
                kept += block
            at, left = at + len(block), left - len(block)
            if progress:
                progress(len(block))
        if any(self._read(at, padding(size))):
            raise ArchiveRefused(f"byte {at}", f"expected zero bytes after {name}")
        return at + padding(size), (actual.hexdigest(), other.hexdigest()), bytes(kept)

    def _read(self, at: int, count: int) -> bytes:
        self._file.seek(at)
        data = self._file.read(count)
        if len(data) != count:
            raise ArchiveRefused(f"byte {at + len(data)}", "the archive ends too early")
        return data


class _FolderArchive(Archive):
    """The members as files of a folder. A file that no listing names is not read."""

    def __init__(self, folder: Path, limit: int, progress: Progress | None) -> None:
        self._folder, self._left = folder, limit
        self._file: BinaryIO = io.BytesIO()
        self._members = self._scan(progress)
        self._finish()

    @override
    def _seek(self, name: str, member: _Member) -> None:
        self._file.close()
        try:
            self._file = os.fdopen(os.open(self._folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
        except OSError as error:
            raise ArchiveRefused(name, f"expected a file that can be read: {error.strerror}") from None

    @override
    def _scan(self, progress: Progress | None) -> dict[str, _Member]:
        data, members = self._hashed(SUMS, progress, _LISTING_LIMIT)
        found = {SUMS: members}
        for name, expected in _listed(data):
            _, member = self._hashed(name, progress)
            if member.sha256 != expected:
                raise ArchiveRefused(name, f"expected the SHA-256 {expected}, got {member.sha256}")
            found[name] = member
        return found

    def _hashed(self, name: str, progress: Progress | None, keep: int = 0) -> tuple[bytes, _Member]:
        actual, other, kept, size = hashlib.sha256(), hashlib.sha512(), bytearray(), 0
        if any((self._folder / folder).is_symlink() for folder in [*PurePath(name).parents][:-1]):
            raise ArchiveRefused(name, "expected a folder, got a symbolic link")
        try:
            with open_regular(self._folder / name, "a member", os.O_NOFOLLOW) as (descriptor, _):
                while block := os.read(descriptor, _CHUNK):
                    actual.update(block)
                    other.update(block)
                    size += len(block)
                    self._left -= len(block)
                    if self._left < 0 or (keep and size > keep):
                        raise ArchiveRefused(name, "expected a smaller archive: it has more bytes than are allowed")
                    kept += block if keep else b""
                    if progress:
                        progress(len(block))
        except InputError as error:
            raise ArchiveRefused(name, error.message) from None
        return bytes(kept), _Member(0, size, actual.hexdigest(), other.hexdigest())


def _listed(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield the members that a listing names, with their SHA-256; objects are named by it."""
    with refusing(SUMS):
        listed = parse_listing(data)
    for name, expected in listed:
        if not NAME.fullmatch(name) or name == SUMS:
            raise ArchiveRefused(SUMS, f"expected members of an archive, got {name[:200]!r}")
        if name.startswith("objects/") and name != object_name(expected):
            raise ArchiveRefused(name, f"expected content of that digest, got one with the SHA-256 {expected}")
        yield name, expected


@contextmanager
def refusing(place: str) -> Iterator[None]:
    """Turn what a parser finds wrong inside the block into a refusal of the archive."""
    try:
        yield
    except ArchiveRefused:
        raise
    except BlockchainTracerError as error:
        raise ArchiveRefused(place, error.message) from None
    except ValueError as error:
        raise ArchiveRefused(place, str(error)) from None
