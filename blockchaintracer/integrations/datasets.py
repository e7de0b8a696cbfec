"""Public name of `blockchaintracer.lab.datasets`."""

from blockchaintracer.lab.datasets import *
