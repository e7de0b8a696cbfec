"""Public name of `blockchaintracer.extras.frameworks.torch`."""

from blockchaintracer.extras.frameworks.torch import *
