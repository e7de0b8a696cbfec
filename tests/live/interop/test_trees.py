"""Trees of OpenZeppelin's JavaScript library are the registry's, in both of its orders, and ours are the library's."""

from __future__ import annotations

from typing import Any

import pytest

from blockchaintracer.core.merkle import MerkleTree, leads_to
from tests.findings.conftest import ALICE, BOB, DATA, domain, refusal
from tests.live.interop.libraries import ask, raw
from tests.model.eip712 import Key
from tests.support.evm import Contract

SIZES = (*range(1, 21), 100)


def records(registry: Contract, count: int) -> dict[bytes, Key]:
    """Keys by their ids, the ids ascending."""
    keys = (DATA._replace(subject=index.to_bytes(32, "big")) for index in range(1, count + 1))
    return dict(sorted((domain(registry).record_id(key), key) for key in keys))


def trees(ids: list[list[bytes]], **options: Any) -> list[tuple[bytes, list[list[bytes]]]]:
    """The library's trees: root and a path for each id."""
    answers = ask(*({"call": "tree", "ids": leaves} | options for leaves in ids))
    return [(raw(tree["root"]), [list(map(raw, proof)) for proof in tree["proofs"]]) for tree in answers]


@pytest.mark.parametrize("sort", [False, True], ids=["as given", "sorted leaves"])
def test_every_leaf_of_the_librarys_tree(registry, sort) -> None:
    keys = records(registry, 100)
    ids = [list(keys)[:size] for size in SIZES]
    start = registry.chain.now
    for index, (leaves, (root, proofs)) in enumerate(zip(ids, trees(ids, sortLeaves=sort), strict=True)):
        registry.chain.now = start + 10 * index
        registry.send(ALICE.address, "anchor", 1, root, len(leaves), bytes(32))
        for record, proof in zip(leaves, proofs, strict=True):
            asked = (1, ALICE.address, record, root, tuple(proof))
            assert registry.read("batchedAt", *asked) == (start + 10 * index, 0)
            assert registry.read("batchedAt", 2, BOB.address, *asked[2:]) == (0, 0)
            if len(proof) > 1:
                assert registry.read("batchedAt", *asked[:-1], tuple(proof[:-1])) == (0, 0)
    registry.chain.now += 1000
    for record, proof in zip(leaves, proofs, strict=True):
        stored, _ = registry.send(BOB.address, "materialize", keys[record], root, proof)
        assert stored == record
        assert registry.read("statusOf", record)[4] == start + 10 * (len(SIZES) - 1)


def test_the_registrys_root_is_the_librarys(registry) -> None:
    ids = [list(records(registry, 100))[:size] for size in SIZES]
    for leaves, (root, proofs) in zip(ids, trees(ids, sortLeaves=False), strict=True):
        returned, _ = registry.send(ALICE.address, "anchorLeaves", 1, leaves)
        assert returned == root
        assert registry.read("batchOf", 1, ALICE.address, root) == (registry.chain.now, len(leaves), True, 0)
        for record, proof in zip(leaves, proofs, strict=True):
            assert registry.read("batchedAt", 1, ALICE.address, record, root, tuple(proof)) == (registry.chain.now, 0)


def test_our_trees_for_the_library(registry) -> None:
    ids = [list(records(registry, 100))[:size] for size in SIZES]
    requests = []
    for leaves, (root, proofs) in zip(ids, trees(ids, sortLeaves=False), strict=True):
        ours = MerkleTree(record.hex() for record in leaves)
        assert raw(ours.root) == root
        for record, proof in zip(leaves, proofs, strict=True):
            path = [raw(node) for node in ours.proof(record.hex())]
            assert path == proof
            assert leads_to(record.hex(), [node.hex() for node in proof]) == ours.root
            requests.append({"call": "verify", "root": raw(ours.root), "id": record, "proof": path})
    others = [request | {"id": b"\xaa" * 32} for request in requests]
    assert ask(*requests, *others) == [True] * len(requests) + [False] * len(others)


def test_a_tree_of_unhashed_leaves_proves_nothing(registry) -> None:
    keys = records(registry, 5)
    (tree,) = ask({"call": "simpleTree", "ids": list(keys)})
    root = raw(tree["root"])
    registry.send(ALICE.address, "anchor", 1, root, 5, bytes(32))
    for (record, key), path in zip(keys.items(), tree["proofs"], strict=True):
        proof = tuple(map(raw, path))
        assert registry.read("batchedAt", 1, ALICE.address, record, root, proof) == (0, 0)
        met = refusal(lambda key=key, proof=proof: registry.send(ALICE.address, "materialize", key, root, proof))
        assert met == ("NotInBatch", (record, root))
