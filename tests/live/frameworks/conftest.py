"""These run by `make test-frameworks`, in an environment that has the frameworks; elsewhere none is collected."""

import json
import os
from importlib.util import find_spec

import mlflow
import pytest

import blockchaintracer.mlflow as sealed
from blockchaintracer import MLTracer
from blockchaintracer.core.manifest import parse_manifest

# Keras reads it when it is imported first
BACKEND = os.environ.setdefault("KERAS_BACKEND", "torch")
collect_ignore_glob = [] if find_spec("torch") and find_spec("optuna") else ["test_*.py"]
collect_ignore = [f"test_{backend}.py" for backend in ("tensorflow", "jax") if backend != BACKEND]


class Traced:
    """A lab's tracer, and what its runs say."""

    def __init__(self, lab):
        self.lab = lab
        self.tracer = MLTracer(lab.home.path)

    def said(self, run):
        assert run.problem is None, run.problem
        return self.said_of(run.recorded)

    def said_of(self, record):
        return parse_manifest(self.lab.store.get_bytes(record.manifest)).predicate

    def history(self, run, metric):
        """Step to value."""
        kept = self.said(run).metrics[metric].history
        return {point["step"]: point["value"] for point in json.loads(self.lab.store.get_bytes(kept.sha256))}

    def outputs(self, run):
        """Path to (role, content) of what a run wrote."""
        return {
            one.artifact.path: (one.role, self.lab.store.get_bytes(one.artifact.sha256))
            for one in self.said(run).outputs
        }


@pytest.fixture
def traced(lab, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Traced(lab)


@pytest.fixture
def recorded(traced, tmp_path, monkeypatch):
    """The same with MLflow's runs recorded, in a store of the test's own."""
    monkeypatch.setenv("BLOCKCHAINTRACER_HOME", str(traced.lab.home.path))
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    mlflow.MlflowClient().create_experiment("fit", artifact_location=f"file://{tmp_path}/artifacts")
    mlflow.set_experiment("fit")
    sealed.autolog(home=traced.lab.home.path, background=False)
    yield traced
    sealed.autolog(disable=True)
    mlflow.set_tracking_uri(None)
