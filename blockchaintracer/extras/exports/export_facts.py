"""What an export needs to know of a record, gathered from the chain, the index and the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blockchaintracer.core.digest import Progress
from blockchaintracer.extras.lineage import Edge, lineage
from blockchaintracer.extras.search import query
from blockchaintracer.extras.search.update import up_to_date
from blockchaintracer.lab.gather import GatheredInput, GatheredRecord, Gatherer, report_of
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.plain_text import printable
from blockchaintracer.lab.store.stored_copies import StoredCopies


@dataclass(frozen=True)
class ExportFacts:
    """What is known of a record."""

    asked: GatheredRecord
    run: GatheredRecord | None
    inputs: tuple[GatheredInput, ...]
    lineage: tuple[GatheredRecord, ...]
    links: tuple[Edge, ...]
    verify_with: str
    chain_id: int
    registry: str
    copies: StoredCopies

    @property
    def described(self) -> str:
        """The description in the manifest, and where to check the record."""
        return f"{printable(self.asked.description)} Record {self.asked.id}; check it: {self.verify_with}".strip()


def gather_export(
    lab: Lab, record_id: str, *, sources: Sequence[str] = (), progress: Progress | None = None
) -> ExportFacts:
    """Gather what is known of a record, and verify it."""
    record_id = lab.parse_id(record_id)
    gatherer = Gatherer(lab, sources, progress)
    with up_to_date(lab) as index:
        graph = lineage(index, record_id, registry=lab.registry)
        asked = gatherer.required(record_id)
        runs = [asked] if asked.run else gatherer.runs_above(asked)
        if not runs and asked.record.kind == "model":
            rows = query(
                index, kind="run", group=asked.record.group, registry=lab.registry, descending=False, limit=None
            )
            runs = gatherer.runs_that_wrote(asked, [row.id for row in rows])
    run = runs[0] if runs else None
    verification = gatherer.verification(asked, run)
    verification.require_verified(record_id, "it is not exported")
    records = [
        record
        for record in gatherer.records(graph.nodes, whole=True).values()
        if graph.nodes[record.id].depth <= 0 or not report_of(record.manifest)
    ]
    ids = {record.id for record in records}
    return ExportFacts(
        asked=asked,
        run=run,
        inputs=tuple(gatherer.inputs(asked)) if asked.run else (),
        lineage=tuple(records),
        links=tuple(edge for edge in graph.edges if edge.child in ids and edge.parent in ids),
        verify_with=verification.command,
        chain_id=lab.chain_id,
        registry=lab.registry.address,
        copies=gatherer.copies,
    )
