"""Public name of `blockchaintracer.extras.frameworks.artifact_repository`."""

from blockchaintracer.extras.frameworks.artifact_repository import *
