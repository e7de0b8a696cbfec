"""Records the runs of an MLflow store from before, all by one transaction: python examples/mlflow/existing.py

Needs a registry and a group: blockchaintracer deploy --open; blockchaintracer group create "My lab"
"""

import mlflow

from blockchaintracer.extras.mlflow.import_export import tell_anchored
from blockchaintracer.lab.batches import anchor, materialize
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.mlflow import export_run, import_runs, verify_run

mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.set_experiment("from before")
for rate in (0.1, 0.01, 0.001):  # nobody thought of records then
    with mlflow.start_run(run_name=f"rate {rate}"):
        mlflow.log_param("rate", rate)
        for step in range(3):
            mlflow.log_metric("loss", rate / (step + 1), step=step)
        mlflow.log_text(f"trained with {rate}\n", "notes.txt")

lab = Lab(Home())
imported = import_runs(lab, experiments=["from before"])
batch = anchor(lab)
tell_anchored(lab, imported, None, batch)
print(f"anchored   {batch.count} runs under {batch.root}, block {batch.block}")

first, second = imported[0], imported[1]
print(f"verified   {first.name}: {verify_run(lab, first.run_id).verified}")
mlflow.MlflowClient().log_metric(second.run_id, "loss", 0.0, step=1)
print(f"altered    {second.name}: {verify_run(lab, second.run_id).failed[0].detail}")

stored = materialize(lab, first.recorded.id)[-1]
print(f"stored     {stored.id}, with the batch's time: {stored.time == batch.time}")
rebuilt = mlflow.get_run(export_run(lab, stored.id, experiment="rebuilt"))
print(f"rebuilt    {rebuilt.info.run_name}: {rebuilt.data.params} {rebuilt.data.metrics}")
