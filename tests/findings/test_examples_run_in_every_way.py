"""The examples of docs/tracer.md run alone, under `record --` and under `reproduce`.

`run.recorded` was None where another program records the run: the example's last line failed, and NotReproduced was
attested although every metric had been found.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from blockchaintracer import MLTracer
from blockchaintracer.lab.capture.program import RUN_FILE
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.traced_run import Pending
from tests.support.labs import ROOT, second_lab
from tests.support.studies import LIMIT_S, Study, run_program

pytestmark = pytest.mark.node

EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "tracer.md").read_text(), re.DOTALL)


def test_alone_and_recorded_and_reproduced(lab: Lab, tmp_path: Path) -> None:
    assert len(EXAMPLES) == 3
    # this checkout's package, in whatever environment the example runs
    here = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    files = {f"example{number}.py": here + text for number, text in enumerate(EXAMPLES)}
    study = Study.of(lab, tmp_path / "study", {**files, "data.csv": "1,2\n3,4\n", "model.bin": "a model"})
    other = second_lab(lab, tmp_path / "other")
    for name in files:
        alone = run_program(sys.executable, name, home=lab.home.path, folder=study.folder)
        assert alone.returncode == 0, alone.stderr
        run = study.record(program=(sys.executable, name))
        result = study.repeat(other, run, python=sys.executable, timeout_s=LIMIT_S)
        assert (result.verdict, result.reason) == ("reproduced", None), name


def test_what_is_recorded_is_never_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RUN_FILE, str(tmp_path / "run.json"))
    monkeypatch.chdir(tmp_path)
    tracer = MLTracer(tmp_path / "home")
    with tracer.start_run("fit") as run:
        assert (run.recorded.id, run.recorded.state) == ("unknown", "running")
    assert (run.recorded.id, run.recorded.state, bool(run.recorded)) == ("unknown", "handed-over", False)
    assert "handed-over" in run._repr_html_()
    with pytest.warns(match="one run in a program"), tracer.start_run("second") as second:
        pass
    assert second.recorded.state == "not-recorded"
    assert tracer.get_transaction_details(Pending(None))["status"] == "pending"
