"""A run that reads a file which no record holds does not pass for one whose inputs are all recorded.

`record` said nothing, and `score` passed "inputs fully hashed" for a program that read more than it named.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import pytest

from blockchaintracer.extras.score.gather_evidence import score
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.request import Request, record_request
from tests.support.labs import run_predicate, shared_lab

pytestmark = pytest.mark.node

PROGRAM = """
import json, os, random, helper
open("train.csv").read()
open({other!r}).read()
"""


def test_it_is_said_recorded_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "repo"
    root.mkdir()
    (tmp_path / "wine.csv").write_text("1\n")
    (root / "train.csv").write_text("1\n")
    (root / "train.py").write_text(PROGRAM.format(other=str(tmp_path / "wine.csv")))
    (root / "helper.py").write_text("import secrets\n")
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@lab.example"]
    for arguments in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "one")):
        subprocess.run([*git, *arguments], cwd=root, check=True)
    request = Request(datasets=[root / "train.csv"], seeds=["random=1"], program=[sys.executable, "train.py"])
    with shared_lab(tmp_path) as lab, chdir(root):
        said: list[str] = []
        monkeypatch.setattr(lab, "say", said.append)
        recorded, _ = record_request(lab, request, lambda count: None)
        items = {item.id: item for item in score(lab, recorded[-1].id).items}
        reads = run_predicate(lab, recorded[-1].id).reads
        whole = _whole(lab, request, tmp_path)
    assert f"read but not recorded: {tmp_path}/wine.csv; add data with --dataset, and commit code" in said
    assert reads
    assert (reads.processes, reads.files, reads.code) == (1, ("…/wine.csv",), ("helper.py", "train.py"))
    assert str(tmp_path) not in json.dumps(reads.to_json())
    assert (items["inputs-hashed"].status, whole) == ("fail", "pass")
    assert "…/wine.csv" in items["inputs-hashed"].evidence
    assert items["seeds"].status == "pass"


def _whole(lab: Lab, request: Request, folder: Path) -> str:
    both = Request(**{**vars(request), "datasets": [*request.datasets, folder / "wine.csv"]})
    recorded, _ = record_request(lab, both, lambda count: None)
    return next(item.status for item in score(lab, recorded[-1].id).items if item.id == "inputs-hashed")
