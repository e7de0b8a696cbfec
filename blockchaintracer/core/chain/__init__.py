"""One chain and one registry on it: blocks, calls, events and explained refusals. Writing is decided elsewhere."""

from blockchaintracer.core.chain.connection import Block, Chain
from blockchaintracer.core.chain.known_code import KnownCode, known_code
from blockchaintracer.core.chain.registry import Attestation, Group, Membership, Registry, load_artifact

__all__ = [
    "Attestation",
    "Block",
    "Chain",
    "Group",
    "KnownCode",
    "Membership",
    "Registry",
    "known_code",
    "load_artifact",
]
