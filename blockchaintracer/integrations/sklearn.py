"""Public name of `blockchaintracer.extras.frameworks.sklearn`."""

from blockchaintracer.extras.frameworks.sklearn import *
