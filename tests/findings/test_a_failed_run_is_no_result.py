"""A failed run is shown as failed by every verb, is found as one, and is never counted.

`query`, `status`, `verify` and `lineage` showed it as recorded, and `compare` counted its metrics among the others.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from blockchaintracer.lab.lab import Lab
from tests.support.studies import TELL, Study, typed

pytestmark = pytest.mark.node


def test_every_verb_says_so(lab: Lab, tmp_path: Path) -> None:
    fit = TELL + "import sys\ntell(accuracy=0.5)\nsys.exit(len(sys.argv) - 1)\n"
    study = Study.of(lab, tmp_path / "study", {"fit.py": fit, "data.csv": "1\n"})
    done = typed(
        *("record", "--json", "--dataset", "data.csv", "--", sys.executable, "fit.py", "x"),
        home=lab.home.path,
        folder=study.folder,
    )
    assert done.returncode == 1, done.stderr
    failed = json.loads(done.stdout)["id"]
    runs = [study.record("--dataset", "data.csv", program=(sys.executable, "fit.py")) for _ in range(2)]

    def told(*arguments: str) -> str:
        done = typed(*arguments, home=lab.home.path, folder=study.folder)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert [row["id"] for row in json.loads(told("query", "--status", "failed", "--json"))["records"]] == [failed]
    [row] = json.loads(told("query", "--status", "failed", "--json"))["records"]
    assert (row["runStatus"], row["status"]) == ("failed", "recorded")
    assert "failed" in told("query", "--status", "failed")
    assert "Run       failed" in told("status", failed)
    assert "Run       " not in told("status", runs[0])
    verified = json.loads(told("verify", failed, "--json"))
    assert "the run failed, as its manifest says: the program ended with exit code 1" in json.dumps(verified)
    assert "the run failed" in told("verify", failed)
    assert "the run failed" in told("lineage", failed)
    assert "the run failed" not in told("lineage", runs[0])
    compared = told("compare", failed, *runs)
    assert "failed: not counted" in compared
    summaries = json.loads(told("compare", failed, *runs, "--json"))["statistics"]["summaries"]
    assert [summary["n"] for summary in summaries] == [2]
