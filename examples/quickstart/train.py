"""Trains a classifier on the Wisconsin breast cancer data and tells what it found in a run document.

It knows nothing of who runs it or who records it: `python train.py --data breast_cancer.csv --out results`.
"""

import argparse
import csv
import json
import os
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

TEST_SHARE = 0.3
STRENGTH = 1.0


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Features (569, 30) and labels (569,), 1 for benign, from the file that scikit-learn ships."""
    with path.open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    values = np.array(rows, dtype=float)
    return values[:, :-1], values[:, -1].astype(int)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="breast_cancer.csv, as scikit-learn ships it")
    parser.add_argument("--out", type=Path, required=True, help="folder for the model and the predictions")
    parser.add_argument("--seed", type=int, default=7, help="of the split and of the optimiser")
    arguments = parser.parse_args()

    features, labels = read(arguments.data)
    train, test = train_test_split(
        np.arange(len(labels)), test_size=TEST_SHARE, random_state=arguments.seed, stratify=labels
    )
    model = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, random_state=arguments.seed, max_iter=1000))
    model.fit(features[train], labels[train])
    probability = model.predict_proba(features[test])[:, 1]

    arguments.out.mkdir(parents=True, exist_ok=True)
    scaler, classifier = model[0], model[1]
    coefficients = {
        "mean": scaler.mean_.tolist(),
        "scale": scaler.scale_.tolist(),
        "weights": classifier.coef_[0].tolist(),
        "intercept": classifier.intercept_.tolist(),
    }
    (arguments.out / "model.json").write_text(json.dumps(coefficients, indent=1) + "\n")
    predictions = [[int(index), round(float(value), 12)] for index, value in zip(test, probability, strict=True)]
    (arguments.out / "predictions.json").write_text(json.dumps(predictions) + "\n")

    # the last digits of a sum depend on the processor: one part in a million is far below any finding
    exact_enough = {"relative": 1e-6}
    metrics = {
        "accuracy": accuracy_score(labels[test], probability > 0.5),
        "roc_auc": roc_auc_score(labels[test], probability),
        "log_loss": log_loss(labels[test], probability),
    }
    document = {
        "schema": 1,
        "name": "breast cancer classifier",
        "description": "Logistic regression on standardised features, Wisconsin diagnostic breast cancer data.",
        "parameters": {"model": "logistic regression", "C": STRENGTH, "test_share": TEST_SHARE},
        "seeds": {"split and optimiser": arguments.seed},
        "metrics": {name: {"value": float(value), "tolerance": exact_enough} for name, value in metrics.items()},
        "inputs": [{"path": str(arguments.data.resolve()), "name": "breast_cancer.csv", "relation": "trained-on"}],
        "outputs": [
            {"path": str((arguments.out / "model.json").resolve()), "role": "model"},
            {"path": str((arguments.out / "predictions.json").resolve()), "role": "predictions"},
        ],
    }
    run_file = Path(os.environ.get("BLOCKCHAINTRACER_RUN_FILE", arguments.out / "run.json"))
    run_file.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
