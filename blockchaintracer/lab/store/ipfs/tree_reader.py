"""Files and folders read from blocks, wherever these come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence

from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.lab.store.ipfs.blocks import Cid, DagNode, NodeLink, parse_node

_MAX_DEPTH = 64
_ARCHIVE_FROM = 4 << 20
"""bytes of a file from which one stream of blocks is faster than asking for each"""


class TreeReader(ABC):
    """Reads files and folders by their blocks, each of them verified."""

    @abstractmethod
    def block(self, cid: Cid) -> bytes:
        """The bytes of a block, verified."""

    def _archive(self, cid: Cid) -> Iterator[tuple[Cid, bytes]]:
        """All blocks of a file in order, as far as they come in one stream."""
        yield from ()

    def read_file(self, cid: Cid, names: Sequence[str], name: str) -> Iterator[bytes] | None:
        """The bytes of a file of a published store (``objects/…`` below these names), or of the file that is there
        itself; None if there is none.

        Nothing says here that this file is that one: who asks for an object hashes what comes.
        """
        entry = self.resolve(cid, names)
        if entry and entry[1].kind == "folder":
            entry = self.resolve(cid, (*names, *name.split("/")))
        return self.read(*entry) if entry and entry[1].kind == "file" else None

    def node(self, cid: Cid) -> DagNode:
        """The file or folder that a block is the root of."""
        return parse_node(cid, self.block(cid))

    def resolve(self, cid: Cid, names: Sequence[str] = ()) -> tuple[Cid, DagNode] | None:
        """What lies below a folder under these names, one folder a name; None if there's no such entry."""
        node = self.node(cid)
        for name in names:
            inner = (
                next((link.cid for link in node.links if link.name == name), None) if node.kind == "folder" else None
            )
            if inner is None:
                return None
            cid, node = inner, self.node(inner)
        return cid, node

    def read(self, cid: Cid, node: DagNode) -> Iterator[bytes]:
        """The bytes of a file, chunk by chunk in order, each verified."""
        if node.kind != "file":
            raise InputError(f"expected a file, {cid} is a folder", hint="Name a file in it.")
        archive = self._archive(cid) if node.size >= _ARCHIVE_FROM and node.links else iter(())
        if next(archive, (cid, b""))[0] != cid:
            archive = iter(())
        yield from self.read_range(cid, node, 0, node.size, archive)

    def read_range(
        self, cid: Cid, node: DagNode, start: int, end: int, archive: Iterable[tuple[Cid, bytes]] = ()
    ) -> Iterator[bytes]:
        """The bytes of a file from `start` up to `end`, from an archive as long as it gives the next block; else only
        the blocks that hold them are fetched."""
        archive = iter(archive)
        if node.data[start:end]:
            yield node.data[start:end]
        at = len(node.data)
        # per node on the way down: its children, and where each begins
        waiting = [self._placed(node, at)]
        while waiting:
            link, size, at = next(waiting[-1], (None, 0, 0))
            if link is None:
                waiting.pop()
            elif at < end and at + size > start:
                name, data = next(archive, (None, None))
                if name != link.cid:
                    # it broke off, or gives something else: the rest comes block by block
                    archive, data = iter(()), None
                child = self._child(cid, link.cid, size, len(waiting), data)
                if piece := child.data[max(0, start - at) : max(0, end - at)]:
                    yield piece
                waiting.append(self._placed(child, at + len(child.data)))

    @staticmethod
    def _placed(node: DagNode, at: int) -> Iterator[tuple[NodeLink | None, int, int]]:
        for link, size in zip(node.links, node.sizes, strict=True):
            yield link, size, at
            at += size

    def _child(self, cid: Cid, link: Cid, size: int, depth: int, data: bytes | None = None) -> DagNode:
        child = parse_node(link, self.block(link) if data is None else data)
        if child.kind != "file" or child.size != size:
            raise NotVerified(f"the file {cid} says that {link} holds {size} bytes of it, it holds {child.size}")
        if depth > _MAX_DEPTH:
            raise NotVerified(f"the file {cid} is nested more than {_MAX_DEPTH} deep")
        return child
