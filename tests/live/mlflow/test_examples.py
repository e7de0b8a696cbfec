"""The short examples of MLflow, of exports and of comparisons, as they are typed."""

import json
import re
import subprocess
import sys
from pathlib import Path
from shutil import copyfile

import pytest

from blockchaintracer.core.verify.bundle import read_bundle
from blockchaintracer.extras.exports.export import FORMATS
from tests.support.labs import ROOT

NAMES = ("mlflow/registry", "mlflow/existing", "mlflow/autolog", "export/formats", "query/compare")


@pytest.fixture
def run(home, folder, empty_database, monkeypatch):
    """Runs an example as `python examples/…` would, in a folder with an empty MLflow store; what it printed."""
    copyfile(empty_database, folder / "mlflow.db")
    # the first experiment's artifacts lie where the database was made
    monkeypatch.setenv("BLOCKCHAINTRACER_FILES_IN", f"{folder},{empty_database.parent}")
    # what a model needs is found out in a process of its own, which takes long
    monkeypatch.setenv("MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT", "1")

    # a process for each: MLflow keeps the store that it opened for a relative address, which is of another folder
    def run(name):
        file = ROOT / "examples" / f"{name}.py"
        done = subprocess.run([sys.executable, file], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.mark.parametrize("name", NAMES)
def test_examples_are_short_and_named_by_a_page(name):
    file = f"examples/{name}.py"
    assert len((ROOT / file).read_text().splitlines()) <= 40
    assert any(f"(../{file})" in page.read_text() for page in (ROOT / "docs").glob("*.md"))


def test_a_registered_model_leaves_a_trail(lab, run):
    printed = run("mlflow/registry")
    assert len(re.findall(r"^new    MLflow (?:model wine|alias wine@champion)", printed, re.MULTILINE)) == 5
    assert re.findall(r"^known  (.+): ", printed, re.MULTILINE) == ["MLflow model wine", "MLflow model wine version 1"]
    assert len(re.findall(r"^trail  Deployment at production: ", printed, re.MULTILINE)) == 2
    assert "  MLflow model wine version 2" in printed.partition("stands on")[2]


def test_runs_from_before_take_one_transaction(lab, run):
    before = lab.chain.nonce(lab.signer.address)
    printed = run("mlflow/existing")
    assert re.search(r"^anchored   3 runs under 0x[0-9a-f]{64}", printed, re.MULTILINE)
    assert re.search(r"^verified   rate [0-9.]+: True$", printed, re.MULTILINE)
    assert re.search(r"^altered    rate [0-9.]+: added since: 0.0 at step 1$", printed, re.MULTILINE)
    assert "with the batch's time: True" in printed
    assert re.search(r"^rebuilt    rate [0-9.]+: \{'rate': '[0-9.]+'\} \{'loss': ", printed, re.MULTILINE)
    # one for the batch, one for the run that is stored
    assert lab.chain.nonce(lab.signer.address) == before + 2


def test_what_is_logged_automatically_is_recorded(lab, run):
    printed = run("mlflow/autolog")
    [record] = re.findall(r"^recorded   (0x[0-9a-f]{64}): final$", printed, re.MULTILINE)
    assert lab.registry.status(record).recorded_at
    assert "verified   True" in printed
    assert "loaded     LogisticRegression, accuracy 0.9" in printed


def test_every_format_is_written(lab, run):
    printed = run("export/formats")
    assert {line.split()[0] for line in printed.splitlines() if "exported/" in line} == set(FORMATS)
    assert "outputs/model/coef_.txt: OK" in printed
    assert json.loads(Path("exported/ro-crate/ro-crate-metadata.json").read_text())["@graph"]
    assert Path("exported/ro-crate/outputs/model/coef_.txt").read_bytes() == Path("model/coef_.txt").read_bytes()


def test_runs_are_compared_and_proven(lab, run):
    printed = run("query/compare")
    assert len(re.findall(r"^depth=\d: accuracy 0\.\d+, .+ \(n = 5\)$", printed, re.MULTILINE)) == 2
    assert re.search(r" against .+: \+0\.\d+, p = 0\.0\d+ by 5 pairs$", printed, re.MULTILINE)
    assert "<svg" in Path("accuracy.svg").read_text()
    assert len(read_bundle(Path("runs.proof").read_bytes()).records) == 10
