"""What a repeated run found of recorded metrics, for every place that shows or counts it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from blockchaintracer.core.manifest.predicates import Metric

NEARLY_ANYTHING = "accepts nearly anything"


@dataclass(frozen=True)
class MetricComparison:
    """One metric, recorded and found.

    Args:
        found: None if the repeated run did not tell it.
        tolerance: as recorded: `found` may be off by ``absolute`` and ``relative`` of `recorded` together; None if the
            metric is reported and not compared.
        within: whether `found` reproduces `recorded`; None if nothing was found, or it is not compared.
        used: how far `found` is off, as a part of what the tolerance allows: 1.0 is all of it. None if nothing is
            allowed and it is off, or as `within`.
        wide: whether the tolerance accepts nearly anything (`Metric.accepts_nearly_anything`).
    """

    metric: str
    recorded: float
    found: float | None
    tolerance: dict[str, float] | None
    within: bool | None
    used: float | None
    wide: bool

    @property
    def is_no_number(self) -> bool:
        """Whether a number was recorded and NaN or infinity found: then the repeated run went wrong."""
        return self.found is not None and math.isfinite(self.recorded) and not math.isfinite(self.found)

    @property
    def required(self) -> str:
        """What is required of the found value, in words."""
        if self.tolerance is None:
            return "not compared"
        bounds = [f"{value:g} {name}" for name, value in self.tolerance.items() if value]
        required = f"within {' + '.join(bounds)}" if bounds else "exactly"
        return f"{required}, which {NEARLY_ANYTHING}" if self.wide else required

    def __str__(self) -> str:
        used = "" if self.used is None else f", {self.used:.3g} of it used"
        if self.used and self.used > 1:
            used = f", off by {f'{self.used:,.0f}' if self.used >= 1000 else f'{self.used:.3g}'} times as much"
        found = "not found" if self.found is None else f"found {self.found!r}"
        return f"{self.metric} {self.recorded!r}, {found} ({self.required}{used})"


def compare_metrics(recorded: Mapping[str, Metric], found: Mapping[str, float | None]) -> list[MetricComparison]:
    """Put each recorded metric beside the one that was found, in the order they were recorded."""
    rows = []
    for name, metric in recorded.items():
        value, tolerance = found.get(name), metric.tolerance
        within = used = None
        if tolerance is not None and value is not None:
            within, allowed = tolerance.allows(metric.value, value), tolerance.width(metric.value)
            used = 0.0 if within else None
            if allowed and math.isfinite(value) and math.isfinite(metric.value):
                used = abs(value - metric.value) / allowed
        shown = tolerance.to_json() if tolerance else None
        rows.append(MetricComparison(name, metric.value, value, shown, within, used, metric.accepts_nearly_anything))
    return rows


def are_decisive(metrics: Iterable[Metric]) -> bool:
    """Return whether finding these metrics again shows something: one of them is compared, and not with nearly
    anything. Else a reproduction does not count as evidence."""
    return any(metric.tolerance and not metric.accepts_nearly_anything for metric in metrics)
