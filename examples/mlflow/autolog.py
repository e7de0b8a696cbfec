"""Records what scikit-learn's autologging logs, with no line changed but the URI: python examples/mlflow/autolog.py

Needs a registry and a group: blockchaintracer deploy --open; blockchaintracer group create "My lab"
"""

import mlflow
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from blockchaintracer import mlflow as sealed
from blockchaintracer import open_lab

mlflow.set_tracking_uri("anchor+sqlite:///mlflow.db")  # or MLFLOW_TRACKING_URI; it was sqlite:///mlflow.db
mlflow.sklearn.autolog(extra_tags={"study": "wine"})

x_train, x_test, y_train, y_test = train_test_split(*load_wine(return_X_y=True), random_state=7)
model = LogisticRegression(max_iter=5000).fit(x_train, y_train)  # a run of its own, which ends with it
run_id = mlflow.last_active_run().info.run_id

lab = open_lab()
sealed.flush(lab)  # a process of its own does it too: this only waits
tags = mlflow.get_run(run_id).data.tags
print(f"recorded   {tags['blockchaintracer.record_id']}: {tags['blockchaintracer.status']}")
print(f"verified   {sealed.verify_run(lab, run_id).verified}")

loaded = sealed.load_model(mlflow.last_logged_model().model_uri)  # only if its bytes are the recorded ones
print(f"loaded     {type(loaded).__name__}, accuracy {(loaded.predict(x_test) == y_test).mean():.3f}")
