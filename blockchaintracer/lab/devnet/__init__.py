"""The embedded chain of one lab: an anvil node started on demand, its chain kept on disk. Says nothing of contracts."""

from blockchaintracer.lab.devnet.node import Devnet as Devnet
