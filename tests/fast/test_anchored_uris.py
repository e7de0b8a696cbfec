"""What MLflow does with a store, its command and its server's jobs included, it does with one behind ``anchor+``."""

import os
import sys
from inspect import getattr_static

import pytest
from mlflow.exceptions import MlflowException
from mlflow.server.jobs.utils import _check_requirements
from mlflow.store.tracking.file_store import FileStore
from mlflow.store.tracking.rest_store import RestStore
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.tracking._workspace.client import WorkspaceProviderClient

from blockchaintracer.extras.mlflow.anchored_uris import _ANCHORED, is_anchored, watch_stores
from blockchaintracer.extras.mlflow.mlflow_tracer import anchored

pytestmark = pytest.mark.fast


@pytest.mark.parametrize("of", [SqlAlchemyStore, RestStore, FileStore])
def test_everything_of_a_store_stays_mlflows_own(of):
    store = anchored(object.__new__(of), "none is opened")
    assert isinstance(store, of)
    assert set(dir(of)) <= set(dir(store))
    differs = {name for name in dir(of) if getattr_static(store, name) is not getattr_static(of, name)}
    watched = {"create_run", "log_inputs", "update_run_info"}
    assert {name for name in differs if not name.startswith("__")} - {"_abc_impl"} == watched


def test_workspaces_are_found_behind_the_prefix():
    plain, behind = (WorkspaceProviderClient(f"{prefix}http://host").store for prefix in ("", "anchor+"))
    assert type(behind) is type(plain)
    assert behind.get_host_creds().host == plain.get_host_creds().host == "http://host"


@pytest.mark.parametrize("program", [["/bin/mlflow"], ["/bin/python", "-m", "mlflow"]])
def test_mlflows_command_gets_uris_without_the_prefix(program, monkeypatch):
    """A server looks at the type of its database, and runs no jobs if it's not one that it knows."""
    monkeypatch.setenv(_ANCHORED, "")
    uri = f"sqlite:///{'-'.join(program)}.db"
    given = ["server", "--backend-store-uri", f"anchor+{uri}", f"--registry-store-uri=anchor+{uri}", "-x=b-anchor+"]
    with pytest.raises(MlflowException, match="requires a database backend"):
        _check_requirements(f"anchor+{uri}")
    monkeypatch.setattr(sys, "argv", ["mlflow", *given])
    monkeypatch.setattr(sys, "orig_argv", ["/bin/python", "another.py", *given])
    watch_stores(lambda store, uri: None)
    assert sys.argv == ["mlflow", *given]
    monkeypatch.setattr(sys, "orig_argv", [*program, *given])
    watch_stores(lambda store, uri: None)
    assert sys.argv == ["mlflow", "server", "--backend-store-uri", uri, f"--registry-store-uri={uri}", "-x=b-anchor+"]
    assert is_anchored(uri)
    _check_requirements(sys.argv[3])
    assert "+" not in os.environ[_ANCHORED]
