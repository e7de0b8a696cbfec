"""Trains, records, and documents: python examples/report/document.py"""

from pathlib import Path

from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from blockchaintracer import DocumentationTracer, MLTracer

tracer = MLTracer()
tracer.seed_everything(7)
features, labels = load_wine(return_X_y=True, as_frame=True)
features.assign(label=labels).to_csv("wine.csv", index=False)
with tracer.start_run("wine classifier", template="classification") as run:
    run.log_params({"algorithm": "LogisticRegression", "test_fraction": 0.25, "preprocessing": "none"})
    run.log_input("wine.csv", relation="trained-on")
    x_train, x_test, y_train, y_test = train_test_split(features, labels, test_size=0.25, random_state=7)
    model = LogisticRegression(max_iter=5000).fit(x_train, y_train)
    Path("model.txt").write_text("\n".join(map(str, model.coef_.ravel())))
    run.log_output("model.txt", role="model")
    run.log_metric("accuracy", model.score(x_test, y_test), tolerance=0.01)

docs = DocumentationTracer(run, model_version="1.0", limitations="Three Italian cultivars").generate_documentation()
print(*docs.save("report", ["model-card", "html", "pdf", "xlsx"]), docs.blockchain_verification["status"], sep="\n")
