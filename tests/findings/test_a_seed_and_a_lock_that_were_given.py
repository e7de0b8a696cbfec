"""A seed that is an argument is a seed, and a lock of a run without packages is whole.

`score` told the author of `train.py --seed 7` that the run states no seed, took three such runs with seeds of their own
for runs with other parameters, and gave a lock without packages none of its points where there was nothing to lock.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from blockchaintracer.core.manifest.predicates import Reads
from blockchaintracer.extras.score.item_checks import lock, runs, seeds

pytestmark = pytest.mark.fast
EMPTY = "# made by blockchaintracer\n"


def a_run(**more: Any) -> Any:
    code = SimpleNamespace(entry_point="train.py", arguments=[], commit="1" * 40, states=lambda: [])
    usual = {"seeds": {}, "parameters": {}, "parameter_sources": {}, "reads": None, "code": code}
    return SimpleNamespace(**usual | more)


@pytest.mark.parametrize(
    ("imported", "parameters", "status", "told"),
    [
        ("random", {"seed": 7}, "pass", "seed=7 is declared by an argument"),
        ("random", {"train.random-seed": 7}, "pass", "random-seed=7 is declared by an argument"),
        ("random, numpy", {"seed": 7}, "unknown", "not said to be seeded: numpy, random"),
        ("random, subprocess", {"seed": 7}, "unknown", "not said to be seeded"),
        ("random", {"seed": True}, "fail", "no seed"),
        ("random", {"seeds": 7}, "fail", "no seed"),
    ],
)
def test_an_argument_that_names_a_seed_counts(
    imported: str, parameters: dict[str, Any], status: str, told: str, tmp_path: Path
) -> None:
    (tmp_path / "train.py").write_text(f"import {imported}\n")
    run = a_run(parameters=parameters, parameter_sources=dict.fromkeys(parameters, "argument"))
    finding = seeds(SimpleNamespace(run=run, tree=tmp_path, folder=tmp_path))  # type: ignore[arg-type]
    assert (finding.status, told in finding.evidence) == (status, True), finding


@pytest.mark.parametrize(("seeds_given", "status"), [((1, 2, 3), "pass"), ((1, 1, 2), "fail")])
def test_runs_whose_arguments_differ_in_the_seed_alone_scatter(seeds_given: tuple[int, ...], status: str) -> None:
    more = {"metrics": {"acc": SimpleNamespace(value=0.9)}, "inputs": [SimpleNamespace(sha256="1")]}
    first, *rest = (a_run(parameters={"lr": 0.1, "seed": it}, status="completed", **more) for it in seeds_given)
    others = [SimpleNamespace(run=run, stands=True) for run in rest]
    assert runs(SimpleNamespace(run=first, others=others)).status == status  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("packages", "seen", "text", "status"),
    [
        ({}, None, EMPTY, "pass"),
        ({"numpy": "2.0"}, None, EMPTY, "fail"),
        (None, None, EMPTY, "fail"),
        ({}, None, "numpy==2.0\n", "fail"),
        ({"numpy": "2.0"}, {"processes": 1}, EMPTY, "pass"),
        ({"numpy": "2.0"}, {"processes": 1, "packages": ("numpy",)}, EMPTY, "fail"),
        ({"numpy": "2.0"}, {"processes": 1, "programs": ("Rscript",)}, EMPTY, "fail"),
        ({"numpy": "2.0"}, {"processes": 0}, EMPTY, "fail"),
    ],
)
def test_a_lock_of_nothing_is_whole_if_there_was_nothing(
    packages: dict[str, str] | None, seen: dict[str, Any] | None, text: str, status: str, tmp_path: Path
) -> None:
    (tmp_path / "lock").write_text(text)

    @contextmanager
    def opened(digest: str) -> Any:
        yield tmp_path / "lock"

    artifact = SimpleNamespace(sha256="1", path="requirements.lock")
    environment = SimpleNamespace(lock=artifact, model_extra={} if packages is None else {"packages": packages})
    run = SimpleNamespace(environment=environment, reads=Reads(**seen) if seen else None)
    assert lock(SimpleNamespace(run=run, open=opened)).status == status  # type: ignore[arg-type]
