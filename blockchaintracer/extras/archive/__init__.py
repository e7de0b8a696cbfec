"""A whole registry in one file: its events, and the objects that they name (docs/archive.md).

The file is a plain tar in the one form that this package writes: the same content gives the same bytes, and anything
else is refused before anything of it is used. Only bytes are handled here; what is kept, and where, is not decided.

>>> archive = Archive.open("registry.tar")                                  # doctest: +SKIP
>>> archive.head.registry, archive.head.block.number                        # doctest: +SKIP
"""

from blockchaintracer.extras.archive.contents import (
    ArchivedBlock,
    Event,
    Head,
    block_lines,
    event_lines,
    parse_blocks,
    parse_events,
)
from blockchaintracer.extras.archive.form import BLOCKS, EVENTS, HEAD, object_name, proof_name
from blockchaintracer.extras.archive.reader import LIMIT, Archive, ArchiveRefused, refusing
from blockchaintracer.extras.archive.writer import ArchiveBytes, ArchiveFile, write_archive

__all__ = [
    "BLOCKS",
    "EVENTS",
    "HEAD",
    "LIMIT",
    "Archive",
    "ArchiveBytes",
    "ArchiveFile",
    "ArchiveRefused",
    "ArchivedBlock",
    "Event",
    "Head",
    "block_lines",
    "event_lines",
    "object_name",
    "parse_blocks",
    "parse_events",
    "proof_name",
    "refusing",
    "write_archive",
]
