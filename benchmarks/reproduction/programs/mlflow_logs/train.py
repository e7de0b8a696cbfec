import csv
import random

import mlflow

random.seed(5)
mlflow.set_experiment("decay")
with open("decay.csv") as file:
    rows = [(float(t), float(n)) for t, n in list(csv.reader(file))[1:]]

with mlflow.start_run():
    mlflow.log_params({"background": 20.0, "rounds": 25})
    for step in range(25):
        sample = random.choices(rows, k=len(rows))
        area = sum(n - 20.0 for _, n in sample) / len(sample)
        mlflow.log_metric("area", area, step=step)
    mlflow.log_metric("mean_count", sum(n for _, n in rows) / len(rows))
    mlflow.set_tag("kind", "bootstrap")
