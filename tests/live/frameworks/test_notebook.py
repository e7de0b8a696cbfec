"""The example's notebook in Jupyter's own kernel, and what a record and its documentation look like in a cell."""

import json
import re

import nbformat
from nbclient import NotebookClient

from blockchaintracer.core.record import from_hex
from tests.support.labs import ROOT

EXAMPLE = ROOT / "examples" / "mlflow" / "train.ipynb"
SHOWN = ("DocumentationTracer(tracer.recorded, fields=about).generate_documentation()", "tracer.recorded")


def outputs(cell, kind):
    return [one["data"] for one in cell["outputs"] if one["output_type"] == kind]


def test_the_notebook_runs_in_a_kernel_and_shows_its_record(traced, tmp_path, monkeypatch):
    monkeypatch.setenv("BLOCKCHAINTRACER_HOME", str(traced.lab.home.path))
    monkeypatch.setenv("BLOCKCHAINTRACER_FILES_IN", str(tmp_path))
    # Jupyter's own files, too
    monkeypatch.setenv("HOME", str(tmp_path))
    notebook = nbformat.read(EXAMPLE, as_version=4)
    notebook.cells += [nbformat.v4.new_code_cell(code) for code in SHOWN]
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    text = "".join(one["text"] for cell in notebook.cells for one in cell.get("outputs", []) if "text" in one)
    assert "verified" in text.splitlines()
    assert "mlflow metric training_accuracy: added since: 1.0 at step 0" in text
    assert "LogisticRegression" in (tmp_path / "model-card.md").read_text()
    [made], [recorded] = (outputs(cell, "execute_result") for cell in notebook.cells[-2:])
    said = [
        re.search("blockchaintracer verify eip155:[^/ ]+/(0x[0-9a-f]{64})", shown["text/html"])[1]
        for shown in (made, recorded)
    ]
    assert said[0] == said[1]
    [event] = traced.lab.registry.recorded(id=from_hex(said[0]))
    assert f"block {event.block}" in made["text/html"]
    # what is saved is a notebook that any reader of the format takes
    nbformat.validate(json.loads(nbformat.writes(notebook)))
