"""Inputs and outputs of workflows, as DVC and Snakemake write them down."""

import base64
import json
from pathlib import Path

import pytest

from blockchaintracer.core.errors import InputError
from blockchaintracer.lab.capture.workflows import metric_files, tool_of, workflow_files

LOCK = """schema: '2.0'
stages:
  clean:
    cmd: python clean.py
    deps: [{path: clean.py, md5: a}, {path: ../data.csv, md5: b}, {path: 's3://bucket/more.csv', etag: c}]
    outs: [{path: clean, md5: d}]
  fit@1:
    cmd: python fit.py
    deps: [{path: clean/part.csv, md5: e}]
    outs: [{path: metrics.json, md5: f}, {path: gone.bin, md5: g}]
"""


@pytest.mark.parametrize(
    ("command", "tool"),
    [
        ("dvc repro", "dvc"),
        ("python3 -m dvc repro fit", "dvc"),
        ("uv run dvc exp run", "dvc"),
        ("dvc pull", ""),
        ("/venv/bin/snakemake -c1", "snakemake"),
        ("make result.txt", "make"),
        ("python make", ""),
        ("", ""),
    ],
)
def test_tools(command: str, tool: str) -> None:
    assert tool_of(command.split()) == tool


def dvc(folder: Path) -> None:
    stage = folder / "stage"
    (stage / "clean").mkdir(parents=True)
    for name in ("clean.py", "metrics.json", "clean/part.csv"):
        (stage / name).write_text("{}")
    (folder / "data.csv").write_text("1")
    (folder / "dvc.yaml").write_text("stages: {clean: {wdir: stage}, fit: {wdir: stage, metrics: [metrics.json]}}")
    (folder / "dvc.lock").write_text(LOCK)


def test_dvc(tmp_path: Path) -> None:
    dvc(tmp_path)
    files = workflow_files(["dvc", "repro"], tmp_path)
    assert files.inputs == (tmp_path / "data.csv",)
    assert files.outputs == (tmp_path / "stage" / "metrics.json",)
    assert [path.name for path in files.made] == ["clean", "metrics.json", "gone.bin"]
    assert files.remote == ("s3://bucket/more.csv",)
    assert metric_files(["dvc", "repro"], tmp_path) == ["dvc.yaml"]
    assert workflow_files(["dvc", "repro", "stage/dvc.yaml:clean"], tmp_path).inputs == ()


@pytest.mark.parametrize("text", ["[", "stages: [1]", "3"])
def test_files_of_dvc_that_are_none(text: str, tmp_path: Path) -> None:
    dvc(tmp_path)
    (tmp_path / "dvc.lock").write_text(text)
    with pytest.raises(InputError):
        workflow_files(["dvc", "repro"], tmp_path)


def test_snakemake(tmp_path: Path) -> None:
    metadata = tmp_path / "work" / ".snakemake" / "metadata"
    metadata.mkdir(parents=True)
    for output, given, began, pieces in (
        ("results/clean.csv", ["data.csv", "fit.py"], 20.0, 1),
        ("results/fit.json", ["results/clean.csv"], 21.0, 2),
        ("old.json", ["old.csv"], 10.0, 1),
    ):
        name = base64.urlsafe_b64encode(output.encode()).decode()
        file = metadata / name if pieces == 1 else metadata / f"@{name[:9]}" / name[9:]
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({"input": given, "starttime": began, "incomplete": False}))
    (metadata / "damaged").write_text("{")
    for name in ("data.csv", "fit.py", "results/fit.json", "old.csv"):
        file = tmp_path / "work" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("1")
    command = ["snakemake", "-c1", "--directory", "work"]
    files = workflow_files(command, tmp_path, since=15.0)
    assert files.inputs == (tmp_path / "work" / "data.csv",)
    assert files.outputs == (tmp_path / "work" / "results" / "fit.json",)
    assert len(workflow_files(command, tmp_path).inputs) == 2


def test_make_names_nothing(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("a: b\n\tcp b a\n")
    assert workflow_files(["make"], tmp_path).inputs == ()
