"""What people write with the tracers, as they write it, beside MLflow."""

import subprocess
from pathlib import Path

import mlflow
import openpyxl
import pytest

from blockchaintracer import BlockchainTracer, DocumentationTracer, MLflowBlockchainTracer, MLTracer
from blockchaintracer.core.record import Kind
from blockchaintracer.extras.mlflow.recorder import run_of
from blockchaintracer.lab.outbox import Op


@pytest.fixture(autouse=True)
def quiet(home, store, monkeypatch):
    monkeypatch.setattr("blockchaintracer.extras.mlflow.mlflow_tracer.flush_aside", lambda target: None)


def newest(lab):
    """What the lab recorded last."""
    keys = [entry.write.key for entry in lab.outbox.entries(lab.chain_id, Op.RECORD)]
    return run_of(lab, [key.manifest for key in keys if key.kind == Kind.RUN][-1])


def get_current_commit():
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "0" * 40


def test_inside_an_mlflow_run(lab, home, folder):
    Path("mlruns").mkdir()
    tracer = MLTracer(home=home)
    with mlflow.start_run() as run:
        mlflow.log_params({"depth": 3})
        mlflow.log_metrics({"accuracy": 0.9})
        run_id = run.info.run_id
        Path(f"mlruns/{run_id}/artifacts").mkdir(parents=True)
        Path(f"mlruns/{run_id}/artifacts/model").write_bytes(b"weights")
        run_info = mlflow.get_run(run_id)
        tracer.update_experiment(
            model_config=run_info.data.params,
            metrics=run_info.data.metrics,
            model_path=f"mlruns/{run_id}/artifacts/model",
            additional_info={"mlflow_run_id": run_id},
        )
        assert tracer.write_to_blockchain().startswith("0x")
    said = newest(lab)
    assert (said.experiment.to_json()["modelConfig"], said.metrics["accuracy"].value) == ({"depth": "3"}, 0.9)


def test_with_a_commit_and_a_time(lab, home):
    params, results, block_timestamp = {"depth": 3}, {"accuracy": 0.9}, 1_700_000_000
    tracer = MLTracer(home=home)
    tracer.update_experiment(
        model_config=params, metrics=results, git_commit=get_current_commit(), timestamp=block_timestamp
    )
    assert tracer.write_to_blockchain().startswith("0x")
    assert newest(lab).declared_timestamp == "2023-11-14T22:13:20Z"


class AutomatedTracer(MLTracer):
    """A class of the user's own."""

    def start_run(self, run_name=None, **named):
        run = mlflow.start_run(run_name=run_name, **named)
        self.update_experiment(additional_info=self._collect_automated_metadata())
        return run

    def _collect_automated_metadata(self):
        return {"mlflow_run_id": mlflow.active_run().info.run_id, "commit": get_current_commit()}

    def end_run(self):
        run = mlflow.get_run(mlflow.active_run().info.run_id)
        self.update_experiment(model_config=run.data.params, metrics=run.data.metrics)
        transaction = self.write_to_blockchain()
        mlflow.end_run()
        return transaction


def test_a_class_of_the_users_own(lab, home):
    tracer = AutomatedTracer(home=home)
    for accuracy in (0.8, 0.9):
        with tracer.start_run(run_name="automated"):
            mlflow.log_param("depth", 3)
            mlflow.log_metric("accuracy", accuracy)
            assert tracer.end_run().startswith("0x")
        assert newest(lab).metrics["accuracy"].value == accuracy
        assert newest(lab).experiment.additional_info["mlflow_run_id"]
    assert MLTracer.end_run(tracer) is None


def test_a_run_in_a_with_block_and_one_that_is_started_plainly(lab, home):
    tracer = MLflowBlockchainTracer(home=home, background=False)
    assert not tracer.recorded
    with tracer.start_run():
        mlflow.log_metrics({"accuracy": 0.8})
    assert newest(lab).metrics["accuracy"].value == 0.8
    run = tracer.start_run()
    mlflow.log_metrics({"accuracy": 0.9})
    recorded = tracer.end_run()
    assert (recorded, run_of(lab, recorded.manifest).metrics["accuracy"].value) == (tracer.recorded, 0.9)
    assert mlflow.get_run(run.info.run_id).info.status == "FINISHED"
    assert mlflow.active_run() is None


def test_documentation(lab, home):
    tracer = DocumentationTracer(home=home)
    with tracer.start_run() as run:
        run.log_param("depth", 3)
        run.log_metric("accuracy", 0.9)
    docs = tracer.generate_documentation()
    docs["model_card"].save("model_card.md")
    docs["experiment_sheet"].to_excel("experiments.xlsx")
    docs["experiment_sheet"].to_csv("experiments.csv")
    assert docs["blockchain_verification"]["status"] == "verified"
    card = Path("model_card.md").read_text()
    assert "| Preprocessing | MISSING | neither recorded nor declared |" in card
    assert "MISSING (neither recorded nor declared)" in card.partition("## Limitations")[2]
    assert "accuracy" in Path("experiments.csv").read_text()
    assert openpyxl.load_workbook("experiments.xlsx").active.max_row == 2


def test_one_dictionary_outside_and_inside_an_mlflow_run(lab, home):
    tracer = BlockchainTracer(use_mlflow=True, home=home)
    data = {"name": "one", "parameters": {"depth": 3}, "metrics": {"accuracy": 0.9}}
    assert tracer.track_experiment(data).startswith("0x")
    [made] = mlflow.search_runs(output_format="list")
    assert (made.info.run_name, made.data.params, made.data.metrics) == ("one", {"depth": "3"}, {"accuracy": 0.9})
    assert made.info.status == "FINISHED"
    with mlflow.start_run():
        mlflow.log_metric("loss", 0.1)
        assert tracer.track_experiment(data).startswith("0x")
    assert set(newest(lab).metrics) == {"accuracy", "loss"}
    assert len(mlflow.search_runs(output_format="list")) == 2
