"""Metrics that a program leaves in files or prints: how they are named, which count, and what is refused."""

from __future__ import annotations

import json
import math
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import Metric, Tolerance
from blockchaintracer.core.manifest.predicates import MetricSource
from blockchaintracer.lab.capture.metric_files import answer, numbers_of
from blockchaintracer.lab.recording import metric_sources
from blockchaintracer.lab.recording.metric_sources import (
    MetricReader,
    given_sources,
    given_tables,
    is_a_time,
    parse_tolerance,
)

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    ("suffix", "text", "numbers"),
    [
        (
            ".json",
            '{"test": {"accuracy": 0.9, "by": [1, 2]}, "name": "x", "ok": true}',
            {"test.accuracy": 0.9, "test.by.0": 1, "test.by.1": 2},
        ),
        (
            ".json",
            '{"loss": NaN, "bound": "Infinity", "low": -Infinity, "word": "nano"}',
            {"loss": math.nan, "bound": math.inf, "low": -math.inf},
        ),
        (".jsonl", '{"loss": 2}\n\n{"loss": 1, "acc": 0.5}\n', {"loss": 1, "acc": 0.5}),
        (".yaml", "a: {b: 1e-3}\nno: text\nnan: .nan\n", {"a.b": 1e-3, "nan": math.nan}),
        (".toml", "x = 1\n[test]\nf1 = 0.5\nday = 2026-01-01\n", {"x": 1, "test.f1": 0.5}),
        # as Lightning writes it: what was not logged in a step is empty
        (
            ".csv",
            "epoch,step,train_loss,val_loss\n0,1,0.9,\n0,1,,0.8\n1,2,0.5,\n",
            {"epoch": 1, "step": 2, "train_loss": 0.5, "val_loss": 0.8},
        ),
        (".csv", "accuracy,0.9\nloss,nan\n", {"accuracy": 0.9, "loss": math.nan}),
        (".csv", "metric,value\nauc,0.9\nf1,0.8\n", {"auc": 0.9, "f1": 0.8}),
        (
            ".tsv",
            "model\tauc\tf1\nsvm\t0.9\t0.8\ntree\t0.7\t0.6\n",
            {"svm.auc": 0.9, "svm.f1": 0.8, "tree.auc": 0.7, "tree.f1": 0.6},
        ),
        (".csv", "date,loss\n2026-01-01,2\n2026-01-02,1\n", {"loss": 1}),
        (".csv", "", {}),
    ],
)
def test_the_numbers_of_a_file(suffix: str, text: str, numbers: dict[str, float]) -> None:
    found = numbers_of(text.encode(), suffix)
    assert json.dumps(found) == json.dumps({name: float(value) for name, value in numbers.items()})


@pytest.mark.parametrize(
    ("suffix", "text"),
    [(".json", '{"a": '), (".yaml", "a: [1"), (".toml", "a"), (".csv", "1,2,3\n4,5,6\n"), (".json", "[" * 100_000)],
)
def test_what_is_no_such_file(suffix: str, text: str, tmp_path: Path) -> None:
    with pytest.raises((ValueError, RecursionError)):
        numbers_of(text.encode(), suffix)
    [[[name, problem]]] = _asked(tmp_path, {f"m{suffix}": text}, f"m{suffix}")["tables"]
    assert (name, "it can't be read as" in problem) == (f"m{suffix}", True)


def _asked(folder: Path, files: dict[str, str], *patterns: str, **more: Any) -> dict[str, Any]:
    question = {"root": str(folder), "folder": str(folder), "files": patterns, "texts": [], "streams": {}, "began": 0}
    question |= more
    before = answer(question | {"before": None})["state"]
    for name, text in files.items():
        Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
        Path(folder, name).write_text(text)
    return answer(question | {"before": before})


def test_what_was_there_before_is_not_the_program_s(tmp_path: Path) -> None:
    """A file that lies in the commit would be found again whatever the program computes."""
    (tmp_path / "old.json").write_text('{"accuracy": 0.99}')
    (tmp_path / "log.txt").write_text("acc=0.99")
    asked = _asked(tmp_path, {"new.json": '{"accuracy": 0.5}'}, "*.json", texts=[["log.txt", "acc=(.*)"]])
    assert asked["tables"] == [[["new.json", {"accuracy": 0.5}]]]
    assert asked["numbers"] == ["expected one file that the program wrote at log.txt, got 0"]


def test_nothing_outside_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text('{"pin": 1234}')
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "link.json").symlink_to("../secret.json")
    (folder / "out").symlink_to("..")
    os.mkfifo(folder / "fifo.json")
    asked = _asked(folder, {}, "*.json", "../secret.json", "out/*.json", str(tmp_path / "secret.json"))
    assert asked["tables"] == [[], [], [], []]


@pytest.mark.parametrize(
    ("expression", "number"),
    [
        (r"acc=(\S+)", 0.75),
        (r"^loss (.*)$", "nothing in <stdout> matches"),
        (r"(colour) 1", "expected a number in group 1"),
        (r"colour (\d)", 1),
        ("(", "can't be used"),
        ("acc", "can't be used"),
        (r"loss=(-?inf|\d+)", -math.inf),
    ],
)
def test_the_last_match_counts(expression: str, number: float | str, tmp_path: Path) -> None:
    printed = "acc=0.5\r acc=0.75\nloss=-inf\n\x1b[1mcolour\x1b[0m 1\n"
    asked = _asked(
        tmp_path, {"out": printed}, texts=[["<stdout>", expression]], streams={"<stdout>": str(tmp_path / "out")}
    )
    [found] = asked["numbers"]
    assert number in found if isinstance(number, str) else found == number


def test_mlflow(tmp_path: Path) -> None:
    run = "mlruns/0/4ab1"
    files = {f"{run}/metrics/val/loss": "1 0.9 0\n2 0.5 1\n", f"{run}/metrics/system/cpu": "1 7 0\n"}
    asked = _asked(tmp_path, files | {f"{run}/params/lr": "0.1"}, "mlruns")
    assert asked["tables"] == [[[run, {"val/loss": 0.5}]]]
    with sqlite3.connect(tmp_path / "mlflow.db") as made:
        made.execute("CREATE TABLE runs (run_uuid TEXT, start_time INT, lifecycle_stage TEXT)")
        made.execute("CREATE TABLE latest_metrics (key TEXT, value REAL, is_nan INT, run_uuid TEXT)")
        made.executemany("INSERT INTO runs VALUES (?, ?, 'active')", [("old", 99), ("new", 100)])
        rows = [("loss", 1.0, 0, "old"), ("loss", 0.0, 1, "new"), ("top", 1.7976931348623157e308, 0, "new")]
        made.executemany("INSERT INTO latest_metrics VALUES (?, ?, ?, ?)", rows)
    made.close()
    where = {"root": str(tmp_path), "folder": str(tmp_path), "texts": [], "streams": {}}
    [[[name, found]]] = answer({**where, "files": ["mlflow.db"], "began": 100, "before": {}})["tables"]
    assert (name, math.isnan(found["loss"]), found["top"]) == ("new", True, math.inf)


def _reader(folder: Path, monkeypatch: pytest.MonkeyPatch, *tables: str, **sources: MetricSource) -> MetricReader:
    monkeypatch.setattr(metric_sources, "in_another_process", lambda question: json.loads(json.dumps(answer(question))))
    reader = MetricReader(folder, folder, sources, tables)
    reader.begin({"stdout": folder / "stdout"})
    return reader


def test_how_files_are_named_and_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = tmp_path / "first"
    first.mkdir()
    reader = _reader(first, monkeypatch, "runs/*/m.json", "folds/*.csv")
    for name, text in (
        ("runs/7/m.json", '{"auc": 1, " auc": 2, "a\u200buc": 3}'),
        ("folds/a.csv", "f1\n1\n"),
        ("folds/b.csv", "f1\n2\n"),
    ):
        (first / name).parent.mkdir(parents=True, exist_ok=True)
        (first / name).write_text(text)
    told, missing = reader.read(), reader.missing
    assert missing == {}
    assert {name: value for name, (value, _) in told.items()} == {"auc": 1, "folds/a.f1": 1, "folds/b.f1": 2}
    sources = {name: source for name, (_, source) in told.items()}
    assert sources["auc"] == MetricSource(kind="file", path="runs/*/m.json", key="auc")
    # elsewhere the folder of the run has another number, and one of the files is missing
    other = tmp_path / "other"
    other.mkdir()
    reader = _reader(other, monkeypatch, **sources)
    (other / "runs/0").mkdir(parents=True)
    (other / "runs/0/m.json").write_text('{"auc": 0.5}')
    (other / "folds").mkdir()
    (other / "folds/a.csv").write_text("precision\n1\n")
    told, missing = reader.read(), reader.missing
    assert {name: value for name, (value, _) in told.items()} == {"auc": 0.5}
    assert missing == {
        "folds/a.f1": "0 files that the program wrote at folds/a.csv have f1",
        "folds/b.f1": "the program wrote no file folds/b.csv",
    }


def test_what_is_refused_before_the_program_starts(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    for text, words in [
        ("accuracy", "expected a metric as name=stdout:REGEX"),
        ("a=stdout:(", "expected a regular expression"),
        ("a=stdout:acc", "expected a group around the number"),
        ("a=../../log:(.*)", "expected a file of metrics inside of"),
        ("a=stdout:" + "(a)" * 200, "at most 500 characters"),
    ]:
        with pytest.raises(InputError, match=words.replace("(", r"\(")):
            given_sources([text], tmp_path / "src", tmp_path)
    with pytest.raises(InputError, match="expected one --metric-from for a, got two"):
        given_sources(["a=stdout:(.)", "a=stderr:(.)"], tmp_path, tmp_path)
    sources = given_sources(["a=../log.txt:x:(.*)", "b=stderr:(.*)"], tmp_path / "src", tmp_path)
    assert sources["a"] == MetricSource(kind="file", path="log.txt", up=1, pattern="x:(.*)")
    assert sources["b"] == MetricSource(kind="stderr", pattern="(.*)")
    (tmp_path / "dvc.yaml").write_text("stages: {fit: {cmd: x, metrics: [m.json, {n.json: {cache: false}}]}}\n")
    assert given_tables(["dvc.yaml", "./o.csv", "m.json"], tmp_path, tmp_path) == ["m.json", "n.json", "o.csv"]
    (tmp_path / "dvc.yaml").write_text("stages: 1\n")
    with pytest.raises(InputError, match="expected metrics in"):
        given_tables(["dvc.yaml"], tmp_path, tmp_path)


def test_a_source_says_one_thing() -> None:
    for fields in (
        {"kind": "stdout"},
        {"kind": "stdout", "pattern": "(a)", "path": "log"},
        {"kind": "file", "path": "a.json"},
        {"kind": "file", "path": "a.json", "key": "a", "pattern": "(a)"},
        {"kind": "file", "path": "/etc/passwd", "key": "a"},
        {"kind": "declared", "key": "a"},
    ):
        with pytest.raises(InputError):
            MetricSource.from_plain(fields)
    with pytest.raises(InputError, match="no tolerance of a declared metric"):
        Metric(value=1.0, tolerance=Tolerance(), source=MetricSource(kind="declared"))


def test_tolerances_that_are_given() -> None:
    given = {text: parse_tolerance(text) for text in ("0.01", "1%", "count", "none")}
    assert given == {
        "0.01": {"tolerance": Tolerance(absolute=0.01)},
        "1%": {"tolerance": Tolerance(relative=0.01)},
        "count": {"count": True},
        "none": {"tolerance": None},
    }
    for text in ("", "-1", "nan", "inf", "wide"):
        with pytest.raises(InputError, match="expected a tolerance as"):
            parse_tolerance(text)


def test_what_no_other_machine_finds_again() -> None:
    assert all(map(is_a_time, ("time", "train_runtime", "test.duration_s", "samples_per_second", "Time (ms)")))
    assert not any(map(is_a_time, ("accuracy", "sentiment", "msle", "estimates", "rmse", "timex")))
