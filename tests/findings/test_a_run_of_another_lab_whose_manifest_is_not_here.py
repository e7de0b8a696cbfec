"""What another lab's run found is not known where its manifest isn't.

The author's `query` said "reproduced by group 2: accuracy 0.93, not found": of a run that had found it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from blockchaintracer.lab.lab import Lab
from tests.support.labs import second_lab
from tests.support.studies import TELL, Study, typed

pytestmark = pytest.mark.node


def test_it_is_said_to_be_unknown(lab: Lab, tmp_path: Path) -> None:
    study = Study.of(lab, tmp_path / "study", {"fit.py": TELL + "tell(accuracy=0.93)\n"})
    other = second_lab(lab, tmp_path / "other")
    run = study.record(program=(sys.executable, "fit.py"))
    assert study.repeat(other, run).verdict == "reproduced"
    shown = typed("query", "--status", "reproduced", home=lab.home.path, folder=tmp_path)
    assert f"{run} reproduced by group {other.group()}: the manifest of 0x" in shown.stdout, shown.stderr
    assert "not found" not in shown.stdout
    rows = json.loads(typed("query", "--json", home=lab.home.path, folder=tmp_path).stdout)["records"]
    assert [verdict["metrics"] for row in rows if row["id"] == run for verdict in row["comparisons"]] == [None]
