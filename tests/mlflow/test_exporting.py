"""A recorded MLflow run in the formats of others, and reported on, by its record or by MLflow's own id."""

import hashlib
import subprocess
from pathlib import Path

import mlflow
import pytest

from blockchaintracer import MLflowBlockchainTracer
from blockchaintracer.report.exports import export


@pytest.fixture
def recorded(home, store):
    """A run with artifacts and a model; MLflow's id and the record's."""
    Path("notes.txt").write_text("as it was\n")
    tracer = MLflowBlockchainTracer(home=home, background=False)
    with tracer.start_run(run_name="fit") as run:
        mlflow.log_metric("accuracy", 0.9)
        mlflow.log_artifact("notes.txt", "sub")
        info = mlflow.pyfunc.log_model(name="net", python_model=lambda model_input: model_input, pip_requirements=[])
    tracer.flush()
    return run.info.run_id, tracer.recorded.id, info.model_id


def test_all_files_of_a_run_are_exported(lab, recorded, folder):
    _, record, model = recorded
    sums = folder / "copy" / "SHA256SUMS"
    done = export(lab, record, "sha256sums", sums, with_files=True)
    assert done.notes == ()
    checked = subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=sums.parent, check=False)
    assert checked.returncode == 0
    paths = {line.partition("  ")[2] for line in sums.read_text().splitlines()}
    assert {"outputs/artifacts/sub/notes.txt", "outputs/mlflow/run.json", "outputs/mlflow/metrics.jsonl"} <= paths
    assert {f"outputs/models/{model}/MLmodel", f"outputs/models/{model}/python_model.pkl"} <= paths
    assert not [path for path in paths if path.endswith("SHA256SUMS")]
    assert (sums.parent / "outputs/artifacts/sub/notes.txt").read_text() == "as it was\n"
    export(lab, record, "ro-crate", folder / "crate")
    assert {str(path.relative_to(folder / "crate")) for path in (folder / "crate" / "outputs").rglob("*.*")} <= paths
    assert hashlib.sha256(b"as it was\n").hexdigest() in (folder / "crate/ro-crate-metadata.json").read_text()
