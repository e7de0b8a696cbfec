"""Trains a classifier of iris flowers and records the run: python examples/tracer/train.py"""

from pathlib import Path

import joblib
import sklearn
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from blockchaintracer import MLTracer

tracer = MLTracer()
tracer.seed_everything(7)
with tracer.start_run("iris classifier", template="classification") as run:
    settings = {"algorithm": "MLPClassifier", "test_fraction": 0.25, "epochs": 100}
    run.log_params(settings)
    run.log_input(Path(sklearn.__file__).parent / "datasets" / "data" / "iris.csv", relation="trained-on")
    features, labels = load_iris(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(features, labels, test_size=settings["test_fraction"])
    model = MLPClassifier(learning_rate_init=0.01)
    for epoch in range(settings["epochs"]):
        model.partial_fit(x_train, y_train, classes=[0, 1, 2])
        run.log_metric("loss", model.loss_, tolerance=0.01, step=epoch)
    joblib.dump(model, "model.joblib")

    run.log_output("model.joblib", role="model")
    run.log_metric("accuracy", model.score(x_test, y_test), tolerance=0.01)
print(f"recorded as {run.recorded.id}" if run.recorded else f"{run.recorded.state}: {run.problem}")
