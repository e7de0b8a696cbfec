"""Recorded runs compared."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from blockchaintracer.extras.compare.verb_compare import command
from blockchaintracer.lab.lab import Lab
from tests.support.labs import typed


@pytest.fixture(scope="module")
def runs(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two learning rates with three seeds each, really recorded; the data differ for the second rate."""
    from blockchaintracer import MLTracer

    folder = tmp_path_factory.mktemp("runs")
    ids = []
    tracer = MLTracer(home=str(lab.home.path))
    for rate in (0.1, 0.2):
        data = folder / f"{rate}.csv"
        data.write_text(f"x\n{rate}\n")
        for seed in (1, 2, 3):
            with tracer.start_run(f"run {rate} {seed}") as run:
                run.log_params({"lr": rate, "seed": seed})
                run.log_input(data)
                run.log_metric("accuracy", 0.8 + rate * seed / 10 + rate)
            ids.append(run.recorded.id)
    return ids


def compared_by_verb(lab: Lab, *arguments: str) -> Result:
    return CliRunner().invoke(command, [*arguments, "--home", str(lab.home.path)])


def test_recorded_runs_are_compared(lab: Lab, runs: list[str], tmp_path: Path):
    plot = tmp_path / "accuracy.svg"
    done = typed("compare", *runs, "--plot", str(plot), "--json", home=lab.home.path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [run["id"] for run in found["runs"]] == runs
    assert found["differences"]["params.lr"] == [0.1, 0.1, 0.1, 0.2, 0.2, 0.2]
    data = found["differences"]["data.uses"]
    assert data[:3] == [data[0]] * 3 != data[3:]
    assert any(name.startswith("environment.") for name in found["equal"])
    (test,) = (test for test in found["statistics"]["tests"] if test["metric"] == "accuracy")
    assert (test["paired"], test["n"]) == (True, 3)
    assert test["difference"] == pytest.approx(0.12)
    assert ET.fromstring(plot.read_bytes()).tag.endswith("svg")


def test_runs_are_chosen_by_a_condition(lab: Lab, runs: list[str]):
    found = json.loads(compared_by_verb(lab, "--where", "params.lr = 0.2", "--json").output)
    assert [run["id"] for run in found["runs"]] == runs[3:]
    assert [group["name"] for group in found["statistics"]["groups"]] == ["all runs"]
    (summary,) = (one for one in found["statistics"]["summaries"] if one["metric"] == "accuracy")
    assert (summary["n"], summary["mean"]) == (3, pytest.approx(1.04))


def test_people_read_tables_and_programs_csv(lab: Lab, runs: list[str]):
    told = compared_by_verb(lab, *runs).output
    for expected in ("params.lr", "0.1 (x3), 0.2 (x3)", "only 3 pairs", "after Holm", "Repeated runs"):
        assert expected in told
    side_by_side = compared_by_verb(lab, runs[0], runs[3]).output
    assert "No two completed runs have the same parameters (or values of --by)" in " ".join(side_by_side.split())
    assert "p (t)" not in side_by_side

    table = list(csv.DictReader(io.StringIO(compared_by_verb(lab, *runs, "--csv").output)))
    assert [row["id"] for row in table] == runs
    assert [row["params.lr"] for row in table] == ["0.1"] * 3 + ["0.2"] * 3
    statistics = compared_by_verb(lab, *runs, "--csv", "--table", "statistics").output
    assert {row["group"] for row in csv.DictReader(io.StringIO(statistics))} == {"lr=0.1", "lr=0.2"}


def test_wrong_use_is_answered_before_anything_is_written(lab: Lab, runs: list[str], tmp_path: Path):
    for arguments, said in (
        ([runs[0]], "two or more runs to compare, got 1\n`query --kind run` lists them"),
        ([runs[0], "ab" * 32], "not stored"),
        ([*runs[:2], "--by", "params.rate"], "params.rate"),
        ([*runs[:2], "--plot", str(tmp_path / "plot.exe")], "png, svg, pdf, got 'exe'"),
        ([*runs[:2], "--plot", str(tmp_path / "no" / "plot.png")], "can be written"),
    ):
        done = compared_by_verb(lab, *arguments)
        assert (done.exit_code, said in done.output) == (2, True), done.output
    assert not list(tmp_path.iterdir())
