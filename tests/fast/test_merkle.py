"""The tree of a batch against OpenZeppelin's own library and against the registry, which computes it from the ids."""

import os
import time

import pytest

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.merkle import MerkleTree, _hasher, leads_to
from blockchaintracer.core.record import from_hex

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


def test_building_costs_little_more_than_the_hashing():
    """docs/batches.md; the best of several, as others use this machine too."""
    ids = some(20_000)
    raw, pairs, hashed = [from_hex(one) for one in ids], [os.urandom(64) for _ in ids], _hasher()

    def bare() -> None:
        for one in raw:
            hashed(hashed(one))
        for pair in pairs:
            hashed(pair)

    # in turns: what slows the machine down for a while slows both
    rounds = [(timed(bare), timed(lambda: MerkleTree(ids))) for _ in range(12)]
    alone, tree = (min(times) for times in zip(*rounds, strict=True))
    assert tree < 1.3 * alone, f"{tree / alone:.2f}"


def timed(work) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began
