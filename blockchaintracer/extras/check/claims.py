"""Results that a paper or a README states, compared with the records that they come from.

They're listed in a YAML file, or marked where they stand: in Markdown by a comment behind the number, in LaTeX by a
macro around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import read_limited
from blockchaintracer.core.manifest import RecordPredicate, RunPredicate, parse_manifest
from blockchaintracer.core.plain_json import MAX_BYTES
from blockchaintracer.core.record import ABOUT, written_id
from blockchaintracer.core.verify import Report
from blockchaintracer.extras.check.marks import at_place, marks_in_latex, marks_in_markdown
from blockchaintracer.extras.check.stated_number import read_number
from blockchaintracer.lab.formats import CLAIMS
from blockchaintracer.lab.gather import Gatherer, runs_among
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.run_document import parse_yaml
from blockchaintracer.lab.store.stored_copies import StoredCopies
from blockchaintracer.lab.verify_here import Sources, verify

RESULTS = "results.yaml"
_LIMIT = 16 << 20
_FIELDS = {"value", "record", "metric", "where"}


@dataclass(frozen=True)
class Claim:
    """A result as it's stated.

    Args:
        value: a number as it is written, as exact as its last digit: ``0.93``, ``93.4%``, ``0.93±0.02``.
        metric: the metric's name; ``NAME ± NAME`` also names the metric that its uncertainty is recorded as.
        where: the file and line, or what its author calls the place.
    """

    value: str
    record: str
    metric: str
    where: str


@dataclass(frozen=True)
class Checked:
    """A claim, and what its record says.

    Args:
        problem: why it doesn't hold; None if it does.
        unavailable: whether it is not decided: a source that may have the record's manifest could not be asked.
        note: what of it was not checked; None if all was.
        group, author: whose record it is; None if there is none.
    """

    claim: Claim
    problem: str | None
    recorded: float | None = None
    note: str | None = None
    unavailable: bool = False
    group: int | None = None
    author: str | None = None


def read_claims(path: Path) -> list[Claim]:
    """The results that a file states: ``*.yaml`` and ``*.yml`` list them, ``*.md`` and ``*.tex`` mark them.

    A mark that can't be read is an error: none is passed over.
    """
    data = read_limited(path, _LIMIT, "results")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected UTF-8, got another byte at {error.start}") from None
    suffix = path.suffix.lower()
    if suffix in {".yaml", ".yml"}:
        return list(_listed(path, data))
    if suffix in {".md", ".tex"}:
        marks = marks_in_markdown if suffix == ".md" else marks_in_latex
        return [_claim(mark.written, mark.record, mark.metric, mark.where, mark.where) for mark in marks(text, path)]
    raise InputError(f"expected results in a file named *.yaml, *.yml, *.md or *.tex, got {path.name!r}")


def check_claims(
    lab: Lab, claims: Sequence[Claim], *, sources: Sources = (), groups: Sequence[int] = ()
) -> list[Checked]:
    """Holds claims against their records, in their order.

    A claim holds if its record verifies, isn't retracted nor rests on what is, and names the metric with a value that
    the stated one is a rounding of.
    """
    reports = {claim.record: verify(lab, claim.record, sources=sources) for claim in claims}
    return [_check(lab, claim, reports[claim.record], sources, groups) for claim in claims]


def _check(lab: Lab, claim: Claim, report: Report, sources: Sources, groups: Sequence[int]) -> Checked:
    if report.failed:
        failures = "; ".join(f"{check.name}: {check.detail}" for check in report.failed[:3])
        return Checked(claim, f"its record does not verify: {failures}")
    if report.looked_up_as not in ("record", "batch") or len(report.records) != 1:
        return Checked(claim, f"expected a record's id, got one of a {report.looked_up_as}")
    [seen] = report.records
    whose: dict[str, Any] = {"group": seen.group, "author": seen.author}
    if groups and seen.group not in groups:
        counting = ", ".join(map(str, groups))
        return Checked(claim, f"it is a record of group {seen.group}, and only {counting} count", **whose)
    if seen.status == "retracted":
        return Checked(claim, "its record is retracted", **whose)
    data, copy = StoredCopies(lab.store, sources).read_bytes(seen.manifest, MAX_BYTES)
    if data is None:
        state = "unavailable" if copy.unavailable else "damaged in every copy" if copy.damaged else "not here"
        why = "; ".join(copy.reasons) or "--from names where it's published"
        problem = f"its manifest {seen.manifest} is {state}: {why}"
        return Checked(claim, problem, unavailable=bool(copy.unavailable), **whose)
    predicate = parse_manifest(data).predicate
    if isinstance(predicate, RunPredicate) and predicate.status != "completed":
        return Checked(claim, f"its run is {predicate.status}", **whose)
    above = [] if seen.kind == "run" else [link.parent for link in seen.parents if link.relation not in ABOUT]
    for gathered in runs_among(Gatherer(lab, sources).records(above).values()):
        if gathered.run is None or gathered.run.status != "completed":
            how = gathered.run.status if gathered.run else "not known to have completed: its manifest is not here"
            problem = f"run {gathered.id}, which it comes from, is {how}"
            return Checked(claim, problem, unavailable=bool(gathered.unavailable), **whose)
    metrics = _metrics(predicate)
    name, uncertain = claim.metric, None
    if name not in metrics and (parts := re.split(r"\s+(?:±|\+/?-|\\pm)\s+", name)) and len(parts) == 2:
        name, uncertain = parts
    if missing := [part for part in (name, uncertain) if part is not None and part not in metrics]:
        known, of = ", ".join(sorted(metrics)[:10]) or "none", f" ({missing[0]})" if uncertain else ""
        return Checked(claim, f"its record has no metric of this name{of}; it has {known}", **whose)
    stated, recorded = read_number(claim.value), metrics[name]
    note = None
    if not stated.rounds(recorded):
        return Checked(claim, f"the record says {recorded!r}", recorded, **whose)
    if uncertain is not None and not (stated.uncertainty and stated.uncertainty.rounds(metrics[uncertain])):
        return Checked(claim, f"the record says the uncertainty {metrics[uncertain]!r}", recorded, **whose)
    if stated.uncertainty and uncertain is None:
        note = "its uncertainty is not checked: no metric is named that records it"
    return Checked(claim, None, recorded, note, **whose)


def _metrics(predicate: Any) -> dict[str, float]:
    """A run's metrics; of a result the numbers among its values, nested ones as ``a.b``, of ``metrics`` by name."""
    if isinstance(predicate, RunPredicate):
        return {name: metric.value for name, metric in predicate.metrics.items()}
    if not isinstance(predicate, RecordPredicate):
        return {}
    return dict(_numbers(predicate.values)) | dict(_numbers(predicate.values.get("metrics") or {}))


def _numbers(values: Any, prefix: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(values, Mapping):
        for name, value in values.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                yield f"{prefix}{name}", value
            else:
                yield from _numbers(value, f"{prefix}{name}.")


def _listed(path: Path, data: bytes) -> Iterator[Claim]:
    document = parse_yaml(data)
    if (
        not isinstance(document, dict)
        or type(document.get("schema")) is not int
        or not isinstance(document.get("results"), list)
    ):
        raise InputError(f"{path}: expected `schema: 1` and a list of `results`", hint="See docs/ci.md.")
    CLAIMS.check_version(document["schema"], str(path))
    # again with every value as it's written: 0.930 is more exact than 0.93
    written = yaml.load(data, Loader=yaml.BaseLoader)["results"]  # noqa: S506 -- makes text, lists and copies alone
    for number, entry in enumerate(written, 1):
        place = f"{path}, result {number}"
        if not isinstance(entry, dict) or not {"value", "record", "metric"} <= set(entry) <= _FIELDS:
            raise InputError(f"{place}: expected value, record and metric, and at most where besides")
        if not all(isinstance(value, str) for value in entry.values()):
            raise InputError(f"{place}: expected text or a number in each field")
        yield _claim(entry["value"], entry["record"], entry["metric"], entry.get("where", place), place)


def _claim(value: str, record: str, metric: str, where: str, place: str) -> Claim:
    with at_place(place):
        return Claim(read_number(value).written, written_id(record.strip()), metric.strip(), where)
