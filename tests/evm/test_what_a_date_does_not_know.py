"""`verify --as-of` by a node without the state of then: what has no time of its own in today's state counted for then.

A record that was cancelled later was "not verified" at a date at which it stood in its batch, and one that was stored
from its batch later was "recorded" at a date at which it was in the batch alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.chain import Registry
from blockchaintracer.core.errors import ChainUnavailable
from blockchaintracer.core.manifest import ContentPredicate
from blockchaintracer.core.merkle import MerkleTree
from blockchaintracer.core.record import Status, from_hex
from blockchaintracer.core.verify.verifier import Verifier
from blockchaintracer.extras.renewal.as_of import registry_as_of
from tests.support.memory_node import RpcError
from tests.support.revm_lab import ALICE, RevmLab, Stranger


class Batched(RevmLab):
    """Two records in a batch. Then the first is stored from it, and later the second is cancelled."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        for name, subject in (("stored", "11" * 32), ("cancelled", "22" * 32)):
            self.key(name, ContentPredicate(subject_type="commitment", name=name), subject)
        self.tree = MerkleTree([self.id(name) for name in self.keys])
        root = from_hex(self.tree.root)
        self.steps = [self.newest(self.do(ALICE, "anchor", 1, root, 2, bytes(32)))]
        path = [from_hex(sibling) for sibling in self.tree.proof(self.id("stored"))]
        done = self.do(ALICE, "materialize", self.keys["stored"].as_abi(), root, path)
        self.steps.append(self.newest(done))
        self.steps.append(self.newest(self.do(ALICE, "cancel", self.keys["cancelled"].as_abi())))
        self.node.mine(3)

    def newest(self, transaction: str) -> int:
        """The time of the newest block."""
        return int(self.node.blocks[-1]["timestamp"])


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Batched:
    return Batched(tmp_path_factory.mktemp("lab"))


@pytest.fixture(params=[False, True], ids=["events", "no-events"])
def registry(lab: Batched, request: pytest.FixtureRequest) -> Iterator[Registry]:
    """Of a node that keeps the newest state alone, and of one that has forgotten events and receipts, too."""
    newest = lab.node.number - 1

    def pruned(method: str, params: list[Any], true: Any) -> Any:
        if method in ("eth_call", "eth_getCode") and params[-1] != "latest" and int(params[-1], 16) < newest:
            raise RpcError(-32000, "missing trie node: state is not available")
        if request.param and method == "eth_getLogs":
            return []
        return None if request.param and method.startswith("eth_getTransaction") else true

    lab.node.lie = pruned
    with lab.node.serving() as url:
        yield Stranger(lab, url).registry
    lab.node.lie = lambda method, params, true: true


def test_what_happened_later_is_not_told_of_then(lab: Batched, registry: Registry) -> None:
    is_told = registry.history.gap is None
    views = [registry_as_of(registry, time) for time in lab.steps]
    expected = {"stored": [0, 2, 2], "cancelled": [0, 0, 1]}
    for name, then in expected.items():
        for view, status in zip(views, then, strict=True):
            if is_told:
                assert view.status(lab.id(name)).status is Status(status), name
            else:
                with pytest.raises(ChainUnavailable):
                    view.status(lab.id(name))
    before = registry_as_of(registry, lab.steps[0] - 1)
    assert before.status(lab.id("stored")).status is Status.UNKNOWN


def test_a_record_in_its_batch_is_not_yet_disowned(lab: Batched, registry: Registry) -> None:
    key, path = lab.keys["cancelled"], lab.tree.proof(lab.id("cancelled"))
    copies = Stranger(lab, registry.chain.address).copies
    expected = ["verified", "verified", "not verified"] if registry.history.gap is None else [None] * 3
    for time, conclusion in zip(lab.steps, expected, strict=True):
        verifier = Verifier(registry_as_of(registry, time), copies)
        if conclusion:
            assert str(verifier.batched(key, lab.tree.root, path).conclusion) == conclusion
        else:
            with pytest.raises(ChainUnavailable, match="state is not available"):
                verifier.batched(key, lab.tree.root, path)
