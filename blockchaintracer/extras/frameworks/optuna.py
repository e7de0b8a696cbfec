"""Optuna: a study as one run, with its search space, sampler, pruner and every trial.

with tracer.start_run("search") as run:
    study.optimize(objective, n_trials=100, callbacks=[callback(run)])
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from blockchaintracer.extras.frameworks.framework_run import described, unfailing
from blockchaintracer.extras.frameworks.sweep import Sweep
from blockchaintracer.lab.optional import require
from blockchaintracer.lab.traced_run import TracedRun


def callback(run: TracedRun) -> Callable[[Any, Any], None]:
    """Make a callback for ``study.optimize``, which logs each trial as it ends; of a study that is resumed, those of
    before as well.

    Optuna passes a trial that raised to callbacks only if ``catch=`` names the error. `log_study` has those too.
    """
    require("optuna", "optuna")
    log = _Log(run)

    def on_trial(study: Any, trial: Any) -> None:
        with unfailing(f"trial {trial.number}"):
            log.earlier(study, trial)
            log.trial(study, trial)

    return on_trial


def log_study(run: TracedRun, study: Any) -> None:
    """Log every trial of a study so far, also failed and pruned ones."""
    require("optuna", "optuna")
    log = _Log(run)
    log.begin(study)
    for trial in study.get_trials(deepcopy=False):
        log.trial(study, trial)


class _Log:
    def __init__(self, run: TracedRun) -> None:
        self._run = run
        self._sweep: Sweep | None = None
        self._space: dict[str, Any] = {}
        self._logged: set[int] = set()

    def begin(self, study: Any) -> Sweep:
        if self._sweep is None:
            directions = [direction.name.lower() for direction in study.directions]
            self._sweep = Sweep(self._run, direction=directions)
            self._run.log_params({"study": study.study_name, "sampler": described(study.sampler)})
            self._run.log_param("pruner", described(study.pruner))
        return self._sweep

    def earlier(self, study: Any, trial: Any) -> None:
        """Log the trials that ended before the first that is passed here."""
        if self._sweep is None:
            for known in study.get_trials(deepcopy=False):
                if known.datetime_complete and known.datetime_complete < trial.datetime_start:
                    self.trial(study, known)

    def trial(self, study: Any, trial: Any) -> None:
        if trial.number in self._logged:
            return
        self._logged.add(trial.number)
        sweep = self.begin(study)
        to_json = require("optuna.distributions", "optuna").distribution_to_json
        known = len(self._space)
        for name, distribution in trial.distributions.items():
            self._space.setdefault(name, json.loads(to_json(distribution)))
        if len(self._space) > known:
            self._run.log_param("search_space", described(self._space))
        sweep.log_trial(
            trial.params,
            trial.values,
            state=trial.state.name.lower(),
            trial=trial.number,
            intermediate={str(step): value for step, value in trial.intermediate_values.items()},
            started=trial.datetime_start.isoformat() if trial.datetime_start else None,
            ended=trial.datetime_complete.isoformat() if trial.datetime_complete else None,
        )
