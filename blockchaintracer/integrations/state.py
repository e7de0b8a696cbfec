"""Public name of `blockchaintracer.extras.frameworks.training_state`."""

from blockchaintracer.extras.frameworks.training_state import *
