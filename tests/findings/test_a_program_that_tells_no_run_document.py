"""A program that was never changed is recorded and repeated: its metrics are read from its output and its files.

Without a run document a metric was only declared, and whoever repeated the run could compare nothing.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from blockchaintracer.core.manifest import RunPredicate, parse_manifest
from blockchaintracer.lab.capture import metric_files
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.metric_sources import MetricReader, given_sources
from tests.support.labs import second_lab
from tests.support.studies import Study, typed

pytestmark = pytest.mark.node

FIT = """
import json, pathlib, sys, time
out = pathlib.Path("runs", sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
(out / "m.json").write_text(json.dumps({"test": {"f1": 0.25, "fit_time": time.monotonic()}}))
if "quiet" not in sys.argv:
    pathlib.Path("fit.log").write_text("loss 2\\nloss 0.125\\n")
print("epoch 1 acc=0.5", flush=True)
print("epoch 2 acc=0.75")
print("acc=1", file=sys.stderr)
"""
ASKED = (
    "--metrics",
    "runs/*/m.json",
    "--metric-from",
    r"acc=stdout:acc=(\S+)",
    "--metric-from",
    r"loss=fit.log:loss (.+)",
)


def test_it_is_recorded_and_repeated_as_it_is(lab: Lab, tmp_path: Path) -> None:
    study = Study.of(
        lab, tmp_path / "study", {"fit.py": FIT, "runs/0/m.json": '{"test": {"f1": 9}}', "conf.yaml": "lr: 0.1"}
    )
    other = second_lab(lab, tmp_path / "other")
    command = (sys.executable, "fit.py", "7", "--seed", "3", "--config", "conf.yaml")
    done = typed(
        *("record", "--json", *ASKED, "--tolerance", "acc=1%", "--metric", "cells=3", "--", *command),
        home=lab.home.path,
        folder=study.folder,
    )
    assert done.returncode == 0, done.stderr
    assert "epoch 2 acc=0.75" in done.stderr
    assert json.loads(done.stdout)["declared"] == ["cells"]
    assert "not compared, as a time or the like: test.fit_time" in done.stderr
    run = json.loads(done.stdout)["id"]
    [held] = [record for record in json.loads(done.stdout)["records"] if record["id"] == run]
    predicate = parse_manifest(lab.store.get_bytes(held["manifest"])).predicate
    assert isinstance(predicate, RunPredicate)
    assert predicate.parameters == {"seed": 3, "lr": 0.1}
    assert predicate.parameter_sources == {"seed": "argument", "lr": "file:conf.yaml"}
    recorded = {name: metric.to_json() for name, metric in predicate.metrics.items()}
    assert recorded["test.f1"] == {
        "value": 0.25,
        "tolerance": {"absolute": 0.0, "relative": 1e-6},
        "source": {"kind": "file", "path": "runs/*/m.json", "key": "test.f1"},
    }
    assert recorded["acc"]["source"] == {"kind": "stdout", "pattern": r"acc=(\S+)"}
    assert recorded["cells"] == {"value": 3, "source": {"kind": "declared"}}
    # the file of metrics that this run wrote is kept with it, and known by its bytes
    [kept] = predicate.outputs
    assert (kept.role, kept.artifact.path) == ("artifact", "m.json")
    assert lab.store.get_bytes(kept.artifact.sha256) == (study.folder / "runs" / "7" / "m.json").read_bytes()

    result = study.repeat(other, run)
    assert (result.verdict, result.reason) == ("reproduced", None)
    found = {row.metric: (row.found, row.within) for row in result.comparisons}
    assert found["acc"] == (0.75, True)
    assert found["loss"] == (0.125, True)
    assert found["test.f1"] == (0.25, True)
    assert found["cells"] == (None, None)
    assert found["test.fit_time"][1] is None


def test_what_the_program_does_not_tell_fails_clearly(lab: Lab, tmp_path: Path) -> None:
    study = Study.of(lab, tmp_path / "study", {"fit.py": FIT, "runs/7/m.json": "{}", "fit.log": "loss 0.125\n"})

    def told(*arguments: str) -> str:
        done = typed("record", *arguments, home=lab.home.path, folder=study.folder)
        assert done.returncode == 2, done.stderr
        return done.stderr

    # the log lies in the commit, and this run does not write it
    silent = told(*ASKED, "--", sys.executable, "fit.py", "7", "quiet")
    assert "did not tell 1 of its metrics: loss" in silent
    assert "What the program told is kept" in silent
    assert "got 0" in silent
    mistyped = told("--metric-from", "acc=stdout:acc=(.+)", "--tolerance", "ac=1", "--", sys.executable, "fit.py", "7")
    assert "--tolerance ac: no metric has this name" in mistyped
    assert "epoch" not in told("--metric-from", "acc=stdout:acc=(", "--", sys.executable, "fit.py", "7")
    assert "expected a program" in told("--metrics", "runs/*/m.json")


def test_an_expression_that_needs_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metric_files, "LIMIT_S", 2)
    (tmp_path / "out").write_text("a" * 64 + "!")
    reader = MetricReader(tmp_path, tmp_path, given_sources(["a=stdout:^(a+)+$"], tmp_path, tmp_path))
    reader.begin({"stdout": tmp_path / "out"})
    assert reader.read() == {}
    assert "could not be read within 2 s" in reader.missing["a"]
