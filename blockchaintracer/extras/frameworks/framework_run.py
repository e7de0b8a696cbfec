"""What the integrations share: callbacks that never end a training, the history of metrics, and plain settings."""

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
from blockchaintracer.core.plain_json import MAX_INTEGER
from blockchaintracer.extras.frameworks.training_state import StateDigest
from blockchaintracer.lab.traced_run import TracedRun

P = ParamSpec("P")
HISTORY = "metrics-history"
"""Role of the file that has every value of every metric."""


@contextmanager
def unfailing(what: str) -> Iterator[None]:
    """Turn every exception into a `RecordingWarning`: a callback must not end a training."""
    try:
        yield
    except Exception as error:
        warnings.warn(f"{what} is not in the record: {type(error).__name__}: {error}", RecordingWarning, stacklevel=4)


def never_fails(method: Callable[P, None]) -> Callable[P, None]:
    """Make a callback's method warn where it would raise."""

    @wraps(method)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        with unfailing(f"{method.__module__}.{method.__name__}"):
            method(*args, **kwargs)

    return guarded


class History:
    """Every value of every metric, a JSON object a line: ``step``, ``epoch``, ``time``, ``metrics``.

    The last value of each metric is the run's metric; all values are its history. The file is an output
    of the run and grows while the run goes on: a run that is killed leaves it in the lab's folder.
    """

    def __init__(self, run: TracedRun) -> None:
        self._run = run
        self._path = run.place("metrics.jsonl")
        self._path.touch()
        run.log_output(self._path, role=HISTORY)

    def log(self, metrics: Mapping[str, Any], *, step: int | None = None, epoch: float | None = None) -> None:
        """Add values. What is not a number is left out; NaN and infinity are numbers here.

        Args:
            step, epoch: of the training; a history counts by step where there is one, else by whole epochs.
        """
        values = {name: value for name, given in metrics.items() if (value := number(given)) is not None}
        if not values:
            return
        shown = {name: value if math.isfinite(value) else repr(value) for name, value in values.items()}
        line = {"step": step, "epoch": epoch, "time": datetime.now(UTC).isoformat(), "metrics": shown}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, allow_nan=False) + "\n")
        at = epoch if step is None else step
        at = int(at) if at is not None and float(at).is_integer() else None
        for name, value in values.items():
            self._run.log_metric(name, value, step=at)


class RunCallback:
    """Base of the frameworks' callbacks: the run that a training logs to, and the history of its metrics."""

    def __init__(self, run: TracedRun, name: str = "model") -> None:
        super().__init__()
        self._run, self._name = run, name
        self._history: History | None = None

    def _log_metrics(self, metrics: Mapping[str, Any], *, step: int | None = None, epoch: float | None = None) -> None:
        self._history = self._history or History(self._run)
        self._history.log(metrics, step=step, epoch=epoch)


def log_digest(run: TracedRun, digest: StateDigest, name: str) -> StateDigest:
    """Log the document of a state as ``NAME.state.json``, of role ``state``."""
    path = run.place(f"{name}.state.json", unused=True)
    path.write_bytes(digest.document)
    run.log_output(path, role="state")
    return digest


def number(value: Any) -> float | None:
    """Return a number, or a scalar of a framework, as a float; None if it is not a number."""
    if not isinstance(value, bool | int | float) and callable(getattr(value, "item", None)):
        try:
            value = value.item()
        except (TypeError, ValueError, RuntimeError):
            return None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def described(value: Any) -> Any:
    """Return a setting as a plain value: the name of a class, function or other object, never an address in memory."""
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
