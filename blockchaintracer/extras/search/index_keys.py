"""The keys of records that the index has read, for records whose events a node has forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from blockchaintracer.core.chain.registry import KeySource
from blockchaintracer.core.record import Domain, Link, RecordKey, normal_digest, to_hex
from blockchaintracer.core.record_view import Position, RecordView
from blockchaintracer.extras.search.database import Index

_RECORDS = (
    "SELECT r.*, d.digest AS manifest, b.hash AS block_hash, g.imported FROM records r"
    " JOIN registries g ON g.pk = r.registry JOIN documents d ON d.pk = r.document"
    " JOIN blocks b ON (b.registry, b.number) = (r.registry, r.block)"
    " WHERE g.chain_id = ? AND g.address = ? AND ? IN (r.id, r.subject) ORDER BY r.pk"
)
_PARENTS = "SELECT p.id, l.relation FROM links l JOIN records p ON p.pk = l.parent WHERE l.child = ?"


def index_keys(path: Path, domain: Domain) -> KeySource:
    """Return the source of the keys in an index, which may not be there."""

    def known(digest: str) -> Iterator[RecordView]:
        if not path.is_file():
            return
        with Index(path) as index:
            where = (domain.chain_id, domain.registry, bytes.fromhex(normal_digest(digest)))
            for row in index.rows(_RECORDS, where):
                links = [Link(to_hex(parent), relation) for parent, relation in index.rows(_PARENTS, [row["pk"]])]
                key = RecordKey(
                    group=row["lab_group"],
                    author=to_hex(row["author"]),
                    subject_type=row["subject_type"],
                    subject=row["subject"].hex(),
                    kind=row["kind"],
                    manifest=row["manifest"].hex(),
                    parents=tuple(sorted(links, key=lambda link: (link.parent, link.relation))),
                )
                view = RecordView(id=to_hex(row["id"]), key=key)
                # a key proves itself; its place in an archive that was not compared with a chain is a stranger's word
                if not row["imported"]:
                    view = replace(view, transaction=to_hex(row["tx"]), block_hash=to_hex(row["block_hash"]))
                    view = replace(view, batch=to_hex(row["root"]) if row["root"] else None)
                    view = replace(view, position=Position(row["block"], 0, 0))
                yield view

    return known
