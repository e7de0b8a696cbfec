"""A search over parameters as one run: the space, every trial, and the number of trials.

    with tracer.start_run("search") as run:
        sweep = Sweep(run, {"lr": [0.1, 0.01], "depth": [2, 4]}, direction="maximize")
        for lr, depth in product(*sweep.space.values()):
            sweep.log_trial({"lr": lr, "depth": depth}, fit(lr, depth))

A report of the best of many trials must say how many there were: the number is a metric of the run.
"""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, Literal

from blockchaintracer.core.errors import InputError
from blockchaintracer.extras.frameworks.framework_run import described
from blockchaintracer.lab.traced_run import TracedRun

TRIALS = "trials"
"""Role of the file that has every trial."""

Direction = Literal["minimize", "maximize"]


class Sweep:
    """Logs trials as they end, one JSON object a line, from any number of threads.

    Args:
        space: the choices by parameter: a list of values, or another description.
        direction: of the objective, or of each of several.
    """

    def __init__(
        self,
        run: TracedRun,
        space: Mapping[str, Any] | None = None,
        *,
        direction: Direction | Sequence[Direction] = "minimize",
        name: str = "trials.jsonl",
    ) -> None:
        self.space = dict(space or {})
        self.directions = [direction] if isinstance(direction, str) else [*direction]
        if not self.directions or set(self.directions) - {"minimize", "maximize"}:
            raise InputError(f"expected minimize or maximize as direction, got {direction!r}")
        self._run, self._lock = run, threading.Lock()
        self._counts: dict[str, int] = {}
        self._best: float | None = None
        self._path = run.place(name)
        self._path.touch()
        run.log_output(self._path, role=TRIALS)
        run.log_param("search_directions", self.directions)
        if self.space:
            run.log_param("search_space", described(self.space))

    def log_trial(
        self,
        parameters: Mapping[str, Any],
        values: float | Sequence[float] | None = None,
        *,
        state: str = "complete",
        **more: Any,
    ) -> None:
        """Log one trial, also a failed or pruned one.

        Args:
            values: of the objective, one for each direction; None if there is none.
            state: how it ended; only a ``complete`` trial can be best.
        """
        # a number may be NumPy's
        one = isinstance(values, Real) or getattr(values, "shape", None) == ()
        given = None if values is None else [float(values)] if one else [*values]  # type: ignore[arg-type,misc]
        if given is not None and len(given) != len(self.directions):
            raise InputError(f"expected {len(self.directions)} values of a trial, got {len(given)}")
        if given is None and state == "complete":
            raise InputError("expected a value of a complete trial, got none", hint="Say how it ended by state.")
        trial = {"parameters": described(parameters), "values": described(given), "state": state, **described(more)}
        with self._lock:
            number = sum(self._counts.values())
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"number": number, **trial}, allow_nan=False) + "\n")
            self._counts[state] = self._counts.get(state, 0) + 1
            self._run.log_metric("trials", number + 1)
            self._run.log_metric(f"trials_{state}", self._counts[state])
            if given and state == "complete" and len(given) == 1 and math.isfinite(given[0]):
                self._take_best(given[0], parameters)

    def _take_best(self, value: float, parameters: Mapping[str, Any]) -> None:
        sign = -1 if self.directions[0] == "maximize" else 1
        if self._best is None or sign * value < sign * self._best:
            self._best = value
            self._run.log_metric("best_value", value)
            self._run.log_param("best_parameters", described(parameters))
