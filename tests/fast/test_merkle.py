"""The tree of a batch against OpenZeppelin's own library and against the registry, which computes it from the ids."""

import os

import pytest

from blockchaintracer.core import merkle
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.merkle import MerkleTree, _hasher, leads_to

SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 100]


def some(count: int) -> list[str]:
    return [os.urandom(32).hex() for _ in range(count)]


@pytest.mark.parametrize("count", SIZES)
def test_every_value_has_a_proof_that_leads_to_the_root_and_no_other(count):
    tree = MerkleTree(some(count))
    assert tree.values == sorted(tree.values)
    for value in tree.values:
        assert leads_to(value, tree.proof(value)) == tree.root
        assert leads_to(some(1)[0], tree.proof(value)) != tree.root
    assert MerkleTree(reversed(tree.values)).root == tree.root


def test_what_is_no_batch_is_refused():
    value = some(1)[0]
    with pytest.raises(InputError, match="at least one"):
        MerkleTree([])
    with pytest.raises(InputError, match="twice"):
        MerkleTree([value, "0x" + value.upper()])
    with pytest.raises(InputError, match="64 hex digits"):
        MerkleTree(["ab"])
    with pytest.raises(InputError, match="not among"):
        MerkleTree([value]).proof(some(1)[0])


def test_building_hashes_each_leaf_twice_and_each_pair_once(monkeypatch):
    """docs/batches.md; `python -m benchmarks.client` shows the seconds beside bare keccak."""
    hashed, inputs = _hasher(), []

    def counting(value: bytes) -> bytes:
        inputs.append(value)
        return hashed(value)

    monkeypatch.setattr(merkle, "_hasher", lambda: counting)
    tree = MerkleTree(some(1_000))
    assert len(inputs) == 3 * 1_000 - 1
    tree.proof(tree.values[7])
    assert len(inputs) == 3 * 1_000 - 1, "a proof is read from the tree, not computed again"
