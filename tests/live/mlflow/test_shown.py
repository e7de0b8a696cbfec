"""What is shown to others runs: the example, the notebook of the same, and the benchmark, scaled down."""

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.mlflow import added, measure_recording
from tests.support.labs import ROOT

EXAMPLE = ROOT / "examples" / "mlflow" / "train.py"


def cells():
    """The notebook's code."""
    notebook = json.loads(EXAMPLE.with_suffix(".ipynb").read_text())
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def lines(code):
    return [line for line in code.splitlines() if line.strip()]


def test_the_example_is_short_and_the_notebook_is_the_same():
    code = EXAMPLE.read_text()
    assert len(code.splitlines()) < 30
    assert lines("\n".join(cells())) == lines(code.split('"""', 2)[2])


def test_the_notebook_trains_records_tampers_detects_and_documents(lab, home, folder):
    program = "\n".join(f"exec(compile({cell!r}, 'cell', 'exec'), globals())" for cell in cells())
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"BLOCKCHAINTRACER_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "verified"
    assert "mlflow metric training_accuracy: added since: 1.0 at step 0" in done.stdout
    card = Path("model-card.md").read_text()
    assert "LogisticRegression" in card
    assert "training_accuracy" in card


def test_the_benchmark_measures(lab, folder):
    times = measure_recording(seconds=0.2, metrics=5, size=1 << 20, pairs=1)
    # which is longer is the benchmark's to tell, on a machine that does nothing else
    assert [len(found) for found in times.values()] == [1, 1]
    assert min(seconds for found in times.values() for seconds in found[0]) > 0
    assert len(added(times)) == 4
