"""What the MLflow tests share."""

from contextlib import suppress
from pathlib import Path
from shutil import copyfile

import mlflow
import pytest

import blockchaintracer.mlflow as sealed
from blockchaintracer.extras.mlflow.mlflow_tracer import _recording


@pytest.fixture
def home(lab, monkeypatch):
    monkeypatch.setenv("BLOCKCHAINTRACER_HOME", str(lab.home.path))
    return lab.home.path


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A working folder of its own, and an MLflow that is left as it was."""
    monkeypatch.chdir(tmp_path)
    # the database that tests share lies elsewhere
    monkeypatch.setenv("BLOCKCHAINTRACER_FILES_IN", str(tmp_path))
    yield tmp_path
    while mlflow.active_run():
        mlflow.end_run()
    sealed.autolog(disable=True)
    _recording.captured.clear()
    mlflow.set_tracking_uri(None)
    with suppress(AttributeError):
        mlflow.set_registry_uri(None)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """The file of a SQLite store without a run; making one takes MLflow seconds."""
    file = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        # the first experiment's artifacts go to a folder below the one that MLflow finds itself in
        patch.chdir(file.parent)
        mlflow.MlflowClient(f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture(scope="module")
def database(empty_database, tmp_path_factory):
    """A SQLite store."""
    return f"sqlite:///{copyfile(empty_database, tmp_path_factory.mktemp('mlflow') / 'mlflow.db')}"


@pytest.fixture
def store(folder, database):
    """The store, with an experiment of the test's own."""
    mlflow.set_tracking_uri(database)
    mlflow.MlflowClient().create_experiment(folder.name, artifact_location=f"file://{folder}/artifacts")
    mlflow.set_experiment(folder.name)
    return database


def data(rows=12_000):
    """A table in data.csv, longer than what MLflow's own digest reads."""
    lines = "\n".join(f"{number},{number * 2}" for number in range(rows))
    Path("data.csv").write_text(f"a,b\n{lines}\n")
