"""One run of each main job, as a person types it: record, verify, bundle, publish, reproduce, MLflow."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.record import Verdict
from blockchaintracer.lab.lab import Lab
from tests.support.labs import second_lab, verb

pytestmark = pytest.mark.smoke

TRAIN = """
import json, os, pathlib, sys
numbers = [float(line) for line in open(sys.argv[1])]
mean = sum(numbers) / len(numbers)
pathlib.Path(sys.argv[2]).write_text(json.dumps({"mean": mean}))
pathlib.Path(os.environ["BLOCKCHAINTRACER_RUN_FILE"]).write_text(json.dumps({
    "schema": 1,
    "name": "mean",
    "metrics": {"mean": {"value": mean, "tolerance": {"relative": 1e-9}}},
    "outputs": [{"path": str(pathlib.Path(sys.argv[2]).resolve()), "role": "model"}],
}))
"""


def told(*arguments: str, home: Path, folder: Path | None = None, **more: str) -> dict[str, Any]:
    """What a verb answers as JSON; it must succeed."""
    command = [sys.executable, "-m", "blockchaintracer", arguments[0], "--json", *arguments[1:]]
    environment = os.environ | {"BLOCKCHAINTRACER_HOME": str(home)} | more
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a program, and its data beside it."""
    folder = tmp_path_factory.mktemp("smoke") / "project"
    folder.mkdir()
    (folder / "train.py").write_text(TRAIN)
    (folder / "requirements.lock").write_text("")
    (folder.parent / "data.txt").write_text("1\n2\n6\n")
    identity = ("-c", "user.name=A", "-c", "user.email=a@lab.example")
    for arguments in (("init", "-q"), ("add", "-A"), (*identity, "commit", "-qm", "start")):
        subprocess.run(["git", *arguments], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module")
def run(lab: Lab, project: Path) -> str:
    """A recorded run; its id."""
    data, out = project.parent / "data.txt", project.parent / "out.json"
    command = ("--", sys.executable, "train.py", str(data), str(out))
    return str(told("record", "--dataset", str(data), *command, home=lab.home.path, folder=project)["id"])


def test_what_is_recorded_is_verified(lab: Lab, run: str, project: Path) -> None:
    answer = told("verify", run, home=lab.home.path)
    assert answer["verified"] is True
    assert told("verify", str(project.parent / "data.txt"), home=lab.home.path)["verified"] is True
    changed = project.parent / "changed.txt"
    changed.write_text("1\n2\n7\n")
    assert verb("verify", str(changed), home=lab.home.path).returncode == 1


def test_a_bundle_is_verified_by_a_stranger_who_trusts_its_blocks(lab: Lab, run: str, tmp_path: Path) -> None:
    bundle = tmp_path / "paper.proof"
    told("export-proof", run, "-o", str(bundle), home=lab.home.path)
    alone = verb("verify", "--proof", str(bundle), home=tmp_path / "stranger")
    assert (alone.returncode, run in alone.stdout) == (4, True), alone.stdout
    blocks = [word for block in json.loads(bundle.read_bytes())["blocks"] for word in ("--trust-block", block)]
    trusted = verb("verify", "--proof", str(bundle), *blocks, home=tmp_path / "stranger")
    assert trusted.returncode == 0, trusted.stdout
    content = bytearray(bundle.read_bytes())
    content[len(content) // 2] ^= 1
    bundle.write_bytes(content)
    assert verb("verify", "--proof", str(bundle), home=tmp_path / "stranger").returncode == 1


def test_a_second_group_reproduces_what_was_published(lab: Lab, run: str, project: Path, tmp_path: Path) -> None:
    published = tmp_path / "published"
    told("publish", run, "--to", str(published), home=lab.home.path, folder=project)
    shutil.rmtree(project)
    other = second_lab(lab, tmp_path / "second")
    where = ("--registry", lab.registry.address, "--rpc", lab.devnet.start().url)
    source = ("--from", str(published), "--yes", "--python", sys.executable)
    answer = told("reproduce", run, *source, *where, home=other.home.path, folder=tmp_path)
    assert answer["verdict"] == "reproduced"
    assert other.registry.verdict(other.group(), run).verdict is Verdict.REPRODUCED


def test_an_mlflow_run_is_recorded(lab: Lab, tmp_path: Path) -> None:
    program = f"""
import mlflow
import blockchaintracer.mlflow as sealed
mlflow.set_tracking_uri("sqlite:///{tmp_path}/mlflow.db")
tracer = sealed.MLflowBlockchainTracer(home={str(lab.home.path)!r}, background=False)
with tracer.start_run(run_name="fit"):
    mlflow.log_params({{"lr": 0.1}})
    mlflow.log_metric("loss", 0.5)
tracer.flush()
print(tracer.recorded.id)
"""
    environment = os.environ | {"BLOCKCHAINTRACER_HOME": str(lab.home.path)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert told("verify", done.stdout.split()[-1], home=lab.home.path)["verified"] is True
