"""What becomes of a run later: rebuilt, imported in bulk, its model registered, deployed, loaded, tampered with."""

import json
import pickle
from pathlib import Path
from urllib.parse import urlsplit

import mlflow
import numpy
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

import blockchaintracer.mlflow as sealed
from blockchaintracer.errors import InputError, NotVerified
from blockchaintracer.manifest import parse_manifest
from blockchaintracer.mlflow.models import record_deployment, record_registered_model
from blockchaintracer.mlflow.recorder import Target, run_of
from blockchaintracer.mlflow.tracer import _recording
from blockchaintracer.model import Kind, Relation
from blockchaintracer.operations.verify import verify
from tests.client.labs import verb

X = numpy.arange(40.0).reshape(20, 2)
Y = numpy.array([0, 1] * 10)


def parents_of(lab, record_id):
    return {(link.parent, link.relation) for link in lab.registry.find(record_id).key.parents}


def said_of(lab, record):
    return parse_manifest(lab.store.get_bytes(record.manifest)).predicate


def flush(home):
    sealed.flush(Target(home=str(home)))


def test_autolog_of_scikit_learn_is_recorded_with_its_model_and_data(lab, home, store):
    sealed.autolog(home=home, background=False)
    mlflow.sklearn.autolog()
    try:
        with mlflow.start_run() as run:
            LogisticRegression(C=0.5).fit(X, Y)
    finally:
        mlflow.sklearn.autolog(disable=True)
    recorded = _recording.recorded[run.info.run_id]
    said = run_of(lab, recorded.manifest)
    assert said.parameters["C"] == 0.5
    assert "training_score" in said.metrics
    about = said.experiment.additional_info["mlflow"]
    [model] = about["models"]
    assert model["framework"].startswith("sklearn ")
    assert model["uuid"]
    assert model["sizeBytes"] > 0
    assert model["inputs"] == [{"type": "float64", "shape": [-1, 2]}]
    assert model["channels"] == ["conda-forge"]
    assert about["frameworks"]["sklearn"]["version"]
    [dataset] = about["datasets"]
    assert {name: (part["rows"], part["columns"][0]["dtype"]) for name, part in dataset["content"].items()} == {
        "features": (20, "float64"),
        "targets": (20, "int64"),
    }
    flush(home)
    assert lab.registry.find(model["record"]).key.kind == Kind.MODEL
    given = mlflow.data.from_numpy(X, targets=Y)
    held = sealed.verify_run(lab, run.info.run_id, datasets={dataset["name"]: given})
    assert held.verified, held.failed
    assert not held.unknown
    other = X.copy()
    other[-1, -1] += 1
    held = sealed.verify_run(lab, run.info.run_id, datasets={dataset["name"]: mlflow.data.from_numpy(other, targets=Y)})
    assert [check.name for check in held.failed] == [f"mlflow dataset {dataset['name']}"]


def logged(home, **named):
    """A run with a small network, by the flavor of ours."""
    model = MLPClassifier((3,), max_iter=1, random_state=0)
    with pytest.warns(match=".*"):
        model.fit(X, Y)
    tracer = sealed.MLflowBlockchainTracer(home=home, background=False)
    with tracer.start_run() as run:
        info = sealed.log_model(
            model,
            name="net",
            input_example=X[:1],
            pip_requirements=["scikit-learn"],
            serialization_format="cloudpickle",
            **named,
        )
    return tracer, run.info.run_id, info, model


def test_a_model_of_other_bytes_is_not_loaded(lab, home, store, monkeypatch):
    tracer, run_id, info, model = logged(home)
    [about] = run_of(lab, tracer.recorded.manifest).experiment.additional_info["mlflow"]["models"]
    assert about["layerCount"] == 3
    assert about["parameterCount"] == 3 * 2 + 3 + 3 + 1
    loaded = sealed.load_model(info.model_uri, home=home)
    assert (loaded.predict(X) == model.predict(X)).all()
    assert type(sealed.load_model(info.model_uri, home=home, record=about["record"])) is MLPClassifier
    assert hasattr(sealed.load_model(info.model_uri, home=home, flavor="pyfunc"), "metadata")

    place = Path(urlsplit(mlflow.MlflowClient().get_logged_model(info.model_id).artifact_location).path)
    [file] = [path for path in place.iterdir() if path.name.startswith("model.")]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)

    def reached(*_):
        raise AssertionError("unpickled before it was checked")

    monkeypatch.setattr(pickle, "load", reached)
    with pytest.raises(NotVerified, match=f"{file.name} is changed"):
        sealed.load_model(info.model_uri, home=home)
    with pytest.raises(NotVerified, match=f"{file.name} is changed"):
        sealed.load_model(info.model_uri, home=home, record=about["record"])
    flush(home)
    assert f"mlflow model net {file.name}" in {check.name for check in sealed.verify_run(lab, run_id).failed}


def test_what_is_no_flavor_is_refused(home, store):
    with pytest.raises(InputError, match="no flavor 'nothing'"):
        sealed.log_model(object(), flavor="nothing")


def test_a_registered_model_its_aliases_and_deployments_are_trails(lab, home, store):
    _, _, info, _ = logged(home, registered_model_name="spam filter")
    client = mlflow.MlflowClient()
    client.set_model_version_tag("spam filter", "1", "api_key", "hunter2hunter2")
    client.set_registered_model_alias("spam filter", "champion", "1")
    flush(home)
    model, version, alias = record_registered_model(lab, "spam filter")
    assert [one.kind for one in (model, version, alias)] == ["document"] * 3
    said = said_of(lab, version)
    assert said.values["tags"] == {"api_key": "***"}
    files = said.values["filesRecord"]
    assert lab.registry.find(files).key.kind == Kind.MODEL
    assert parents_of(lab, version.id) == {(model.id, Relation.USES), (files, Relation.USES)}
    assert files in {record.id for record in lab.registry.find_subject(said.values["files"])}
    again = record_registered_model(lab, "spam filter")
    assert [one.id for one in again] == [model.id, version.id, alias.id]
    assert all(one.existing for one in again)

    deployed = record_deployment(lab, "production", "spam filter@champion", values={"ticket": "OPS-7"})
    assert deployed.kind == "deployment"
    assert said_of(lab, deployed).values["version"] == "1"
    client.create_model_version("spam filter", info.model_uri, model_id=info.model_id)
    client.set_registered_model_alias("spam filter", "champion", "2")
    *_, moved = record_registered_model(lab, "spam filter")
    assert (alias.id, Relation.SUPERSEDES) in parents_of(lab, moved.id)
    assert said_of(lab, moved).values == {"registeredModel": "spam filter", "alias": "champion", "version": "2"}
    done = verb(
        "mlflow", "deployment", "production", "spam filter@champion", "--action", "updated", "--json", home=home
    )
    second = json.loads(done.stdout)["id"]
    assert (deployed.id, Relation.SUPERSEDES) in parents_of(lab, second)
    assert len(lab.registry.find_subject(deployed.subject)) == 2
    assert verify(lab, second).verified


def old_runs(count):
    """Runs that nobody recorded."""
    made = []
    for number in range(count):
        with mlflow.start_run(run_name=f"old {number}") as run:
            mlflow.log_params({"number": number, "text": "none", "password": "hunter2hunter2"})
            mlflow.log_metric("loss", 1 / (number + 1), step=0)
            mlflow.log_metric("loss", 1 / (number + 2), step=1)
            mlflow.log_text(f"of {number}", "sub/of.txt")
        made.append(run.info.run_id)
    return made


def test_old_runs_are_imported_in_one_batch_and_rebuilt(lab, home, store, folder):
    made = old_runs(5)
    flush(home)
    nonce = lab.chain.web3.eth.get_transaction_count(lab.signer.address)
    done = verb("mlflow", "import", "--experiment", folder.name, "--tracking-uri", store, "--json", home=home)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {one["run_id"] for one in told["runs"]} == set(made)
    assert told["batch"]["count"] == 5
    # what another process ran is described to this one
    assert run_of(lab, told["runs"][0]["recorded"]["manifest"]).environment.observed is None
    assert lab.chain.web3.eth.get_transaction_count(lab.signer.address) == nonce + 1
    tags = mlflow.get_run(made[0]).data.tags
    assert tags["blockchaintracer.status"] == "batched final"
    record_id = tags["blockchaintracer.record_id"]
    assert sealed.verify_run(lab, made[0]).verified

    again = verb("mlflow", "import", "--experiment", folder.name, "--tracking-uri", store, "--json", home=home)
    assert json.loads(again.stdout)["batch"] is None
    assert {one["recorded"]["id"] for one in json.loads(again.stdout)["runs"]} == {
        one["recorded"]["id"] for one in told["runs"]
    }
    assert lab.chain.web3.eth.get_transaction_count(lab.signer.address) == nonce + 1

    mlflow.MlflowClient().log_metric(made[0], "loss", 0.0, step=2)
    assert [check.name for check in sealed.verify_run(lab, made[0]).failed] == ["mlflow metric loss"]
    rebuilt = json.loads(
        verb(
            "mlflow", "export", record_id, "--tracking-uri", store, "--experiment", folder.name, "--json", home=home
        ).stdout
    )["runId"]
    run = mlflow.get_run(rebuilt)
    assert run.data.params == {"number": "0", "text": "none"}
    assert run.info.run_name == "old 0"
    assert run.data.tags["blockchaintracer.rebuilt_from"] == record_id
    history = mlflow.MlflowClient().get_metric_history(rebuilt, "loss")
    assert [(point.step, point.value) for point in history] == [(0, 1.0), (1, 0.5)]
    assert mlflow.artifacts.load_text(f"{run.info.artifact_uri}/sub/of.txt") == "of 0"
    assert run.info.end_time == mlflow.get_run(made[0]).info.end_time


def test_a_run_that_still_goes_on_is_not_imported(lab, home, store):
    run = mlflow.start_run()
    [one] = sealed.import_runs(lab, run_ids=[run.info.run_id], batch=False)
    assert "which is RUNNING" in one.problem
