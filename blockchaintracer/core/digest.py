"""What identifies bytes: SHA-256, the canonical SHA256SUMS of a folder, and the IPFS address (CID) of a file.

>>> digest_bytes(b"hello world").sha256
'b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9'
>>> digest_bytes(b"hello world").cid
'bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e'
"""

from __future__ import annotations

import base64
import hashlib
import mmap
import os
import re
import stat
import threading
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from io import BufferedReader, FileIO
from typing import TypeVar

from blockchaintracer.core.errors import InputError

T = TypeVar("T")
R = TypeVar("R")

Progress = Callable[[int], None]
"""Called with the number of bytes just read; may be called from several threads, never from two at once."""

Emit = Callable[[bytes, bytes], object]
"""Called with the binary CID and the bytes of a block."""

DEFAULT_PROFILE = "unixfs-v1-2025"
NO_CID = ""
"""Instead of a profile: SHA-256 alone, which takes half the time. The files of a folder need no more."""

_BLOCK = 1 << 20
_BUFFER_FROM = 4 * _BLOCK
_WAITING = 1024
RAW, DAG_PB = 0x55, 0x70
"""Codecs of an IPFS block: the bytes alone, or a node with links."""
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

_LISTED = re.compile(r"(\\?)([0-9a-f]{64})  (.+)", re.DOTALL)
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r"})
"""As `sha256sum` writes them, in a line that begins with a backslash."""
_UNKEEPABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\\]")


@dataclass(frozen=True, slots=True)
class CidProfile:
    """How a file is cut into a UnixFS tree; the same bytes have another CID under each profile (IPIP-0499).

    Args:
        chunk: bytes of a leaf.
        width: links of a node.
        raw_leaves: whether leaves are the bytes alone, or wrapped in UnixFS.
    """

    chunk: int
    width: int
    raw_leaves: bool
    version: int


PROFILES = {
    DEFAULT_PROFILE: CidProfile(chunk=1 << 20, width=1024, raw_leaves=True, version=1),
    "unixfs-v0-2015": CidProfile(chunk=1 << 18, width=174, raw_leaves=False, version=0),
    "legacy": CidProfile(chunk=1 << 18, width=174, raw_leaves=True, version=1),
}
"""The two profiles of IPIP-0499, and ``legacy``: what ``ipfs add --cid-version=1`` long gave (256 KiB, raw leaves)."""


@dataclass(frozen=True, slots=True)
class FileDigest:
    """What identifies a file.

    Args:
        sha256: what ``sha256sum`` prints, 64 hex digits.
        size: bytes.
        cid: its IPFS address, as text; empty with `NO_CID`.
        cid_profile: the name in `PROFILES` that `cid` was computed by, or `NO_CID`.
    """

    sha256: str
    size: int
    cid: str
    cid_profile: str


@dataclass(frozen=True, slots=True)
class FolderEntry:
    """One file of a folder.

    Args:
        path: relative, '/'-separated, NFC.
        size: bytes.
        sha256: 64 hex digits.
        mode: 0o755 if its owner may execute it, else 0o644 (as git keeps it); not part of the folder's digest.
    """

    path: str
    size: int
    sha256: str
    mode: int


@dataclass(frozen=True, slots=True)
class FolderDigest:
    """What identifies a folder.

    Args:
        sha256: SHA-256 of `listing`, 64 hex digits.
        listing: the canonical SHA256SUMS, which ``sha256sum -c`` takes.
    """

    sha256: str
    files: tuple[FolderEntry, ...]
    listing: bytes

    @property
    def size(self) -> int:
        """Size of all files together, in bytes."""
        return sum(entry.size for entry in self.files)

    @property
    def executable(self) -> tuple[str, ...]:
        """Paths of files that their owner may execute, as far as a manifest can hold them, in the listing's order."""
        return tuple(entry.path for entry in self.files if entry.mode & 0o100 and is_plain_path(entry.path))


@dataclass(frozen=True, slots=True)
class DagLink:
    """A node of a UnixFS tree, as its parent names it.

    Args:
        total: bytes of all blocks below it and its own.
        size: bytes of the content below it.
    """

    cid: bytes
    total: int
    size: int

    def encode(self, name: str) -> bytes:
        """Encode the link as a field of its parent (ipld.io/specs/codecs/dag-pb)."""
        fields = protobuf_field(1, self.cid) + protobuf_field(2, name.encode()) + b"\x18" + varint(self.total)
        return protobuf_field(2, fields)


def profile_named(name: str) -> CidProfile:
    """Return the CID profile with this name."""
    if name not in PROFILES:
        raise InputError(f"expected a CID profile of {', '.join(PROFILES)}, got {name!r}")
    return PROFILES[name]


class Digester:
    """SHA-256 and CID of bytes that arrive in blocks, in flat memory.

    Args:
        emit: is given each block of the tree, children before parents: its binary CID and its bytes.
    """

    def __init__(self, profile: str = DEFAULT_PROFILE, emit: Emit | None = None) -> None:
        self._profile = profile_named(profile) if profile != NO_CID else CidProfile(0, 0, False, 0)
        self._name = profile
        self._emit = emit
        self._whole = hashlib.sha256()
        self._size = 0
        self._levels: list[list[DagLink]] = [[]]

    def update(self, block: memoryview, pool: ThreadPoolExecutor | None = None) -> None:
        """Take the next block. Every block but the last has a multiple of the profile's chunk."""
        whole = pool.submit(self._whole.update, block) if pool else None
        # the only leaf of a small file is the file: hashing it twice would halve the speed of folders of small files
        only = not self._size and len(block) <= self._profile.chunk and self._profile.raw_leaves
        if not whole:
            self._whole.update(block)
        self._size += len(block)
        for start in range(0, len(block), self._profile.chunk) if self._profile.chunk else ():
            chunk = block[start : start + self._profile.chunk]
            self._add(0, self._leaf(chunk, self._whole.digest() if only and not whole else None))
        if whole:
            whole.result()

    def finish(self) -> FileDigest:
        """Return the digest of all blocks."""
        cid = cid_text(self.root().cid) if self._profile.chunk else ""
        return FileDigest(self.sha256, self._size, cid, self._name)

    @property
    def sha256(self) -> str:
        """SHA-256 of the blocks so far, 64 hex digits."""
        return self._whole.hexdigest()

    def root(self) -> DagLink:
        """Return the root of the tree of all blocks."""
        if not self._size:
            self._add(0, self._leaf(memoryview(b""), None))
        level = 0
        while level < len(self._levels) - 1 or len(self._levels[level]) > 1:
            self._collapse(level)
            level += 1
        self._levels = [[self._levels[level][0]]]
        return self._levels[0][0]

    def _add(self, level: int, link: DagLink) -> None:
        if len(self._levels[level]) == self._profile.width:
            self._collapse(level)
        self._levels[level].append(link)

    def _collapse(self, level: int) -> None:
        if level + 1 == len(self._levels):
            self._levels.append([])
        links, self._levels[level] = self._levels[level], []
        self._add(level + 1, self._node(links))

    def _leaf(self, chunk: memoryview, digest: bytes | None) -> DagLink:
        size = len(chunk)
        if self._profile.raw_leaves:
            cid = cid_bytes(1, RAW, digest or hashlib.sha256(chunk).digest())
            if self._emit:
                self._emit(cid, bytes(chunk))
            return DagLink(cid, size, size)
        # only the frame around the chunk is built; the chunk itself is hashed where it lies
        content = b"\x12" + varint(size) if size else b""
        tail = b"\x18" + varint(size)
        head = b"\x0a" + varint(2 + len(content) + size + len(tail)) + b"\x08\x02" + content
        leaf = hashlib.sha256(head)
        leaf.update(chunk)
        leaf.update(tail)
        cid = cid_bytes(self._profile.version, DAG_PB, leaf.digest())
        if self._emit:
            self._emit(cid, b"".join((head, chunk, tail)))
        return DagLink(cid, len(head) + size + len(tail), size)

    def _node(self, links: list[DagLink]) -> DagLink:
        size = sum(link.size for link in links)
        encoded = b"".join(link.encode("") for link in links)
        sizes = b"".join(b"\x20" + varint(link.size) for link in links)
        encoded += protobuf_field(1, b"\x08\x02\x18" + varint(size) + sizes)
        cid = cid_bytes(self._profile.version, DAG_PB, hashlib.sha256(encoded).digest())
        if self._emit:
            self._emit(cid, encoded)
        return DagLink(cid, len(encoded) + sum(link.total for link in links), size)


def digest_bytes(data: bytes, profile: str = DEFAULT_PROFILE) -> FileDigest:
    """Digest `data` as a file."""
    digester = Digester(profile)
    digester.update(memoryview(data))
    return digester.finish()


def cid_of_sha256(sha256: str) -> str:
    """Return the IPFS address, under `DEFAULT_PROFILE`, of a file of at most 1 MiB (a manifest) from its SHA-256."""
    return cid_text(cid_bytes(1, RAW, bytes.fromhex(sha256)))


def digest_file(
    path: str | os.PathLike[str],
    profile: str = DEFAULT_PROFILE,
    progress: Progress | None = None,
    write: Callable[[memoryview], object] | None = None,
) -> FileDigest:
    """Compute SHA-256 and CID of a file in one reading; with `NO_CID` SHA-256 alone.

    Args:
        write: is given each hashed block, so that a copy has exactly this digest.

    Raises:
        InputError: if it isn't a readable regular file, or changes while it's read.
    """
    digester = Digester(profile)
    with open_regular(path) as (descriptor, size):
        # a thread costs more than it saves on a small file
        with ThreadPoolExecutor(1) if size > _BUFFER_FROM and profile != NO_CID else nullcontext() as pool:
            for block in read_blocks(descriptor, size, path):
                digester.update(block, pool)
                if write:
                    write(block)
                if progress:
                    progress(len(block))
        digest = digester.finish()
        if digest.size != size:
            raise _changed(path)
    return digest


def sha256_file(path: str | os.PathLike[str], progress: Progress | None = None) -> str:
    """Compute the SHA-256 of a file, 64 hex digits, at the speed of ``hashlib.file_digest``."""
    return digest_file(path, NO_CID, progress).sha256


def digest_folder(
    path: str | os.PathLike[str], progress: Progress | None = None, exclude: Collection[str] = ()
) -> FolderDigest:
    """Digest a folder: SHA-256 of its canonical SHA256SUMS, sorted by the UTF-8 bytes of the paths.

    Everything in the folder counts, hidden files too. A link to a file inside the folder counts as a file of that
    content; every other link is refused. Empty subfolders and modes have no place in SHA256SUMS.

    Args:
        exclude: names of files and folders to leave out wherever they stand, such as ``__pycache__``.

    Raises:
        InputError: naming the path, if it holds no file, a name that is not UTF-8, a link that leaves it or points to a
            folder, a device, FIFO or socket, or a file that can't be read or changes while it's read.
    """
    report = locked(progress)
    return folder_digest(
        list_folder(path, exclude), lambda file: digest_file(file, NO_CID, report), os.cpu_count() or 1
    )


def folder_digest(files: list[tuple[str, str]], digest: Callable[[str], FileDigest], workers: int) -> FolderDigest:
    """Digest the `files` of a folder (from `list_folder`) with `digest`, in several threads."""
    made = in_threads(lambda file: digest(file[1]), files, workers)
    entries = tuple(
        FolderEntry(name, file.size, file.sha256, 0o755 if os.stat(real).st_mode & 0o100 else 0o644)
        for (name, real), file in made
    )
    listing = format_listing((entry.path, entry.sha256) for entry in entries)
    return FolderDigest(hashlib.sha256(listing).hexdigest(), entries, listing)


def in_threads(make: Callable[[T], R], items: Sequence[T], workers: int) -> Iterator[tuple[T, R]]:
    """Yield the items in their order, each with what `make` gives for it. Only some wait at once: each takes memory."""
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(items), _WAITING):
            part = items[start : start + _WAITING]
            yield from zip(part, pool.map(make, part), strict=True)


def locked(progress: Progress | None) -> Progress | None:
    """Return `progress`, or a copy that two threads never call at once."""
    if not progress:
        return None
    lock = threading.Lock()

    def report(count: int) -> None:
        with lock:
            progress(count)

    return report


def list_folder(path: str | os.PathLike[str], exclude: Collection[str] = ()) -> list[tuple[str, str]]:
    """List the files of a folder as (canonical path, path to open), in the order of its listing."""
    try:
        root = os.path.realpath(path, strict=True)
    except OSError as error:
        raise InputError(f"expected a folder at {os.fspath(path)}: {error.strerror}") from error
    if not os.path.isdir(root):
        raise InputError(f"expected a folder, got the file {os.fspath(path)}")
    files: list[tuple[str, str]] = []
    folders = [("", root)]
    while folders:
        prefix, folder = folders.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError as error:
            raise InputError(f"can't read the folder {folder}: {error.strerror}") from error
        forms = Counter(_normal(entry.name, entry.path) for entry in entries)
        for entry in entries:
            if entry.name in exclude:
                continue
            normal = _normal(entry.name, entry.path)
            # of two that are one in NFC each keeps its own form
            name = prefix + (normal if forms[normal] == 1 else entry.name)
            if entry.is_dir(follow_symlinks=False):
                folders.append((name + "/", entry.path))
            elif entry.is_symlink():
                files.append((name, _inside(entry.path, root)))
            elif entry.is_file():
                files.append((name, entry.path))
            else:
                raise InputError(
                    f"expected only files and folders, got a device, FIFO or socket: {entry.path}",
                    hint="Leave it out by name, or record a copy of the folder without it.",
                )
    if not files:
        raise InputError(f"expected a folder that holds at least one file, got {root}")
    return sorted(files, key=lambda file: file[0].encode())


def format_listing(files: Iterable[tuple[str, str]]) -> bytes:
    """Write the canonical SHA256SUMS of (path, sha256): ``<hex>  <path>`` lines, sorted by the paths' UTF-8 bytes. Of a
    path with a backslash, newline or carriage return the line is as `sha256sum` escapes it."""
    listing = bytearray()
    for path, sha256 in sorted(files, key=lambda file: (file[0].encode(), file[1])):
        listing += f"{_escaped(sha256, path)}\n".encode()
    return bytes(listing)


def _escaped(sha256: str, path: str) -> str:
    escaped = path.translate(_ESCAPES)
    return f"{'' if escaped == path else chr(92)}{sha256}  {escaped}"


def parse_listing(listing: bytes) -> tuple[tuple[str, str], ...]:
    """Read the (path, sha256) of a canonical SHA256SUMS of any origin. No path in it leaves its folder.

    Raises:
        InputError: if it isn't exactly what `format_listing` writes, or holds a path that `check_listed` refuses.
    """
    try:
        text = listing.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"expected a listing in UTF-8, got other bytes at {error.start}") from error
    files = []
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        match = _LISTED.fullmatch(line)
        if not match:
            raise InputError(f"expected '<64 hex digits>  <path>' in line {number} of a listing, got {line[:120]!r}")
        path = match[3]
        if match[1]:
            path = re.sub(r"\\([\\nr])", lambda escape: {"n": "\n", "r": "\r"}.get(escape[1], "\\"), path)
        files.append((path, match[2]))
    if not files or format_listing(files) != listing:
        raise InputError("expected a listing of at least one file, sorted by the bytes of the paths")
    check_listed([path for path, _ in files])
    return tuple(files)


def check_listed(paths: Collection[str]) -> None:
    """Refuse paths that can't be written below one folder.

    Raises:
        InputError: for a path that is absolute or leads out of the folder, that comes twice or is a folder, too, or
            that is not in NFC with no other beside it that is the same in NFC.
    """
    forms: dict[tuple[str, str], set[str]] = {}
    is_mixed = any(_normal(path, path) != path for path in paths)
    for path in paths:
        parts = path.split("/")
        if {"", ".", ".."} & {*parts} or "\0" in path or (os.sep != "/" and os.sep in path):
            raise InputError(f"expected a relative path without '.', '..' or empty parts, got {path!r}")
        for at, part in enumerate(parts if is_mixed else ()):
            forms.setdefault(("/".join(parts[:at]), _normal(part, path)), set()).add(part)
    for (_, normal), alike in forms.items():
        if len(alike) == 1 and normal not in alike:
            raise InputError(f"expected a path in Unicode form NFC, got {min(alike)!r}")
    check_distinct(paths)


def is_plain_path(path: str) -> bool:
    """Return whether a manifest can hold a path."""
    try:
        return check_path(path) == path
    except InputError:
        return False


def check_path(path: str) -> str:
    """Return the path if every system can keep it inside a folder.

    Raises:
        InputError: if it's absolute, has a ``.`` or ``..`` or empty part, a backslash, a control character or line
            separator, or isn't NFC or UTF-8.
    """
    parts = path.split("/")
    if "" in parts or "." in parts or ".." in parts:
        raise InputError(f"expected a relative path without '.', '..' or empty parts, got {path!r}")
    if _UNKEEPABLE.search(path):
        raise InputError(f"expected a name without backslash, newline or other control characters, got {path!r}")
    if _normal(path, path) != path:
        raise InputError(f"expected a path in Unicode form NFC, got {path!r}")
    return path


def check_distinct(paths: Iterable[str]) -> None:
    """Refuse a path that comes twice, or is a file to one and a folder to another."""
    files: set[str] = set()
    folders: set[str] = set()
    for path in paths:
        if path in files:
            raise InputError(f"expected each path once, got {path!r} twice")
        files.add(path)
        while path := path.rpartition("/")[0]:
            folders.add(path)
    if both := files & folders:
        raise InputError(f"expected files that are no folders, too, got {min(both)!r}")


_READING = sum(getattr(os, f"O_{name}", 0) for name in ("NONBLOCK", "CLOEXEC", "BINARY"))
"""Without NONBLOCK, opening a FIFO would wait for its writer; without BINARY, Windows would change line ends."""


@contextmanager
def open_regular(path: str | os.PathLike[str], what: str = "a file", flags: int = 0) -> Iterator[tuple[int, int]]:
    """Open a regular file for reading and yield its descriptor and size. The file must not change meanwhile. Messages
    say `what` was expected. With ``os.O_NOFOLLOW`` among `flags` it may not be a link."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _READING | flags)
    except OSError as error:
        raise InputError(f"expected {what} in {os.fspath(path)}: {error.strerror}") from error
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            kind = "a folder" if stat.S_ISDIR(before.st_mode) else "a device, FIFO or socket"
            raise InputError(f"expected {what} in a regular file, got {kind}: {os.fspath(path)}")
        yield descriptor, before.st_size
        states = (before, os.fstat(descriptor))
        if len({(state.st_size, state.st_mtime_ns, state.st_ctime_ns) for state in states}) > 1:
            raise _changed(path)
    finally:
        os.close(descriptor)


_idle_buffers: list[mmap.mmap] = []
"""Blocks that nobody reads into now: making one zeroes it and faults its pages in, which takes as long as reading it
and holds up all other threads. There are as many as files were read at once."""


def read_blocks(descriptor: int, size: int, path: str | os.PathLike[str]) -> Iterator[memoryview]:
    """Yield whole blocks up to the end of the file. Each block is overwritten by the next."""
    try:
        buffer = _idle_buffers.pop()
    except IndexError:
        # aligned to a page, for a writer that goes past the page cache
        buffer = mmap.mmap(-1, _BLOCK)
    try:
        block = memoryview(buffer)[: min(_BLOCK, size + 1)]
        file = BufferedReader(FileIO(descriptor, closefd=False))
        while True:
            try:
                filled = file.readinto(block)
            except OSError as error:
                raise InputError(f"can't read {os.fspath(path)}: {error.strerror}") from error
            if filled:
                yield block[:filled]
            if filled < len(block):
                return
    finally:
        _idle_buffers.append(buffer)


def _changed(path: str | os.PathLike[str]) -> InputError:
    return InputError(
        f"{os.fspath(path)} changed while it was read", hint="Wait until nothing writes to it, then try again."
    )


def _normal(name: str, path: str) -> str:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"expected a name in UTF-8, got {path!r}") from error
    return unicodedata.normalize("NFC", name)


def _inside(link: str, root: str) -> str:
    try:
        target = os.path.realpath(link, strict=True)
    except OSError as error:
        raise InputError(f"expected a link to a file, got {link}: {error.strerror}") from error
    if os.path.commonpath((root, target)) != root:
        raise InputError(
            f"expected every link to stay inside {root}, but {link} leads to {target}",
            hint="Put a copy of the file in its place.",
        )
    if not os.path.isfile(target):
        raise InputError(f"expected links to files alone, but {link} leads to the folder {target}")
    return target


def varint(number: int) -> bytes:
    """Encode a number in protobuf's and multiformats' variable length."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def protobuf_field(number: int, content: bytes) -> bytes:
    """Encode a length-delimited protobuf field."""
    return bytes([number << 3 | 2]) + varint(len(content)) + content


def cid_bytes(version: int, codec: int, digest: bytes) -> bytes:
    """Return the binary CID of a block with this SHA-256."""
    multihash = b"\x12\x20" + digest
    return bytes([1, codec]) + multihash if version else multihash


def cid_text(cid: bytes) -> str:
    """Write a binary CID as text: version 1 in base32 with its prefix, version 0 in base58
    (github.com/multiformats/cid)."""
    if cid[0] == 1:
        return "b" + base64.b32encode(cid).decode().lower().rstrip("=")
    number, text = int.from_bytes(cid), ""
    while number:
        number, digit = divmod(number, 58)
        text = BASE58[digit] + text
    return text


LISTING_LIMIT = 256 << 20
"""Bytes of the largest listing that `Store.restore_folder` reads: about two million files."""
