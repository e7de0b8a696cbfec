"""These run by `make test-frameworks`, in an environment that has the frameworks; elsewhere none is collected."""

import os
from importlib.util import find_spec

import pytest

from blockchaintracer import MLTracer
from blockchaintracer.manifest import parse_manifest

# Keras reads it when it is imported first
os.environ.setdefault("KERAS_BACKEND", "torch")
collect_ignore_glob = [] if find_spec("torch") and find_spec("optuna") else ["test_*.py"]


class Traced:
    """A lab's tracer, and what its runs say."""

    def __init__(self, lab):
        self.lab = lab
        self.tracer = MLTracer(lab.home.path)

    def said(self, run):
        assert run.problem is None, run.problem
        return parse_manifest(self.lab.store.get_bytes(run.recorded.manifest)).predicate

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
