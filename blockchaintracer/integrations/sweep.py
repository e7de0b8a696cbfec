"""Public name of `blockchaintracer.extras.frameworks.sweep`."""

from blockchaintracer.extras.frameworks.sweep import *
