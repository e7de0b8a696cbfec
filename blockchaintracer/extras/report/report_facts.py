"""Everything that a report says of a record, gathered from the chain, the index and the store. A report is a function
of these facts. They hold no time of this machine, no path and no address of a node: the same record in the same state
gives the same bytes to everyone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from typing_extensions import override

from blockchaintracer.core.digest import Progress
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import Relation, label
from blockchaintracer.core.verify import Check, Outcome
from blockchaintracer.extras.lineage import LineageGraph, lineage
from blockchaintracer.extras.report.fields import NEVER_DECLARED, ReportField, fields_of
from blockchaintracer.extras.report.report_history import read_histories
from blockchaintracer.extras.search import Index, query, verdicts
from blockchaintracer.extras.search.rows import VerdictRow, utc
from blockchaintracer.extras.search.update import up_to_date
from blockchaintracer.lab.gather import GatheredInput, GatheredRecord, Gatherer, Verification, report_of, runs_among
from blockchaintracer.lab.lab import Lab

MAX_REPORTED_RUNS = 10_000

_WITH_DETAIL = {
    "recorded",
    "id",
    "status",
    "time",
    "author",
    "role",
    "seal",
    "batch",
    "retraction",
    "parents",
    "lineage",
    "agreement",
    "inputs",
    "not-before",
}
"""Checks whose details are the same on every machine."""
_SAME = re.compile(
    r"re-hashed: (?:[0-9a-f]{64}, (?:canonical|\d+ bytes)|[^,;]* of the folder [0-9a-f]{64})"
    r"|it is the (?:SHA-256|EIP-712 digest) of .*"
    r"|withdrawn; it was [a-z-]+"
    r"|[a-z-]+, (?:says 0x[0-9a-fA-F]{40}, (?:on evidence 0x[0-9a-f]{64}|without evidence), )?[0-9-]{10} [0-9:]{8} UTC"
)
"""The same on every machine and at every block in other details: where a copy lies is not, nor what came after a
verdict."""
_CHANGING = re.compile(r", \d+ blocks since")


@dataclass(frozen=True)
class ReportFacts:
    """What is known of a record and of what belongs to it.

    Args:
        model: the model that it is, or that the run wrote and the group recorded.
        runs: for the experiment sheet: the run, or all runs on a dataset, oldest first.
        lineage: without reports.
        verification: of the asked record and its run, without what differs from machine to machine.
        histories: steps and values of the run's metrics, as far as they were recorded and are at hand.
        fields: of the model card's template, by name; empty without a model.
        missing: names of required fields that neither the records nor the caller give.
        holders: who author and group are, in words, by the claims that whoever makes the report knows.
        times: what witnesses say of its time, in words, by the receipts and settings of whoever makes the report.
    """

    asked: GatheredRecord
    run: GatheredRecord | None
    wrote: int
    model: GatheredRecord | None
    inputs: tuple[GatheredInput, ...]
    runs: tuple[GatheredRecord, ...]
    reproductions: tuple[GatheredRecord, ...]
    lineage: LineageGraph
    verdicts: tuple[VerdictRow, ...]
    verification: Verification
    chain: str
    chain_id: int
    registry: str
    time_source: str
    histories: dict[str, list[tuple[float, float]]]
    fields: dict[str, ReportField]
    missing: tuple[str, ...]
    holders: tuple[str, ...] = ()
    times: tuple[str, ...] = ()

    @property
    def has_card(self) -> bool:
        """Whether there is a model to make a card of."""
        return self.run is not None and self.asked.record.kind in ("run", "model", "result")

    @property
    def datasets(self) -> list[GatheredInput]:
        """The datasets among the inputs."""
        return [entry for entry in self.inputs if entry.read.record.kind == "dataset"]

    def require_fields(self) -> None:
        """Refuse a model card that leaves a required field out."""
        if self.missing:
            hint = "`--format html` needs no card. Record them with the run"
            if name := next((name for name in self.missing if name not in NEVER_DECLARED), None):
                hint += (
                    f", or declare them (shown as declared): --field {name}='…', "
                    f"in Python DocumentationTracer(…, {name}='…')"
                )
            raise InputError(
                f"expected the model card's required fields, got no {', '.join(self.missing)}",
                hint=f"{hint}.",
                missing=list(self.missing),
            )


def gather(
    lab: Lab,
    record_id: str,
    declared: Mapping[str, str] | None = None,
    *,
    sources: Sequence[str] = (),
    progress: Progress | None = None,
) -> ReportFacts:
    """Gather the facts of a record, and verify it."""
    record_id = lab.parse_id(record_id)
    gatherer = _ReportGatherer(lab, sources, progress)
    with up_to_date(lab) as index:
        whole = lineage(index, record_id, registry=lab.registry)
        asked = gatherer.required(record_id)
        run, wrote = gatherer.run_of(index, asked)
        model = asked if asked.record.kind == "model" else gatherer.model_of(index, run)
        around_run = lineage(index, run.id, registry=lab.registry) if run else None
        ids = dict.fromkeys([record_id, *([run.id] if run else [])])
        given = [verdict for each in ids for verdict in verdicts(index, each, registry=lab.registry)]
    verification = gatherer.verification(asked, run)
    network = lab.chain.network
    facts = ReportFacts(
        asked=asked,
        run=run,
        wrote=wrote,
        model=model,
        inputs=tuple(gatherer.inputs(run)) if run else (),
        runs=(run,) if run else tuple(runs_among(gatherer.children(whole, record_id))),
        reproductions=tuple(gatherer.children(around_run, run.id, Relation.REPRODUCES)) if run and around_run else (),
        lineage=gatherer.without_reports(whole),
        verdicts=tuple(verdict for verdict in given if verdict.current),
        verification=replace(verification, checks=tuple(_stable(lab, check) for check in verification.checks)),
        chain=lab.chain.name,
        chain_id=lab.chain_id,
        registry=lab.registry.address,
        time_source=network.time_source if network else "the maker of this chain's blocks",
        histories=read_histories(gatherer.copies, run.run) if run and run.run else {},
        fields={},
        missing=(),
    )
    fields, missing = fields_of(
        model if facts.has_card else None,
        run if facts.has_card else None,
        facts.inputs,
        {
            "transaction": f"{asked.record.transaction} (block {asked.record.block}, {facts.chain})",
            "timestamp": utc(asked.record.time),
            "verification": f"{facts.verification.status}: {facts.verification.command}",
        },
        declared or {},
    )
    return replace(facts, fields=fields, missing=missing)


class _ReportGatherer(Gatherer):
    """Gathers the records that belong to the one of a report."""

    @override
    def records(self, ids: Iterable[str], *, whole: bool = True) -> dict[str, GatheredRecord]:
        return super().records(ids, whole=whole)

    def run_of(self, index: Index, asked: GatheredRecord) -> tuple[GatheredRecord | None, int]:
        """Find the run that a record is or came from, or the first of its group that wrote it, and count these."""
        if asked.record.kind == "run":
            return asked, 1
        near = self.runs_above(asked)
        if not near and asked.record.kind == "model":
            near = self.runs_that_wrote(asked, self._query(index, "run", group=asked.record.group))
        return (near[0] if near else None), len(near)

    def model_of(self, index: Index, run: GatheredRecord | None) -> GatheredRecord | None:
        """Find the group's record of the model that a run wrote; None if there is none, or the run wrote several."""
        digests = {output.subject for output in run.run.outputs if output.role == "model"} if run and run.run else set()
        if run is None or len(digests) != 1:
            return None
        models = self._query(index, "model", subject=digests.pop(), group=run.record.group)
        # the same bytes may be recorded under several names: the newest says what it is called now
        return self.records(models).get(models[-1]) if models else None

    def _query(self, index: Index, kind: str, **conditions: Any) -> list[str]:
        rows = query(index, registry=self.registry, kind=kind, descending=False, limit=MAX_REPORTED_RUNS, **conditions)
        return [row.id for row in rows]

    def children(self, graph: LineageGraph, parent: str, relation: Relation | None = None) -> list[GatheredRecord]:
        """List the records that name a record as a parent, oldest first."""
        links = [edge for edge in graph.edges if edge.parent == parent]
        ids = {edge.child for edge in links if relation is None or edge.relation == label(relation, Relation)}
        children = self.records(ids).values()
        return sorted(children, key=lambda child: (child.record.time, child.record.block, child.id))

    def without_reports(self, graph: LineageGraph) -> LineageGraph:
        """Leave reports out: a recorded report must not change the next one."""
        records = self.records(graph.nodes)
        nodes = {}
        for record_id, node in graph.nodes.items():
            gathered = records.get(record_id)
            if node.depth > 0 and gathered and report_of(gathered.manifest):
                continue
            # of a manifest that is not in the store the index has no name
            row = node.row
            if gathered and not row.has_manifest:
                row = replace(row, name=gathered.record.name)
            nodes[record_id] = replace(node, row=row)
        edges = tuple(edge for edge in graph.edges if edge.child in nodes and edge.parent in nodes)
        return LineageGraph(graph.root, nodes, edges, graph.is_complete)


def _stable(lab: Lab, check: Check) -> Check:
    """A check without what differs from machine to machine and from block to block."""
    is_shown = check.verdict is not Outcome.PASS or check.name in _WITH_DETAIL or check.name == "finality"
    same = _SAME.match(check.detail)
    detail = check.detail if is_shown else same[0] if same else ""
    detail = _CHANGING.sub("", detail).replace(f"{lab.home.path}/", "")
    if check.name == "finality" and check.verdict is Outcome.UNKNOWN:
        detail = "not final yet"
    return Check(check.name, check.verdict, detail, {}, check.record)
