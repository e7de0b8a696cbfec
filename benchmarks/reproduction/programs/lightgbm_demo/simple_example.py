# coding: utf-8
import json
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd

print("Loading data...")
df = pd.read_csv(Path(__file__).absolute().parent / "data" / "wine.csv", header=0)
data = df.to_numpy(dtype=float)
X, y = data[:, :-1], data[:, -1].astype(int)
order = np.random.default_rng(20).permutation(len(y))
train, test = order[:120], order[120:]
lgb_train = lgb.Dataset(X[train], y[train])
lgb_eval = lgb.Dataset(X[test], y[test], reference=lgb_train)

params = {
    "objective": "multiclass",
    "num_class": 3,
    "num_leaves": 7,
    "min_data_in_leaf": 5,
    "learning_rate": 0.05,
    "feature_fraction": 0.9,
    "bagging_fraction": 0.8,
    "bagging_freq": 5,
    "seed": 20,
    "num_threads": 1,
    "deterministic": True,
    "verbose": 0,
}

print("Starting training...")
evals = {}
gbm = lgb.train(
    params, lgb_train, num_boost_round=20, valid_sets=[lgb_eval], callbacks=[lgb.record_evaluation(evals)]
)
print("Saving model...")
gbm.save_model("model.txt")
result = evals["valid_0"]["multi_logloss"]
with open("metrics.json", "w") as f:
    json.dump({"multi_logloss": {"first": result[0], "last": result[-1]}, "trees": gbm.num_trees()}, f)
