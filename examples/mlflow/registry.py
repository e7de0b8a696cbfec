"""Records a registered model, its champion and its deployments, and reads the trail: python examples/mlflow/registry.py

Needs a registry and a group: blockchaintracer deploy --open; blockchaintracer group create "My lab"
"""

import json
import subprocess
import sys
from hashlib import sha256

import mlflow
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression

from blockchaintracer import open_lab
from blockchaintracer.mlflow import record_deployment, record_registered_model

mlflow.set_tracking_uri("sqlite:///mlflow.db")
lab, client = open_lab(), mlflow.MlflowClient()
features, labels = load_wine(return_X_y=True)
for strength in (0.01, 1.0):
    model = LogisticRegression(C=strength, max_iter=5000).fit(features, labels)
    options = {"registered_model_name": "wine", "pip_requirements": ["scikit-learn"]}
    made = mlflow.sklearn.log_model(model, name="wine", **options)
    client.set_registered_model_alias("wine", "champion", made.registered_model_version)
    for record in record_registered_model(lab, "wine"):
        print(f"{'known' if record.existing else 'new  '}  {record.name}: {record.id[:12]}")
    record_deployment(lab, "production", "wine@champion", values={"accuracy": model.score(features, labels)})

# anyone who knows the name of the place finds all that was deployed there, and what each was made from
PROGRAM = [sys.executable, "-m", "blockchaintracer"]
subject = sha256(b"mlflow-deployment:production").hexdigest()
printed = subprocess.check_output([*PROGRAM, "query", "--subject", subject, "--ascending", "--json"])
trail = json.loads(printed)["records"]
for row in trail:
    print(f"trail  {row['name']}: {row['id'][:12]}, block {row['block']}")
printed = subprocess.check_output([*PROGRAM, "lineage", trail[-1]["id"], "--json"])
above = {node["name"] for node in json.loads(printed)["nodes"] if node["depth"] < 0 and node["name"]}
print("stands on", *sorted(above), sep="\n  ")
