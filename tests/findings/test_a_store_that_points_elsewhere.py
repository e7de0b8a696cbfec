"""`mlflow register` and `verify mlflow:RUN` read whatever a stranger's store named: a model of this machine's files was
recorded, and any folder was hashed. A record of no MLflow run "verified" a run that was compared with nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.digest import digest_bytes
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import Artifact, RunOutput, RunPredicate
from blockchaintracer.extras.mlflow.model_registry import record_deployment, record_registered_model
from blockchaintracer.extras.mlflow.recorder import record_run
from blockchaintracer.extras.mlflow.run_checks import verify_run
from blockchaintracer.extras.mlflow.run_facts import HISTORY, SNAPSHOT
from blockchaintracer.extras.mlflow_reader.artifact_files import FILES_IN
from blockchaintracer.extras.mlflow_reader.snapshot import Hide, client_of, run_uuid, take_snapshot
from blockchaintracer.lab.recording import content
from tests.support.labs import holding, secret_file
from tests.support.memory_node import answering
from tests.support.registry_life import Life, live

pytestmark = pytest.mark.evm


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clone").mkdir()
    (tmp_path / "private").mkdir()
    return tmp_path / "clone"


@pytest.fixture
def life(tmp_path: Path) -> Any:
    life = live(tmp_path / "life")
    with answering(full=life.node.answer):
        yield life


def run_in(clone: Path, location: Path) -> tuple[Any, str]:
    """A run that ended, whose artifacts a store says to be there."""
    client = client_of(f"file://{clone}/mlruns")
    run = client.create_run(client.create_experiment("planted", artifact_location=f"file://{location}")).info
    client.log_param(run.run_id, "lr", 0.1)
    client.set_terminated(run.run_id)
    return client, run.run_id


def test_a_model_of_private_files_is_not_recorded(clone: Path, tmp_path: Path, life: Life, monkeypatch) -> None:
    secret = secret_file(tmp_path / "private").read_bytes()
    client = client_of(f"file://{clone}/mlruns")
    client.create_registered_model("net")
    client.create_model_version("net", f"file://{tmp_path}/private")
    [_, version] = record_registered_model(life.lab, "net", client.tracking_uri)
    deployed = record_deployment(life.lab, "production", "net/1", tracking_uri=client.tracking_uri)
    assert not holding(life.lab.home.path, secret)
    for made in (version, deployed):
        values = json.loads(life.lab.store.get_bytes(made.manifest))["predicate"]["values"]
        assert "files" not in values
    monkeypatch.setenv(FILES_IN, f"{tmp_path}/elsewhere,{tmp_path}/private")
    [_, version] = record_registered_model(life.lab, "net", client.tracking_uri)
    assert json.loads(life.lab.store.get_bytes(version.manifest))["predicate"]["values"]["files"]
    assert holding(life.lab.home.path, secret)


def test_a_run_that_points_elsewhere_is_not_read(clone: Path, tmp_path: Path, life: Life, monkeypatch) -> None:
    (tmp_path / "private" / "weights").write_text("weights")
    client, run_id = run_in(clone, tmp_path / "private")
    record_run(life.lab, client, run_id)
    with pytest.raises(InputError, match=f"the run names .*private.*{FILES_IN}"):
        verify_run(life.lab, run_id, client.tracking_uri)
    monkeypatch.setenv(FILES_IN, str(tmp_path / "private"))
    assert verify_run(life.lab, run_id, client.tracking_uri).verified


def test_a_record_of_no_mlflow_run_verifies_none(clone: Path, life: Life) -> None:
    client, run_id = run_in(clone, clone / "artifacts")
    made = content.record_run(life.other, RunPredicate(run_id=run_uuid(run_id), name="planted", status="completed"))
    report = verify_run(life.lab, run_id, client.tracking_uri)
    assert [record.id for record in report.records] == [made.id]
    assert (report.conclusion, report.verified) == ("unavailable", None)
    life.lab.store.put_bytes(life.other.store.get_bytes(made.manifest))
    report = verify_run(life.lab, run_id, client.tracking_uri)
    assert report.verified is False
    assert [check.name for check in report.failed] == ["mlflow"]


@pytest.mark.parametrize(
    ("snapshot", "history"),
    [(b"{}", b""), (b"[]", b""), (b'{"run":{"user":7}}', b""), (None, b"[1]\n"), (None, b'["a","b","c","d"]\n')],
)
def test_a_record_that_holds_no_snapshot_verifies_nothing(
    clone: Path, life: Life, snapshot: bytes | None, history: bytes
) -> None:
    """It ended in a traceback."""
    client, run_id = run_in(clone, clone / "artifacts")
    whole = take_snapshot(client, run_id, Hide(None)).to_bytes()
    files = {SNAPSHOT: snapshot or whole, HISTORY: history}
    for data in files.values():
        life.lab.store.put_bytes(data)
    outputs = tuple(
        RunOutput(role="mlflow", artifact=Artifact.of(path, digest_bytes(data))) for path, data in files.items()
    )
    predicate = RunPredicate(run_id=run_uuid(run_id), name="planted", status="completed", outputs=outputs)
    made = content.record_run(life.other, predicate)
    life.lab.store.put_bytes(life.other.store.get_bytes(made.manifest))
    report = verify_run(life.lab, run_id, client.tracking_uri)
    assert report.verified is False
    assert "is not well formed" in " ".join(check.detail for check in report.failed)
