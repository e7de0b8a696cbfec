"""A run that diverged is recorded, repeated, compared and shown.

NaN was refused as a metric, or the last finite value took its place, so that a diverged run looked like a good one.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import pytest

from blockchaintracer import MLTracer
from blockchaintracer.core.manifest import Metric, RunPredicate, Tolerance
from blockchaintracer.core.manifest.metric_comparison import compare_metrics
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lookup import read_manifest, required_record
from blockchaintracer.lab.recording.run_document import RunDocument
from tests.support.labs import second_lab
from tests.support.studies import TELL, Study, typed

pytestmark = pytest.mark.node


def test_it_is_found_again_and_shown(lab: Lab, tmp_path: Path) -> None:
    study = Study.of(
        lab, tmp_path / "study", {"fit.py": TELL + "tell(loss=float('nan'), bound=float('-inf'), step=3)\n"}
    )
    other = second_lab(lab, tmp_path / "other")
    run = study.record(program=(sys.executable, "fit.py"))
    again = study.record(program=(sys.executable, "fit.py"))
    result = study.repeat(other, run)
    assert (result.verdict, [row.used for row in result.comparisons]) == ("reproduced", [0.0, 0.0, 0.0])

    def told(*arguments: str) -> str:
        where = ("--rpc", lab.devnet.start().url, "--registry", lab.registry.address)
        done = typed(*arguments, *where, home=other.home.path, folder=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    metrics = next(check for check in json.loads(told("verify", run, "--json"))["checks"] if "metrics" in check["name"])
    assert [row["found"] for row in metrics["values"]["metrics"]] == ["-Infinity", "NaN", 3]
    assert "loss nan, found nan (within 1e-06 relative, 0 of it used)" in told("query", "--status", "reproduced")
    assert "loss NaN" in told("query", "--kind", "run", "--where", "metrics.loss = 'NaN'")
    [row] = [row for row in json.loads(told("query", "--kind", "run", "--json"))["records"] if row["id"] == run]
    [verdict] = row["comparisons"]
    assert (verdict["group"], verdict["verdict"]) == (other.group(), "reproduced")
    assert [(it["metric"], it["recorded"], it["found"]) for it in verdict["metrics"]] == [
        ("bound", "-Infinity", "-Infinity"),
        ("loss", "NaN", "NaN"),
        ("step", 3, 3),
    ]
    assert row["metrics"] == {"bound": "-Infinity", "loss": "NaN", "step": 3}
    compared = typed("compare", run, again, "--json", home=lab.home.path, folder=tmp_path)
    assert compared.returncode == 0, compared.stderr
    assert json.loads(compared.stdout)["equal"]["metrics.loss"] == "NaN"


def test_a_traced_run_keeps_what_it_came_to(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with MLTracer(lab.home.path).start_run("fit") as run:
        run.log_params({"missing_values": math.nan, "bounds": [-math.inf, 1]})
        for step, loss in enumerate((0.5, math.inf, math.nan)):
            run.log_metric("loss", loss, step=step)
    predicate = read_manifest(lab.store, required_record(lab, run.recorded.id)).predicate
    assert isinstance(predicate, RunPredicate)
    assert predicate.parameters == {"missing_values": "NaN", "bounds": ["-Infinity", 1]}
    assert math.isnan(predicate.metrics["loss"].value)
    assert predicate.to_json()["metrics"]["loss"]["value"] == "NaN"
    history = predicate.metrics["loss"].history
    assert history
    assert [point["value"] for point in json.loads(lab.store.get_bytes(history.sha256))] == [0.5, "Infinity", "NaN"]


def test_how_a_metric_that_is_no_number_compares() -> None:
    values = {"metrics": {"loss": "nan", "top": math.inf, "a": {"value": -math.inf, "tolerance": None}, "one": 1}}
    recorded = RunDocument.from_plain({"schema": 1, "name": "fit", **values}).recorded_metrics()
    assert [repr(metric.value) for metric in recorded.values()] == ["nan", "inf", "-inf", "1.0"]
    rows = compare_metrics(recorded, {"loss": math.nan, "top": -math.inf, "a": -math.inf, "one": math.nan})
    assert [(row.within, row.used, row.is_no_number) for row in rows] == [
        (True, 0.0, False),
        (False, None, False),
        (None, None, False),
        (False, None, True),
    ]
    [row] = compare_metrics({"m": Metric(value=math.nan, tolerance=Tolerance(absolute=9))}, {"m": 1.0})
    assert (row.within, row.wide) == (False, False)
