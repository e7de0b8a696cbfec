"""What a repeated run found of recorded metrics: one comparison for reproductions, scores and reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from blockchaintracer.core.manifest import Metric

NEARLY_ANYTHING = "accepts nearly anything"
"""What every place calls a tolerance that is `Metric.accepts_nearly_anything`."""


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


def compare_metrics(recorded: Mapping[str, Metric], found: Mapping[str, float | None]) -> list[MetricComparison]:
    """Put each recorded metric beside the one that was found, in the order they were recorded."""
    rows = []
    for name, metric in recorded.items():
        value, tolerance = found.get(name), metric.tolerance
        within = used = None
        if tolerance is not None and value is not None:
            within, off = tolerance.allows(metric.value, value), abs(value - metric.value)
            allowed = tolerance.width(metric.value)
            used = off / allowed if allowed else 0.0 if within else None
        shown = tolerance.to_json() if tolerance else None
        rows.append(MetricComparison(name, metric.value, value, shown, within, used, metric.accepts_nearly_anything))
    return rows
