"""Public name of `blockchaintracer.extras.frameworks.filesystem`."""

from blockchaintracer.extras.frameworks.filesystem import *
