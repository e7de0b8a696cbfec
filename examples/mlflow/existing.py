"""Records the runs of an MLflow store from before, all by one transaction: python examples/mlflow/existing.py

Needs a registry and a group: blockchaintracer deploy --open; blockchaintracer group create "My lab"
"""

import json
import subprocess
import sys
from pathlib import Path

import mlflow

from blockchaintracer import open_lab
from blockchaintracer.mlflow import export_run, verify_run

PROGRAM, STORE = [sys.executable, "-m", "blockchaintracer"], f"sqlite:///{Path('mlflow.db').resolve()}"
mlflow.set_tracking_uri(STORE)
mlflow.set_experiment("from before")
for rate in (0.1, 0.01, 0.001):  # nobody thought of records then
    with mlflow.start_run(run_name=f"rate {rate}"):
        mlflow.log_param("rate", rate)
        for step in range(3):
            mlflow.log_metric("loss", rate / (step + 1), step=step)
        mlflow.log_text(f"trained with {rate}\n", "notes.txt")

command = [*PROGRAM, "mlflow", "import", "--experiment", "from before", "--tracking-uri", STORE, "--json"]
imported = json.loads(subprocess.check_output(command))
batch, (first, second, _) = imported["batch"], imported["runs"]
print(f"anchored   {batch['count']} runs under {batch['root']}, block {batch['block']}")

lab = open_lab()
print(f"verified   {first['name']}: {verify_run(lab, first['runId']).verified}")
mlflow.MlflowClient().log_metric(second["runId"], "loss", 0.0, step=1)
print(f"altered    {second['name']}: {verify_run(lab, second['runId']).failed[0].detail}")

printed = subprocess.check_output([*PROGRAM, "materialize", first["recorded"]["id"], "--json"])
stored = json.loads(printed)["records"][-1]
print(f"stored     {stored['id']}, with the batch's time: {stored['time'] == batch['time']}")
rebuilt = mlflow.get_run(export_run(lab, stored["id"], experiment="rebuilt"))
print(f"rebuilt    {rebuilt.info.run_name}: {rebuilt.data.params} {rebuilt.data.metrics}")
