"""The Merkle tree of a batch as OpenZeppelin's StandardMerkleTree draws it (github.com/OpenZeppelin/merkle-tree).

A tree over n values is a list of 2n - 1 nodes: node 0 is the root, node i has the children 2i + 1 and 2i + 2, and the
last n nodes are the leaves, the first value's last of all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eth_hash.auto import keccak


def leaf(value: bytes) -> bytes:
    """Hashed twice, so that no node, which is a hash of 64 bytes, is the leaf of anything."""
    return keccak(keccak(value))


def parent(one: bytes, other: bytes) -> bytes:
    """The hash of two nodes, the same in either order."""
    return keccak(min(one, other) + max(one, other))


def tree(values: Sequence[bytes]) -> list[bytes]:
    """All nodes over the values, the root first."""
    nodes = [b""] * (len(values) - 1) + [leaf(value) for value in reversed(values)]
    for node in reversed(range(len(values) - 1)):
        nodes[node] = parent(nodes[2 * node + 1], nodes[2 * node + 2])
    return nodes


def root(values: Sequence[bytes]) -> bytes:
    """The root over the values, of which there is at least one."""
    return tree(values)[0]


def siblings(nodes: Sequence[bytes], node: int) -> tuple[bytes, ...]:
    """What stands beside a node and the nodes above it, on the way to the root."""
    if node == 0:
        return ()
    beside = nodes[node + 1 if node % 2 else node - 1]
    return (beside, *siblings(nodes, (node - 1) // 2))


def proof(values: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The siblings of the value's leaf."""
    return siblings(tree(values), 2 * len(values) - 2 - index)


def climb(value: bytes, path: Iterable[bytes]) -> bytes:
    """The root that a value and its siblings lead to."""
    node = leaf(value)
    for sibling in path:
        node = parent(node, sibling)
    return node
