"""Public name of `blockchaintracer.extras.frameworks.optuna`."""

from blockchaintracer.extras.frameworks.optuna import *
