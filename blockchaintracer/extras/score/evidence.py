"""The evidence of a run when it is scored: gathered once, then judged by the checks of the items."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from blockchaintracer.core.manifest import ContentPredicate, RunPredicate
from blockchaintracer.core.manifest.metric_comparison import MetricComparison, compare_metrics
from blockchaintracer.core.plain_json import canonical
from blockchaintracer.core.record import FIRST_OWN_NUMBER, Kind, Relation
from blockchaintracer.lab.capture.random_seeds import names_a_seed
from blockchaintracer.lab.gather import GatheredInput, GatheredRecord

Status = Literal["pass", "fail", "unknown"]

_AS_DATA = (Relation.TRAINED_ON, Relation.VALIDATED_ON, Relation.EVALUATED_ON)
READING = (*_AS_DATA, Relation.FINE_TUNED_FROM, Relation.USES)
"""Relations of a run to what it read."""


@dataclass(frozen=True)
class Finding:
    """The end of a check.

    Args:
        status: pass; fail if something is missing; unknown if that cannot be checked from here.
        evidence: the reason. It names no place of this machine: reports are published.
    """

    status: Status
    evidence: str


passed = partial(Finding, "pass")
failed = partial(Finding, "fail")
unknown = partial(Finding, "unknown")


@dataclass(frozen=True)
class Needed:
    """An object without which the run is not whole: its use for the run, and its SHA-256."""

    what: str
    sha256: str


@dataclass(frozen=True)
class GroupVerdict:
    """The current verdict of another group on the scored run.

    Args:
        attester: address of the author of the verdict, 0x-hex in lower case.
        holds: whether roles, state and evidence agree with the event.
    """

    group: int
    attester: str
    verdict: str
    holds: bool
    evidence: GatheredRecord | None

    @property
    def standing_run(self) -> GatheredRecord | None:
        """The evidence, if the verdict holds and the evidence is not retracted."""
        return self.evidence if self.holds and self.evidence and self.evidence.stands else None


@dataclass(frozen=True)
class RunEvidence:
    """Everything that the checks look at.

    Args:
        needed: every object of the run, each digest once.
        copies: by digest the places that hold a whole copy, hashed just now.
        places: the places that were asked. The first is the lab's own store.
        away: the places that could not be asked.
        open: gives a whole copy of an object as a file, or None.
        tree: the code, restored from its pack and difference; None if that failed.
        code: the finding of that.
        others: other runs that are known.
        weights: manifests of the group's model records of the models that the run wrote.
        signed, anchored: findings on the chain.
        rebuilt: the finding of rebuilding the environment; None if that was not tried.
        mismatches: what is not what its digest says.
    """

    scored: GatheredRecord
    run: RunPredicate
    inputs: tuple[GatheredInput, ...]
    needed: tuple[Needed, ...]
    copies: Mapping[str, tuple[str, ...]]
    places: tuple[str, ...]
    away: tuple[str, ...]
    open: Callable[[str], AbstractContextManager[Path | None]]
    tree: Path | None
    code: Finding
    others: tuple[GatheredRecord, ...]
    verdicts: tuple[GroupVerdict, ...]
    weights: tuple[ContentPredicate, ...]
    signed: Finding
    anchored: Finding
    rebuilt: Finding | None
    mismatches: tuple[str, ...]

    @property
    def folder(self) -> Path | None:
        """The working folder of the command, inside `tree`."""
        return self.tree / (self.run.code.working_folder or ".") if self.tree else None

    @property
    def data(self) -> tuple[GatheredInput, ...]:
        """The inputs that are data."""
        return tuple(entry for entry in self.inputs if is_data(entry))


def is_data(entry: GatheredInput) -> bool:
    """Return whether an input is data: a dataset, or a result or one of the lab's own kinds that was trained on,
    validated on or evaluated on. A document, plan or deployment is never data."""
    kind = entry.read.record.key.kind
    if kind == Kind.RESULT or kind >= FIRST_OWN_NUMBER:
        return entry.relation in _AS_DATA
    return kind == Kind.DATASET


def same_code(run: RunPredicate, other: RunPredicate) -> bool:
    """Return whether two runs name the same commit and the same difference to it."""
    return run.code.commit is not None and _code(run) == _code(other)


def data_digests(run: RunPredicate) -> frozenset[str]:
    """Return the digests of the inputs in a manifest."""
    return frozenset(entry.sha256 for entry in run.inputs)


def observed(run: RunPredicate) -> bool:
    """Return whether the run was recorded by the program that started it, or by its own process. A run document and
    the command line cannot set this."""
    return run.environment.observed is not None


def seeds_of(run: RunPredicate) -> bytes | None:
    """Return the seeds of a run for a comparison, those among its parameters too; None without seeds."""
    seeds = seeds_of_parameters(run) | run.seeds
    return canonical(seeds) if seeds else None


def seeds_of_parameters(run: RunPredicate) -> dict[str, Any]:
    """Return the parameters that are seeds by their names, such as the argument ``--seed 7``."""
    return {name: value for name, value in run.parameters.items() if names_a_seed(name) and type(value) is int}


def disagreement(recorded: RunPredicate, repeated: RunPredicate) -> str | None:
    """Return the first metric that `repeated` does not have within the recorded tolerance; None if there is none."""
    return next((row.metric for row in comparison(recorded, repeated) if row.tolerance and not row.within), None)


def comparison(recorded: RunPredicate, repeated: RunPredicate) -> list[MetricComparison]:
    """Put the metrics of two runs beside each other."""
    return compare_metrics(recorded.metrics, {name: metric.value for name, metric in repeated.metrics.items()})


def _code(run: RunPredicate) -> list[tuple[str, str | None, bool, str | None]]:
    states = run.code.states()
    return [(at, state.commit, state.dirty, state.diff.sha256 if state.diff else None) for at, state in states]
