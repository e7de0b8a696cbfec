"""What a caller tells of an experiment, validated before anything is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from blockchaintracer.core.manifest.base import Part
from blockchaintracer.core.manifest.predicates import (
    Experiment,
    Line,
    Metric,
    MetricSource,
    Names,
    Number,
    Tolerance,
    Utc,
)
from blockchaintracer.core.plain_json import rfc3339

# not validated: to build the validator takes longer than to import this file
DEFAULT_TOLERANCE = Tolerance.model_construct(absolute=0.0, relative=1e-6)
"""Within what a metric must be reproduced if nothing is said: what summing in another order may change, no more."""

_COMMIT = re.compile(r"[0-9a-f]{4,64}")


class GivenMetric(Part):
    """A metric as people give it: a number, or ``{"value": number, "tolerance": {"absolute": 0.01}}``.

    Args:
        value: None if it's still to be measured.
        tolerance: left out for the default; None (``null``) if it is reported and never compared.
        count: it counts something, so that another number is another result: the default is a tolerance of 0.
        source: where the program tells it, if not in its run document; what is declared is never compared.
    """

    value: Number | None = None
    tolerance: Tolerance | None = None
    count: bool | None = None
    source: MetricSource | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_number(cls, data: Any) -> Any:
        return data if isinstance(data, Mapping | Part) else {"value": data}

    @property
    def is_declared(self) -> bool:
        """Whether a person says so and no program told it: then nobody can compare it."""
        return self.source is not None and self.source.kind == "declared"

    def recorded(self, value: float, default: Tolerance = DEFAULT_TOLERANCE) -> Metric:
        """Return the metric as a run records it, with `default` where no tolerance was given."""
        tolerance: Tolerance | None = Tolerance() if self.count else default
        if self.is_declared:
            tolerance = None
        elif "tolerance" in self.model_fields_set:
            tolerance = self.tolerance
        return Metric(value=value, tolerance=tolerance, source=self.source)


class ExperimentData(Part):
    """The arguments of `MLTracer.update_experiment`."""

    model_config = ConfigDict(alias_generator=None)

    model_configuration: Names | None = Field(default=None, alias="model_config")
    metrics: dict[Line, GivenMetric] | None = None
    model_path: str | None = None
    dataset_info: Names | None = None
    git_commit: str | None = None
    timestamp: Utc | None = None
    additional_info: Names | None = None

    @field_validator("metrics", mode="after")
    @classmethod
    def _measured(cls, metrics: dict[str, GivenMetric] | None) -> dict[str, GivenMetric] | None:
        for name, metric in (metrics or {}).items():
            if metric.value is None:
                raise ValueError(f"a number for {name!r}")
        return metrics

    @field_validator("git_commit", mode="after")
    @classmethod
    def _commit(cls, text: str | None) -> str | None:
        if text is not None and not _COMMIT.fullmatch(text):
            raise ValueError("a git commit of 4 to 64 hex digits in lower case")
        return text

    @field_validator("timestamp", mode="before")
    @classmethod
    def _declared(cls, value: Any) -> Any:
        try:
            if isinstance(value, str):
                return rfc3339(datetime.fromisoformat(value))
            if isinstance(value, int | float) and not isinstance(value, bool):
                return rfc3339(datetime.fromtimestamp(value, UTC))
        except (ValueError, OverflowError, OSError):
            raise ValueError("a time as RFC 3339 text, or seconds since 1970") from None
        return value

    def merge(self, other: ExperimentData) -> Self:
        """Merge `other` into this: objects name by name, anything else replaced."""
        values = {name: getattr(self, name) for name in self.model_fields_set}
        for name in other.model_fields_set:
            old, new = values.get(name), getattr(other, name)
            values[name] = {**old, **new} if isinstance(old, dict) and isinstance(new, dict) else new
        return type(self)(**values)

    def experiment(self) -> Experiment:
        """Return the part of a run's predicate that is neither parameter, metric nor file."""
        return Experiment(
            model_configuration=self.model_configuration,
            dataset_info=self.dataset_info,
            additional_info=self.additional_info,
            declared_commit=self.git_commit,
        )
