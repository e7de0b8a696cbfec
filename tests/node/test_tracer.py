"""The tracers on a real chain: what they record, what they refuse, and that they never cost a result."""

# ruff: noqa: PT012, PT031 -- a training is more than one statement

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from blockchaintracer import BlockchainTracer, MLTracer, RecordingWarning
from blockchaintracer.core.errors import ChainUnavailable, ContractRevert, InputError
from blockchaintracer.core.manifest import Tolerance, parse_manifest
from blockchaintracer.core.record import Kind, Relation
from blockchaintracer.extras.frameworks.sklearn import log_estimator
from blockchaintracer.lab.capture.program import RUN_FILE
from blockchaintracer.lab.datasets import log_dataset
from blockchaintracer.lab.keys import KeyStore
from blockchaintracer.lab.recording.run_document import load_run_document
from blockchaintracer.lab.traced_run import Pending
from tests.support.labs import ROOT, typed, verb

NOBODY = "http://127.0.0.1:9"
TOKEN = "hunter2" * 2


@pytest.fixture
def home(lab):
    return lab.home.path


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(RUN_FILE, raising=False)
    (tmp_path / "data.csv").write_text("1,2\n3,4\n")
    (tmp_path / "model.bin").write_bytes(os.urandom(40))
    return tmp_path


def predicate(lab, manifest):
    return parse_manifest(lab.store.get_bytes(manifest)).predicate


def run_of(lab, transaction):
    """The key and the predicate of the run that a transaction recorded."""
    details = MLTracer(lab.home.path).get_transaction_details(transaction)
    [record_id] = details["recordIds"]
    key = lab.registry.find_record(record_id).key
    return key, predicate(lab, key.manifest)


def nonce(lab):
    return lab.chain.nonce(lab.signer.address)


def only_warning(caught):
    [warning] = [one for one in caught if one.category is RecordingWarning]
    return str(warning.message)


def test_a_with_block_records_what_was_logged_and_verifies(lab, home):
    tracer = MLTracer(home)
    tracer.seed_everything(7)
    with tracer.start_run("fit") as run:
        run.log_params({"lr": 1e-3, "layers": [4, 2], "nothing": None})
        run.log_param("lr", 0.01)
        run.log_metric("accuracy", 0.9, tolerance=0.01)
        run.log_metrics({"loss": 0.25})
        run.log_metric("seconds", 3.5, tolerance=Tolerance(relative=0.5))
        run.log_seed("split", 11)
        run.log_input("data.csv", relation="trained-on")
        run.log_output("model.bin", role="model")
        run.set_description("a fit")
    assert run.recorded.state == "final"
    said = predicate(lab, run.recorded.manifest)
    assert said.environment.observed == "process"
    assert (said.name, said.status, said.description) == ("fit", "completed", "a fit")
    assert said.parameters == {"lr": 0.01, "layers": [4, 2], "nothing": None}
    assert said.metrics["accuracy"].value == 0.9
    assert said.metrics["accuracy"].tolerance == Tolerance(absolute=0.01)
    assert said.metrics["seconds"].tolerance == Tolerance(relative=0.5)
    assert said.seeds["seed"] == 7
    assert said.seeds["split"] == 11
    assert said.not_before is not None
    data = hashlib.sha256(Path("data.csv").read_bytes()).hexdigest()
    model = hashlib.sha256(Path("model.bin").read_bytes()).hexdigest()
    assert [(one.path, one.sha256, one.relation) for one in said.inputs] == [("data.csv", data, Relation.TRAINED_ON)]
    assert [(one.role, one.artifact.sha256) for one in said.outputs] == [("model", model)]
    [recorded] = lab.registry.find_subject(model)
    assert recorded.key.kind == Kind.MODEL
    assert {link.parent for link in recorded.key.parents} == {said.inputs[0].record, run.recorded.id}
    checked = typed("verify", run.recorded.id, "--json", home=home)
    assert checked.returncode == 0, checked.stdout


def test_update_and_write_gives_the_hash_and_pays_once(lab, home):
    tracer = MLTracer(home)
    tracer.update_experiment(model_config={"depth": 3}, metrics={"accuracy": 0.5}, model_path="model.bin")
    tracer.update_experiment(metrics={"loss": 0.1}, dataset_info={"rows": 2}, additional_info={"by": "us"})
    transaction = tracer.write_to_blockchain()
    assert transaction.startswith("0x")
    paid = nonce(lab)
    assert tracer.write_to_blockchain() == transaction
    assert nonce(lab) == paid
    _, said = run_of(lab, transaction)
    assert {name: metric.value for name, metric in said.metrics.items()} == {"accuracy": 0.5, "loss": 0.1}
    assert said.experiment.model_configuration == {"depth": 3}
    assert said.experiment.dataset_info == {"rows": 2}
    assert said.experiment.additional_info == {"by": "us"}
    assert lab.registry.find_subject(hashlib.sha256(Path("model.bin").read_bytes()).hexdigest())

    tracer.update_experiment(metrics={"loss": 0.05})
    again = tracer.write_to_blockchain()
    assert again != transaction
    _, later = run_of(lab, again)
    assert later.run_id != said.run_id
    assert {name: metric.value for name, metric in later.metrics.items()} == {"accuracy": 0.5, "loss": 0.05}


def test_a_timestamp_is_declared_and_never_the_chains(lab, home):
    tracer = MLTracer(home)
    tracer.update_experiment(metrics={"a": 1}, timestamp="2015-09-14T11:50:45+02:00")
    transaction = tracer.write_to_blockchain()
    _, said = run_of(lab, transaction)
    assert said.declared_timestamp == "2015-09-14T09:50:45Z"
    details = tracer.get_transaction_details(transaction)
    block = lab.chain.block(details["block"]["number"])
    assert details["time"] == block.timestamp
    assert "2015" not in json.dumps({key: value for key, value in details.items() if "time" in key.lower()})


def test_a_commit_is_declared_only_where_it_is_not_the_captured_one(lab, home, folder):
    for command in (["init", "-q"], ["add", "data.csv"], ["commit", "-qm", "first"]):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *command], check=True, cwd=folder)
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    for given, declared in ((head[:10], None), ("0123abcd", "0123abcd")):
        tracer = MLTracer(home)
        tracer.update_experiment(metrics={"a": 1}, git_commit=given)
        _, said = run_of(lab, tracer.write_to_blockchain())
        assert said.code.commit == head
        assert said.experiment.declared_commit == declared


def test_details_of_a_transaction(lab, home):
    tracer = MLTracer(home)
    tracer.update_experiment(metrics={"a": 1})
    transaction = tracer.write_to_blockchain()
    details = tracer.get_transaction_details(transaction.removeprefix("0x"))
    assert json.loads(json.dumps(details)) == details
    assert (details["transaction"], details["status"], details["finality"]) == (transaction, "success", "final")
    assert details["from"] == lab.signer.address
    assert details["gasUsed"] > 21_000
    assert [event["event"] for event in details["events"]] == ["Recorded"]
    assert details["events"][0]["arguments"]["id"] == details["recordIds"][0]
    assert details["events"][0]["arguments"]["kind"] == Kind.RUN


@pytest.mark.parametrize(("tx", "says"), [("0x" + "ab" * 32, "is not known on"), ("12", "64 hex digits")])
def test_a_transaction_that_there_is_not(lab, home, tx, says):
    with pytest.raises(InputError, match=says):
        MLTracer(home).get_transaction_details(tx)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"metrics": {"accuracy": "high"}}, "metrics.accuracy"),
        ({"model_config": {"lr": [1.0, 2**60]}}, "model_config.lr[1]"),
        ({"dataset_info": {"rows": 2**53}}, "dataset_info.rows"),
        ({"additional_info": {"by": object()}}, "additional_info.by"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"git_commit": "HEAD"}, "git_commit"),
        ({"model_path": "nowhere.bin"}, "model_path"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_taken(lab, home, given, field):
    tracer = MLTracer(home)
    with pytest.raises(InputError) as refused:
        tracer.update_experiment(**given)
    assert field in refused.value.message
    with pytest.raises(InputError, match="Call update_experiment first"):
        tracer.write_to_blockchain()


def test_a_run_names_what_is_wrong_when_it_is_logged(lab, home, folder):
    run = MLTracer(home).start_run("r")
    (folder / "other").mkdir()
    (folder / "other" / "model.bin").write_text("other")
    run.log_output("model.bin")
    for wrong, field in (
        (lambda: run.log_metric("loss", "high"), "metrics.loss"),
        (lambda: run.log_metric("loss", 1, tolerance=-1), "metrics.loss"),
        (lambda: run.log_param("lr", 2**60), "parameters.lr"),
        (lambda: run.log_seed("s", {1, 2}), "seeds.s"),
        (lambda: run.log_input("nowhere.csv"), "inputs"),
        (lambda: run.log_input("data.csv", relation="cooked-from"), "relation"),
        (run.log_input, "inputs"),
        (lambda: run.log_output("other/model.bin"), "outputs"),
    ):
        with pytest.raises(InputError) as refused:
            wrong()
        assert field in refused.value.message
    assert (run.document.metrics, run.document.parameters, run.document.inputs) == ({}, {}, ())


def test_an_exception_is_recorded_without_its_secrets_and_raised_unchanged(lab, home):
    failure = ValueError(f"no access\npassword={TOKEN} to https://me:{TOKEN}@example.org")
    failure.__notes__ = ["kept"]
    with pytest.raises(ValueError, match="no access") as raised, MLTracer(home).start_run("r") as run:
        run.log_metric("loss", 1.5)
        raise failure
    assert raised.value is failure
    assert (failure.__cause__, failure.__context__, failure.__notes__) == (None, None, ["kept"])
    said = predicate(lab, run.recorded.manifest)
    assert said.status == "failed"
    assert said.error.startswith("ValueError")
    assert said.metrics["loss"].value == 1.5
    assert TOKEN.encode() not in lab.store.get_bytes(run.recorded.manifest)


def test_an_interrupt_is_a_failed_run_and_an_orderly_exit_is_not(lab, home):
    for error, status in ((KeyboardInterrupt(), "failed"), (SystemExit(3), "failed"), (SystemExit(0), "completed")):
        with pytest.raises(type(error)) as raised, MLTracer(home).start_run("r") as run:
            raise error
        assert raised.value is error
        assert predicate(lab, run.recorded.manifest).status == status


def test_parameters_that_look_like_secrets_are_masked(lab, home):
    tracer = MLTracer(home)
    run = tracer.start_run("r")
    with pytest.warns(RecordingWarning) as caught:
        run.log_params({"data": {"url": f"https://me:{TOKEN}@example.org"}, "hf_token": TOKEN, "tokens": 5})
    assert {str(one.message).split()[0] for one in caught} == {"parameters.data.url", "parameters.hf_token"}
    assert TOKEN not in str(run.document)
    assert run.document.parameters["tokens"] == 5
    tracer.update_experiment(model_config={"api_key": TOKEN})
    with pytest.warns(RecordingWarning, match=r"experiment\.modelConfig\.api_key"):
        transaction = tracer.write_to_blockchain()
    key, _ = run_of(lab, transaction)
    assert TOKEN.encode() not in lab.store.get_bytes(key.manifest)


def test_a_new_version_supersedes_the_old(lab, home, capsys):
    with MLTracer(home).start_run("v1") as first:
        assert str(first) == "run v1: running"
    # one line says what became of it, and print() says the same
    line = f"run v1 {first.recorded.id} is final, block {first.recorded.block}"
    assert (str(first), capsys.readouterr().err) == (line, f"{line}\n")
    with MLTracer(home).start_run("v2", supersedes=first.recorded.id) as second:
        pass
    [link] = lab.registry.find_record(second.recorded.id).key.parents
    assert (link.parent, link.relation) == (first.recorded.id, Relation.SUPERSEDES)


def test_without_the_role_the_training_does_not_start(lab, home):
    KeyStore(lab.home).create("stranger", devnet=True)
    before = nonce(lab)
    with pytest.raises(ContractRevert, match="recorder"), MLTracer(home, key="stranger", group=1).start_run("r"):
        pytest.fail("the block ran")
    assert nonce(lab) == before
    MLTracer(home, key="lab").start_run("r").begin()


def test_a_chain_that_is_away_leaves_the_run_in_the_outbox(lab, home):
    away = MLTracer(home, rpc=NOBODY)
    with pytest.warns(RecordingWarning) as caught, away.start_run("offline") as run:
        run.log_metric("accuracy", 0.9)
        run.log_input("data.csv")
    assert run.recorded.state == "stored"
    assert run.recorded.id in only_warning(caught)
    away.update_experiment(metrics={"accuracy": 0.8})
    pending = away.write_to_blockchain()
    assert isinstance(pending, Pending)
    assert away.write_to_blockchain() is pending
    assert not lab.registry.status(pending.record_id).exists
    with pytest.raises(ChainUnavailable):
        pending.wait(0)
    assert predicate(lab, run.recorded.manifest).not_before is None

    flushed = typed("outbox", "flush", home=home)
    assert flushed.returncode == 0, flushed.stderr
    for record_id in (run.recorded.id, pending.record_id):
        assert lab.registry.status(record_id).exists
    paid = nonce(lab)
    with MLTracer(home).start_run("online") as run:
        pass
    assert run.recorded.state == "final"
    assert nonce(lab) == paid + 1


def test_a_pending_run_waits_for_its_node(lab, home):
    url = lab.devnet.start().url
    lab.devnet.stop()
    try:
        tracer = MLTracer(home, rpc=url)
        tracer.update_experiment(metrics={"accuracy": 0.7})
        pending = tracer.write_to_blockchain()
        assert isinstance(pending, Pending)
    finally:
        assert lab.devnet.start().url == url
    transaction = pending.wait(60)
    assert tracer.get_transaction_details(transaction)["recordIds"] == [pending.record_id]
    assert pending.wait(0) == transaction


def test_what_a_template_refuses_is_kept_and_can_be_recorded_later(lab, home):
    before = nonce(lab)
    with pytest.warns(RecordingWarning) as caught:
        with MLTracer(home).start_run("r", template="classification") as run:
            run.log_input("data.csv")
            run.log_metric("accuracy", 1.5)
        result = "the training's"
    assert result
    assert nonce(lab) == before
    assert isinstance(run.problem, InputError)
    message = only_warning(caught)
    assert "metrics.accuracy" in message
    [kept] = [word for word in message.replace("`", " ").split() if word.endswith(".json")]
    found = load_run_document(kept)
    assert found == run.document
    assert found.metrics["accuracy"].value == 1.5


def test_a_failed_run_owes_its_template_nothing_that_it_did_not_come_to(lab, home):
    with pytest.raises(ZeroDivisionError), MLTracer(home).start_run("r", template="classification") as run:
        run.log_param("algorithm", "tree")
        run.log_output("model.bin", role="model")
        Path("model.bin").unlink()
        _ = 1 / 0
    said = predicate(lab, run.recorded.manifest)
    assert (said.status, said.error) == ("failed", "ZeroDivisionError: division by zero")
    assert said.outputs == ()


def program(text, *arguments, home, **more):
    Path("train.py").write_text("import sys\nfrom pathlib import Path\nfrom blockchaintracer import MLTracer\n" + text)
    environment = os.environ | {"BLOCKCHAINTRACER_HOME": str(home)} | more
    command = [sys.executable, "train.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_a_full_disk_costs_the_record_and_not_the_result(lab, home):
    before = nonce(lab)
    done = program(
        textwrap.dedent("""
        import resource
        with MLTracer().start_run("r") as run:
            run.log_metric("loss", 0.25)
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        print("result", run.recorded.state, run.document.metrics["loss"].value)
        try:
            with MLTracer().start_run("r") as run:
                raise LookupError("mine")
        except LookupError as error:
            print(error, error.__context__)
        """),
        home=home,
    )
    assert (done.returncode, done.stdout) == (0, "result not-recorded 0.25\nmine None\n"), done.stderr
    assert "is not recorded" in done.stderr
    assert nonce(lab) == before


TRAINING = textwrap.dedent("""
    tracer = MLTracer()
    tracer.seed_everything(int(sys.argv[1]))
    with tracer.start_run("traced") as run:
        run.log_metric("accuracy", 0.75, tolerance=0.5)
        run.log_metric("loss", 0.5)
        run.log_input("data.csv", relation="trained-on")
        run.log_output("model.bin", role="model")
        if len(sys.argv) > 2:
            raise ValueError("token=hunter2hunter2")
    """)


def test_under_record_the_program_leaves_the_recording_to_it(lab, home):
    Path("train.py").write_text("import sys\nfrom blockchaintracer import MLTracer\n" + TRAINING)
    done = verb("record", "--json", "--", sys.executable, "train.py", "7", home=home)
    assert done.returncode == 0, done.stderr
    records = json.loads(done.stdout)["records"]
    assert [record["kind"] for record in records] == ["dataset", "model", "run"]
    said = predicate(lab, records[-1]["manifest"])
    assert (said.name, said.metrics["accuracy"].tolerance.absolute, said.seeds["seed"]) == ("traced", 0.5, 7)
    assert said.code.arguments == ("train.py", "7")
    runs = [event.key.manifest for event in lab.registry.recorded() if event.key.kind == Kind.RUN]
    assert [predicate(lab, one).name for one in runs].count("traced") == 1


def test_under_record_a_failure_is_told_by_its_own_words(lab, home):
    Path("train.py").write_text("import sys\nfrom blockchaintracer import MLTracer\n" + TRAINING)
    done = verb("record", "--json", "--", sys.executable, "train.py", "7", "fail", home=home)
    assert done.returncode == 1
    said = predicate(lab, json.loads(done.stdout)["records"][-1]["manifest"])
    assert said.status == "failed"
    assert said.error.startswith("ValueError")
    assert TOKEN not in said.error


def test_a_run_file_holds_all_that_was_told_and_only_one_run(home, tmp_path):
    file = tmp_path / "run.json"
    done = program(
        textwrap.dedent("""
        tracer = MLTracer(rpc="http://127.0.0.1:9")
        tracer.update_experiment(
            model_config={"depth": 3, "none": None}, metrics={"a": {"value": 1, "tolerance": None}, "b": 2},
            model_path="model.bin", git_commit="0123abcd", timestamp=0,
        )
        pending = tracer.write_to_blockchain()
        print(pending.record_id, pending.run_file)
        with tracer.start_run("second"):
            pass
        """),
        home=home,
        **{RUN_FILE: str(file)},
    )
    assert (done.returncode, done.stdout) == (0, f"None {file}\n"), done.stderr
    assert "one run in a program" in done.stderr
    document = load_run_document(file)
    assert document.recorded_metrics()["a"].tolerance is None
    assert document.recorded_metrics()["b"].tolerance is not None
    assert document.experiment.model_configuration == {"depth": 3, "none": None}
    assert document.experiment.declared_commit == "0123abcd"
    assert document.declared_timestamp == "1970-01-01T00:00:00Z"
    assert [(Path(one.path).name, one.role) for one in document.outputs] == [("model.bin", "model")]


def test_own_command_line_is_recorded_so_that_it_can_run_again(lab, home):
    script = Path("train.py").resolve()
    script.write_text(
        "from blockchaintracer import MLTracer\n"
        "with MLTracer().start_run('r') as run:\n    pass\nprint(run.recorded.manifest)\n"
    )
    found = []
    for command in ([script, "--lr", "1", f"--password={TOKEN}"], ["-c", script.read_text()]):
        environment = os.environ | {"BLOCKCHAINTRACER_HOME": str(home)}
        done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=True, env=environment)
        found.append(predicate(lab, done.stdout.strip()).code)
    assert (found[0].entry_point, found[0].arguments) == ("python", ("train.py", "--lr", "1", "--password=***"))
    assert (found[1].entry_point, found[1].arguments) == (None, ())


def test_one_dictionary_is_one_run(lab, home):
    tracer = BlockchainTracer(home=home)
    first = tracer.track_experiment({"name": "one", "parameters": {"lr": 1}, "metrics": {"a": 1}})
    second = tracer.track_experiment({"name": "two", "metrics": {"b": 2}, "model_path": "model.bin"})
    _, one = run_of(lab, first)
    _, two = run_of(lab, second)
    assert (one.name, one.parameters, set(one.metrics), one.outputs) == ("one", {"lr": 1}, {"a"}, ())
    assert (two.name, two.parameters, set(two.metrics), len(two.outputs)) == ("two", {}, {"b"}, 1)


@pytest.mark.parametrize(
    ("data", "says"),
    [({"metric": {}}, "metric: expected no field"), ({"metrics": {"a": "high"}}, "metrics.a"), ([], "dictionary")],
)
def test_a_dictionary_that_is_wrong_names_its_field(lab, home, data, says):
    before = nonce(lab)
    with pytest.raises(InputError, match=says):
        BlockchainTracer(home=home).track_experiment(data)
    assert nonce(lab) == before


@pytest.mark.skipif(importlib.util.find_spec("mlflow") is not None, reason="MLflow is installed")
def test_mlflow_is_asked_for_and_not_there():
    with pytest.raises(InputError, match=r"pip install 'blockchaintracer\[mlflow\]'"):
        BlockchainTracer(use_mlflow=True)


@pytest.mark.skipif(importlib.util.find_spec("mlflow") is None, reason="MLflow is not installed")
def test_the_active_mlflow_run_is_recorded(lab, home, folder):
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    tracer = BlockchainTracer(use_mlflow=True, home=home)
    with mlflow.start_run():
        mlflow.log_param("lr", 0.5)
        mlflow.log_metric("accuracy", 0.5)
        _, said = run_of(lab, tracer.track_experiment({"metrics": {"loss": 1}}))
    assert said.parameters == {"lr": "0.5"}
    assert {name: metric.value for name, metric in said.metrics.items()} == {"accuracy": 0.5, "loss": 1}


def test_the_package_loads_nothing_until_a_tracer_is_asked_for():
    code = (
        "import sys, blockchaintracer as b; heavy = {'web3', 'pydantic', 'eth_account', 'blockchaintracer.lab.tracer'};"
        "print(sorted(heavy & set(sys.modules)), b.MLTracer.__module__, hasattr(b, 'Nothing'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[] blockchaintracer.lab.tracer False\n"


def test_the_example_is_recorded(lab, home, folder):
    pytest.importorskip("sklearn")
    example = ROOT / "examples" / "tracer" / "train.py"
    assert len(example.read_text().splitlines()) < 30
    environment = os.environ | {"BLOCKCHAINTRACER_HOME": str(home)}
    done = subprocess.run([sys.executable, example], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    record_id = done.stdout.split()[-1]
    said = predicate(lab, lab.registry.find_record(record_id).key.manifest)
    assert (said.name, said.status, said.template.name) == ("iris classifier", "completed", "classification")
    assert said.metrics["accuracy"].value > 0.8
    history = json.loads(lab.store.get_bytes(said.metrics["loss"].history.sha256))
    assert [point["step"] for point in history] == list(range(100))


def test_a_plan_is_sealed_and_revealed(lab, home, folder):
    plan = folder / "plan.md"
    plan.write_text(f"threshold 8 {os.urandom(4).hex()}\n")
    tracer = MLTracer(home)
    seal = tracer.seal(plan)
    assert tracer.seal(plan).commitment == seal.commitment
    shown = MLTracer(home).reveal(seal.commitment)
    status = lab.registry.status(shown.record_id)
    assert (status.kind, status.sealed_at) == (Kind.PLAN, seal.time)
    assert shown.unrevealed == 0
    with pytest.raises(InputError, match="recorded already"):
        tracer.seal(plan)
    with pytest.raises(InputError, match="expected a file or folder"):
        tracer.seal(folder / "nowhere")


def test_what_a_run_read_is_what_it_was_when_it_was_logged(lab, home, folder):
    import numpy as np
    from sklearn.linear_model import LinearRegression

    table, result = folder / "table.csv", folder / "result.txt"
    table.write_text("first")
    result.write_text("first")
    with pytest.warns(RecordingWarning) as warned, MLTracer(home=home).start_run() as run:
        run.log_input(table, name="table")
        run.log_output(result)
        for last in (1, 2):
            log_dataset(run, np.array([1, last]), "fold")
            log_estimator(run, LinearRegression(positive=last == 2).fit([[0], [1]], [0, last]))
        table.write_text("second")
        result.write_text("second")
        with pytest.raises(InputError, match="was logged before, and has changed since"):
            run.log_input(table, name="table")
    assert {str(one.message).partition("changed after it was logged: ")[2] for one in warned} == {
        "it is recorded as it was logged",
        "it is recorded as it is now",
    }
    said = parse_manifest(lab.store.get_bytes(run.recorded.manifest)).predicate
    inputs = {entry.name: entry.sha256 for entry in said.inputs}
    assert inputs["table.csv"] == hashlib.sha256(b"first").hexdigest()
    assert lab.store.get_bytes(inputs["table.csv"]) == b"first"
    assert inputs.keys() == {"table.csv", "fold.dataset.json", "fold-2.dataset.json"}
    assert len(set(inputs.values())) == 3
    outputs = {entry.artifact.path: entry.artifact.sha256 for entry in said.outputs}
    assert outputs["result.txt"] == hashlib.sha256(b"second").hexdigest()
    assert {"model.joblib", "model-2.joblib", "model.state.json", "model-2.state.json"} <= outputs.keys()
    assert [said.parameters[name]["parameters"]["positive"] for name in ("model", "model-2")] == [False, True]
