"""MLflow's store of files in a cloned repository held links: a private file became a parameter in a record, and the
tags that name a record were written over another one. A date that is none stopped the import of all runs."""

from __future__ import annotations

import json
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import mlflow
import pytest

from blockchaintracer.core.digest import digest_bytes
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import Artifact, RunOutput, RunPredicate
from blockchaintracer.extras.mlflow.import_export import export_run, import_runs
from blockchaintracer.extras.mlflow.model_registry import record_deployment, record_registered_model
from blockchaintracer.extras.mlflow.recorder import record_run
from blockchaintracer.extras.mlflow.run_checks import verify_run
from blockchaintracer.extras.mlflow.run_facts import HISTORY, SNAPSHOT
from blockchaintracer.extras.mlflow_reader.artifact_files import FILES_IN, places_of
from blockchaintracer.extras.mlflow_reader.snapshot import client_of, local_source, run_uuid
from blockchaintracer.lab.files import remove
from blockchaintracer.lab.formats import MLFLOW_RUN
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording import content as recording
from tests.support.labs import holding
from tests.support.memory_node import answering
from tests.support.registry_life import Life, live

pytestmark = pytest.mark.evm
DIARY = "diary"


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Any:
    life = live(tmp_path_factory.mktemp("life") / "life")
    with answering(full=life.node.answer):
        yield life


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / DIARY).write_text(secrets.token_hex())
    return tmp_path / "clone"


def run_in(clone: Path) -> tuple[Any, str, Path]:
    """A run that ended, and the folder in which MLflow keeps it."""
    client = client_of(f"file://{clone}/mlruns")
    run = client.create_run("0").info
    client.log_param(run.run_id, "lr", 0.1)
    client.log_metric(run.run_id, "loss", 0.1)
    client.set_terminated(run.run_id)
    return client, run.run_id, clone / "mlruns" / "0" / run.run_id


@pytest.mark.parametrize("link", ["params/lr", "tags/blockchaintracer.status", "metrics/loss", "params"])
def test_a_link_out_of_the_store_is_not_followed(
    clone: Path, life: Life, link: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, run_id, folder = run_in(clone)
    diary = clone.parent / "private" / DIARY
    target, content = diary if "/" in link else diary.parent, diary.read_bytes()
    if (folder / link).exists():
        (folder / link).rename(clone / "before")
    (folder / link).symlink_to(target)
    for named in ((), (run_id,)):
        with pytest.raises(InputError, match=f"the run names {target}"):
            import_runs(life.lab, client.tracking_uri, named)
    assert not holding(life.lab.home.path, content)
    assert diary.read_bytes() == content
    monkeypatch.setenv(FILES_IN, str(clone.parent / "private"))
    if link == "params/lr":
        assert import_runs(life.lab, client.tracking_uri)[0].recorded


def test_a_run_and_a_model_with_such_a_link_are_not_read(clone: Path, life: Life) -> None:
    client, run_id, folder = run_in(clone)
    record_run(life.lab, client, run_id)
    (folder / "params" / "more").symlink_to(clone.parent / "private" / DIARY)
    with pytest.raises(InputError, match="the run names"):
        verify_run(life.lab, run_id, client.tracking_uri)
    with pytest.raises(InputError, match="the run names"):
        record_registered_model(life.lab, "net", client.tracking_uri)
    with pytest.raises(InputError, match="the run names"):
        record_deployment(life.lab, "production", "net/1", tracking_uri=client.tracking_uri)


def test_a_link_inside_the_store_is_followed(clone: Path, life: Life) -> None:
    client, _, folder = run_in(clone)
    (folder / "params" / "rate").symlink_to("lr")
    assert import_runs(life.lab, client.tracking_uri)[0].recorded


def test_a_value_that_is_none_stops_no_other_run(clone: Path, life: Life) -> None:
    client, odd, folder = run_in(clone)
    _, other, _ = run_in(clone)
    meta = (folder / "meta.yaml").read_text()
    for values in ("end_time: 99999999999999999", "end_time: -99999999999999999", "artifact_uri: 'http://['"):
        name = values.partition(":")[0]
        lines = (values if line.startswith(f"{name}:") else line for line in meta.splitlines())
        (folder / "meta.yaml").write_text("\n".join(lines))
        done = {run.run_id: run for run in import_runs(life.lab, client.tracking_uri)}
        assert "not well formed" in str(done[odd].problem)
        assert done[other].recorded
    (folder / "metrics" / "loss").write_text("1 1 99999999999999999999999999\n")
    assert "not well formed" in str(import_runs(life.lab, client.tracking_uri, [odd])[0].problem)


def test_a_record_that_holds_no_whole_run_is_not_exported(clone: Path, life: Life) -> None:
    client, run_id, _ = run_in(clone)
    snapshots = (b"{}", b'{"run":7}', b'{"run":{"experiment":[],"startTime":"","name":{}}}', b'{"run":{},"tags":[]}')
    for number, values in enumerate(snapshots):
        data = json.dumps({"type": str(MLFLOW_RUN), **json.loads(values)}).encode()
        outputs = []
        for path, content in ((SNAPSHOT, data), (HISTORY, b"")):
            life.lab.store.put_bytes(content)
            outputs.append(RunOutput(role="mlflow", artifact=Artifact.of(path, digest_bytes(content))))
        run = RunPredicate(run_id=run_uuid(f"{run_id}{number}"), name="odd", status="completed", outputs=tuple(outputs))
        made = recording.record_run(life.lab, run)
        with pytest.raises(InputError, match="what the record holds of an MLflow run is not well formed"):
            export_run(life.lab, made.id, client.tracking_uri)


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"


@pytest.mark.parametrize("made", [f"VIEW Metrics AS {ENDLESS}", "VIRTUAL TABLE registered_models USING fts5(x)"])
def test_a_database_whose_tables_are_none_is_not_read(
    tmp_path: Path, life: Life, made: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A view in the place of a table has rows without end: they took all of the machine's memory."""
    monkeypatch.chdir(tmp_path)
    client = client_of(f"sqlite:///{tmp_path}/mlflow.db")
    run_id = client.create_run("0").info.run_id
    client.set_terminated(run_id)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        database.execute(f"CREATE VIEW mine AS {ENDLESS}")
        assert import_runs(life.lab, client.tracking_uri)[0].recorded
        for name in ("metrics", "registered_models"):
            database.execute(f"ALTER TABLE {name} RENAME TO {name}_before")
        database.execute(f"CREATE {made}")
        # however it is written
        database.execute("PRAGMA writable_schema = ON")
        database.execute("UPDATE sqlite_master SET sql = replace(sql, 'CREATE V', 'create  V')")
        database.commit()
    for read in (import_runs, lambda lab, uri: verify_run(lab, run_id, uri), record_of_net):
        with pytest.raises(InputError, match="is no table"):
            read(life.lab, client.tracking_uri)


def test_a_link_below_1_000_folders_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "clone" / "mlruns"
    folder.mkdir(parents=True)
    for _ in range(1_100):
        folder /= "d"
        folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    with pytest.raises(InputError, match="the run names"):
        places_of(f"file://{tmp_path}/clone/mlruns")
    remove(tmp_path / "clone")


def record_of_net(lab: Lab, uri: str) -> None:
    record_registered_model(lab, "net", uri)


@pytest.mark.parametrize("uri", ["~nobody-of-this-name/x", "file://[", "a" * 5000, "a\0b", "file:///%00"])
def test_a_dataset_at_no_place_is_elsewhere(uri: str) -> None:
    dataset = mlflow.entities.Dataset("data", "0", "local", json.dumps({"uri": uri}))
    assert local_source(dataset) is None
