"""The content-addressed store: every byte a record needs, kept under its SHA-256, and fetched again by nothing else.

Objects lie at ``objects/<2 hex digits>/<62 hex digits>``; a web server that shows this layout is a source too.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from blockchaintracer.core.digest import (
    DEFAULT_PROFILE,
    LISTING_LIMIT,
    NO_CID,
    Digester,
    FileDigest,
    FolderDigest,
    Progress,
    digest_file,
    folder_digest,
    list_folder,
    locked,
    open_regular,
    parse_listing,
    sha256_file,
)
from blockchaintracer.core.errors import InputError, NotVerified, SourceWarning, StoreError
from blockchaintracer.core.record import normal_digest
from blockchaintracer.core.verify.copies import Copy, Damaged, SourceError, object_name
from blockchaintracer.lab.files import FULL, placing, sync_folder
from blockchaintracer.lab.store.hashcache import SETTLED_NS, HashCache

FETCH_LIMIT = 64 << 30
"""Bytes that `Store.fetch` takes at most by default: a source can't fill the disk."""
REPAIR = "`blockchaintracer store repair --from FOLDER|URL` puts a good copy in its place, from where it was published."
"""What to do about an object that is damaged or missing."""

NEW, REPAIRED, WHOLE, UNCHANGED = "new", "repaired", "re-hashed", "not read again"
SAME_SIZE = "of the same size and not read: damage would not be seen"
"""What became of a copy: not there before, damaged before, there and hashed again, there and not read."""

Write = Callable[[bytes | memoryview], object]

_BLOCK = 1 << 20
_HOLE = 1 << 16
_ZEROS = bytes(_BLOCK)
_FICLONE = 0x40049409
"""ioctl_ficlone(2); Python's fcntl has had a name for it since 3.12."""
_DIRECT = getattr(os, "O_DIRECT", 0)
_OBJECT = re.compile("[0-9a-f]{64}")
_WRITERS = 4


class Store:
    """A folder of objects, each named by its own SHA-256.

    Args:
        public: whether others may read what is put in (for a folder that a web server shows).
        cache: of digests: a file that is known, and whose copy here is known to be whole, is not read again.
    """

    def __init__(self, folder: str | os.PathLike[str], *, public: bool = False, cache: HashCache | None = None) -> None:
        self.folder = Path(folder)
        self._cache = cache
        self._public = public
        self._synced = True
        self._use: int | None = None
        self._using = threading.Lock()
        self._file_mode, self._folder_mode = (0o444, 0o755) if public else (0o400, 0o700)

    def path_of(self, sha256: str) -> Path:
        """Where the object is, or would be."""
        return self.folder / object_name(sha256)

    def where(self, sha256: str) -> Path:
        """Where the content of an object is read: in the store, or where it was recorded in place."""
        path = self.path_of(sha256)
        if self._cache is None or self._public or path.is_file():
            return path
        digest = normal_digest(sha256)
        places = [Path(place.path) for place in self._cache.places(digest) if place.in_place]
        if len(places) > 1:
            # of several the one that is known to be unchanged, else one that is there
            known = {place: self._cache.find(place, NO_CID) for place in places if place.exists()}
            places = [*(place for place, it in known.items() if it and it.sha256 == digest), *known, *places]
        return places[0] if places else path

    def has(self, sha256: str) -> bool:
        """Whether there is an object of that name, or a file in place; `verify` tells whether it's whole."""
        return self.where(sha256).is_file()

    def put_bytes(self, data: bytes) -> str:
        """Keep `data`; return its SHA-256."""
        digest = hashlib.sha256(data).hexdigest()
        self._hold()
        self.put_blocks(digest, [data])
        return digest

    def put_blocks(self, sha256: str, blocks: Iterable[bytes]) -> None:
        """Keep content that comes block by block, if it has that SHA-256. A whole object that is here already stays."""
        digest = normal_digest(sha256)
        with suppress(InputError, StoreError):
            _check(self.path_of(digest), digest, sha256_file(self.path_of(digest)))
            return
        self.put_stream(blocks, digest)

    def put_file(
        self,
        path: str | os.PathLike[str],
        progress: Progress | None = None,
        *,
        in_place: bool = False,
        profile: str = DEFAULT_PROFILE,
    ) -> FileDigest:
        """Keep a copy of a file, hashed and copied in one reading; with `in_place` only note where it lies."""
        if in_place and self._cache:
            digest = self._cache.digest(path, profile, progress)
            self._cache.note_place(path, digest.sha256, in_place=True)
            return digest
        self._hold()
        if (known := self._kept(path, profile, progress)) is not None:
            return known

        def copied() -> FileDigest:
            with self._incoming() as (file, keep):
                if file.clone(path):
                    digest = digest_file(file.path, profile, progress)
                else:
                    # what was recorded is not read soon: it must not take the memory of what is
                    digest = digest_file(path, profile, progress, partial(file.write, past_cache=profile == NO_CID))
                os.utime(file.descriptor, ns=(time.time_ns() - SETTLED_NS,) * 2)
                keep(digest.sha256)
                if self._cache:
                    self._cache.enter_copy(file.descriptor, digest)
                return digest

        return self._cache.entered(path, copied) if self._cache else copied()

    def put_stream(self, blocks: Iterable[bytes], expected: str | None = None) -> FileDigest:
        """Keep content that comes block by block, under the digest that it turns out to have, or must have."""
        self._hold()
        with self._incoming() as (file, keep):

            def written() -> Iterator[bytes]:
                for block in blocks:
                    file.write(block)
                    yield block

            digest = digest_stream(written())
            _check(self.path_of(expected or digest.sha256), expected or digest.sha256, digest.sha256)
            keep(digest.sha256)
        return digest

    def _kept(self, path: str | os.PathLike[str], profile: str, progress: Progress | None) -> FileDigest | None:
        """The digest of a file that is known, if the copy that is here is whole; None if it has to be read."""
        known = self._cache.find(path, profile) if self._cache else None
        if not self._cache or known is None:
            return None
        with suppress(InputError):
            if self._cache.digest(self.path_of(known.sha256), NO_CID).sha256 == known.sha256:
                if progress:
                    progress(known.size)
                return known
        return None

    def put_folder(
        self,
        path: str | os.PathLike[str],
        progress: Progress | None = None,
        exclude: Collection[str] = (),
        *,
        in_place: bool = False,
    ) -> FolderDigest:
        """Keep every file of a folder as `put_file` does, and its listing under the folder's digest."""
        report = locked(progress)
        # more threads than cores: most of their time is spent waiting for the disk
        digest = folder_digest(
            list_folder(path, exclude),
            lambda file: self.put_file(file, report, in_place=in_place, profile=NO_CID),
            workers=_WRITERS,
        )
        self.put_bytes(digest.listing)
        return digest

    def get_bytes(self, sha256: str, limit: int | None = None) -> bytes:
        """Read an object of at most `limit` bytes and check its SHA-256."""
        path = self.where(sha256)
        with _opened(path) as file:
            data = file.read() if limit is None else file.read(limit + 1)
        if limit is not None and len(data) > limit:
            raise StoreError(f"expected at most {limit} bytes in {path}, got more")
        _check(path, sha256, hashlib.sha256(data).hexdigest())
        return data

    def verify(self, sha256: str, progress: Progress | None = None, *, quick: bool = False) -> None:
        """Hash an object again; with `quick` only if the file changed since it was hashed, as the cache knows."""
        path = self.where(sha256)
        try:
            actual = self._cache.digest(path, NO_CID).sha256 if quick and self._cache else sha256_file(path, progress)
        except InputError as error:
            raise StoreError(f"expected an object of the store: {error.message}") from error
        _check(path, sha256, actual)

    def export(
        self, sha256: str, target: str | os.PathLike[str], sources: Sequence[str | os.PathLike[str]] = ()
    ) -> Path:
        """Copy an object, fetched first if it is not here, to a new file; return the file."""
        target = Path(target)
        try:
            with placing(target) as partial:
                if not self.has(sha256):
                    self.fetch(sha256, sources)
                target.parent.mkdir(parents=True, exist_ok=True)
                with _writing(partial, 0o666) as file:
                    self._fill(file, sha256)
        except OSError as error:
            raise _unwritable(target, error) from error
        return target

    def published(self, folder: str | os.PathLike[str]) -> Store:
        """Open a store that everyone may read, of which this one's cache knows what was hashed."""
        return Store(folder, public=True, cache=self._cache)

    def take(self, sha256: str, other: Store, *, quick: bool = False) -> str:
        """Copy an object of another store, unless a whole one is here. Return one of the states of a copy."""
        state = NEW
        if self.has(sha256):
            try:
                self.verify(sha256, quick=quick)
            except StoreError:
                state = REPAIRED
            else:
                return UNCHANGED if quick else WHOLE
        with self._incoming() as (file, keep):
            other._fill(file, sha256)
            keep(sha256)
        return state

    def fetch_some(self, digests: Sequence[str], sources: Sequence[str], limit: int) -> bool:
        """Fetch what the sources have of these objects, as `fetch` does. Return whether they had any."""
        fetched = False
        for digest in digests:
            with suppress(StoreError, NotVerified):
                fetched |= bool(self.fetch(digest, sources, limit))
        return fetched

    def fetch(self, sha256: str, sources: Sequence[str | os.PathLike[str]] = (), limit: int = FETCH_LIMIT) -> Path:
        """Fetch an object from the first source that has it, trusting only its SHA-256. Return its path.

        Args:
            sources: as `read_source` takes them. A source that gave other bytes is named by a `SourceWarning`.
            limit: bytes to take at most.

        Raises:
            StoreError: if no source has it, with the answer of each.
            NotVerified: if what the sources gave is not it.
            ChainUnavailable: if a source that might have it is unavailable.
        """
        from blockchaintracer.lab.store.sources import limited, public_name, read_source

        digest = normal_digest(sha256)
        self._hold()
        copy = Copy()
        if self.has(digest):
            try:
                self.verify(digest)
            except StoreError as error:
                if not sources:
                    raise
                actual = error.values.get("actual")
                copy.damaged.append(Damaged(str(self.where(digest)), actual, reason="" if actual else error.message))
            else:
                return self.where(digest)
        elif (place := self.where(digest)) != self.path_of(digest):
            copy.told.append(f"the file {place}, which was recorded in place, is gone")
        own = len(copy.damaged)
        for source in [os.fspath(source) for source in sources]:
            try:
                with self._incoming() as (file, keep):
                    given, count = hashlib.sha256(), 0
                    for block in limited(read_source(source, object_name(digest)), limit):
                        count += len(block)
                        given.update(block)
                        file.write(block)
                    if given.hexdigest() != digest:
                        raise SourceError(f"gave {count} bytes with the SHA-256 {given.hexdigest()}", wrong=True)
                    keep(digest)
            except SourceError as error:
                copy.note(public_name(source), error)
            else:
                for bad in copy.damaged[own:]:
                    warnings.warn(f"passed over: {bad}", SourceWarning, stacklevel=2)
                return self.path_of(digest)
        raise copy.error(
            f"expected the object {digest} in {self.folder} or from a source",
            hint="Name a source that has it: the folder or address that the lab published to.",
        )

    def restore_folder(
        self,
        sha256: str,
        target: str | os.PathLike[str],
        sources: Sequence[str | os.PathLike[str]] = (),
        executable: Collection[str] = (),
    ) -> Path:
        """Write the folder whose listing has that digest; nothing is written if any of its files is missing.

        Raises:
            InputError: if `target` is not empty, or the listing is none or has a path that leaves the folder.
        """
        target = Path(target)
        if os.path.lexists(target) and (target.is_symlink() or not target.is_dir() or any(target.iterdir())):
            raise InputError(f"expected an empty folder or none at {target}")
        if not self.has(sha256):
            self.fetch(sha256, sources, LISTING_LIMIT)
        files, programs = parse_listing(self.get_bytes(sha256, LISTING_LIMIT)), set(executable)
        for _, digest in files:
            if not self.has(digest):
                self.fetch(digest, sources)
        try:
            with placing(target, over_empty=True) as partial:
                for name, digest in files:
                    path = partial / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    with _writing(path, 0o777 if name in programs else 0o666) as file:
                        self._fill(file, digest)
        except OSError as error:
            raise _unwritable(target, error) from error
        return target

    def objects(self) -> Iterator[StoredObject]:
        """List the objects without reading them."""
        for path in sorted(self.folder.glob("objects/??/*")):
            name = path.parent.name + path.name
            if _OBJECT.fullmatch(name):
                with suppress(FileNotFoundError):
                    stat = path.stat()
                    yield StoredObject(name, stat.st_size, stat.st_mtime)

    def collect(
        self, needed: Callable[[], Collection[str]], older_than_s: float, *, dry_run: bool = False
    ) -> list[StoredObject]:
        """Remove objects that nothing needs, and what interrupted writes left; return those objects.

        A running process that has put something in, or found it here, may be about to name it in a record. So nothing
        is removed while there is one, and none puts anything in until this is done.

        Args:
            needed: gives the digests to keep once no other process uses the store.
            older_than_s: seconds since an object was written after which it may be removed.

        Raises:
            StoreError: if another process uses the store: nothing was removed.
        """
        with self._alone() if not dry_run else nullcontext():
            keep, newest = set(needed()), time.time() - older_than_s
            unneeded = [stored for stored in self.objects() if stored.sha256 not in keep and stored.written <= newest]
            if not dry_run:
                for stored in unneeded:
                    self.path_of(stored.sha256).unlink(missing_ok=True)
                for left in self.folder.glob("incoming/*"):
                    left.unlink(missing_ok=True)
        return unneeded

    def _hold(self) -> None:
        """Tell garbage collection that this store is in use: a record may be about to name its objects."""
        with self._using:
            if self._use is not None or self._public:
                return
            # without the folder nothing can be put in either, and that attempt says why
            with suppress(OSError, StoreError):
                self._use = self._opened()
                fcntl.flock(self._use, fcntl.LOCK_SH)

    @contextmanager
    def synced_later(self) -> Iterator[None]:
        """Inside, objects are not brought to the disk one by one: whoever names them calls `os.sync` before."""
        self._synced = False
        try:
            yield
        finally:
            self._synced = True

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._using:
            held = self._use is not None
            try:
                descriptor = self._use if self._use is not None else self._opened()
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if held:
                    # the attempt to change a lock gives it up first (flock(2))
                    fcntl.flock(descriptor, fcntl.LOCK_SH)
                raise StoreError(
                    f"another process uses the store {self.folder}: nothing was removed",
                    hint="What it keeps there may not be named by a record yet. Try again when it has ended.",
                ) from None
            except OSError as error:
                raise _unwritable(self.folder, error) from error
            try:
                yield
            finally:
                fcntl.flock(descriptor, fcntl.LOCK_SH if held else fcntl.LOCK_UN)

    def _opened(self) -> int:
        self._make(self.folder)
        # the folder itself is locked: nothing lies in it but objects
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, descriptor)
        return descriptor

    def copy(self, sha256: str, write: Write) -> None:
        """Write an object out and check its SHA-256: a damaged object must not travel."""
        path = self.where(sha256)
        actual = hashlib.sha256()
        with _opened(path) as file:
            while block := file.read(_BLOCK):
                actual.update(block)
                write(block)
        _check(path, sha256, actual.hexdigest())

    def _fill(self, file: _NewFile, sha256: str) -> None:
        """Copy an object as `copy` does; a clone is hashed as it is, whatever becomes of the original."""
        source = self.where(sha256)
        if file.clone(source):
            _check(source, sha256, sha256_file(file.path))
        else:
            self.copy(sha256, file.write)

    @contextmanager
    def _incoming(self) -> Iterator[tuple[_NewFile, Callable[[str], None]]]:
        """A file to write to, and a function that names it when it is whole. A file without a name is removed."""
        # beside the objects of a published store, which holds nothing else
        incoming = self.folder / ("objects" if self._public else "incoming") / f".{secrets.token_hex(16)}"
        try:
            self._make(incoming.parent)
            with _writing(incoming, self._file_mode) as file:

                def keep(digest: str) -> None:
                    os.fchmod(file.descriptor, self._file_mode)
                    if self._synced:
                        os.fsync(file.descriptor)
                    path = self.path_of(digest)
                    self._make(path.parent)
                    # an existing object is replaced too: it may be damaged
                    incoming.rename(path)
                    if self._synced:
                        sync_folder(path.parent)

                yield file, keep
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        finally:
            with suppress(OSError):
                incoming.unlink(missing_ok=True)

    def _make(self, folder: Path) -> None:
        for part in () if folder.is_dir() else reversed((folder, *folder.parents)):
            if not part.is_dir():
                part.mkdir(self._folder_mode, exist_ok=True)
                if self._synced:
                    sync_folder(part.parent)


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object of a store."""

    sha256: str
    size: int
    written: float


@dataclass(frozen=True, slots=True)
class _NewFile:
    path: Path
    descriptor: int

    def write(self, data: bytes | memoryview, *, past_cache: bool = False) -> None:
        """Write all of it; a whole block past the page cache if that is wanted and can be."""
        rest = memoryview(data)
        if len(rest) >= _HOLE and not rest[0] and _ZEROS.startswith(rest):
            # a hole takes no disk space
            os.ftruncate(self.descriptor, os.lseek(self.descriptor, len(rest), os.SEEK_CUR))
            return
        if past_cache and len(rest) == _BLOCK:
            rest = self._write_direct(rest)
        while rest:
            rest = rest[os.write(self.descriptor, rest) :]

    def _write_direct(self, rest: memoryview) -> memoryview:
        """Write past the page cache what the file system takes so. Return what is left."""
        flags = fcntl.fcntl(self.descriptor, fcntl.F_GETFL)
        with suppress(OSError):
            fcntl.fcntl(self.descriptor, fcntl.F_SETFL, flags | _DIRECT)
            while rest:
                rest = rest[os.write(self.descriptor, rest) :]
        fcntl.fcntl(self.descriptor, fcntl.F_SETFL, flags)
        return rest

    def clone(self, source: str | os.PathLike[str]) -> bool:
        """Share the blocks of another file where the file system can (btrfs, XFS): then a copy takes no space."""
        with suppress(OSError, InputError), open_regular(source) as (descriptor, size):
            if size >= _HOLE:
                fcntl.ioctl(self.descriptor, _FICLONE, descriptor)
                return True
        return False


@contextmanager
def _writing(path: Path, mode: int) -> Iterator[_NewFile]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        yield _NewFile(path, descriptor)
    finally:
        os.close(descriptor)


def digest_stream(blocks: Iterable[bytes]) -> FileDigest:
    """Digest what comes in blocks of any size as a file, in flat memory."""
    digester, held = Digester(), bytearray()
    for block in blocks:
        held += block
        if whole := len(held) // _BLOCK * _BLOCK:
            digester.update(memoryview(bytes(held[:whole])))
            del held[:whole]
    digester.update(memoryview(held))
    return digester.finish()


def _check(path: Path, expected: str, actual: str) -> None:
    if actual != normal_digest(expected):
        is_object = path.as_posix().endswith(object_name(expected))
        what = f"the object {path} is damaged" if is_object else f"the file {path} has changed since it was recorded"
        raise StoreError(
            f"{what}: expected the SHA-256 {normal_digest(expected)}, got {actual}",
            hint=REPAIR,
            path=str(path),
            expected=normal_digest(expected),
            actual=actual,
        )


def _opened(path: Path) -> BinaryIO:
    """Open an object. What was recorded in place may be a FIFO or a device by now."""
    try:
        with open_regular(path, "an object of the store") as (descriptor, _):
            return open(os.dup(descriptor), "rb")
    except InputError as error:
        raise StoreError(error.message, path=str(path)) from error


def _unwritable(path: Path, error: OSError) -> StoreError:
    full = error.errno in FULL
    return StoreError(
        f"can't write to {path}: {error.strerror}",
        hint="Free some space, then try again: nothing half written was kept."
        if full
        else "Check that it's a folder and that you may write to it: nothing was kept.",
        path=str(path),
    )
