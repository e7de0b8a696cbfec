"""An archive of blocks (CARv1) on this machine, read as the published folder or the file that it holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from typing_extensions import override

from blockchaintracer.core.errors import StoreError
from blockchaintracer.lab.store.ipfs.blocks import Cid
from blockchaintracer.lab.store.ipfs.car import named_root, read_blocks, read_header
from blockchaintracer.lab.store.ipfs.tree_reader import TreeReader


class BlockArchive(TreeReader):
    """Reads an archive once, to know where each block lies, and each block again when it is asked for.

    Raises:
        NotVerified: if it is no whole archive of version 1 with one root.
        OSError: if it can't be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: dict[Cid, tuple[int, int]] = {}
        with path.open("rb") as file:
            self._root = named_root(read_header(file.read, str(path)), str(path))
            for cid, data in read_blocks(file.read, str(path)):
                self._places[cid] = (file.tell() - len(data), len(data))

    @override
    def block(self, cid: Cid) -> bytes:
        if cid not in self._places:
            raise StoreError(f"the archive {self._path} does not have the block {cid}")
        at, size = self._places[cid]
        with self._path.open("rb") as file:
            file.seek(at)
            return cid.check(file.read(size), str(self._path))

    def file(self, name: str) -> Iterator[bytes] | None:
        """The bytes of a file of a published store, as `TreeReader.read_file`."""
        return self.read_file(self._root, (), name)
