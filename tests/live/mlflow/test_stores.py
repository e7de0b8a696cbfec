"""``anchor+`` before a real tracking server and a file store; and webhooks that a real server sends."""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfile

import mlflow
import pytest
import requests
import sqlalchemy

import blockchaintracer.mlflow as sealed
from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.core.record import Kind, Link, Relation
from blockchaintracer.extras.mlflow.mlflow_tracer import _recording
from blockchaintracer.extras.mlflow.model_registry import trail
from blockchaintracer.extras.mlflow.recorder import Target, flush_aside, output, run_of
from blockchaintracer.extras.mlflow.webhook import check_signature, read_deployments
from blockchaintracer.extras.mlflow_reader.snapshot import files_at
from tests.support.labs import ROOT, free_port
from tests.support.mariadb import mariadb
from tests.support.postgresql import postgresql

SECRET = "a secret of the test's own"


@contextmanager
def serving(folder, database, prefix="", **more):
    """A tracking server that also keeps the artifacts; its address."""
    copyfile(database, folder / "mlflow.db")
    port = free_port()
    environment = os.environ | more
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"{prefix}sqlite:///{folder}/mlflow.db"]
    command += ["--artifacts-destination", str(folder / "kept")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + 900
        while True:
            try:
                if requests.get(f"http://127.0.0.1:{port}/health", timeout=5).ok:
                    break
            except requests.RequestException:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise AssertionError((folder / "log").read_text()[-3000:]) from None
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


@pytest.fixture(scope="module")
def server(empty_database, tmp_path_factory):
    """A tracking server of which nothing is recorded by itself."""
    more = {
        "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
        "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
        "MLFLOW_WEBHOOK_CACHE_TTL": "0",
    }
    with serving(tmp_path_factory.mktemp("server"), empty_database, **more) as uri:
        yield uri


def train(uri, name):
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment(name)
    with mlflow.start_run() as run:
        mlflow.log_params({"lr": 0.1})
        for step in range(3):
            mlflow.log_metric("loss", 1.0 / (step + 1), step=step)
        mlflow.log_text("hello", "sub/hello.txt")
        Path("more.bin").write_bytes(os.urandom(100))
        mlflow.log_artifact("more.bin")
    return run.info.run_id


def checked(lab, home, run_id, uri, manifest=None, unknown=()):
    run = run_of(lab, manifest or _recording.recorded[run_id].manifest)
    listing = lab.store.get_bytes(output(run, "artifacts/SHA256SUMS"))
    assert [line.split("  ")[1] for line in listing.decode().splitlines()] == ["more.bin", "sub/hello.txt"]
    sealed.flush(Target(home=str(home)))
    report = sealed.verify_run(lab, run_id, uri)
    assert report.verified, report.failed
    assert [check.name for check in report.unknown] == list(unknown)
    assert mlflow.get_run(run_id).data.tags["blockchaintracer.status"] == "final"


def test_a_server_over_http_with_its_artifacts(lab, home, server, monkeypatch, capfd):
    monkeypatch.setattr("blockchaintracer.extras.mlflow.mlflow_tracer.flush_aside", lambda target: None)
    uri = f"anchor+{server}"
    run_id = train(uri, "over http")
    assert mlflow.get_run(run_id).info.artifact_uri.startswith("mlflow-artifacts:/")
    checked(lab, home, run_id, server)
    assert "Downloading artifacts" not in capfd.readouterr().err
    assert mlflow.artifacts.load_text(f"runs:/{run_id}/sub/hello.txt") == "hello"
    # MLflow draws a bar when it's asked by others, as before
    assert "Downloading artifacts" in capfd.readouterr().err
    mlflow.MlflowClient().log_text(run_id, "other", "sub/hello.txt")
    mlflow.MlflowClient().log_metric(run_id, "loss", 0.0, step=3)
    assert {check.name for check in sealed.verify_run(lab, run_id).failed} == {
        "mlflow artifact sub/hello.txt",
        "mlflow metric loss",
        "mlflow metric loss (latest)",
    }


def test_a_name_that_the_client_changes_on_its_way_is_refused(server):
    """The server keeps both files, and its client gives the bytes of one of them for both."""
    client = mlflow.MlflowClient(tracking_uri=server)
    run = client.create_run(client.create_experiment("names"))
    for name in ("q", "q?1"):
        answer = requests.put(
            f"{server}/api/2.0/mlflow-artifacts/artifacts/"
            f"{run.info.artifact_uri.partition(':/')[2]}/sub/{requests.utils.quote(name, safe='')}",
            data=name.encode(), timeout=60,
        )  # fmt: skip
        assert answer.ok, answer.text
    with pytest.raises(InputError, match="tells apart"), files_at(run.info.artifact_uri, server):
        pass


def test_a_server_with_the_prefix_records_its_clients_runs(lab, home, empty_database, tmp_path):
    with serving(tmp_path, empty_database, "anchor+", BLOCKCHAINTRACER_HOME=str(home)) as uri:
        mlflow.set_tracking_uri(uri)
        run_id = train(uri, "by a server")
        assert mlflow.get_run(run_id).info.artifact_uri.startswith("mlflow-artifacts:/")
        tags = mlflow.get_run(run_id).data.tags
        assert "blockchaintracer.record_id" in tags, (tmp_path / "log").read_text()[-3000:]
        [entry] = lab.outbox.entries_about(tags["blockchaintracer.record_id"])
        # a server asks the chain for no block when a run begins: it waits for nothing
        checked(lab, home, run_id, uri, entry.write.key.manifest, ["not-before"])
        jobs = requests.get(f"{uri}/ajax-api/3.0/jobs/none", timeout=60)
        assert "requires a backend store" not in jobs.text
        # without its jobs the server would start all the same
        assert "requirements not met" not in (tmp_path / "log").read_text()
        with pytest.MonkeyPatch.context() as patch:
            with pytest.raises(InputError, match="--artifacts-destination"):
                sealed.verify_run(lab, run_id, f"sqlite:///{tmp_path}/mlflow.db")
            patch.setenv("MLFLOW_ARTIFACTS_DESTINATION", str(tmp_path / "kept"))
            assert sealed.verify_run(lab, run_id, f"sqlite:///{tmp_path}/mlflow.db").verified
        # what can't be read there is told to the client, which sees nothing of the server's log
        elsewhere = mlflow.MlflowClient().create_experiment("elsewhere", artifact_location="nowhere://at/all")
        with mlflow.start_run(experiment_id=elsewhere) as run:
            mlflow.log_metric("loss", 1.0)
        tags = mlflow.get_run(run.info.run_id).data.tags
        assert tags["blockchaintracer.status"] == "not recorded"
        assert "blockchaintracer.record_id" not in tags


def test_a_server_keeps_to_its_destination(tmp_path, monkeypatch):
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_DESTINATION", str(tmp_path / "kept"))
    (tmp_path / "kept" / "1").mkdir(parents=True)
    (tmp_path / "kept" / "1" / "file").touch()
    (tmp_path / "secret").touch()
    with files_at("mlflow-artifacts:/1", "sqlite:///any.db") as folder:
        assert folder == tmp_path / "kept" / "1"
    for path in ("..", "1/../..", "%2e%2e"):
        with pytest.raises(mlflow.MlflowException), files_at(f"mlflow-artifacts:/{path}", "sqlite:///any.db"):
            pass


def test_a_file_store(lab, home, folder, monkeypatch):
    monkeypatch.setattr("blockchaintracer.extras.mlflow.mlflow_tracer.flush_aside", lambda target: None)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    uri = f"anchor+file://{folder}/runs"
    checked(lab, home, train(uri, "in files"), f"file://{folder}/runs")


@pytest.mark.parametrize("uri", ["anchor+./runs here", "anchor+{}/runs", "anchor+sqlite:///runs.db"])
def test_any_folder_or_database_after_the_prefix(lab, home, folder, empty_database, monkeypatch, uri):
    monkeypatch.setattr("blockchaintracer.extras.mlflow.mlflow_tracer.flush_aside", lambda target: None)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    copyfile(empty_database, folder / "runs.db")
    uri = uri.format(folder)
    run_id = train(uri, "anywhere")
    monkeypatch.chdir(folder.parent)
    sealed.flush(Target(home=str(home)))
    monkeypatch.chdir(folder)
    checked(lab, home, run_id, uri.removeprefix("anchor+"))
    assert not [path for path in (*folder.iterdir(), *folder.parent.glob("runs*")) if path.name.startswith("anchor")]
    assert not (folder.parent / "runs.db").exists()


@pytest.mark.parametrize("serve", [mariadb, postgresql])
def test_a_database_server(lab, home, folder, monkeypatch, serve):
    """A run is recorded, found unchanged, and what is altered in the server's own tables is named."""
    monkeypatch.setattr("blockchaintracer.extras.mlflow.mlflow_tracer.flush_aside", lambda target: None)
    with serve() as address:
        uri = address.replace("postgresql:", "postgresql+psycopg:")
        run_id = train(f"anchor+{uri}", "served")
        checked(lab, home, run_id, uri)
        engine = sqlalchemy.create_engine(uri)
        with engine.begin() as connection:
            for statement in (
                "UPDATE latest_metrics SET value = 0.99",
                "UPDATE metrics SET value = 0.5 WHERE step = 0",
                "UPDATE params SET value = '0.2'",
            ):
                assert connection.execute(sqlalchemy.text(statement)).rowcount == 1
        engine.dispose()
        assert {check.name for check in sealed.verify_run(lab, run_id, uri).failed} == {
            "mlflow metric loss",
            "mlflow metric loss (latest)",
            "mlflow parameter lr",
        }


def test_a_flush_makes_no_database_and_no_second_process(lab, home, folder, store, monkeypatch):
    sealed.autolog(home=home, background=False)
    mlflow.set_tracking_uri(f"sqlite:///{copyfile(store.removeprefix('sqlite:///'), 'moved.db')}")
    with mlflow.start_run():
        mlflow.log_metric("loss", 1.0)
    Path("moved.db").unlink()
    sealed.flush(Target(home=str(home)))
    assert not Path("moved.db").exists()
    started = []

    class Process:
        def __init__(self, command, stdout, **named):
            # the process that runs holds what it writes to
            started.append(os.dup(stdout.fileno()))

    monkeypatch.setattr("blockchaintracer.extras.mlflow.recorder.subprocess.Popen", Process)
    for _ in range(3):
        flush_aside(Target(home=str(home)))
    assert len(started) == 1
    assert (lab.home.mlflow / "flush.wanted").exists()
    os.close(started.pop())
    flush_aside(Target(home=str(home)))
    assert len(started) == 1
    os.close(started.pop())
    sealed.flush(Target(home=str(home)))
    assert not (lab.home.mlflow / "flush.wanted").exists()


def test_what_mlflow_looks_up_by_a_uri_is_found_behind_the_prefix(home, store, monkeypatch):
    monkeypatch.setenv("MLFLOW_SERVER_ENABLE_CUSTOM_SCORERS", "true")
    from mlflow.genai.scorers import list_scorers, scorer
    from mlflow.tracking._model_registry.utils import _get_store_registry
    from mlflow.tracking._tracking_service.utils import _tracking_store_registry

    for uri in ("mysql+pymysql://u@h/d", "postgresql+psycopg2://u@h/d", "mssql+pyodbc://u@h/d", "http://h", "/path"):
        for registry in (_tracking_store_registry, _get_store_registry()):
            plain, behind = registry.get_store_builder(uri), registry.get_store_builder(f"anchor+{uri}")
            assert behind.__wrapped__ is plain.__wrapped__
    for uri in ("databricks", "databricks://profile", "databricks-uc", "uc:http://h", ""):
        with pytest.raises(InputError, match=r"a folder after anchor\+, got"):
            mlflow.set_tracking_uri(f"anchor+{uri}")
    mlflow.set_tracking_uri(f"anchor+{store}")
    assert mlflow.get_tracking_uri() == mlflow.MlflowClient(f"anchor+{store}").tracking_uri == store

    @scorer
    def short(outputs):
        return len(outputs) < 9

    short.register(name="short")
    assert [known.name for known in list_scorers()] == ["short"]
    assert [space.name for space in mlflow.MlflowClient().list_workspaces()] == ["default"]


def test_the_registry_behind_the_prefix_is_mlflows_own(home, store):
    mlflow.set_tracking_uri(f"anchor+{store}")
    client = mlflow.MlflowClient()
    client.create_registered_model("behind")
    assert mlflow.MlflowClient(tracking_uri=store, registry_uri=store).get_registered_model("behind").name == "behind"


@pytest.fixture
def receiver(lab, home, server):
    """The verb, listening; and its address. Who is champion is in production."""
    Path("secret").write_text(SECRET + "\n")
    command = [sys.executable, "-m", "blockchaintracer", "mlflow", "webhook", "--secret-file", "secret", "--port", "0"]
    command += ["--deployment", "champion=production", "--deployment", "hooked@old=archive"]
    process = subprocess.Popen(
        [*command, "--json"],
        env=os.environ | {"BLOCKCHAINTRACER_HOME": str(home), "MLFLOW_TRACKING_URI": server, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield json.loads(process.stdout.readline())["listening"]
    finally:
        process.terminate()
        process.wait(30)


def test_a_servers_webhooks_become_records(lab, server, receiver):
    client = mlflow.MlflowClient(tracking_uri=server, registry_uri=server)
    events = ["registered_model.created", "model_version_alias.created", "model_version_alias.deleted"]
    hook = client.create_webhook("chain", receiver, events, secret=SECRET)
    client.create_registered_model("hooked", tags={"team": "ours"})
    client.create_model_version("hooked", "s3://nowhere/at/all")
    client.set_registered_model_alias("hooked", "champion", "1")
    deadline = time.monotonic() + 900
    while len(trail(lab, Kind.DOCUMENT, "mlflow-alias:hooked@champion")) < 1 and time.monotonic() < deadline:
        time.sleep(0.3)
    client.delete_registered_model_alias("hooked", "champion")
    while len(trail(lab, Kind.DOCUMENT, "mlflow-alias:hooked@champion")) < 2 and time.monotonic() < deadline:
        time.sleep(0.3)
    client.delete_webhook(hook.webhook_id)
    [(_, model)] = trail(lab, Kind.DOCUMENT, "mlflow-model:hooked")
    assert model.values["tags"] == {"team": "ours"}
    [(first, set_), (second, removed)] = trail(lab, Kind.DOCUMENT, "mlflow-alias:hooked@champion")
    assert set_.values["version"] == "1"
    assert set_.values["event"]["event"] == "model_version_alias.created"
    assert "version" not in removed.values
    assert first.write.record_id in {link.parent for link in second.write.key.parents}


def test_an_alias_that_decides_what_is_deployed_makes_deployments(lab, server, receiver):
    client = mlflow.MlflowClient(tracking_uri=server, registry_uri=server)
    client.create_registered_model("served")
    for _ in range(2):
        client.create_model_version("served", "s3://nowhere/at/all")

    def send(alias, version, delivery):
        data = {"name": "served", "alias": alias, "version": version}
        event = {"entity": "model_version_alias", "action": "created", "timestamp": "now", "data": data}
        body = json.dumps(event).encode()
        answer = requests.post(receiver, data=body, headers=signed(body, delivery=delivery), timeout=600)
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["records"]]

    before = len(trail(lab, Kind.DEPLOYMENT, "mlflow-deployment:production"))
    first, second = send("champion", "1", "first"), send("champion", "2", "second")
    # by whatever way a delivery comes again
    assert send("champion", "1", "first") == first
    assert len(send("other", "2", "third")) == 1
    assert len(send("old", "1", "fourth")) == 1
    entries = trail(lab, Kind.DEPLOYMENT, "mlflow-deployment:production")[before:]
    assert [entry.write.record_id for entry, _ in entries] == [first[1], second[1]]
    assert [said.values["version"] for _, said in entries] == ["1", "2"]
    assert {said.values["alias"] for _, said in entries} == {"champion"}
    assert entries[1][1].values["event"]["deliveryId"] == "second"
    assert Link(first[1], Relation.SUPERSEDES) in entries[1][0].write.key.parents
    assert trail(lab, Kind.DEPLOYMENT, "mlflow-deployment:archive") == []


def test_what_is_no_deployment_is_refused():
    assert read_deployments(["a=b", "n=1@a=c"]) == {"a": ["b"], "n=1@a": ["c"]}
    for text in ("champion", "=production", "champion=", "name@=production"):
        with pytest.raises(InputError, match="expected a deployment as ALIAS=TARGET"):
            read_deployments([text])


def signed(body, *, secret=SECRET, timestamp=None, delivery="11111111-2222-3333-4444-555555555555"):
    """By MLflow's own function."""
    from mlflow.webhooks.delivery import _generate_hmac_signature

    timestamp = timestamp or str(int(time.time()))
    return {
        "X-MLflow-Delivery-Id": delivery,
        "X-MLflow-Timestamp": timestamp,
        "X-MLflow-Signature": _generate_hmac_signature(secret, delivery, timestamp, body.decode()),
    }


def test_a_forged_old_or_repeated_delivery_records_nothing(lab, receiver):
    body = json.dumps(
        {"entity": "registered_model", "action": "created", "timestamp": "now", "data": {"name": "forged"}}
    ).encode()

    def send(headers, data=body):
        return requests.post(receiver, data=data, headers=headers, timeout=600).status_code

    assert send({}) == 401
    assert send(signed(body, secret="another secret, of somebody")) == 401
    assert send(signed(body), data=body.replace(b"forged", b"foolish")) == 401
    assert send(signed(body, timestamp=str(int(time.time()) - 3600))) == 401
    assert send(signed(body), data=b"x" * (2 << 20)) == 413
    assert requests.get(receiver, timeout=600).status_code == 405
    broken = b'{"entity": "model_version_alias", "action": "deleted", "data": {}}'
    assert send(signed(broken), data=broken) == 400
    assert trail(lab, Kind.DOCUMENT, "mlflow-model:forged") == []
    headers = signed(body)
    assert [send(headers), send(headers)] == [200, 200]
    assert len(trail(lab, Kind.DOCUMENT, "mlflow-model:forged")) == 1


def test_the_signature_is_mlflows_own():
    body = b'{"any": "body"}'
    headers = signed(body)
    assert check_signature(SECRET, headers, body) == headers["X-MLflow-Delivery-Id"]
    for name in headers:
        with pytest.raises(NotVerified):
            check_signature(SECRET, {**headers, name: "é" + headers[name][1:]}, body)
