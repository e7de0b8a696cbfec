"""A whole registry in one file: its events, and the objects that they name (docs/archive.md, docs/formats.md).

The file is a plain tar in the one form that this package writes: the same content gives the same bytes, and anything
else is refused before anything of it is used. Only bytes are handled here; what is kept, and where, is not decided.

>>> archive = Archive.open("registry.tar")                                  # doctest: +SKIP
>>> archive.head.registry, archive.head.block.number                        # doctest: +SKIP
"""

from blockchaintracer.extras.archive.contents import ArchivedBlock as ArchivedBlock
from blockchaintracer.extras.archive.contents import Head as Head
from blockchaintracer.extras.archive.contents import block_lines as block_lines
from blockchaintracer.extras.archive.contents import event_lines as event_lines
from blockchaintracer.extras.archive.contents import parse_blocks as parse_blocks
from blockchaintracer.extras.archive.contents import parse_events as parse_events
from blockchaintracer.extras.archive.form import BLOCKS as BLOCKS
from blockchaintracer.extras.archive.form import EVENTS as EVENTS
from blockchaintracer.extras.archive.form import HEAD as HEAD
from blockchaintracer.extras.archive.form import object_name as object_name
from blockchaintracer.extras.archive.form import proof_name as proof_name
from blockchaintracer.extras.archive.reader import LIMIT as LIMIT
from blockchaintracer.extras.archive.reader import Archive as Archive
from blockchaintracer.extras.archive.reader import ArchiveRefused as ArchiveRefused
from blockchaintracer.extras.archive.reader import refusing as refusing
from blockchaintracer.extras.archive.writer import ArchiveFile as ArchiveFile
from blockchaintracer.extras.archive.writer import write_archive as write_archive
from blockchaintracer.extras.search.logs import Event as Event
