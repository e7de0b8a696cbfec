"""`record -- analysis.ipynb`: the notebook runs in a kernel of its own, and another group finds its metrics again."""

import json
import subprocess
import sys
from pathlib import Path

import nbformat.v4 as v4

from blockchaintracer.lab.lab import Lab
from tests.support.labs import run_predicate, second_lab
from tests.support.studies import Study, typed

PICTURE = """from IPython.display import Image, display
import base64
display(Image(data=base64.b64decode("iVBORw0KGgo="), format="png"))"""


def notebook(*cells: str) -> str:
    made = v4.new_notebook(cells=[v4.new_code_cell(cell) for cell in cells])
    made.cells[0].metadata.tags = ["parameters"]
    made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return json.dumps(made)


def test_a_notebook_is_recorded_and_repeated(lab: Lab, tmp_path: Path) -> None:
    cells = ("seed = 1", "import os, data\nprint('seed', seed)", PICTURE, "{'total': data.N + seed, 'key': len(KEYS)}")
    keys = "KEYS = [name for name in os.environ if 'KEY' in name]"
    files = {"sub/sum.ipynb": notebook(*cells[:3], keys, cells[3]), "sub/data.py": "N = 40\n"}
    study = Study.of(lab, tmp_path / "study", files)
    before = (study.folder / "sub" / "sum.ipynb").read_bytes()
    shown = ("--metric-from", "shown=cell:seed (.*)")
    run = study.record(*shown, program=("sub/sum.ipynb", "-p", "seed=2"))
    recorded = run_predicate(lab, run)
    assert recorded.name == "sum"
    assert recorded.parameters == {"seed": 2}
    assert {name: metric.value for name, metric in recorded.metrics.items()} == {"total": 42, "key": 0, "shown": 2}
    assert [(output.role, output.artifact.path) for output in recorded.outputs] == [
        ("notebook", "sum.ipynb"),
        ("figure", "cell-004-1.png"),
    ]
    executed = json.loads(lab.store.get_bytes(recorded.outputs[0].artifact.sha256))
    assert "seed 2" in str(executed["cells"])
    assert (study.folder / "sub" / "sum.ipynb").read_bytes() == before
    assert (recorded.code.entry_point, recorded.code.arguments) == ("sub/sum.ipynb", ("-p", "seed=2"))
    assert recorded.code.dirty is False
    assert "ipykernel" in (recorded.environment.model_extra or {})["packages"]
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=study.folder, capture_output=True, text=True, check=True
    )
    assert "ipynb" not in status.stdout

    result = study.repeat(second_lab(lab, tmp_path / "other"), run, python=sys.executable)
    assert (result.verdict, result.reason) == ("reproduced", None)
    assert [output.path for output in result.outputs] == ["sum.ipynb", "cell-004-1.png"]


def test_a_notebook_that_fails(lab: Lab, tmp_path: Path) -> None:
    study = Study.of(lab, tmp_path / "study", {"bad.ipynb": notebook("a = 0", "a + 1\n\n1 / a", "'never'")})
    done = typed("record", "--json", "--", "bad.ipynb", home=lab.home.path, folder=study.folder)
    assert done.returncode == 1
    assert "cell 2 failed" in done.stderr
    assert "susceptible to eavesdropping" not in done.stderr
    assert "1 / a" in done.stderr
    recorded = run_predicate(lab, json.loads(done.stdout)["id"])
    assert (recorded.status, recorded.error) == ("failed", "cell 2 failed: ZeroDivisionError: division by zero")
    assert [output.role for output in recorded.outputs] == ["notebook"]


def test_what_is_no_notebook(lab: Lab, tmp_path: Path) -> None:
    study = Study.of(lab, tmp_path / "study", {"bad.ipynb": "{}", "good.ipynb": notebook("1")})
    for command, words in (
        (["bad.ipynb"], "expected a Jupyter notebook"),
        (["none.ipynb"], "expected a notebook in"),
        (["good.ipynb", "-p", "seed"], "-p NAME=VALUE"),
    ):
        done = typed("record", "--", *command, home=lab.home.path, folder=study.folder)
        assert done.returncode == 2, done.stderr
        assert words in done.stderr
