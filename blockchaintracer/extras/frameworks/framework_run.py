"""What the callbacks share: a training that goes on whatever happens to its record, and the history of its metrics."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from typing import Any, ParamSpec

from blockchaintracer.core.errors import RecordingWarning
from blockchaintracer.core.manifest.base import MAX_INTEGER
from blockchaintracer.core.manifest.predicates import Tolerance
from blockchaintracer.lab.tracer import TracedRun

P = ParamSpec("P")
HISTORY = "metrics-history"
"""The role of the file that has every value of every metric."""


@contextmanager
def unfailing(what: str) -> Iterator[None]:
    """Lets nothing but a `RecordingWarning` out: a callback must not end a training."""
    try:
        yield
    except Exception as error:
        warnings.warn(f"{what} is not in the record: {type(error).__name__}: {error}", RecordingWarning, stacklevel=4)


def never_fails(method: Callable[P, None]) -> Callable[P, None]:
    """Makes a callback's method warn where it would raise."""

    @wraps(method)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        with unfailing(f"{method.__module__}.{method.__name__}"):
            method(*args, **kwargs)

    return guarded


class History:
    """Every value of every metric as it comes, a JSON object a line: ``step``, ``epoch``, ``time``, ``metrics``.

    The last finite value of each is the run's metric, all finite ones are its history. The file is an output of the run
    and grows while it runs, so that a run which is killed leaves it in the lab's folder.

    Args:
        run: whose metrics they are.
        name: of the file.
        tolerance: of the metrics; None for the run's own.
    """

    def __init__(self, run: TracedRun, name: str = "metrics.jsonl", tolerance: float | Tolerance | None = None) -> None:
        self._run = run
        self._tolerance = tolerance
        self._path = run.place(name)
        self._path.touch()
        run.log_output(self._path, role=HISTORY)

    def log(self, metrics: Mapping[str, Any], *, step: int | None = None, epoch: float | None = None) -> None:
        """Adds values; what isn't a number is left out, what isn't finite is in the file alone.

        Args:
            step, epoch: of the training; a history is by step where there is one, else by whole epochs.
        """
        values = {name: value for name, given in metrics.items() if (value := number(given)) is not None}
        if not values:
            return
        line = {"step": step, "epoch": epoch, "time": datetime.now(UTC).isoformat(), "metrics": _told(values)}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, allow_nan=False) + "\n")
        at = epoch if step is None else step
        at = int(at) if at is not None and float(at).is_integer() else None
        for name, value in values.items():
            if math.isfinite(value):
                self._run.log_metric(name, value, self._tolerance, step=at)


def number(value: Any) -> float | None:
    """A Python number from one, or from a scalar of a framework; None if it is no number."""
    if not isinstance(value, bool | int | float) and callable(getattr(value, "item", None)):
        try:
            value = value.item()
        except (TypeError, ValueError, RuntimeError):
            return None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def described(value: Any) -> Any:
    """A setting as a plain value: text for a class, function or other object, never an address in memory."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) <= MAX_INTEGER else str(int(value))
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else repr(float(value))
    if isinstance(value, Mapping):
        return {str(key): described(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [described(inner) for inner in value]
    if isinstance(value, set | frozenset):
        return sorted((described(inner) for inner in value), key=str)
    scalar = number(value)
    if scalar is not None:
        return described(scalar)
    kind = value if isinstance(value, type) or hasattr(value, "__qualname__") else type(value)
    return f"{kind.__module__}.{kind.__qualname__}"


def _told(values: Mapping[str, float]) -> dict[str, float | str]:
    return {name: value if math.isfinite(value) else repr(value) for name, value in values.items()}
