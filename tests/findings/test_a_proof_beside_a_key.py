"""Where a node had forgotten which batch a stored record is from and the record's key was kept somewhere, the proof
that was given was passed over: "no proof is at hand"."""

from __future__ import annotations

from pathlib import Path

import pytest

from blockchaintracer.core.merkle import MerkleTree
from blockchaintracer.core.record import from_hex
from blockchaintracer.core.record_view import RecordView
from blockchaintracer.core.verify import Outcome
from blockchaintracer.core.verify.verifier import Verifier
from tests.evm.verify.conftest import file_of
from tests.evm.verify.test_forgotten import forgetting
from tests.support.revm_lab import ALICE, RevmLab, Stranger

pytestmark = pytest.mark.evm


@pytest.mark.parametrize("batch", [0, 1])
def test_the_proof_is_checked(tmp_path: Path, batch: int) -> None:
    """Of the batch that the record was stored from, and of another that holds it, too."""
    lab = RevmLab(tmp_path)
    keys = [file_of(lab, name) for name in ("data", "more", "most")]
    trees = [MerkleTree([lab.id(key) for key in keys[: 2 + index]]) for index in (0, 1)]
    for tree in trees:
        lab.do(ALICE, "anchor", 1, from_hex(tree.root), 2, bytes(32))
    path = [from_hex(sibling) for sibling in trees[0].proof(lab.id("data"))]
    lab.do(ALICE, "materialize", keys[0].as_abi(), from_hex(trees[0].root), path)
    lab.node.mine(3)
    root, proof = trees[batch].root, trees[batch].proof(lab.id("data"))
    with lab.node.serving() as url:
        checks = Stranger(lab, url).verifier.batched(keys[0], root, proof).checks
        [check] = [check for check in checks if check.name == "batch"]
        assert (check.verdict, check.values["root"]) == (Outcome.PASS, trees[0].root)
        lab.node.lie = forgetting(lab.node.number - 1)
        stranger = Stranger(lab, url)
        known = stranger.registry.knowing(lambda digest: [RecordView(id=lab.id("data"), key=keys[0])])
        checks = Verifier(known, stranger.copies).batched(keys[0], root, proof).checks
    [check] = [check for check in checks if check.name == "batch"]
    assert (check.verdict, check.values["root"]) == (Outcome.PASS, root)
