"""What differs between runs, field by field, and what their metrics say once they are grouped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.plain_json import as_json
from blockchaintracer.extras.compare.runs import Compared, Scalar, section_of
from blockchaintracer.extras.compare.statistics import Statistics, statistics
from blockchaintracer.lab.capture.random_seeds import names_a_seed


@dataclass(frozen=True, slots=True)
class ComparedField:
    """One field of all runs: a value of each, in the comparison's order; None where a run doesn't have it."""

    name: str
    values: tuple[Scalar, ...]

    @property
    def differs(self) -> bool:
        """Whether two runs don't agree. Whole numbers equal numbers of the same value; truth values are no numbers."""
        first = self.values[0]
        return any(value != first or isinstance(value, bool) is not isinstance(first, bool) for value in self.values)


@dataclass(frozen=True)
class RunComparison:
    """Runs held against each other, each once, and everything that any of them declares, by section and name."""

    runs: tuple[Compared, ...]
    fields: tuple[ComparedField, ...]
    statistics: Statistics

    @property
    def differences(self) -> tuple[ComparedField, ...]:
        """The fields in which the runs don't agree."""
        return tuple(field for field in self.fields if field.differs)

    def as_json(self) -> dict[str, Any]:
        """JSON-ready values: every number in it is finite."""
        return {
            "runs": as_json(self.runs),
            "differences": {field.name: list(field.values) for field in self.differences},
            "equal": {field.name: field.values[0] for field in self.fields if not field.differs},
            "statistics": as_json(self.statistics),
        }


def compare(
    runs: Sequence[Compared],
    *,
    by: Sequence[str] = (),
    pair_by: str | None = None,
    metrics: Sequence[str] = (),
    confidence: float = 0.95,
) -> RunComparison:
    """Compares runs.

    Args:
        runs: two or more; a run that is named twice counts once.
        by: fields whose values make the groups. Without them, runs with equal parameters are one group, seeds aside.
        pair_by: the field that says which runs of two groups belong together; the seeds if not said.
        metrics: names of those to look at; all numbers if not said.
        confidence: of the intervals, between 0 and 1; one minus it is the level of the tests.
    """
    once = tuple({run.id: run for run in runs}.values())
    if len(once) < 2:
        hint = "`query --kind run` lists them; `compare --where CONDITION` takes all that it finds."
        raise InputError(f"expected two or more runs to compare, got {len(once)}", hint=hint)
    if not 0.5 <= confidence < 1:
        raise InputError(f"expected a confidence from 0.5 to below 1, got {confidence}")
    names = sorted({name for run in once for name in run.fields}, key=lambda name: (section_of(name), name))
    _require(names, [*by, *([pair_by] if pair_by else [])], "a field")
    measured = sorted({name for run in once for name in run.metrics})
    chosen = [name.removeprefix("metrics.") for name in metrics]
    _require(measured, chosen, "a metric with numbers")
    parameters = [name for name in names if name.startswith("params.") and not is_seed(name)]
    pairing = [pair_by] if pair_by else [name for name in names if is_seed(name)]
    return RunComparison(
        runs=once,
        fields=tuple(ComparedField(name, tuple(run.fields.get(name) for run in once)) for name in names),
        statistics=statistics(once, list(by) or parameters, pairing, chosen or measured, confidence),
    )


def is_seed(name: str) -> bool:
    """Whether a field is taken for a seed, which parts no groups and pairs runs: one of the section of seeds, or a
    parameter that is called so."""
    return name.startswith("seeds.") or (name.startswith("params.") and names_a_seed(name))


def _require(known: Sequence[str], names: Sequence[str], what: str) -> None:
    for name in names:
        if name not in known:
            shown = ", ".join(list(known)[:20]) or "none"
            raise InputError(f"expected {what} of the runs, got {name!r}", hint=f"There are: {shown}.")
