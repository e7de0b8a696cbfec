"""What becomes of a run later: rebuilt, imported in bulk, its model registered, deployed, loaded, tampered with."""

import json
import pickle
from pathlib import Path
from urllib.parse import urlsplit

import fsspec
import mlflow
import numpy
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

import blockchaintracer.mlflow as sealed
from blockchaintracer import DocumentationTracer
from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.core.manifest import parse_manifest
from blockchaintracer.core.record import Kind, Relation
from blockchaintracer.extras.mlflow.mlflow_tracer import _recording
from blockchaintracer.extras.mlflow.model_registry import record_deployment, record_registered_model
from blockchaintracer.extras.mlflow.recorder import Target, run_of
from blockchaintracer.lab.kept_proofs import anchored_proofs
from blockchaintracer.lab.verify_here import verify
from tests.support.labs import typed, verb

X = numpy.arange(40.0).reshape(20, 2)
Y = numpy.array([0, 1] * 10)


def parents_of(lab, record_id):
    return {(link.parent, link.relation) for link in lab.registry.find_record(record_id).key.parents}


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
    assert said.environment.model_extra["packages"]["scikit-learn"]
    [dataset] = about["datasets"]
    assert {name: (part["rows"], part["columns"][0]["dtype"]) for name, part in dataset["content"].items()} == {
        "features": (20, "float64"),
        "targets": (20, "int64"),
    }
    flush(home)
    assert lab.registry.find_record(model["record"]).key.kind == Kind.MODEL
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
    assert "mlflow model net" in {check.name for check in sealed.verify_run(lab, run_id).checks}
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


def test_layers_are_known_of_a_model_that_mlflows_own_flavor_logged(lab, home, store):
    model = MLPClassifier((3,), max_iter=1, random_state=0)
    with pytest.warns(match=".*"):
        model.fit(X, Y)
    tracer = sealed.MLflowBlockchainTracer(home=home, background=False)
    with tracer.start_run():
        mlflow.sklearn.log_model(
            model, name="net", pip_requirements=["scikit-learn"], serialization_format="cloudpickle"
        )
    [about] = run_of(lab, tracer.recorded.manifest).experiment.additional_info["mlflow"]["models"]
    assert (about["layerCount"], about["parameterCount"]) == (3, 3 * 2 + 3 + 3 + 1)


def test_what_is_no_flavor_is_refused(home, store):
    with pytest.raises(InputError, match="no flavor 'nothing'"):
        sealed.log_model(object(), flavor="nothing")


def test_a_registered_model_its_aliases_and_deployments_are_trails(lab, home, store):
    _, _, info, _ = logged(home, registered_model_name="spam filter")
    client = mlflow.MlflowClient()
    client.set_model_version_tag("spam filter", "1", "api_key", "hunter2" * 2)
    client.set_registered_model_alias("spam filter", "champion", "1")
    flush(home)
    model, version, alias = record_registered_model(lab, "spam filter")
    assert [one.kind for one in (model, version, alias)] == ["document"] * 3
    said = said_of(lab, version)
    assert said.values["tags"] == {"api_key": "***"}
    files = said.values["filesRecord"]
    assert lab.registry.find_record(files).key.kind == Kind.MODEL
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
    done = typed(
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
            mlflow.log_params({"number": number, "text": "none", "password": "hunter2" * 2})
            mlflow.log_metric("loss", 1 / (number + 1), step=0)
            mlflow.log_metric("loss", 1 / (number + 2), step=1)
            mlflow.log_text(f"of {number}", "sub/of.txt")
            mlflow.log_input(mlflow.data.from_numpy(X, name="points", targets=Y), context="training")
        made.append(run.info.run_id)
    return made


def old_model():
    """A run with a model that nobody recorded; the model's URI."""
    with mlflow.start_run(run_name="old model") as run:
        model = LogisticRegression().fit(X, Y)
        info = mlflow.sklearn.log_model(
            model, name="net", pip_requirements=["scikit-learn"], serialization_format="cloudpickle"
        )
    return run.info.run_id, info.model_uri


def test_old_runs_are_imported_in_one_batch_and_rebuilt(lab, home, store, folder):
    made = old_runs(3)
    run_id, model_uri = old_model()
    flush(home)
    nonce = lab.chain.nonce(lab.signer.address)
    words = ["--experiment", folder.name, "--tracking-uri", store, "--files-in", str(folder), "--json"]
    done = verb("mlflow", "import", *words, home=home)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {one["runId"] for one in told["runs"]} == {*made, run_id}
    assert told["batch"]["count"] == 5
    # what another process ran is described to this one
    assert run_of(lab, told["runs"][0]["recorded"]["manifest"]).environment.observed is None
    assert lab.chain.nonce(lab.signer.address) == nonce + 1
    tags = mlflow.get_run(made[0]).data.tags
    assert tags["blockchaintracer.status"] == "batched final"
    record_id = tags["blockchaintracer.record_id"]
    assert sealed.verify_run(lab, made[0]).verified

    again = verb("mlflow", "import", *words, home=home)
    assert json.loads(again.stdout)["batch"] is None
    assert {one["recorded"]["id"] for one in json.loads(again.stdout)["runs"]} == {
        one["recorded"]["id"] for one in told["runs"]
    }
    assert lab.chain.nonce(lab.signer.address) == nonce + 1

    mlflow.MlflowClient().log_metric(made[0], "loss", 0.0, step=2)
    assert [check.name for check in sealed.verify_run(lab, made[0]).failed] == [
        "mlflow metric loss (latest)",
        "mlflow metric loss",
    ]
    # in another experiment: MLflow keeps one dataset of a name and digest in each
    place = ("--tracking-uri", store, "--experiment", f"{folder.name} rebuilt")
    rebuilt = json.loads(typed("mlflow", "export", record_id, *place, "--json", home=home).stdout)["runId"]
    run = mlflow.get_run(rebuilt)
    assert run.data.params == {"number": "0", "text": "none"}
    assert run.info.run_name == "old 0"
    assert run.data.tags["blockchaintracer.rebuilt_from"] == record_id
    history = mlflow.MlflowClient().get_metric_history(rebuilt, "loss")
    assert [(point.step, point.value) for point in history] == [(0, 1.0), (1, 0.5)]
    assert mlflow.artifacts.load_text(f"{run.info.artifact_uri}/sub/of.txt") == "of 0"
    assert run.info.end_time == mlflow.get_run(made[0]).info.end_time
    [given], [first] = run.inputs.dataset_inputs, mlflow.get_run(made[0]).inputs.dataset_inputs
    for name in ("name", "digest", "source_type"):
        assert getattr(given.dataset, name) == getattr(first.dataset, name)
    for name in ("schema", "profile"):
        assert json.loads(getattr(given.dataset, name)) == json.loads(getattr(first.dataset, name))
    # who it was and where on this machine was hidden, and is left out; what else there is depends on who runs the tests
    tags = json.loads(first.dataset.source)["tags"]
    assert {"mlflow.source.name", "mlflow.source.type", "mlflow.user"} <= tags.keys()
    shown = {name: value for name, value in tags.items() if name != "mlflow.user" and not value.startswith("/")}
    assert json.loads(given.dataset.source) == {"tags": shown}
    assert {tag.key: tag.value for tag in given.tags} == {"mlflow.data.context": "training"}
    what_batches_hold_is_found(lab, home, run_id, model_uri, told["batch"]["root"])


def what_batches_hold_is_found(lab, home, run_id, model_uri, root):
    """A model of a batch is one of the lab's recorded ones; what takes stored records only says how to store one."""
    record_id = mlflow.get_run(run_id).data.tags["blockchaintracer.record_id"]
    way_out = f"It's in batch {root}: `blockchaintracer materialize {record_id}` stores it."
    for command in (["report", record_id], ["export-as", "ro-crate", record_id, "-o", "crate"], ["lineage", record_id]):
        done = typed(*command, "--json", home=home)
        assert done.returncode == 2
        assert json.loads(done.stdout)["hint"] == way_out, done.stdout
    with pytest.raises(InputError, match="is not stored in") as refused:
        fsspec.filesystem("record", home=str(home), rpc=lab.rpc).ls(record_id)
    assert refused.value.hint == way_out
    with pytest.raises(InputError, match=record_id) as refused:
        DocumentationTracer(mlflow_run=run_id, home=home).generate_documentation()
    assert refused.value.hint == way_out
    with pytest.raises(InputError, match="got none of 'other'"):
        DocumentationTracer(mlflow_run="other", home=home).generate_documentation()

    [model] = [proof for proof in anchored_proofs(lab) if proof.key.kind == Kind.MODEL and proof.root == root]
    assert type(sealed.load_model(model_uri, home=home)) is LogisticRegression
    assert type(sealed.load_model(model_uri, home=home, record=model.id)) is LogisticRegression
    [place] = Path("artifacts").rglob("MLmodel")
    place.write_text(place.read_text() + "\n")
    for record in (None, model.id):
        with pytest.raises(NotVerified, match="MLmodel is changed"):
            sealed.load_model(model_uri, home=home, record=record)
    place.write_text(place.read_text()[:-1])

    assert typed("materialize", record_id, home=home).returncode == 0
    made = typed("report", f"mlflow:{run_id}", "--format", "csv", "-o", "report", "--json", home=home)
    assert made.returncode == 0, made.stderr
    [sheet] = json.loads(made.stdout)["files"]
    assert run_id in Path(sheet).read_text()


def test_a_run_that_goes_on_or_does_not_exist_keeps_no_other_from_being_imported(lab, home, store, folder):
    [one] = old_runs(1)
    going_on = mlflow.start_run().info.run_id
    run_ids = ["nosuchrun", going_on, one]
    missing, running, done = sealed.import_runs(lab, run_ids=run_ids, batch=False, files_in=[str(folder)])
    assert "nosuchrun" in missing.problem
    assert "which is RUNNING" in running.problem
    assert done.problem is None
    assert done.recorded.name == "old 0"
    refused = typed("mlflow", "import", "nosuchrun", "--tracking-uri", store, home=home)
    assert refused.returncode == 2
    assert refused.stderr.startswith("nosuchrun  is not recorded: ")
