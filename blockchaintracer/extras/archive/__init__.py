"""A whole registry in one folder or file: its events and what they name (docs/archive.md, docs/formats.md).

The file is a plain tar in the one form that this package writes: the same content gives the same bytes, and anything
else is refused before anything of it is used. Only bytes are handled here; what is kept, and where, is not decided.

>>> from blockchaintracer.extras.archive.reader import Archive
>>> archive = Archive.open("registry.tar")                                  # doctest: +SKIP
>>> archive.head.registry, archive.head.block.number                        # doctest: +SKIP
"""
