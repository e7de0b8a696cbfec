"""A tree whose leaves look like its nodes proves what nobody put into it: a node as a leaf, or a leaf of 64 bytes that
is a node. Here a leaf is the hash of a hash."""

from __future__ import annotations

import pytest
from eth_hash.auto import keccak

from tests.findings.conftest import ALICE, DATA, domain, refusal
from tests.model import merkle

pytestmark = pytest.mark.evm

SIZES = (2, 3, 4, 5, 8)


def proven(registry, root: bytes, value: bytes, path: tuple[bytes, ...]) -> bool:
    return registry.read("batchedAt", 1, ALICE.address, value, root, path) != (0, 0)


@pytest.fixture
def ids(registry) -> list[bytes]:
    keys = (DATA._replace(subject=bytes([index]) * 32) for index in range(1, 9))
    return sorted(domain(registry).record_id(key) for key in keys)


@pytest.mark.parametrize("size", SIZES)
def test_every_node_with_every_path(registry, ids, size) -> None:
    """Each node of the tree is presented as a record, with the path of every record, cut anywhere."""
    ids = ids[:size]
    root, _ = registry.send(ALICE.address, "anchorLeaves", 1, ids)
    nodes = merkle.tree(ids)
    paths = [merkle.proof(ids, index) for index in range(size)]
    assert all(proven(registry, root, record, path) for record, path in zip(ids, paths, strict=True))
    cuts = {path[start:] for path in paths for start in range(len(path) + 1)}
    for value in (*nodes, *map(keccak, ids)):
        assert not any(proven(registry, root, value, cut) for cut in cuts)
    for record, path in zip(ids, paths, strict=True):
        assert [cut for cut in cuts if proven(registry, root, record, cut)] == [path]


def test_a_leaf_of_64_bytes(registry, ids) -> None:
    """Who draws a root over unhashed or once hashed ids can prove neither them nor the pair that a node is made of."""
    for drawn in (lambda record: record, keccak):
        one, other = map(drawn, ids[:2])
        root = merkle.parent(one, other)
        registry.send(ALICE.address, "anchor", 1, root, 2, bytes(32))
        for value, path in ((ids[0], (other,)), (one, (other,)), (root, ()), (keccak(one + other), ())):
            assert not proven(registry, root, value, path)


def test_a_repeated_leaf_is_counted_by_nobody(registry, ids) -> None:
    """Bitcoin's tree has one root for a list and for the same list with its end repeated (CVE-2012-2459)."""
    roots = {registry.send(ALICE.address, "anchorLeaves", 1, ids[:size])[0] for size in range(1, 9)}
    assert len(roots) == 8
    for repeated, index in ((ids[:3] + ids[2:3], 3), (ids[1::-1], 1), ([bytes(32)], 0)):
        met = refusal(lambda given=repeated: registry.send(ALICE.address, "anchorLeaves", 1, given))
        assert met == ("IdsNotAscending", (index,))
    assert not {merkle.root(ids[:3] + ids[2:3]), merkle.root(ids[:5] + ids[4:5])} & roots


def test_a_path_that_never_ends(registry, ids) -> None:
    root, _ = registry.send(ALICE.address, "anchorLeaves", 1, ids)
    path = merkle.proof(ids, 0)
    assert not proven(registry, root, ids[0], path * 100)
    assert not proven(registry, root, ids[0], (*path, bytes(32)))
    for value, given in ((root, ()), (bytes(32), path)):
        assert not proven(registry, root, value, given)
    wrong = DATA._replace(subject=b"\x99" * 32)
    met = refusal(lambda: registry.send(ALICE.address, "materialize", wrong, root, path))
    assert met == ("NotInBatch", (domain(registry).record_id(wrong), root))
