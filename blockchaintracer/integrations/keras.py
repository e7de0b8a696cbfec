"""Public name of `blockchaintracer.extras.frameworks.keras`."""

from blockchaintracer.extras.frameworks.keras import *
