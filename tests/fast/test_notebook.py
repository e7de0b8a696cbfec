"""What a notebook tells: parameters as papermill has them, metrics of its outputs, and figures."""

import base64
from pathlib import Path
from typing import Any

import nbformat.v4 as v4
import pytest

from blockchaintracer.lab.capture.run_notebook import PAPERMILL, SCRAP, arguments, figures, metrics, parameters
from blockchaintracer.lab.recording.metric_sources import given_sources


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["-p", "lr=0.1"], {"lr": 0.1}),
        (["-p", "lr", "0.1", "-p", "name", "a=b"], {"lr": 0.1, "name": "a=b"}),
        (["-p", "n=3", "deep=true", "note=x=y", "-k", "ir"], {"n": 3, "deep": True, "note": "x=y"}),
        (["-p", "layers=[1, 2]", "none=None"], {"layers": [1, 2], "none": None}),
        (["-p", "name=__import__('os')"], {"name": "__import__('os')"}),
    ],
)
def test_parameters(words: list[str], values: dict[str, Any]) -> None:
    assert parameters(arguments(words)) == values


@pytest.mark.parametrize("words", [["-p", "lr"], ["-p", "a b=1"], ["-p", "1=2"]])
def test_parameters_that_are_none(words: list[str]) -> None:
    with pytest.raises(ValueError, match="-p NAME=VALUE"):
        parameters(arguments(words))


def cell(*outputs: Any) -> Any:
    return v4.new_code_cell("x", outputs=list(outputs))


def result(text: str) -> Any:
    return v4.new_output("execute_result", {"text/plain": text}, execution_count=1)


def shown(kind: str, data: Any) -> Any:
    return v4.new_output("display_data", {kind: data})


def test_metrics_of_scrapbook_and_papermill() -> None:
    scrap = {"name": "loss", "data": 0.25, "encoder": "json", "version": 1}
    notebook = v4.new_notebook(
        cells=[
            cell(shown(SCRAP, scrap)),
            cell(shown(SCRAP, {"name": "test", "data": {"f1": 0.5, "n": 3, "ok": True}})),
            cell(shown(SCRAP, {"name": "text", "data": "0.1"})),
            cell(shown(PAPERMILL, {"auc": 0.75})),
            v4.new_code_cell(""),
        ]
    )
    assert metrics(notebook) == {"loss": 0.25, "test.f1": 0.5, "test.n": 3, "auc": 0.75}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{'a': 0.5, 'b': {'c': 2}}", {"a": 0.5, "b.c": 2}),
        ("{'a': np.float64(0.5), 'n': np.int64(3), 'ok': np.True_}", {}),
        ("{'a': np.float64(0.5), 'n': numpy.int64(3)}", {"a": 0.5, "n": 3}),
        ("{'a': 'text', 'b': True, 'c': None}", {}),
        ("{'a': 1e999}", {}),
        ("0.5", {}),
        ("{'a': open('x')}", {}),
        ("[" * 5000, {}),
    ],
)
def test_metrics_of_the_last_cell(text: str, told: dict[str, float]) -> None:
    assert metrics(v4.new_notebook(cells=[cell(result("{'early': 1}")), cell(result(text))])) == told


def test_figures(tmp_path: Path) -> None:
    png = base64.b64encode(b"a picture").decode()
    notebook = v4.new_notebook(
        cells=[
            v4.new_markdown_cell("text"),
            cell(shown("image/png", png), shown("text/plain", "none"), shown("image/svg+xml", "<svg/>")),
        ]
    )
    files = list(figures(notebook, tmp_path))
    assert [file.name for file in files] == ["cell-002-1.png", "cell-002-2.svg"]
    assert [file.read_bytes() for file in files] == [b"a picture", b"<svg/>"]


def test_a_metric_in_what_a_cell_shows(tmp_path: Path) -> None:
    source = given_sources(["accuracy=cell:accuracy (.*)"], tmp_path, tmp_path)["accuracy"]
    assert (source.kind, source.pattern, source.path) == ("stdout", "accuracy (.*)", None)
