"""The trees that files and folders are on IPFS, as blocks to send or archive, in flat memory.

The root is computed by a first reading and holds for the second: who sends blocks knows their root before the first.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from blockchaintracer.core.digest import (
    DAG_PB,
    DEFAULT_PROFILE,
    CidProfile,
    DagLink,
    Digester,
    Progress,
    cid_bytes,
    cid_text,
    list_folder,
    open_regular,
    profile_named,
    protobuf_field,
    read_blocks,
)
from blockchaintracer.core.errors import InputError, StoreError
from blockchaintracer.lab.store.ipfs.blocks import Cid

MAX_FOLDER = 1 << 18
"""Bytes of a folder's block from which other implementations would cut it into shards (a HAMT): not written here."""

Block = tuple[bytes, bytes]
"""Binary CID and bytes."""

_FOLDER = protobuf_field(1, b"\x08\x01")


@dataclass(frozen=True)
class Tree:
    """A file, or a folder of files by their paths, as it is on IPFS.

    Args:
        files: (path inside the folder, path to read); a single one with the path ``""`` is a file.
        expected: SHA-256 by the path inside the folder, of files that may have changed: each reading is checked.
    """

    files: Sequence[tuple[str, str | os.PathLike[str]]]
    profile: str = DEFAULT_PROFILE
    expected: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        profile_named(self.profile)

    @classmethod
    def of(cls, path: str | os.PathLike[str], profile: str = DEFAULT_PROFILE) -> Tree:
        """The tree of a file or folder."""
        return cls(list_folder(path) if Path(path).is_dir() else [("", path)], profile)

    def root(self, progress: Progress | None = None) -> Cid:
        """The CID of the whole, from one reading that keeps nothing."""
        walk = self._walk(False, progress)
        while True:
            try:
                next(walk)
            except StopIteration as done:
                return Cid.decode(done.value.cid)

    def blocks(self, expected: Cid, progress: Progress | None = None) -> Iterator[Block]:
        """All blocks, children before parents, the root last."""
        root = yield from self._walk(True, progress)
        if root.cid != expected.binary:
            raise InputError(
                f"expected the tree {expected}, got {cid_text(root.cid)}: a file changed while it was read",
                hint="Wait until nothing writes to it, then try again.",
            )

    def _walk(self, emit: bool, progress: Progress | None) -> Generator[Block, None, DagLink]:
        if [path for path, _ in self.files] == [""]:
            return (yield from self._file("", self.files[0][1], emit, progress))
        tree: _Folder = {}
        for path, file in self.files:
            *folders, name = path.split("/")
            place = tree
            for folder in folders:
                inner = place.setdefault(folder, {})
                assert isinstance(inner, dict)  # noqa: S101 -- list_folder and our own layouts have no file there
                place = inner
            place[name] = file
        return (yield from self._folder(tree, "", emit, progress))

    def _folder(
        self, tree: _Folder, path: str, emit: bool, progress: Progress | None
    ) -> Generator[Block, None, DagLink]:
        links = []
        for name, entry in sorted(tree.items(), key=lambda item: item[0].encode()):
            inner = f"{path}{name}"
            if isinstance(entry, dict):
                links.append((name, (yield from self._folder(entry, inner + "/", emit, progress))))
            else:
                links.append((name, (yield from self._file(inner, entry, emit, progress))))
        link, block = folder_block(links, profile_named(self.profile), path.rstrip("/") or "the folder")
        if emit:
            yield link.cid, block
        return link

    def _file(
        self, name: str, path: str | os.PathLike[str], emit: bool, progress: Progress | None
    ) -> Generator[Block, None, DagLink]:
        made: list[Block] = []
        digester = Digester(self.profile, (lambda cid, data: made.append((cid, data))) if emit else None)
        with open_regular(path) as (descriptor, size):
            for block in read_blocks(descriptor, size, path):
                digester.update(block)
                yield from made
                made.clear()
                if progress:
                    progress(len(block))
            root = digester.root()
        if (expected := self.expected.get(name, digester.sha256)) != digester.sha256:
            raise StoreError(f"the object {path} is damaged: expected the SHA-256 {expected}, got {digester.sha256}")
        yield from made
        return root


_Folder = dict[str, "_Folder | str | os.PathLike[str]"]


def folder_block(links: Iterable[tuple[str, DagLink]], profile: CidProfile, name: str) -> tuple[DagLink, bytes]:
    """The block of a folder and the link to it."""
    links = list(links)
    encoded = b"".join(link.encode(entry) for entry, link in links) + _FOLDER
    if len(encoded) > MAX_FOLDER:
        raise InputError(
            f"expected a folder whose names and CIDs fit into {MAX_FOLDER} bytes, {name} needs {len(encoded)} for its "
            f"{len(links)} entries",
            hint="Spread the files over subfolders, or publish an archive (tar, zip, Parquet).",
        )
    cid = cid_bytes(profile.version, DAG_PB, hashlib.sha256(encoded).digest())
    total = len(encoded) + sum(link.total for _, link in links)
    return DagLink(cid, total, sum(link.size for _, link in links)), encoded
