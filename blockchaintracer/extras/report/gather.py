"""Everything that a report says of a record, gathered from the chain, the index and the store. A report is a function
of these facts: they hold no time of this machine, no path and no address of a node, so that the same record in the same
state gives the same bytes to anyone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from blockchaintracer.core.digest import Progress
from blockchaintracer.core.errors import InputError, NotVerified, StoreError
from blockchaintracer.core.manifest import (
    MAX_BYTES,
    Manifest,
    RecordPredicate,
    parse_manifest,
)
from blockchaintracer.core.record import Kind, Relation, label, normal_digest
from blockchaintracer.core.verify import Check, Outcome
from blockchaintracer.extras.report.fields import NEVER_DECLARED, Field, fields_of
from blockchaintracer.extras.report.report_history import read_histories
from blockchaintracer.extras.report.seen import Read, Seen, text_of
from blockchaintracer.extras.search import Index, LineageGraph, LineageNode, Row, VerdictRow, lineage, query, verdicts
from blockchaintracer.extras.search.rows import utc
from blockchaintracer.extras.search.update import up_to_date
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.store.stored_copies import StoredCopies
from blockchaintracer.lab.verify_here import verify

REPORT = "report"
"""Name of a report's Document, and the value of its manifest that tells what it is a report of."""
MAX_REPORTED_RUNS = 10_000
CIPHERTEXT = "a ciphertext (age-encryption.org/v1): its content is read by those alone whom it is encrypted to"
"""What a report, and every other format, says of a file that is recorded encrypted."""

_TOLD = {"recorded", "id", "status", "time", "author", "role", "seal", "batch", "retraction", "parents", "lineage"}
"""Checks whose words are the same wherever they are made; of others that passed the name is enough."""
_CHANGING = re.compile(r", \d+ blocks since")


@dataclass(frozen=True)
class Facts:
    """What is known of a record and of what belongs to it.

    Args:
        asked: the record.
        run: the run that it is or came from; None if there is none.
        wrote: how many runs of the group wrote the asked model.
        model: the model that it is, or that the run wrote and the group recorded.
        inputs: what the run read.
        runs: for the experiment sheet: the run, or all runs on a dataset, oldest first.
        reproductions: runs that reproduce the run.
        lineage: without reports.
        verdicts: on the asked record and its run, those that stand.
        checks: of the asked record and its run.
        verify_with: the command that makes them.
        chain: the chain's name.
        histories: steps and values of the run's metrics, as far as they were recorded and are at hand.
        fields: of the model card's template, by name; those of no model are empty.
        missing: names of required fields that neither the records nor the caller give.
    """

    asked: Seen
    run: Seen | None
    wrote: int
    model: Seen | None
    inputs: tuple[Read, ...]
    runs: tuple[Seen, ...]
    reproductions: tuple[Seen, ...]
    lineage: LineageGraph
    verdicts: tuple[VerdictRow, ...]
    checks: tuple[Check, ...]
    verify_with: str
    chain: str
    time_source: str
    histories: dict[str, list[tuple[float, float]]]
    fields: dict[str, Field]
    missing: tuple[str, ...]

    @property
    def status(self) -> str:
        """``verified``, ``not verified``, or ``verified in part`` if a check could not be made."""
        outcomes = {check.verdict for check in self.checks}
        if Outcome.FAIL in outcomes:
            return "not verified"
        return "verified in part" if Outcome.UNKNOWN in outcomes else "verified"

    @property
    def has_card(self) -> bool:
        """Whether there is a model to make a card of."""
        return self.run is not None and self.asked.row.kind in ("run", "model", "result")

    def require_fields(self) -> None:
        """Refuses a model card that leaves a required field out.

        Raises:
            InputError: naming every one that is missing.
        """
        if self.missing:
            hint = "Record them with the run"
            if name := next((one for one in self.missing if one not in NEVER_DECLARED), None):
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
) -> Facts:
    """Gathers the facts of a record, and verifies it.

    Args:
        record_id: 64 hex digits.
        declared: fields of the model card that the records don't hold, by name.
        sources: folders or http(s) addresses that the record was published to.
        progress: told of the bytes hashed.

    Raises:
        InputError: if there is no such record, or a declared field is unknown or contradicts a record.
        StoreError: if its manifest is not to be had.
        NotVerified: if its manifest is not what was recorded.
        ChainUnavailable: if the chain is away.
    """
    record_id = normal_digest(record_id, "record id")
    copies = StoredCopies(lab.store, sources, progress)
    with up_to_date(lab) as index:
        found = _Gathering(lab, index, copies)
        whole = lineage(index, record_id, registry=lab.registry)
        asked = found.seen(whole.nodes[record_id].row)
        if asked.manifest is None:
            raise StoreError(
                f"the manifest {asked.row.manifest} of record {record_id} is not here",
                hint="Name with --from where it was published.",
            )
        run, wrote = found.run_of(asked, whole)
        above = whole if run is None or run.row.id == record_id else lineage(index, run.row.id, registry=lab.registry)
        model = asked if asked.row.kind == "model" else found.model_of(run)
        inputs = tuple(found.inputs(run, above))
        runs = (run,) if run else tuple(found.runs_on(asked, whole))
        again = tuple(found.reproductions(run, above))
        said = [one for each in _ids(asked, run) for one in verdicts(index, each, registry=lab.registry) if one.current]
        shown = found.without_reports(whole)
    checks = [
        _stable(lab, check)
        for each in _ids(asked, run)
        for check in verify(lab, each, sources=sources, progress=progress).checks
    ]
    network = lab.chain.network
    chosen = "" if network is None or network.is_devnet else f" --network {network.name}"
    command = f"blockchaintracer verify {record_id} --registry {lab.registry.address}{chosen}"
    facts = Facts(
        asked=asked,
        run=run,
        wrote=wrote,
        model=model,
        inputs=inputs,
        runs=runs,
        reproductions=again,
        lineage=shown,
        verdicts=tuple(said),
        checks=tuple(checks),
        verify_with=command,
        chain=lab.chain.name,
        time_source=network.time_source if network else "whoever makes this chain's blocks",
        histories=read_histories(copies, run.run) if run and run.run else {},
        fields={},
        missing=(),
    )
    fields, missing = fields_of(
        facts.model if facts.has_card else None,
        facts.run if facts.has_card else None,
        facts.inputs,
        {
            "transaction": f"0x{asked.row.transaction} (block {asked.row.block}, {facts.chain})",
            "timestamp": utc(asked.row.time),
            "verification": f"{facts.status}: {command}",
        },
        declared or {},
    )
    return replace(facts, fields=fields, missing=missing)


class _Gathering:
    """Looks records up, and reads their manifests once each."""

    def __init__(self, lab: Lab, index: Index, copies: StoredCopies) -> None:
        self._lab = lab
        self._index = index
        self._copies = copies
        self._manifests: dict[str, Manifest | None] = {}

    def seen(self, row: Row) -> Seen:
        """A record with its manifest: of one that isn't in the store the index has no name."""
        manifest = self._manifest(row.manifest)
        if manifest and not row.has_manifest:
            row = replace(row, name=manifest.predicate.name, description=manifest.predicate.description or "")
        return Seen(row, manifest)

    def _manifest(self, digest: str) -> Manifest | None:
        if digest not in self._manifests:
            data, found = self._copies.read_bytes(digest, MAX_BYTES)
            if data is None and found.damaged:
                raise NotVerified(f"the manifest {digest} is not what was recorded: its SHA-256 is another")
            self._manifests[digest] = parse_manifest(data) if data is not None else None
        return self._manifests[digest]

    def _rows(self, **conditions: Any) -> list[Row]:
        return query(
            self._index,
            registry=self._lab.registry,
            descending=False,
            **{"limit": MAX_REPORTED_RUNS, **conditions},
        )

    def run_of(self, asked: Seen, whole: LineageGraph) -> tuple[Seen | None, int]:
        """The run that a record is, was generated by or derived from, or the first of its group that wrote it."""
        if asked.row.kind == "run":
            return asked, 1
        above = [whole.nodes[edge.parent].row for edge in whole.edges if edge.child == asked.row.id]
        near = [self.seen(row) for row in above if row.kind == "run"]
        if not near and asked.row.kind == "model":
            near = [
                seen
                for row in self._rows(kind="run", group=asked.row.group)
                if (seen := self.seen(row)).run
                and any(output.subject == asked.row.subject for output in seen.run.outputs)
            ]
        return (near[0] if near else None), len(near)

    def model_of(self, run: Seen | None) -> Seen | None:
        """The group's record of the model that a run wrote; None if there is none, or the run wrote several."""
        if run is None or run.run is None:
            return None
        digests = {output.subject for output in run.run.outputs if output.role == "model"}
        found = [
            row
            for digest in sorted(digests)
            for row in self._rows(kind="model", subject=digest)
            if row.group == run.row.group
        ]
        # the same bytes may be recorded under several names: the newest says what it is called now
        return self.seen(found[-1]) if found and len(digests) == 1 else None

    def inputs(self, run: Seen | None, above: LineageGraph) -> list[Read]:
        if run is None:
            return []
        named = {(one.record, one.relation): one for one in run.run.inputs} if run.run else {}
        found = []
        for edge in above.edges:
            if edge.child != run.row.id or edge.relation in ("supersedes", "reproduces"):
                continue
            seen = self.seen(above.nodes[edge.parent].row)
            known = [one for (record, _), one in named.items() if record == edge.parent]
            name = (known[0].name if known else None) or seen.name
            found.append(Read(seen, edge.relation, name, known[0].path if known else None))
        return found

    def runs_on(self, asked: Seen, whole: LineageGraph) -> list[Seen]:
        """Runs that read a record that is none itself, oldest first."""
        near = {edge.child for edge in whole.edges if edge.parent == asked.row.id}
        rows = [whole.nodes[each].row for each in near if whole.nodes[each].row.kind == "run"]
        return [self.seen(row) for row in sorted(rows, key=lambda row: (row.time, row.block, row.id))]

    def reproductions(self, run: Seen | None, above: LineageGraph) -> list[Seen]:
        if run is None:
            return []
        ids = [
            e.child
            for e in above.edges
            if e.parent == run.row.id and e.relation == label(Relation.REPRODUCES, Relation)
        ]
        return [self.seen(above.nodes[each].row) for each in ids]

    def without_reports(self, whole: LineageGraph) -> LineageGraph:
        """A report that is recorded must not change the next one: reports are left out of the picture."""
        hidden = {
            node.row.id
            for node in whole.nodes.values()
            if node.depth > 0 and node.row.kind == "document" and self._is_report(node)
        }
        nodes = {
            record: replace(node, row=self.seen(node.row).row)
            for record, node in whole.nodes.items()
            if record not in hidden
        }
        edges = tuple(edge for edge in whole.edges if edge.child in nodes and edge.parent in nodes)
        return LineageGraph(whole.root, nodes, edges, whole.is_complete)

    def _is_report(self, node: LineageNode) -> bool:
        manifest = self._manifest(node.row.manifest)
        return manifest is not None and report_of(manifest) is not None


def report_of(manifest: Manifest) -> str | None:
    """Id of the record that a Document is a report of; None if it is no report."""
    predicate = manifest.predicate
    if manifest.kind != Kind.DOCUMENT or not isinstance(predicate, RecordPredicate):
        return None
    value = predicate.values.get(REPORT)
    return value if isinstance(value, str) else None


def _ids(asked: Seen, run: Seen | None) -> list[str]:
    return list(dict.fromkeys([asked.row.id, *([run.row.id] if run else [])]))


def _stable(lab: Lab, check: Check) -> Check:
    """A check without what differs from machine to machine and from block to block."""
    detail = check.detail if check.verdict is not Outcome.PASS or check.name in (*_TOLD, "finality") else ""
    detail = _CHANGING.sub("", detail).replace(f"{lab.home.path}/", "")
    if check.name == "finality" and check.verdict is Outcome.UNKNOWN:
        detail = "not final yet"
    return Check(check.name, check.verdict, detail, {}, check.record)


# -- plain values


def view(facts: Facts) -> dict[str, Any]:
    """The facts as plain values: all that a template sees, and the JSON report."""
    asked, run = facts.asked, facts.run
    return {
        "schema": 1,
        "record": _record(asked),
        "run": _run(run) if run else None,
        "runs_that_wrote_it": facts.wrote,
        "model": _record(facts.model) if facts.model else None,
        "inputs": [
            {**_record(one.seen), "relation": one.relation, "called": one.name, "path": one.path}
            for one in facts.inputs
        ],
        "runs": [_run(one) for one in facts.runs],
        "metrics": metrics_of(facts),
        "reproductions": [_record(one) for one in facts.reproductions],
        "verdicts": [
            {
                "group": one.group,
                "verdict": one.verdict,
                "by": one.account,
                "time": utc(one.time),
                "record": one.record_id,
            }
            for one in facts.verdicts
        ],
        "lineage": {
            "records": [
                {
                    **{name: getattr(node.row, name) for name in ("id", "kind", "name", "group", "status")},
                    "time": utc(node.row.time),
                    "depth": node.depth,
                    "stands_on_retracted": list(node.retracted_ancestors),
                }
                for node in facts.lineage.nodes.values()
            ],
            "links": [asdict(edge) for edge in facts.lineage.edges],
        },
        "fields": [asdict(field) for field in facts.fields.values()],
        "verification": {
            "status": facts.status,
            "command": facts.verify_with,
            "chain": facts.chain,
            "time_source": facts.time_source,
            "checks": [
                {"record": one.record, "check": one.name, "verdict": str(one.verdict), "detail": one.detail}
                for one in facts.checks
            ],
            "passed": sum(one.verdict is Outcome.PASS for one in facts.checks),
            "failed": sum(one.verdict is Outcome.FAIL for one in facts.checks),
            "unknown": sum(one.verdict is Outcome.UNKNOWN for one in facts.checks),
        },
    }


def metrics_of(facts: Facts) -> list[dict[str, Any]]:
    """The run's metrics, each with what runs that reproduce it found."""
    if facts.run is None or facts.run.run is None:
        return []
    found = []
    for name, metric in sorted(facts.run.run.metrics.items()):
        again: list[dict[str, Any]] = [
            {"record": one.row.id, "group": one.row.group, "value": one.run.metrics[name].value}
            for one in facts.reproductions
            if one.run and name in one.run.metrics
        ]
        tolerance = metric.tolerance
        for one in again:
            one["agrees"] = tolerance.allows(metric.value, one["value"]) if tolerance else None
        allowed = tolerance.absolute + tolerance.relative * abs(metric.value) if tolerance else None
        found.append({"name": name, "value": metric.value, "tolerance": allowed, "again": again})
    return found


def _record(seen: Seen) -> dict[str, Any]:
    row, predicate = seen.row, seen.manifest.predicate if seen.manifest else None
    return {
        "id": row.id,
        "kind": row.kind,
        "name": seen.name,
        "description": row.description or None,
        "group": row.group,
        "author": row.author,
        "subject": row.subject,
        "subject_type": row.subject_type,
        "subject_is": "SHA-256" if row.subject_type != "commitment" else "salted commitment",
        "encrypted": CIPHERTEXT if seen.encrypted else None,
        "manifest": row.manifest,
        "registry": row.registry,
        "chain_id": row.chain_id,
        "transaction": f"0x{row.transaction}",
        "block": row.block,
        "time": utc(row.time),
        "sealed": utc(row.sealed_at) if row.sealed_at else None,
        "status": row.status,
        "says": predicate.to_json() if predicate else None,
    }


def _run(seen: Seen) -> dict[str, Any]:
    run = seen.run
    if run is None:
        return {**_record(seen), "parameters": [], "seeds": [], "outputs": []}
    return {
        **_record(seen),
        "parameters": list(flat(run.parameters)),
        "seeds": list(flat(run.seeds)),
        "outputs": [
            {
                "role": one.role,
                "path": one.artifact.path,
                "sha256": one.artifact.sha256,
                "size": one.artifact.size,
                "encrypted": CIPHERTEXT if one.encrypted else None,
            }
            for one in run.outputs
        ],
    }


def flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested values as pairs of dotted name and text, in order."""
    found: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            found += flat(value, f"{prefix}{name}.")
        else:
            found.append((f"{prefix}{name}", text_of(value)))
    return found
