"""Public name of `blockchaintracer.extras.frameworks.pytest`."""

from blockchaintracer.extras.frameworks.pytest import *
