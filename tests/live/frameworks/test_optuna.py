"""Optuna's own studies, and sweeps without it."""

import json
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import optuna
import pytest

from blockchaintracer.core.errors import InputError
from blockchaintracer.extras.frameworks.optuna import callback, log_study
from blockchaintracer.extras.frameworks.sweep import Sweep

optuna.logging.set_verbosity(optuna.logging.WARNING)


def objective(trial):
    lr = trial.suggest_float("lr", 1e-4, 1, log=True)
    kind = trial.suggest_categorical("kind", ["a", "b"])
    layers = [trial.suggest_int(f"units{i}", 1, 8) for i in range(trial.suggest_int("layers", 1, 2))]
    trial.report(lr, 1)
    if trial.number == 3:
        raise optuna.TrialPruned
    if trial.number == 4:
        raise ValueError("diverged")
    return lr + len(layers) + (kind == "b")


def lines(outputs):
    return [json.loads(line) for line in outputs["trials.jsonl"][1].splitlines()]


def study(direction="minimize"):
    return optuna.create_study(
        study_name="search", direction=direction, sampler=optuna.samplers.RandomSampler(seed=1),
        pruner=optuna.pruners.MedianPruner(),
    )  # fmt: skip


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_a_study_is_recorded_trial_by_trial(traced, direction):
    found = study(direction)
    with traced.tracer.start_run("search") as run:
        found.optimize(objective, n_trials=8, callbacks=[callback(run)], catch=ValueError)
    said, outputs = traced.said(run), traced.outputs(run)
    counts = {name: metric.value for name, metric in said.metrics.items() if name.startswith("trials")}
    assert counts == {"trials": 8, "trials_complete": 6, "trials_pruned": 1, "trials_fail": 1}
    assert said.metrics["best_value"].value == found.best_value
    assert said.parameters["best_parameters"] == found.best_params
    assert said.parameters["search_directions"] == [direction]
    assert said.parameters["search_space"]["lr"]["attributes"]["high"] == 1.0
    assert set(said.parameters["search_space"]) == {"lr", "kind", "layers", "units0", "units1"}
    assert said.parameters["sampler"].endswith("RandomSampler")
    assert said.parameters["pruner"].endswith("MedianPruner")
    told = lines(outputs)
    assert [one["trial"] for one in told] == list(range(8))
    assert [one["parameters"] for one in told] == [trial.params for trial in found.trials]
    assert told[4]["values"] is None
    assert told[0]["intermediate"] == {"1": found.trials[0].params["lr"]}


def test_a_study_that_is_resumed_is_recorded_whole(traced):
    found = study()
    found.optimize(objective, n_trials=3)
    with traced.tracer.start_run("search") as run:
        found.optimize(objective, n_trials=2, callbacks=[callback(run)], catch=ValueError)
    assert [one["trial"] for one in lines(traced.outputs(run))] == [0, 1, 2, 3, 4]
    assert traced.said(run).metrics["best_value"].value == found.best_value


def test_a_study_that_is_over_and_one_of_two_objectives(traced):
    found = optuna.create_study(directions=["minimize", "maximize"])
    found.optimize(lambda trial: (trial.suggest_float("x", 0, 1), 1.0), n_trials=3)
    with traced.tracer.start_run("search") as run:
        log_study(run, found)
    said = traced.said(run)
    assert said.parameters["search_directions"] == ["minimize", "maximize"]
    assert said.metrics["trials"].value == 3
    assert "best_value" not in said.metrics
    assert [len(one["values"]) for one in lines(traced.outputs(run))] == [2, 2, 2]


def test_a_plain_sweep_from_several_threads(traced):
    with traced.tracer.start_run("search") as run:
        sweep = Sweep(run, {"lr": [0.1, 0.01, 0.001], "depth": [2, 4, 8]}, direction="maximize")
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda at: sweep.log_trial({"lr": at[0], "depth": at[1]}, at[0] * at[1]),
                          product(*sweep.space.values())))  # fmt: skip
        sweep.log_trial({"lr": 9, "depth": 9}, None, state="failed", why="diverged")
        sweep.log_trial({"lr": 9, "depth": 9}, float("inf"))
        sweep.log_trial({"lr": np.float32(0.5), "depth": np.int64(1)}, np.float32(0.5))
    said = traced.said(run)
    assert said.metrics["best_value"].value == pytest.approx(0.8)
    assert said.parameters["best_parameters"] == {"lr": 0.1, "depth": 8}
    assert said.parameters["search_space"] == {"lr": [0.1, 0.01, 0.001], "depth": [2, 4, 8]}
    told = lines(traced.outputs(run))
    assert sorted(one["number"] for one in told) == list(range(12))
    assert (told[9]["why"], told[10]["values"]) == ("diverged", ["inf"])
    assert (told[11]["parameters"], told[11]["values"]) == ({"lr": 0.5, "depth": 1}, [0.5])
    assert said.metrics["trials"].value == 12


def test_wrong_trials_are_refused(traced):
    sweep = Sweep(traced.tracer.start_run("r"))
    for values, more in (([1, 2], {}), (None, {}), ([], {})):
        with pytest.raises(InputError, match="value"):
            sweep.log_trial({}, values, **more)
    with pytest.raises(InputError, match="direction"):
        Sweep(traced.tracer.start_run("r"), direction="up")
