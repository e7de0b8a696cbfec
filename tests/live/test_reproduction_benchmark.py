"""Programs of other worlds, reproduced as they are: every verdict is right. `FULL=1` takes all of them."""

import os
from pathlib import Path

import pytest

from benchmarks.reproduction.__main__ import run
from benchmarks.reproduction.programs import PROGRAMS, SMALL

FULL = bool(os.environ.get("FULL"))


def test_every_verdict_is_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    programs = [program for program in PROGRAMS if FULL or program.name in SMALL]
    results = {} if FULL else {"results": tmp_path / "results.json"}
    wrong = run(programs, **results)
    assert wrong == 0, capsys.readouterr().out
