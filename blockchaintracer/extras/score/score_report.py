"""The two numbers of a run: documentation, 0 to 100, and the level of evidence; never one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from blockchaintracer.core.manifest.base import canonical
from blockchaintracer.extras.score.evidence import Case, Seen, Status, data_digests, disagreement, observed
from blockchaintracer.extras.score.item_checks import CAPS, CHECKS
from blockchaintracer.extras.score.rubric import Rubric, load_rubric

LEVELS = {
    "E0": "declared",
    "E1": "machine-captured",
    "E2": "own re-run",
    "E3": "reproduced by another key",
    "E4": "independent code or data",
}


@dataclass(frozen=True)
class ItemScore:
    """One item as it was found.

    Args:
        points: its weight if it passed, else 0.
        remedy: what to do about it; None if it passed.
    """

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
class Evidence:
    """The level of evidence, what it is and what shows it."""

    level: str
    meaning: str
    shown_by: str


@dataclass(frozen=True)
class Score:
    """What was found of a run, complete: the same record in the same state gives the same bytes.

    Args:
        record: the record that was asked for; `run` is the run that it led to.
        rubric: version and digest of the rubric.
        documentation: 0 to 100; None if withheld.
        evidence: None if withheld.
        withheld: each digest that is not what it should be.
        caps: that were applied.
        notes: what else a reader must know.
    """

    record: str
    run: str
    rubric: dict[str, Any]
    documentation: int | None
    evidence: Evidence | None
    withheld: tuple[str, ...]
    caps: tuple[CapApplied, ...]
    items: tuple[ItemScore, ...]
    notes: tuple[str, ...]

    def counted(self, status: Status) -> tuple[int, int]:
        """How many items ended so, and their weights together."""
        found = [item.weight for item in self.items if item.status == status]
        return len(found), sum(found)

    def as_json(self) -> dict[str, Any]:
        """The score as JSON-ready values."""
        totals = {status: dict(zip(("items", "weight"), self.counted(status), strict=True)) for status in _STATUSES}
        return {"schema": 1, **asdict(self), "totals": totals}

    def to_bytes(self) -> bytes:
        """RFC 8785 bytes of `as_json`."""
        return canonical(self.as_json())


_STATUSES: tuple[Status, ...] = ("pass", "fail", "unknown")


def assess(case: Case, record: str, rubric: Rubric | None = None) -> Score:
    """Makes every check of the rubric, and finds the level of evidence.

    Args:
        case: what is seen of the run.
        record: id of the record that was asked for.
        rubric: the newest if not said.
    """
    rubric = rubric or load_rubric()
    items = []
    for item in rubric.items:
        finding = CHECKS[item.id](case)
        won = finding.status == "pass"
        items.append(
            ItemScore(
                id=item.id,
                title=item.title,
                weight=item.weight,
                points=item.weight if won else 0,
                status=finding.status,
                evidence=finding.evidence,
                source=item.source,
                remedy=None if won else item.remedy,
            )
        )
    total = sum(item.points for item in items)
    missing = [cap for cap in rubric.caps if CAPS[cap.id](case)]
    caps = tuple(CapApplied(cap.limit, cap.reason) for cap in missing if cap.limit < total)
    withheld = case.mismatches
    return Score(
        record=record,
        run=case.record,
        rubric={"version": rubric.version, "sha256": rubric.digest},
        documentation=None if withheld else min([total, *(cap.limit for cap in caps)]),
        evidence=None if withheld else _evidence(case),
        withheld=withheld,
        caps=caps,
        items=tuple(items),
        notes=tuple(_notes(case)),
    )


def _evidence(case: Case) -> Evidence:
    for level, find in _FINDERS:
        if shown := find(case):
            return Evidence(level, LEVELS[level], shown)
    return Evidence("E0", LEVELS["E0"], _uncaptured(case))


def _independent(case: Case) -> str | None:
    for seen in _by_others(case):
        run = seen.run
        if run is None:
            continue
        commits = (case.run.code.commit, run.code.commit)
        if None not in commits and commits[0] != commits[1]:
            return f"run {seen.record} of group {seen.group}, with other code: commit {run.code.commit}"
        ours, theirs = data_digests(case.run), data_digests(run)
        if ours and theirs and ours != theirs:
            return f"run {seen.record} of group {seen.group}, with other data"
    return None


def _by_another(case: Case) -> str | None:
    return next((f"run {seen.record} of group {seen.group} by {seen.author}" for seen in _by_others(case)), None)


def _by_others(case: Case) -> list[Seen]:
    """Runs on which another group's standing verdict rests, each by another key; what contradicts its own verdict
    is left out."""
    found = []
    for said in case.verdicts:
        seen = said.evidence
        if not (said.holds and said.verdict == "reproduced" and seen and seen.stands):
            continue
        if said.group == case.group or case.author in (said.attester, seen.author):
            continue
        if seen.run is None or (seen.run.status == "completed" and disagreement(case.run, seen.run) is None):
            found.append(seen)
    return found


def _by_itself(case: Case) -> str | None:
    for seen in case.others:
        own = seen.group == case.group or seen.author == case.author
        if not (own and seen.reproduces and seen.stands and seen.run and seen.run.status == "completed"):
            continue
        if not observed(seen.run):
            continue
        if any(metric.tolerance for metric in case.run.metrics.values()) and disagreement(case.run, seen.run) is None:
            return f"run {seen.record}, whose metrics agree"
    return None


def _captured(case: Case) -> str | None:
    run = case.run
    captured = (run.environment.model_extra or {}).get("python")
    if run.status == "completed" and observed(run) and run.code.commit and captured and run.hardware:
        return f"commit {run.code.commit}, environment and machine, by the manifest's own words"
    return None


def _uncaptured(case: Case) -> str:
    if not observed(case.run):
        return "the run was described, not seen to run: `record -- PROGRAM` or MLTracer record it while it does"
    return "commit, environment and machine of a completed run were not all captured"


_FINDERS: tuple[tuple[str, Callable[[Case], str | None]], ...] = (
    ("E4", _independent),
    ("E3", _by_another),
    ("E2", _by_itself),
    ("E1", _captured),
)
"""The highest first."""


def _notes(case: Case) -> list[str]:
    notes = ["the run was retracted: its author does not uphold it"] if case.retracted else []
    notes += [f"the run {case.run.status}"] if case.run.status != "completed" else []
    for said in case.verdicts:
        if said.holds and said.verdict in ("not-reproduced", "disputed"):
            notes.append(f"group {said.group} says: {said.verdict}")
    unseen = sum(seen.run is None for seen in case.others)
    notes += [f"{unseen} other runs could not be looked at: their manifests are not here"] if unseen else []
    return notes
