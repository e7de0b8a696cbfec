"""Public name of `blockchaintracer.extras.mlflow.stores`, which MLflow loads as entry points."""

from blockchaintracer.extras.mlflow.stores import *
