"""Seeds from a block's hash: which seed each generator gets. No I/O, no chain; a few lines in any language.

>>> derive_seeds(1, "11" * 32, "22" * 32)["numpy"]
3949946344
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from blockchaintracer.core.record import normal_id

GENERATORS = ("seed", "random", "numpy", "torch", "tensorflow", "jax")
"""Whose seeds are derived; ``seed`` is for what has no global state, such as ``numpy.random.default_rng(seed)``."""

SEED_BLOCK = "seedBlock"
"""The value by which a plan names the block that its seeds are to come from, as a number or decimal text."""


def derive_seeds(
    chain_id: int, block_hash: str, commitment: str, generators: Iterable[str] = GENERATORS
) -> dict[str, int]:
    """Derive the seed of each generator, 0 to 2**32 - 1: the first four bytes, big-endian, of the SHA-256 of the ASCII
    text ``blockchaintracer:seed:v1:<chain id>:<block hash>:<commitment>:<generator>``, both as 0x-hex.

    Args:
        chain_id: EIP-155 chain id.
        block_hash: 0x-hex.
        commitment: of the sealed plan, 0x-hex: two plans of one block have other seeds.
    """
    block_hash, commitment = normal_id(block_hash, "block hash"), normal_id(commitment, "commitment")
    text = f"blockchaintracer:seed:v1:{chain_id}:{block_hash}:{commitment}"
    return {name: int.from_bytes(hashlib.sha256(f"{text}:{name}".encode()).digest()[:4], "big") for name in generators}
