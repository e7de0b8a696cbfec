"""An honest author's run is not called irreproducible for what its record does not hold, or did not keep away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat.v4 as v4
import pytest

from blockchaintracer.core.record import Verdict
from blockchaintracer.lab.lab import Lab
from tests.support.labs import run_predicate, second_lab
from tests.support.studies import LIMIT_S, Study

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def other(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return second_lab(lab, tmp_path_factory.mktemp("other"))


def test_standard_input(lab: Lab, other: Lab, tmp_path: Path) -> None:
    """The author's program had one, which nobody recorded; the repeated run counted no rows."""
    study = Study.of(lab, tmp_path / "study", {"count.py": "import sys\nprint('rows', len(sys.stdin.readlines()))\n"})
    data = tmp_path / "rows"
    data.write_text("a\nb\n")
    command = (sys.executable, "-m", "blockchaintracer", "record", "--json", "--metric-from", r"rows=stdout:rows (\d+)")
    with data.open() as rows:
        done = subprocess.run(
            [*command, "--", sys.executable, "count.py"],
            cwd=study.folder,
            env=os.environ | {"BLOCKCHAINTRACER_HOME": str(lab.home.path)},
            stdin=rows,
            capture_output=True,
            text=True,
            check=True,
            timeout=LIMIT_S,
        )
    run = json.loads(done.stdout)["id"]
    result = study.repeat(other, run)
    assert (result.verdict, result.reason) == ("reproduced", None)


def test_a_file_that_no_record_holds(lab: Lab, other: Lab, tmp_path: Path) -> None:
    """The record says itself that the run read it: without it another number shows nothing."""
    cache = tmp_path / "cache"
    cache.write_text("5")
    code = f"import os\ncache = {str(cache)!r}\nprint('n', open(cache).read() if os.path.exists(cache) else 4)\n"
    study = Study.of(lab, tmp_path / "study", {"n.py": code})
    run = study.record("--metric-from", r"n=stdout:n (\d+)", program=(sys.executable, "n.py"))
    cache.unlink()
    result = study.repeat(other, run)
    assert result.verdict == "inconclusive"
    assert result.reason
    assert "cache" in result.reason
    assert other.registry.verdict(other.group(), run).verdict is Verdict.NONE


AGAIN = "import os\nagain = os.environ['HOME'] == os.path.dirname(os.environ['BLOCKCHAINTRACER_RUN_FILE']) + '/home'\n"


def test_a_number_that_is_none(lab: Lab, other: Lab, tmp_path: Path) -> None:
    """It was an error of the program that repeats, not an outcome."""
    study = Study.of(lab, tmp_path / "study", {"n.py": AGAIN + "print('n', 'nan' if again else 4)\n"})
    run = study.record("--metric-from", r"n=stdout:n (\S+)", program=(sys.executable, "n.py"))
    result = study.repeat(other, run)
    assert result.verdict == "inconclusive"
    assert "no number for n (nan)" in str(result.reason)


LOOP = """
print("n", 4)
if again:
    root = os.environ["HOME"] + "/../"
    os.symlink("out", "out")
    os.rename(root + "started", root + "x")
    os.symlink("started", root + "started")
else:
    open("out", "w").write("x")
"""
HOLE = """
print("n", 4)
with open("out", "w") as file:
    file.truncate(1 << 40 if again else 1)
"""


@pytest.mark.parametrize("code", [LOOP, HOLE, LOOP.replace('os.symlink("out", "out")', 'os.mkfifo("out")')])
def test_an_output_that_nobody_can_read(code: str, lab: Lab, other: Lab, tmp_path: Path) -> None:
    """What a program leaves where an output was is no reason to give no verdict, to wait, or to fill the disk."""
    study = Study.of(lab, tmp_path / "study", {"n.py": AGAIN + code, ".gitignore": "out\n"})
    asked = ("--metric-from", r"n=stdout:n (\S+)", "--artifact", "out")
    run = study.record(*asked, program=(sys.executable, "n.py"))
    result = study.repeat(other, run)
    assert (result.verdict, [output.same for output in result.outputs]) == ("reproduced", [None])


def test_a_cell_that_is_skipped(lab: Lab, tmp_path: Path) -> None:
    """What it showed when it was saved was recorded as found, and found again by everybody."""
    last = v4.new_code_cell("{'acc': 1.0}", outputs=[v4.new_output("execute_result", {"text/plain": "{'acc': 0.99}"})])
    last.metadata.tags = ["skip-execution"]
    made = v4.new_notebook(cells=[v4.new_code_cell("a = 1"), last])
    made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    study = Study.of(lab, tmp_path / "study", {"a.ipynb": json.dumps(made)})
    assert run_predicate(lab, study.record(program=("a.ipynb",))).metrics == {}
