"""Compares runs over seeds, and proves them to somebody who has only a file: python examples/query/compare.py

Needs a registry and a group: blockchaintracer deploy --open; blockchaintracer group create "My lab"
"""

from pathlib import Path

from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.tree import DecisionTreeClassifier

from blockchaintracer import MLTracer
from blockchaintracer.extras.compare.compare_records import compare_records, write_plot
from blockchaintracer.lab.bundle.export_proof import export_proof, verify_proof
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home

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

lab = Lab(Home())
found = compare_records(lab, [], where="params.study = 'wine trees' and metrics.accuracy > 0", by=["params.depth"])
for one in found.statistics.summaries:
    print(f"{one.group}: accuracy {one.mean:.3f}, {one.low:.3f} to {one.high:.3f} (n = {one.n})")
for test in found.statistics.tests:
    print(f"{test.group} against {test.baseline}: {test.difference:+.3f}, p = {test.adjusted:.4f} by {test.n} pairs")
write_plot(found, Path("accuracy.svg"))

export_proof(lab, [one.id for one in found.runs], Path("runs.proof"))
proven = verify_proof(Path("runs.proof"))  # without chain, lab or network
print(f"proven offline: {len(proven.records)} runs, in registry {proven.registry} on chain {proven.chain_id}")
