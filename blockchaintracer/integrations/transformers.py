"""Public name of `blockchaintracer.extras.frameworks.transformers`."""

from blockchaintracer.extras.frameworks.transformers import *
