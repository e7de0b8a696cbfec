"""A recorded MLflow run in the formats of others, and reported on, by its record or by MLflow's own id."""

import hashlib
import subprocess
from pathlib import Path

import mlflow
import pytest
from click.testing import CliRunner

from blockchaintracer import DocumentationTracer, MLflowBlockchainTracer
from blockchaintracer.cli import main
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import Link, Relation
from blockchaintracer.extras.exports.export import export
from blockchaintracer.extras.mlflow.recorder import record_run
from blockchaintracer.extras.mlflow.run_checks import verify_run
from blockchaintracer.extras.mlflow_reader.snapshot import client_of
from blockchaintracer.extras.report import gather, named_record
from blockchaintracer.lab.outbox import Op
from tests.support.labs import second_lab


@pytest.fixture
def recorded(home, store):
    """A run with artifacts and a model; MLflow's id and the record's."""
    Path("notes.txt").write_text("as it was\n")
    tracer = MLflowBlockchainTracer(home=home, background=False)
    with tracer.start_run(run_name="fit") as run:
        mlflow.log_metric("accuracy", 0.9)
        mlflow.log_artifact("notes.txt", "sub")
        info = mlflow.pyfunc.log_model(name="net", python_model=lambda model_input: model_input, pip_requirements=[])
        mlflow.log_params({"algorithm": "none", "model_version": "1"})
    tracer.flush()
    return run.info.run_id, tracer.recorded.id, info.model_id


def test_all_files_of_a_run_are_exported(lab, recorded, folder):
    _, record, model = recorded
    sums = folder / "copy" / "SHA256SUMS"
    done = export(lab, record, "sha256sums", sums, with_files=True)
    assert done.notes == ()
    checked = subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=sums.parent, check=False)
    assert checked.returncode == 0
    paths = {line.partition("  ")[2] for line in sums.read_text().splitlines()}
    assert {"outputs/artifacts/sub/notes.txt", "outputs/mlflow/run.json", "outputs/mlflow/metrics.jsonl"} <= paths
    assert {f"outputs/models/{model}/MLmodel", f"outputs/models/{model}/python_model.pkl"} <= paths
    assert not [path for path in paths if path.endswith("SHA256SUMS")]
    assert (sums.parent / "outputs/artifacts/sub/notes.txt").read_text() == "as it was\n"
    export(lab, record, "ro-crate", folder / "crate")
    assert {str(path.relative_to(folder / "crate")) for path in (folder / "crate" / "outputs").rglob("*.*")} <= paths
    assert hashlib.sha256(b"as it was\n").hexdigest() in (folder / "crate/ro-crate-metadata.json").read_text()


def test_a_model_that_is_registered_later_alters_no_run(lab, recorded):
    run, _, model = recorded
    mlflow.register_model(f"models:/{model}", "registered later")
    assert "mlflow.modelVersions" in mlflow.get_logged_model(model).tags
    report = verify_run(lab, run)
    assert report.verified, report.failed
    mlflow.set_logged_model_tags(model, {"quality": "best"})
    [check] = verify_run(lab, run).failed
    assert check.name == "mlflow model net"


def test_a_run_is_named_by_mlflows_id(lab, home, recorded, folder):
    run, record, _ = recorded
    called = CliRunner(env={"BLOCKCHAINTRACER_HOME": str(home)}).invoke
    done = called(main, ["export-as", "in-toto", f"mlflow:{run}", "-o", "statement.json"])
    assert done.exit_code == 0, done.output
    assert (
        hashlib.sha256(Path("statement.json").read_bytes()).hexdigest() == lab.registry.find_record(record).key.manifest
    )
    done = called(main, ["report", f"mlflow:{run}", "--format", "html", "-o", "out"])
    assert done.exit_code == 0, done.output
    assert record in Path("out/report.html").read_text()
    assert called(main, ["report", "history", f"mlflow:{run}"]).exit_code == 0
    assert named_record(lab, record) == record
    refused = called(main, ["report", "mlflow:0a1b", "-o", "no"])
    assert refused.exit_code == 2
    assert "got none of '0a1b'" in refused.output
    made = DocumentationTracer(f"mlflow:{run}", home=home).generate_documentation()
    assert made.facts.missing == ("dataset", "preprocessing", "validation", "limitations")
    assert str(made.model_card).count("MISSING") == 4
    with pytest.raises(InputError, match="got no dataset, preprocessing, validation, limitations") as missing:
        made.save("docs", ["model-card"])
    assert "DocumentationTracer(…, preprocessing=" in missing.value.hint


def test_who_else_records_a_run_of_that_name_is_not_taken_for_it(lab, recorded, folder):
    run, record, _ = recorded
    other = second_lab(lab, folder / "other")
    theirs = record_run(other, client_of(None), run)
    assert lab.registry.find_record(theirs.id).key.subject == lab.registry.find_record(record).key.subject
    assert named_record(lab, f"mlflow:{run}") == record
    assert gather(lab, named_record(lab, f"mlflow:{run}")).asked.record.group == lab.group()
    third = second_lab(lab, folder / "third", "A third lab")
    with pytest.raises(InputError, match="several"):
        named_record(third, f"mlflow:{run}")


def test_a_stranger_who_supersedes_the_record_of_an_altered_run_does_not_hide_it(lab, recorded, folder, monkeypatch):
    run, record, _ = recorded
    mlflow.MlflowClient().log_metric(run, "accuracy", 0.99)
    other = second_lab(lab, folder / "other")
    [entry] = lab.outbox.entries_about(record, Op.RECORD)
    other.store.put_bytes(lab.store.get_bytes(entry.write.key.manifest))
    with monkeypatch.context() as patch:
        patch.setattr("blockchaintracer.extras.mlflow.recorder.own_records", lambda *_: [entry])
        theirs = record_run(other, client_of(None), run)
    assert Link(record, Relation.SUPERSEDES) in lab.registry.find_record(theirs.id).key.parents
    assert "mlflow metric accuracy" in {check.name for check in verify_run(lab, run).failed}
