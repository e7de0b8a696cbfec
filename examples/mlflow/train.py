"""Trains with MLflow, records the run, tampers with it, detects that, documents it: python examples/mlflow/train.py"""

import mlflow
import pandas as pd
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression

import blockchaintracer.mlflow as sealed
from blockchaintracer import DocumentationTracer

mlflow.set_tracking_uri("sqlite:///mlflow.db")
load_wine(as_frame=True).frame.to_csv("wine.csv", index=False)
wine = pd.read_csv("wine.csv")

tracer = sealed.MLflowBlockchainTracer(experiment="wine")
with tracer.start_run(run_name="wine classifier") as run:  # train and record
    mlflow.log_input(mlflow.data.from_pandas(wine, source="wine.csv", targets="target"), context="training")
    model = LogisticRegression(max_iter=5000).fit(wine.drop(columns="target"), wine["target"])
    mlflow.log_params({"algorithm": "LogisticRegression", "max_iter": 5000})
    mlflow.log_metric("training_accuracy", model.score(wine.drop(columns="target"), wine["target"]))
    mlflow.sklearn.log_model(model, name="model")
tracer.flush()
print("verified" if tracer.verify().verified else "not verified")

mlflow.MlflowClient().log_metric(run.info.run_id, "training_accuracy", 1.0)  # tamper, and detect
print(*(f"{check.name}: {check.detail}" for check in tracer.verify().failed), sep="\n")

about = {"model_version": "1", "limitations": "178 wines", "preprocessing": "none", "validation": "none"}
DocumentationTracer(tracer.recorded, fields=about).generate_documentation().model_card.save("model-card.md")
