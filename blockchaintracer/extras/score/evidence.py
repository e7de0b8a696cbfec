"""What is seen of a run when it is scored: gathered once, by whoever asks, and judged by `checks`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from blockchaintracer.core.manifest import ContentPredicate, RunPredicate
from blockchaintracer.core.manifest.base import canonical
from blockchaintracer.core.record import FIRST_OWN_NUMBER, Kind, Relation, SubjectType

Status = Literal["pass", "fail", "unknown"]

READING = (
    Relation.TRAINED_ON,
    Relation.VALIDATED_ON,
    Relation.EVALUATED_ON,
    Relation.FINE_TUNED_FROM,
    Relation.USES,
)
"""Relations of a run to what it read."""
_AS_DATA = (Relation.TRAINED_ON, Relation.VALIDATED_ON, Relation.EVALUATED_ON)


@dataclass(frozen=True)
class Finding:
    """How a check ended.

    Args:
        status: pass; fail if it was checked and is missing; unknown if it can't be checked from here.
        evidence: what was found, in words. It names no place of this machine: reports are published.
    """

    status: Status
    evidence: str


@dataclass(frozen=True)
class Input:
    """A record that a run read.

    Args:
        record: its id.
        name: what the run calls it, with a suffix that tells how to read it.
        content: its manifest; None if that is not here.
    """

    record: str
    kind: int
    relation: int
    subject: str
    subject_type: int
    name: str | None
    content: ContentPredicate | None

    @property
    def is_data(self) -> bool:
        """Whether it is data: a dataset; or a result or one of the lab's own kinds, if the run trained, validated or
        evaluated on it. A document, plan or deployment is none, whatever the run says that it did with it."""
        if self.kind == Kind.RESULT or self.kind >= FIRST_OWN_NUMBER:
            return self.relation in _AS_DATA
        return self.kind == Kind.DATASET

    @property
    def is_hashed(self) -> bool:
        """Whether its subject is the digest of its bytes."""
        return self.subject_type in (SubjectType.FILE, SubjectType.FOLDER)


@dataclass(frozen=True)
class Needed:
    """An object without which the run is not whole: what it is to the run, and its SHA-256."""

    what: str
    sha256: str


@dataclass(frozen=True)
class Seen:
    """Another run.

    Args:
        run: its manifest; None if that is not here.
        reproduces: whether its key names the scored run as reproduced.
        stands: whether it is not retracted.
    """

    record: str
    group: int
    author: str
    run: RunPredicate | None
    reproduces: bool
    stands: bool


@dataclass(frozen=True)
class Said:
    """Another group's current verdict on the scored run.

    Args:
        attester: who gave it, 0x-hex in lower case.
        holds: whether roles, state and evidence agree with its event.
        evidence: the run that it rests on; None if it names none.
    """

    group: int
    attester: str
    verdict: str
    holds: bool
    evidence: Seen | None


@dataclass(frozen=True)
class Case:
    """Everything that the checks look at.

    Args:
        record: id of the scored run.
        needed: every object of the run, each digest once.
        copies: by digest the places that hold a whole copy, re-hashed just now.
        places: that were looked at; the lab's own store is the first.
        away: places that could not be asked.
        open: gives a whole copy of an object as a file, or None.
        tree: the code, restored from its pack with its difference; None if that could not be done.
        code: how that ended.
        others: further runs that are known of.
        weights: manifests of the group's model records of what the run wrote as a model.
        signed, anchored: what the chain says.
        rebuilt: how rebuilding the environment ended; None if it wasn't tried.
    """

    record: str
    group: int
    author: str
    run: RunPredicate
    inputs: tuple[Input, ...]
    needed: tuple[Needed, ...]
    copies: Mapping[str, tuple[str, ...]]
    places: tuple[str, ...]
    away: tuple[str, ...]
    open: Callable[[str], AbstractContextManager[Path | None]]
    tree: Path | None
    code: Finding
    others: tuple[Seen, ...]
    verdicts: tuple[Said, ...]
    weights: tuple[ContentPredicate, ...]
    signed: Finding
    anchored: Finding
    rebuilt: Finding | None = None
    retracted: bool = False
    mismatches: tuple[str, ...] = field(default=())

    @property
    def folder(self) -> Path | None:
        """Where the code was started, inside `tree`."""
        return self.tree / (self.run.code.working_folder or ".") if self.tree else None

    @property
    def data(self) -> tuple[Input, ...]:
        """The inputs that are data."""
        return tuple(entry for entry in self.inputs if entry.is_data)


def same_code(one: RunPredicate, other: RunPredicate) -> bool:
    """Whether two runs name the same commit and the same difference to it."""
    return one.code.commit is not None and _code(one) == _code(other)


def data_digests(run: RunPredicate) -> frozenset[str]:
    """The digests of what a run says it read."""
    return frozenset(entry.sha256 for entry in run.inputs)


def observed(run: RunPredicate) -> bool:
    """Whether the run was recorded by what saw it run: the program that started it, or its own process. What a run
    document or the command line says was run is no such thing, and neither can set it."""
    return run.environment.observed is not None


def seeds_of(run: RunPredicate) -> bytes | None:
    """The seeds of a run, to be compared; None if it states none."""
    return canonical(run.seeds) if run.seeds else None


def disagreement(recorded: RunPredicate, found: RunPredicate) -> str | None:
    """The first metric that `found` did not find again within its recorded tolerance; None if there is none."""
    for name, metric in recorded.metrics.items():
        if metric.tolerance is None:
            continue
        other = found.metrics.get(name)
        if other is None or not metric.tolerance.allows(metric.value, other.value):
            return name
    return None


def _code(run: RunPredicate) -> tuple[str | None, bool, str | None]:
    return run.code.commit, run.code.dirty, run.code.diff.sha256 if run.code.diff else None
