"""Copies of what a record names by digest: in the lab's store first, then in its sources."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from typing_extensions import override

from blockchaintracer.core.digest import Progress
from blockchaintracer.core.verify.copies import FolderCopies, SourceError, object_name
from blockchaintracer.lab.store.sources import is_url, limited, public_name, read_source
from blockchaintracer.lab.store.store import FETCH_LIMIT, Store


class StoredCopies(FolderCopies):
    """The store and the sources. The first whole copy is used."""

    def __init__(self, store: Store, sources: Sequence[str | os.PathLike[str]] = (), progress: Progress | None = None):
        super().__init__([store.folder, *sources], progress)
        self._own, self._store = os.fspath(store.folder), store

    @override
    def _locate(self, source: str, sha256: str, scratch: Path, limit: int | None) -> Path | None:
        if not is_url(source) and not Path(source).is_file():
            if source == self._own:
                if (path := self._store.where(sha256)).exists():
                    return path
                if path != self._store.path_of(sha256):
                    raise SourceError(f"has it in place at {path}, which is gone")
                return None
            return super()._locate(source, sha256, scratch, limit)
        blocks = read_source(source, object_name(sha256))
        scratch.parent.mkdir(mode=0o700, exist_ok=True)
        with scratch.open("wb") as file:
            most = min(FETCH_LIMIT, limit or FETCH_LIMIT)
            for block in limited(blocks, most, wrong=most == limit):
                file.write(block)
        return scratch

    @override
    def _name(self, source: str) -> str:
        return public_name(source)
