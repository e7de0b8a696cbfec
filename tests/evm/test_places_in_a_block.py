"""Outbox and index know the block of a record and not its place there, which was taken for the first of the block.

Of two records in one block whose events a node has forgotten, the later one "verified" to be the earlier, both were "in
the batch None", and a parent was "not earlier" than its child. The place in the block is unknown, and so is the order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.chain import Registry
from blockchaintracer.core.manifest import ContentPredicate
from blockchaintracer.core.record import Link, Relation, Role
from blockchaintracer.core.record_view import Position, RecordView
from blockchaintracer.core.verify.locate import member_at
from blockchaintracer.core.verify.verifier import Verifier
from tests.support.revm_lab import ALICE, BOB, RevmLab, Stranger

NAMES = ("first", "second")


class OneBlock(RevmLab):
    """A block of three transactions: Bob makes group 3, and Alice two records, the second made from the first."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.do(BOB, "createGroup", 7, bytes(32), mine=False)
        parents: tuple[Link, ...] = ()
        for name, subject in zip(NAMES, ("11" * 32, "22" * 32), strict=True):
            key = self.key(name, ContentPredicate(subject_type="commitment", name=name), subject)
            self.keys[name] = replace(key, parents=parents)
            self.record(self.keys[name], mine=False)
            parents = (Link(self.id(name), Relation.DERIVED_FROM),)
        self.node.mine(5)
        self.hashes = dict(zip(NAMES, list(self.node.transactions)[-2:], strict=True))
        self.block = self.node.transactions[self.hashes["first"]]["blockNumber"]

    def forgets(self, method: str, params: list[Any], true: Any) -> Any:
        """Answer as a node that has headers and state, and no receipt or transaction up to that block."""
        if method == "eth_getLogs":
            return [log for log in true if int(log["blockNumber"], 16) > self.block]
        is_old = method.startswith("eth_getTransaction") and true and int(true["blockNumber"], 16) <= self.block
        return None if is_old else true

    def view(self, name: str, position: Position) -> RecordView:
        block_hash = f"0x{self.node.blocks[self.block]['hash'].hex()}"
        place = {"transaction": f"0x{self.hashes[name].hex()}", "block_hash": block_hash, "position": position}
        return RecordView(id=self.id(name), key=self.keys[name], is_own=True, **place)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> OneBlock:
    return OneBlock(tmp_path_factory.mktemp("lab"))


@pytest.fixture
def registry(lab: OneBlock) -> Iterator[Registry]:
    lab.node.lie = lab.forgets
    with lab.node.serving() as url:
        yield Stranger(lab, url).registry
    lab.node.lie = lambda method, params, true: true


def told(lab: OneBlock, registry: Registry, *views: RecordView) -> Verifier:
    source = lambda digest: [it for it in views if digest in (it.id, it.key.subject)]  # noqa: E731
    return Verifier(registry.knowing(source), Stranger(lab, registry.chain.address).copies)


@pytest.mark.parametrize("exact", [None, *NAMES])
def test_their_order_is_unknown(lab: OneBlock, registry: Registry, exact: str | None) -> None:
    views = [
        lab.view(name, Position(lab.block, 1 + place, 2) if name == exact else Position(lab.block))
        for place, name in enumerate(NAMES)
    ]
    verifier = told(lab, registry, *views)
    for names in (NAMES, NAMES[::-1]):
        report = verifier.before(*map(lab.id, names))
        assert str(report.conclusion) == "unavailable", report.failed
        [order] = [check for check in report.checks if check.name == "order"]
        assert "their places are unknown" in order.detail
    child = verifier.hash(lab.id("second"))
    assert str(child.conclusion) == "verified", child.failed


def test_the_place_that_a_receipt_shows_is_not_lost(lab: OneBlock, registry: Registry) -> None:
    """The first source knows the place, the second only the block."""
    views = [lab.view(name, Position(lab.block, 1 + place, 2)) for place, name in enumerate(NAMES)]
    verifier = told(lab, registry, *views, *(lab.view(name, Position(lab.block)) for name in NAMES))
    assert verifier.before(*map(lab.id, NAMES)).verified
    report = verifier.before(*map(lab.id, NAMES[::-1]))
    assert report.verified is False
    assert "its transaction's place in block" in report.checks[-1].detail


def test_a_membership_of_that_block_may_be_older_than_the_record(lab: OneBlock, registry: Registry) -> None:
    lab.node.lie = lambda method, params, true: true
    time = int(lab.node.blocks[lab.block]["timestamp"])
    assert member_at(registry, 3, BOB.address, Position(lab.block, 1, 2), time).problem(Role.RECORDER, time) is None
    assert member_at(registry, 3, BOB.address, Position(lab.block), time).unknown == "the node does not give its event"
    assert member_at(registry, 3, BOB.address, Position(), time).unknown
    assert member_at(registry, 1, ALICE.address, Position(lab.block), time).unknown is None


def test_the_first_receipt_of_a_block_is_not_that_of_any_transaction(lab: OneBlock, registry: Registry) -> None:
    """A receipt names no transaction. One at the first place counted for each transaction of its block."""
    lab.node.lie = lambda method, params, true: true
    for place, counts in ((0, False), (1, False), (2, True), (-1, True)):
        assert registry._may_be(lab.view("second", Position(lab.block, place, 0))) is counts, place
