"""`verify` of a record that is only in a batch made no check of what it rests on: the child of a retracted record was
"verified", and `check` took its numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from blockchaintracer import Trust, verify_batch_proof
from blockchaintracer.core.merkle import MerkleTree
from blockchaintracer.core.record import Kind, Link, Relation, from_hex
from blockchaintracer.core.verify import Check
from blockchaintracer.lab.attest import retract
from blockchaintracer.lab.batches import anchor, batching
from blockchaintracer.lab.kept_proofs import find_proof
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.recording.content import record_content
from blockchaintracer.lab.verify_here import verify
from tests.evm.verify.conftest import file_of, run_of
from tests.support.memory_node import answering
from tests.support.registry_life import FULL, Life, live
from tests.support.revm_lab import ALICE, RevmLab, Stranger

pytestmark = pytest.mark.evm


def recorded(life: Life, name: str, *parents: str, kind: Kind = Kind.MODEL) -> str:
    file = life.published.with_name(name)
    file.write_text(name)
    links = [Link(parent, Relation.TRAINED_ON) for parent in parents]
    return str(record_content(life.lab, kind, file, name=name, parents=links).id)


def batched(life: Life, name: str, *parents: str) -> str:
    with batching(life.lab):
        record_id = recorded(life, name, *parents)
    anchor(life.lab)
    publish(life.lab, record_id, life.published)
    return record_id


def seen(life: Life, record_id: str) -> tuple[str, dict[str, Check]]:
    report = verify(life.open_lab(life.published.with_name("stranger"), FULL), record_id, sources=[life.published])
    return str(report.conclusion), {check.name: check for check in report.checks}


@pytest.fixture
def life(tmp_path: Path) -> Any:
    life = live(tmp_path)
    with answering(full=life.node.answer):
        yield life


def test_its_parent_is_retracted_later(life: Life) -> None:
    parent = recorded(life, "parent", kind=Kind.DATASET)
    child = batched(life, "child of it", parent)
    word, checks = seen(life, child)
    assert (word, checks["parents"].verdict, checks["lineage"].verdict) == ("verified", "pass", "pass")
    retract(life.lab, parent, "a sensor was broken")
    word, checks = seen(life, child)
    assert word == "not verified"
    assert parent in checks["lineage"].detail
    proof = find_proof(life.lab, child)
    assert proof is not None
    trust = Trust(chain_id=life.lab.chain_id, rpc=FULL, registry=life.lab.registry.address)
    assert verify_batch_proof(proof.to_bytes(), trust).verified is False


def test_what_its_parent_rests_on_is_retracted(life: Life) -> None:
    word, checks = seen(life, batched(life, "grandchild", life.ids["child"]))
    assert word == "not verified"
    assert life.ids["wrong"] in checks["lineage"].detail


def test_a_parent_that_is_in_a_batch_too_is_unknown(life: Life) -> None:
    first = batched(life, "first")
    word, checks = seen(life, batched(life, "second", first))
    assert (word, checks["parents"].verdict, checks["lineage"].verdict) == ("verified", "unknown", "unknown")
    assert first in checks["parents"].detail


def test_a_parent_that_came_after_the_batch_stands_in_the_way_for_good(tmp_path: Path) -> None:
    lab = RevmLab(tmp_path)
    parent = file_of(lab, "parent")
    child = lab.id(run_of(lab, "child", 1, {"parent": Relation.TRAINED_ON}))
    tree = MerkleTree([child, "11" * 32])
    lab.do(ALICE, "anchor", 1, from_hex(tree.root), 2, bytes(32))
    with lab.node.serving() as url:
        verifier = Stranger(lab, url).verifier
        assert verifier.batched(lab.keys["child"], tree.root, tree.proof(child)).verified
        lab.record(parent)
        report = verifier.batched(lab.keys["child"], tree.root, tree.proof(child))
    assert [check.name for check in report.failed] == ["parents"]
    assert "is not earlier" in report.failed[0].detail
