"""TensorFlow itself: its seeds, what is said of it, and MLflow's autolog of it together with ours."""

import keras
import mlflow
import pytest
import tensorflow as tf

import blockchaintracer.mlflow as sealed
from blockchaintracer.extras.mlflow.mlflow_tracer import _recording
from blockchaintracer.extras.mlflow.recorder import Target
from blockchaintracer.lab.capture.interpreter import capture_environment
from blockchaintracer.lab.capture.random_seeds import seed_everything
from tests.live.frameworks.test_keras import DATA, network


@pytest.fixture
def logging():
    mlflow.tensorflow.autolog()
    yield
    mlflow.tensorflow.autolog(disable=True)


def test_a_seed_decides_what_tensorflow_draws():
    drawn = []
    for seed in (7, 7, 8):
        told = seed_everything(seed)
        assert "tensorflow" in told["seeded"]
        drawn.append(tf.random.normal((4,)).numpy().tolist())
    assert drawn[0] == drawn[1] != drawn[2]


def test_what_runs_is_said():
    packages = capture_environment()["packages"]
    assert tf.__version__ in (packages.get("tensorflow"), packages.get("tensorflow-cpu"))
    assert packages["keras"] == keras.__version__


def test_a_training_that_mlflow_logs_is_recorded(recorded, logging):
    with mlflow.start_run() as run:
        network().fit(DATA, DATA.sum(1), epochs=2, verbose=0)
    run_id = run.info.run_id
    logged = mlflow.get_run(run_id).data
    said = recorded.said_of(_recording.recorded[run_id])
    assert said.status == "completed"
    assert said.metrics["loss"].value == logged.metrics["loss"]
    assert said.parameters["epochs"] == 2
    assert said.parameters["opt_learning_rate"] == pytest.approx(0.05)
    [model] = [one.artifact.path for one in said.outputs if one.role == "model"]
    assert model.startswith("models/")
    sealed.flush(Target(home=str(recorded.lab.home.path)))
    assert sealed.verify_run(recorded.lab, run_id).verified
