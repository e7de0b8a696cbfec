"""`make record` as a newcomer types it, and again after a change of the code."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from blockchaintracer.lab.devnet import Devnet
from blockchaintracer.lab.lab_folder import Home
from tests.support.labs import clone


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quickstart")
    home, project, example = folder / "lab", clone(folder / "project", "quickstart"), Path("examples", "quickstart")

    def record():
        return subprocess.run(
            [sys.executable, project / example / "record.py"],
            env=os.environ | {"BLOCKCHAINTRACER_HOME": str(home)},
            cwd=project,
            capture_output=True,
            text=True,
            check=False,
        )

    try:
        runs = [record()]
        with (project / example / "train.py").open("a") as code:
            code.write("# changed\n")
        runs.append(record())
    finally:
        Devnet(Home(home)).stop()
    for run in runs:
        assert run.returncode == 0, run.stdout + run.stderr
    return [run.stdout + run.stderr for run in runs]


def line(text, kind):
    return re.search(
        rf"^  {kind} (0x[0-9a-f]{{64}})\n    block (\d+), (\S+ \S+ UTC), (.*)$", text, re.MULTILINE
    ).groups()


def test_everything_is_recorded_reproduced_and_verified(printed):
    first = printed[0]
    for kind in ("dataset", "model", "run"):
        assert line(first, kind)[3] == "recorded now"
    assert re.search(r"^Reproduced by group 2, from the record alone: reproduced$", first, re.MULTILINE)
    assert "Verified: every check passed" in first
    assert "Not proven: that the result is right" in first


def test_a_second_time_adds_one_run_and_reuses_the_rest(printed):
    first, second = printed
    assert "with the recorded difference applied" in second
    assert line(second, "dataset")[:3] == line(first, "dataset")[:3]
    assert line(second, "dataset")[3] == "recorded before, nothing paid"
    # a model names the run that made it
    for kind in ("model", "run"):
        assert line(second, kind)[0] != line(first, kind)[0]
        assert line(second, kind)[3] == "recorded now"
    registry = r"registry (0x[0-9A-Fa-f]{40})"
    assert re.findall(registry, second) == re.findall(registry, first)
