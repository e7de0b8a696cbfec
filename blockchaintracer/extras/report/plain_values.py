"""The facts of a report as plain values: all that a template sees, and the JSON report."""

from __future__ import annotations

from collections import Counter
from typing import Any

from blockchaintracer.core.manifest.metric_comparison import NEARLY_ANYTHING, compare_metrics
from blockchaintracer.core.plain_json import as_json, fields_json, number_text
from blockchaintracer.core.verify import Outcome
from blockchaintracer.extras.report.report_facts import ReportFacts
from blockchaintracer.extras.search.rows import utc
from blockchaintracer.lab.formats import REPORT
from blockchaintracer.lab.gather import GatheredRecord
from blockchaintracer.lab.plain_text import CIPHERTEXT, flat


def plain_values(facts: ReportFacts) -> dict[str, Any]:
    """Return the facts as plain values."""
    outcomes = Counter(check.verdict for check in facts.verification.checks)
    return {
        **REPORT.header(),
        "record": _record(facts, facts.asked),
        "holders": list(facts.holders),
        "times": list(facts.times),
        "run": _run(facts, facts.run) if facts.run else None,
        "runsThatWroteIt": facts.wrote,
        "model": _record(facts, facts.model) if facts.model else None,
        "inputs": [
            {
                **_record(facts, entry.read),
                "relation": entry.relation_name,
                "called": entry.name or entry.read.name,
                "path": entry.entry.path if entry.entry else None,
            }
            for entry in facts.inputs
        ],
        "runs": [_run(facts, run) for run in facts.runs],
        "metrics": _metrics(facts),
        "reproductions": [_record(facts, run) for run in facts.reproductions],
        "verdicts": [
            {
                "group": verdict.group,
                "verdict": verdict.verdict,
                "by": verdict.account,
                "time": utc(verdict.time),
                "record": verdict.record_id,
            }
            for verdict in facts.verdicts
        ],
        "lineage": {
            "records": [
                {
                    **{name: getattr(node.row, name) for name in ("id", "kind", "name", "group")},
                    "status": ", ".join(node.row.states),
                    "time": utc(node.row.time),
                    "depth": node.depth,
                    "standsOnRetracted": list(node.retracted_ancestors),
                    "standsOnMoreRetracted": node.has_more_retracted,
                }
                for node in facts.lineage.nodes.values()
            ],
            "links": as_json(facts.lineage.edges),
        },
        "fields": as_json([*facts.fields.values()]),
        "verification": {
            **fields_json(facts.verification, "status", "colour", "note", "command"),
            "chain": facts.chain,
            "timeSource": facts.time_source,
            "checks": [
                {"record": check.record, "check": check.name, "verdict": str(check.verdict), "detail": check.detail}
                for check in facts.verification.checks
            ],
            "passed": outcomes[Outcome.PASS],
            "failed": outcomes[Outcome.FAIL],
            "unknown": outcomes[Outcome.UNKNOWN],
        },
    }


def _metrics(facts: ReportFacts) -> list[dict[str, Any]]:
    """The metrics of the run, each with what its reproductions found."""
    rows = []
    for name, metric in sorted(facts.run.run.metrics.items()) if facts.run and facts.run.run else ():
        again = []
        for repeated in facts.reproductions:
            if repeated.run and name in repeated.run.metrics:
                value = repeated.run.metrics[name].value
                [row] = compare_metrics({name: metric}, {name: value})
                found = {"value": number_text(value), "agrees": row.within, "used": row.used}
                again.append({"record": repeated.id, "group": repeated.record.group, **found})
        allowed = number_text(metric.tolerance.width(metric.value)) if metric.tolerance else None
        wide = NEARLY_ANYTHING if metric.accepts_nearly_anything else None
        rows.append(
            {"name": name, "value": number_text(metric.value), "tolerance": allowed, "wide": wide, "again": again}
            | {"declared": metric.is_declared}
        )
    return rows


def _record(facts: ReportFacts, gathered: GatheredRecord) -> dict[str, Any]:
    record = gathered.record
    return {
        **fields_json(record, "id", "kind", name=gathered.name, description=gathered.description or None),
        **fields_json(record, "group", "subject", "subject_type", author=record.key.author),
        "subjectIs": "SHA-256" if record.subject_type != "commitment" else "salted commitment",
        "encrypted": CIPHERTEXT if gathered.encrypted else None,
        **fields_json(record, "manifest", "transaction", "block"),
        **fields_json(facts, "registry", "chain_id"),
        "time": utc(record.time),
        "sealed": utc(record.sealed_at) if record.sealed_at else None,
        "status": f"{record.status}, failed" if gathered.run and gathered.run.status == "failed" else record.status,
        "says": gathered.manifest.predicate.to_json() if gathered.manifest else None,
    }


def _run(facts: ReportFacts, gathered: GatheredRecord) -> dict[str, Any]:
    run = gathered.run
    outputs = run.outputs if run else ()
    return {
        **_record(facts, gathered),
        "parameters": flat(run.parameters) if run else [],
        "seeds": flat(run.seeds) if run else [],
        "outputs": [
            {
                "role": output.role,
                **{name: getattr(output.artifact, name) for name in ("path", "sha256", "size")},
                "encrypted": CIPHERTEXT if output.encrypted else None,
            }
            for output in outputs
        ],
    }
