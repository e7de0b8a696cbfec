"""The Merkle tree of a batch: OpenZeppelin's StandardMerkleTree over single ``bytes32`` values, in ascending order
(github.com/OpenZeppelin/merkle-tree; interfaces/IBatches.sol). No I/O, no chain.

>>> tree = MerkleTree(["22" * 32, "11" * 32, "33" * 32])
>>> tree.root
'0xa9b9d19e00269b8e357d6b17ae987e7f306e63b8e77615ce706ec522974d2fea'
>>> leads_to("33" * 32, tree.proof("33" * 32)) == tree.root
True
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence

from eth_hash.auto import keccak

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import from_hex, normal_id, to_hex

TREE_KIND = "openzeppelin-standard-v1-bytes32"
"""What a batch's manifest and proofs call this tree."""


class MerkleTree:
    """The tree over some values, complete and without padding: 2n - 1 nodes, of which the last n are the leaves.

    Args:
        values: 32 bytes as hex, in any order; kept ascending. A million take some 400 MB.

    Raises:
        InputError: if there is none, one is repeated, or one is no id.
    """

    def __init__(self, values: Iterable[str]) -> None:
        self.values = sorted(normal_id(value) for value in values)
        if not self.values:
            raise InputError("expected at least one record in a batch, got none")
        for before, value in zip(self.values, self.values[1:], strict=False):
            if before == value:
                raise InputError(f"expected each record once in a batch, got {value} twice")
        count, hashed = len(self.values), _hasher()
        # node i has the children 2i + 1 and 2i + 2: filled from the end, both are there before it
        nodes = [b""] * (2 * count - 1)
        for place, value in enumerate(self.values, 1):
            nodes[-place] = hashed(hashed(from_hex(value)))
        for place in range(count - 2, -1, -1):
            left, right = nodes[2 * place + 1], nodes[2 * place + 2]
            nodes[place] = hashed(left + right if left < right else right + left)
        self._nodes = nodes

    @property
    def root(self) -> str:
        """The root, 0x-hex."""
        return to_hex(self._nodes[0])

    def proof(self, value: str) -> list[str]:
        """Return the siblings from a value to the root, the leaf's first, 0x-hex."""
        value = normal_id(value)
        index = bisect_left(self.values, value)
        if index == len(self.values) or self.values[index] != value:
            raise InputError(f"record {value} is not among the {len(self.values)} of this batch")
        place, siblings = 2 * len(self.values) - 2 - index, []
        while place:
            siblings.append(to_hex(self._nodes[place + 1 if place % 2 else place - 1]))
            place = (place - 1) // 2
        return siblings


def leads_to(value: str, proof: Sequence[str]) -> str:
    """Compute the root (0x-hex) from a value and its siblings."""
    hashed = _hasher()
    node = hashed(hashed(from_hex(value)))
    for sibling in map(from_hex, proof):
        node = hashed(node + sibling if node < sibling else sibling + node)
    return to_hex(node)


def _hasher() -> Callable[[bytes], bytes]:
    """Return Keccak-256 without the checks of each call, which take a quarter of the time."""
    keccak(b"")
    return keccak.hasher
