"""The two numbers of a run: documentation, 0 to 100 by a versioned rubric, and the level of evidence; never one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

from pydantic import Field, PositiveInt

from blockchaintracer.core.manifest.base import Part
from blockchaintracer.core.manifest.metric_comparison import NEARLY_ANYTHING, are_decisive, compare_metrics
from blockchaintracer.core.manifest.predicates import Line, Prose
from blockchaintracer.core.plain_json import canonical, fields_json, parse_json
from blockchaintracer.core.record import Link, Relation
from blockchaintracer.extras.score.evidence import RunEvidence, Status, comparison, data_digests, disagreement, observed
from blockchaintracer.extras.score.item_checks import CAPS, CHECKS
from blockchaintracer.lab.formats import SCORE
from blockchaintracer.lab.gather import GatheredRecord

LEVELS = {
    "E0": "declared",
    "E1": "machine-captured",
    "E2": "own re-run",
    "E3": "reproduced by another key",
    "E4": "independent code or data",
}


@dataclass(frozen=True)
class ItemScore:
    """One item as it was found: its points are its weight if it passed, else 0, with what to do about it."""

    id: str
    title: str
    weight: int
    points: int
    status: Status
    evidence: str
    source: tuple[str, ...]
    remedy: str | None


@dataclass(frozen=True)
class CapApplied:
    """What kept the number down."""

    limit: int
    reason: str


@dataclass(frozen=True)
class EvidenceLevel:
    """The level of the evidence, its meaning and the reason."""

    level: str
    meaning: str
    shown_by: str


@dataclass(frozen=True)
class Score:
    """The score of a run, complete: the same record in the same state gives the same bytes.

    Args:
        record: the record that was asked for; `run` is the run that it led to.
        documentation, evidence: 0 to 100, and the level; None if withheld.
        withheld: each digest that is not what it should be.
    """

    record: str
    run: str
    rubric: dict[str, Any]
    documentation: int | None
    evidence: EvidenceLevel | None
    withheld: tuple[str, ...]
    caps: tuple[CapApplied, ...]
    items: tuple[ItemScore, ...]
    notes: tuple[str, ...]

    def counted(self, status: Status) -> tuple[int, int]:
        """Count the items that ended so, and add up their weights."""
        weights = [item.weight for item in self.items if item.status == status]
        return len(weights), sum(weights)

    def as_json(self) -> dict[str, Any]:
        """Return the score as JSON-ready values."""
        totals = {status: dict(zip(("items", "weight"), self.counted(status), strict=True)) for status in _STATUSES}
        return {**SCORE.header(), **fields_json(self), "totals": totals}

    def to_bytes(self) -> bytes:
        """Return the RFC 8785 bytes of `as_json`."""
        return canonical(self.as_json())


_STATUSES: tuple[Status, ...] = ("pass", "fail", "unknown")


def assess(evidence: RunEvidence, record: str) -> Score:
    """Make every check of the newest rubric, and find the level of the evidence; `record` is what was asked for."""
    rubric = load_rubric()
    items = []
    for item in rubric.items:
        finding = CHECKS[item.id](evidence)
        result = {"points": item.weight, "remedy": None} if finding.status == "pass" else {"points": 0}
        items.append(ItemScore(**{**item.model_dump(), **asdict(finding), **result}))
    total = sum(item.points for item in items)
    missing = [cap for cap in rubric.caps if CAPS[cap.id](evidence)]
    caps = tuple(CapApplied(cap.limit, cap.reason) for cap in missing if cap.limit < total)
    return Score(
        record=record,
        run=evidence.scored.id,
        rubric={"version": rubric.version, "sha256": rubric.digest},
        documentation=None if evidence.mismatches else min([total, *(cap.limit for cap in caps)]),
        evidence=None if evidence.mismatches else _level(evidence),
        withheld=evidence.mismatches,
        caps=caps,
        items=tuple(items),
        notes=tuple(_notes(evidence)),
    )


def _level(evidence: RunEvidence) -> EvidenceLevel:
    for level, find in _FINDERS:
        if reason := find(evidence):
            return EvidenceLevel(level, LEVELS[level], reason)
    reason = "the run was described, not seen to run: `record -- PROGRAM` or MLTracer record it while it does"
    if observed(evidence.run):
        reason = "commit, environment and machine of a completed run were not all captured"
    return EvidenceLevel("E0", LEVELS["E0"], reason)


def _independent(evidence: RunEvidence) -> str | None:
    ours = evidence.run
    for other in _by_others(evidence):
        if (theirs := other.run) is None:
            continue
        name = f"run {other.id} of group {other.record.group}"
        commits = (ours.code.commit, theirs.code.commit)
        if None not in commits and commits[0] != commits[1]:
            return f"{name}, with other code: commit {theirs.code.commit}"
        if ours.inputs and theirs.inputs and data_digests(ours) != data_digests(theirs):
            return f"{name}, with other data"
    return None


def _by_another(evidence: RunEvidence) -> str | None:
    for other in _by_others(evidence):
        rows = comparison(evidence.run, other.run) if other.run else []
        found = "; ".join(str(row) for row in rows if row.tolerance)
        return f"run {other.id} of group {other.record.group} by {other.record.key.author}{found and ': ' + found}"
    return None


def _by_others(evidence: RunEvidence) -> list[GatheredRecord]:
    """Runs on which another group's standing verdict rests, each by another key. A run that contradicts its own
    verdict is left out, and so is every one if finding the metrics again shows nothing."""
    if not are_decisive(evidence.run.metrics.values()):
        return []
    key = evidence.scored.record.key
    runs = []
    for verdict in evidence.verdicts:
        other = verdict.standing_run
        if other is None or verdict.verdict != "reproduced":
            continue
        if verdict.group == key.group or key.author in (verdict.attester, other.record.key.author):
            continue
        if other.run is None or (other.run.status == "completed" and disagreement(evidence.run, other.run) is None):
            runs.append(other)
    return runs


def _by_itself(evidence: RunEvidence) -> str | None:
    key = evidence.scored.record.key
    decisive = are_decisive(evidence.run.metrics.values())
    for other in evidence.others:
        own = other.record.group == key.group or other.record.key.author == key.author
        reproduces = Link(evidence.scored.id, Relation.REPRODUCES) in other.record.parents
        if not (own and reproduces and other.stands and other.run and other.run.status == "completed"):
            continue
        if observed(other.run) and decisive and disagreement(evidence.run, other.run) is None:
            return f"run {other.id}, whose metrics agree"
    return None


def _captured(evidence: RunEvidence) -> str | None:
    run = evidence.run
    captured = (run.environment.model_extra or {}).get("python")
    if run.status == "completed" and observed(run) and run.code.commit and captured and run.hardware:
        return f"commit {run.code.commit}, environment and machine, by the manifest's own words"
    return None


_FINDERS: tuple[tuple[str, Callable[[RunEvidence], str | None]], ...] = (
    ("E4", _independent),
    ("E3", _by_another),
    ("E2", _by_itself),
    ("E1", _captured),
)
"""The highest first."""


def _notes(evidence: RunEvidence) -> Iterator[str]:
    if evidence.scored.record.status == "retracted":
        yield "the run was retracted: its author does not uphold it"
    if evidence.run.status != "completed":
        yield f"the run {evidence.run.status}"
    for row in compare_metrics(evidence.run.metrics, {}):
        if row.wide:
            yield f"{row.metric} = {row.recorded!r} {NEARLY_ANYTHING}: {row.required}"
    for verdict in evidence.verdicts:
        if verdict.holds and verdict.verdict in ("not-reproduced", "disputed"):
            yield f"group {verdict.group} says: {verdict.verdict}"
    if unseen := sum(other.run is None for other in evidence.others):
        yield f"{unseen} other runs could not be looked at: their manifests are not here"


LATEST = 1


class Item(Part):
    """One thing that is checked, who asks for it, and what to do about it. All weights of a rubric sum to 100."""

    id: Annotated[str, Field(pattern=r"^[a-z]+(-[a-z]+)*$")]
    weight: PositiveInt
    title: Line
    source: Annotated[tuple[Line, ...], Field(strict=False)]
    remedy: Prose


class Cap(Part):
    """The points that a record can have at most while something is missing."""

    id: Annotated[str, Field(pattern=r"^[a-z]+(-[a-z]+)*$")]
    limit: PositiveInt
    reason: Line


class Rubric(Part):
    """All items, in the order in which they are told, and the caps."""

    version: PositiveInt
    caps: Annotated[tuple[Cap, ...], Field(strict=False)]
    items: Annotated[tuple[Item, ...], Field(strict=False)]

    @property
    def digest(self) -> str:
        """SHA-256 of its RFC 8785 bytes, 64 hex digits."""
        return hashlib.sha256(canonical(self.to_json())).hexdigest()


@cache
def load_rubric(version: int = LATEST) -> Rubric:
    """Read a version of the rubric, from this package."""
    name = f"rubric-{version}.json"
    return Rubric.from_plain(parse_json((files("blockchaintracer.extras.score") / name).read_bytes(), name), name)
