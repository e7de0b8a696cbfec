"""MLflow's own autolog of PyTorch, by Lightning, together with ours: what MLflow logs by itself is in the record."""

import lightning.pytorch as L
import mlflow
import pytest

import blockchaintracer.mlflow as sealed
from blockchaintracer.extras.mlflow.mlflow_tracer import _recording
from blockchaintracer.extras.mlflow.recorder import Target
from tests.live.frameworks.test_lightning import Module, loader


@pytest.fixture
def logging():
    mlflow.pytorch.autolog()
    yield
    mlflow.pytorch.autolog(disable=True)


def test_a_lightning_training_that_mlflow_logs_is_recorded(recorded, logging, tmp_path):
    with mlflow.start_run() as run:
        L.Trainer(
            max_epochs=2, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
            enable_checkpointing=False, default_root_dir=tmp_path,
        ).fit(Module(lr=0.05), loader(), loader())  # fmt: skip
    run_id = run.info.run_id
    logged = mlflow.get_run(run_id).data
    assert "val_loss" in logged.metrics
    said = recorded.said_of(_recording.recorded[run_id])
    assert said.status == "completed"
    assert said.metrics["val_loss"].value == logged.metrics["val_loss"]
    assert logged.params.items() <= {name: str(value) for name, value in said.parameters.items()}.items()
    assert said.parameters["lr"] == 0.05
    sealed.flush(Target(home=str(recorded.lab.home.path)))
    assert sealed.verify_run(recorded.lab, run_id).verified
    mlflow.MlflowClient().log_metric(run_id, "val_loss", 0.0, step=99)
    assert "mlflow metric val_loss" in {check.name for check in sealed.verify_run(recorded.lab, run_id).failed}
