"""Metrics that are logged with a step: their history is kept, however the run comes to its record, and it's plotted."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy
import pytest

from blockchaintracer import RecordingWarning
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import RunPredicate, parse_manifest
from blockchaintracer.extras.report import gather, make
from blockchaintracer.lab.capture.program import RUN_FILE
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.recording.metric_histories import Histories
from blockchaintracer.lab.recording.run_document import (
    MAX_DOCUMENT,
    MAX_HISTORIES,
    MAX_POINTS,
    load_run_document,
)
from blockchaintracer.lab.traced_run import TracedRun
from blockchaintracer.lab.tracer import MLTracer
from blockchaintracer.lab.verify_here import verify
from tests.support.labs import shared_lab, typed, verb


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with shared_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(RUN_FILE, raising=False)
    return tmp_path


def said(lab: Lab, manifest: str) -> RunPredicate:
    predicate = parse_manifest(lab.store.get_bytes(manifest)).predicate
    assert isinstance(predicate, RunPredicate)
    return predicate


def history(lab: Lab, run: RunPredicate, metric: str) -> list[dict[str, Any]]:
    kept = run.metrics[metric].history
    assert kept
    points = json.loads(lab.store.get_bytes(kept.sha256))
    assert isinstance(points, list)
    return points


def pairs(points: list[dict[str, Any]]) -> list[tuple[int, float]]:
    return [(point["step"], point["value"]) for point in points]


def test_a_history_is_kept_verified_published_and_plotted(lab: Lab, tmp_path: Path) -> None:
    before = time.time() * 1000
    with MLTracer(lab.home.path).start_run("fit") as run:
        for step in numpy.arange(5):
            run.log_metric("loss", 1 / (1 + float(step)), step=step)
            run.log_metric("accuracy", step / 10, tolerance=0.1, step=int(step))
        run.log_metric("once", 1.0)
        # a step that comes again, as after going on from a checkpoint
        run.log_metric("loss", 0.75, step=3)
    assert run.recorded
    found = said(lab, run.recorded.manifest)
    points = history(lab, found, "loss")
    assert pairs(points) == [(0, 1.0), (1, 0.5), (2, 1 / 3), (3, 0.75), (4, 0.2)]
    # the last that was logged, not the one of the largest step
    assert found.metrics["loss"].value == 0.75
    assert all(before - 1 <= point["time"] <= time.time() * 1000 for point in points)
    tolerance = found.metrics["accuracy"].tolerance
    assert tolerance
    assert tolerance.absolute == 0.1
    assert found.metrics["once"].history is None
    report = verify(lab, run.recorded.id)
    assert report.verified
    assert len([check for check in report.checks if check.name.startswith("artifact metrics/")]) == 2
    assert [one.name for one in publish(lab, run.recorded.id, tmp_path / "published").objects if one.what == "history"]
    facts = gather(lab, run.recorded.id)
    assert facts.histories["loss"] == [(0, 1.0), (1, 0.5), (2, 1 / 3), (3, 0.75), (4, 0.2)]
    assert b"metrics over the run" in make(facts, ["html"])["report.html"]


def test_it_survives_a_program_that_another_records(lab: Lab) -> None:
    Path("train.py").write_text(
        "from blockchaintracer import MLTracer\n"
        "with MLTracer().start_run('traced') as run:\n"
        "    for step in range(4):\n"
        "        run.log_metric('loss', 1 / (step + 1), step=step * 10)\n"
    )
    done = verb("record", "--json", "--", sys.executable, "train.py", home=lab.home.path)
    assert done.returncode == 0, done.stderr
    [made] = json.loads(done.stdout)["records"]
    assert pairs(history(lab, said(lab, made["manifest"]), "loss")) == [(0, 1.0), (10, 0.5), (20, 1 / 3), (30, 0.25)]


def test_it_survives_what_could_not_be_recorded(lab: Lab) -> None:
    def train() -> TracedRun:
        with MLTracer(lab.home.path).start_run("r", template="classification") as run:
            run.log_metric("accuracy", 0.5, step=0)
            run.log_metric("accuracy", 1.5, step=1)
        return run

    with pytest.warns(RecordingWarning) as caught:
        run = train()
    [kept] = [word for word in str(caught[0].message).replace("`", " ").split() if word.endswith(".json")]
    assert load_run_document(kept) == run.document
    text = Path(kept).read_text().replace("1.5", "0.9")
    changed = json.loads(text)
    del changed["template"]
    Path("mended.json").write_text(json.dumps(changed))
    done = typed("record", "--from", "mended.json", "--json", home=lab.home.path)
    assert done.returncode == 0, done.stderr
    found = said(lab, json.loads(done.stdout)["records"][-1]["manifest"])
    assert pairs(history(lab, found, "accuracy")) == [(0, 0.5), (1, 0.9)]


@pytest.mark.parametrize("step", [-1, 1.5, "3", True, math.nan, 2**60])
def test_a_step_that_is_none_is_refused_and_nothing_is_logged(lab: Lab, step: Any) -> None:
    run = MLTracer(lab.home.path).start_run("r")
    with pytest.raises(InputError, match=r"metrics\.loss\.step"):
        run.log_metric("loss", 0.5, step=step)
    with pytest.raises(InputError, match=r"metrics\.loss"):
        run.log_metric("loss", "high", step=1)
    assert run.document.metrics == {}
    assert run._histories.documents() == {}


def test_a_private_metric_has_no_history(lab: Lab) -> None:
    run = MLTracer(lab.home.path).start_run("r")
    with pytest.raises(InputError, match="no step of a private metric"):
        run.log_metric("loss", 0.5, step=1, private=True)
    run.log_metric("loss", 0.5, private=True)
    with pytest.raises(InputError, match="loss"):
        run.log_metric("loss", 0.5, step=1)
    assert run._histories.documents() == {}


def test_a_long_training_is_thinned_to_its_end_and_fits_a_document(lab: Lab) -> None:
    noted = Histories()
    for step in range(12 * MAX_POINTS):
        noted.note("loss", step, 1 / (1 + step))
        if step % 100 == 0:
            noted.note("accuracy", step, step / 7)
    assert noted.thinned
    told = noted.documents()
    assert len(told["accuracy"].steps) == 12 * MAX_POINTS / 100 + (told["accuracy"].steps[-1] % 100 != 0)
    steps = told["loss"].steps
    assert (steps[0], steps[-1]) == (0, 12 * MAX_POINTS - 1)
    assert MAX_POINTS / 4 < len(steps) < MAX_POINTS
    # evenly over the whole training
    assert len({other - one for one, other in pairwise(steps[:-1])}) == 1
    assert list(told["loss"].values) == [1 / (1 + step) for step in steps]
    run = MLTracer(lab.home.path).start_run("r")
    run.log_metrics({"loss": 1.0, "accuracy": 1.0})
    run._change(histories=told)
    run._write_run_file(Path("run.json"))
    assert Path("run.json").stat().st_size < MAX_DOCUMENT
    assert load_run_document("run.json").histories == told


def test_more_metrics_than_have_a_history_are_recorded_all_the_same(lab: Lab) -> None:
    run = MLTracer(lab.home.path).start_run("r")

    def log(*numbers: int) -> None:
        for number in numbers:
            for step in range(2):
                run.log_metric(f"m{number}", 0.5, step=step)

    log(*range(MAX_HISTORIES))
    with pytest.warns(RecordingWarning, match="without its history") as caught:
        log(MAX_HISTORIES, MAX_HISTORIES + 1)
    # once for each, whatever comes after
    assert len(caught) == 2
    assert len(run.document.metrics) == MAX_HISTORIES + 2
    assert len(run._histories.documents()) == MAX_HISTORIES
