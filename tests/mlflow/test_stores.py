"""``anchor+`` before a real tracking server and a file store; and webhooks that a real server sends."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import pytest
import requests

import blockchaintracer.mlflow as sealed
from blockchaintracer.errors import NotVerified
from blockchaintracer.mlflow.models import trail
from blockchaintracer.mlflow.recorder import Target, output, run_of
from blockchaintracer.mlflow.tracer import _recording
from blockchaintracer.mlflow.webhook import check_signature
from blockchaintracer.model import Kind
from tests.client.labs import ROOT, free_port

SECRET = "a secret of the test's own"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A tracking server that also keeps the artifacts."""
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    environment = os.environ | {
        "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
        "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
        "MLFLOW_WEBHOOK_CACHE_TTL": "0",
    }
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "kept")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + 120
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


def checked(lab, home, run_id, uri):
    recorded = _recording.recorded[run_id]
    listing = lab.store.get_bytes(output(run_of(lab, recorded.manifest), "artifacts/SHA256SUMS"))
    assert [line.split("  ")[1] for line in listing.decode().splitlines()] == ["more.bin", "sub/hello.txt"]
    sealed.flush(Target(home=str(home)))
    report = sealed.verify_run(lab, run_id, uri)
    assert report.verified, report.failed
    assert not report.unknown
    assert mlflow.get_run(run_id).data.tags["blockchaintracer.status"] == "final"


def test_a_server_over_http_with_its_artifacts(lab, home, server, monkeypatch):
    monkeypatch.setattr("blockchaintracer.mlflow.tracer.flush_aside", lambda target: None)
    uri = f"anchor+{server}"
    run_id = train(uri, "over http")
    assert mlflow.get_run(run_id).info.artifact_uri.startswith("mlflow-artifacts:/")
    checked(lab, home, run_id, server)
    assert mlflow.artifacts.load_text(f"runs:/{run_id}/sub/hello.txt") == "hello"
    mlflow.MlflowClient().log_text(run_id, "other", "sub/hello.txt")
    mlflow.MlflowClient().log_metric(run_id, "loss", 0.0, step=3)
    assert {check.name for check in sealed.verify_run(lab, run_id).failed} == {
        "mlflow artifact sub/hello.txt",
        "mlflow metric loss",
    }


def test_a_file_store(lab, home, folder, monkeypatch):
    monkeypatch.setattr("blockchaintracer.mlflow.tracer.flush_aside", lambda target: None)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    uri = f"anchor+file://{folder}/runs"
    checked(lab, home, train(uri, "in files"), f"file://{folder}/runs")


def test_the_registry_behind_the_prefix_is_mlflows_own(home, store):
    mlflow.set_tracking_uri(f"anchor+{store}")
    client = mlflow.MlflowClient()
    client.create_registered_model("behind")
    assert mlflow.MlflowClient(tracking_uri=store, registry_uri=store).get_registered_model("behind").name == "behind"


@pytest.fixture
def receiver(lab, home, server):
    """The verb, listening; and its address."""
    Path("secret").write_text(SECRET + "\n")
    command = [sys.executable, "-m", "blockchaintracer", "mlflow", "webhook", "--secret-file", "secret", "--port", "0"]
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
    deadline = time.monotonic() + 60
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
        return requests.post(receiver, data=data, headers=headers, timeout=60).status_code

    assert send({}) == 401
    assert send(signed(body, secret="another secret, of somebody")) == 401
    assert send(signed(body), data=body.replace(b"forged", b"foolish")) == 401
    assert send(signed(body, timestamp=str(int(time.time()) - 3600))) == 401
    assert send(signed(body), data=b"x" * (2 << 20)) == 413
    assert requests.get(receiver, timeout=60).status_code == 405
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
