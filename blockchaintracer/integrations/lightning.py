"""Public name of `blockchaintracer.extras.frameworks.lightning`."""

from blockchaintracer.extras.frameworks.lightning import *
