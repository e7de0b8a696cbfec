"""Copies of what a record names by digest: looked for in the store and in sources, re-hashed where they lie."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from blockchaintracer.core.digest import (
    DEFAULT_PROFILE,
    PROFILES,
    FileDigest,
    Progress,
    digest_file,
    locked,
    sha256_file,
)
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.verify.copies import Copy, Damaged, compare_files
from blockchaintracer.lab.store.store import FETCH_LIMIT, SourceError, Store, is_url, public_name, read_from_url


class StoredCopies:
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
    def find(self, sha256: str, *, limit: int | None = None, cid_profile: str | None = None) -> Iterator[Copy]:
        """Looks for a whole copy of an object; what is found is good inside the context.

        Args:
            sha256: its digest.
            limit: bytes it may have at most; what is larger counts as damaged.
            cid_profile: compute the CID under this profile too.
        """
        found = Copy()
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

    def read_bytes(self, sha256: str, limit: int) -> tuple[bytes | None, Copy]:
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
