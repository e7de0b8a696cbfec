"""Compares runs over seeds, and proves them to somebody who has only a file: python examples/query/compare.py

Needs a registry and a group: blockchaintracer deploy --open; blockchaintracer group create "My lab"
"""

import json
import subprocess
import sys
from pathlib import Path

from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.tree import DecisionTreeClassifier

from blockchaintracer import MLTracer, verify_bundle

tracer = MLTracer()
data = load_wine(return_X_y=True)
for depth in (1, 4):
    for seed in range(5):
        with tracer.start_run(f"depth {depth}, seed {seed}") as run:
            x_train, x_test, y_train, y_test = train_test_split(*data, test_size=0.5, random_state=seed)
            model = DecisionTreeClassifier(max_depth=depth, random_state=seed).fit(x_train, y_train)
            run.log_params({"study": "wine trees", "depth": depth})
            run.log_seed("sklearn", seed)
            run.log_metric("accuracy", model.score(x_test, y_test))

PROGRAM = [sys.executable, "-m", "blockchaintracer"]
which = ["--where", "params.study = 'wine trees' and metrics.accuracy > 0", "--by", "params.depth"]
found = json.loads(subprocess.check_output([*PROGRAM, "compare", *which, "--plot", "accuracy.svg", "--json"]))
for row in found["statistics"]["summaries"]:
    print(f"{row['group']}: accuracy {row['mean']:.3f}, {row['low']:.3f} to {row['high']:.3f} (n = {row['n']})")
for test in found["statistics"]["tests"]:
    compared = f"{test['group']} against {test['baseline']}: {test['difference']:+.3f}"
    print(f"{compared}, p = {test['adjusted']:.4f} by {test['n']} pairs")

subprocess.check_call([*PROGRAM, "export-proof", *(run["id"] for run in found["runs"]), "-o", "runs.proof"])
found = verify_bundle(Path("runs.proof").read_bytes())  # without a network: name a chain in `Trust` to verify it
print(f"{found.conclusion}: {len(found.bundle.records)} runs of chain {found.bundle.chain_id}")
