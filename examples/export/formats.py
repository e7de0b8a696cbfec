"""Records a run and writes it in every format of others: python examples/export/formats.py

Needs a registry and a group: blockchaintracer deploy --open; blockchaintracer group create "My lab"
"""

import subprocess
import sys
from pathlib import Path

from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression

from blockchaintracer import MLTracer, open_lab

FORMATS = ("ro-crate", "prov-json", "prov-n", "in-toto", "dsse", "croissant", "codemeta", "sha256sums")

features, labels = load_wine(return_X_y=True, as_frame=True)
features.assign(label=labels).to_csv("wine.csv", index=False)
with MLTracer().start_run("wine classifier") as run:
    run.log_input("wine.csv", relation="trained-on")
    run.log_params({"algorithm": "LogisticRegression", "max_iter": 5000})
    model = LogisticRegression(max_iter=5000).fit(features, labels)
    Path("model").mkdir(exist_ok=True)
    for name in ("coef_", "intercept_"):
        Path("model", f"{name}.txt").write_text("\n".join(map(str, getattr(model, name).ravel())))
    run.log_output("model", role="model")
    run.log_metric("training_accuracy", model.score(features, labels))

[dataset] = [link.parent for link in open_lab().registry.find_record(run.recorded.id).parents]
for form in FORMATS:
    record = dataset if form == "croissant" else run.recorded.id  # which is of datasets
    target = Path("exported", form, "SHA256SUMS") if form == "sha256sums" else Path("exported", form)
    command = [sys.executable, "-m", "blockchaintracer", "export-as", form, record, "-o", str(target)]
    command += ["--with-files"] if form == "sha256sums" else []
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    print(f"{form:11} {target}")

subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd="exported/sha256sums", check=True)
