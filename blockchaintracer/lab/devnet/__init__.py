"""The embedded chain of one lab: an anvil node started on demand, its chain kept on disk. Says nothing of contracts.

>>> from blockchaintracer.lab.devnet import Devnet
>>> from blockchaintracer.lab.lab_folder import Home
>>> Devnet(Home()).ensure().url  # doctest: +SKIP
'http://127.0.0.1:8645'
"""

from blockchaintracer.lab.devnet.node import Devnet, NodeInfo

__all__ = ["Devnet", "NodeInfo"]
