"""A run read retracted data and linked them as what it supersedes or reproduces: verify told that it rests on none that
is retracted. Impact showed a mere reproduction as standing on the original."""

from __future__ import annotations

from pathlib import Path

import pytest

from blockchaintracer.core.manifest import RunInput
from blockchaintracer.core.record import ABOUT, Relation
from blockchaintracer.core.verify import Check, Outcome
from blockchaintracer.extras.lineage import downstream, lineage
from blockchaintracer.extras.search import Index
from tests.evm.verify.conftest import file_of, run_of
from tests.fast.test_lineage import id_of, made, named
from tests.support.revm_lab import ALICE, RevmLab, Stranger

pytestmark = pytest.mark.evm


def told(stranger: Stranger, name: str) -> Check:
    record = stranger.registry.find_record(stranger.lab.id(name))
    assert record is not None
    manifest, _ = stranger.verifier._checks.manifest(record)
    return next(it for it in stranger.verifier._checks._lineage(record, manifest) if it.name == "lineage")


def test_what_a_run_read_counts_whatever_it_calls_it(tmp_path: Path) -> None:
    lab = RevmLab(tmp_path)
    lab.record(file_of(lab, "bad"))
    for count, relation in enumerate(Relation, 1):
        read = {"inputs": (RunInput(record=lab.id("bad"), relation=relation, sha256=lab.keys["bad"].subject),)}
        lab.record(run_of(lab, f"read {relation}", count, {"bad": relation}, **read))
        lab.record(run_of(lab, f"named {relation}", count + 100, {"bad": relation}))
        lab.record(run_of(lab, f"on {relation}", count + 200, {f"read {relation}": Relation.USES}))
    lab.do(ALICE, "retract", lab.keys["bad"].as_abi(), bytes(32))
    lab.node.mine(3)
    with lab.node.serving() as url:
        stranger = Stranger(lab, url)
        for relation in Relation:
            expected = Outcome.PASS if relation in ABOUT else Outcome.FAIL
            assert told(stranger, f"named {relation}").verdict is expected, relation
            assert told(stranger, f"read {relation}").verdict is Outcome.FAIL, relation
            assert told(stranger, f"on {relation}").verdict is Outcome.FAIL, relation
        for relation in ABOUT:
            digest = lab.keys[f"read {relation}"].manifest
            (tmp_path / "objects" / digest[:2] / digest[2:]).unlink()
            unknown = told(stranger, f"on {relation}")
            assert unknown.verdict is Outcome.UNKNOWN
            assert lab.id(f"read {relation}") in unknown.detail


@pytest.mark.parametrize("relation", ABOUT)
def test_the_index_follows_inputs(tmp_path: Path, relation: Relation) -> None:
    graph = {"bad": [], "named": [("bad", relation)], "read": [("bad", relation)], "on": ["read"]}
    hostile = [7, None, "x", {"record": 7}, []]
    with Index(tmp_path / "index.sqlite") as index:
        made(index, graph, ["bad"], inputs={"read": [*hostile, {"record": id_of("bad")}], "named": hostile})
        assert named(downstream(index, id_of("bad")).nodes.values()) == ["bad", "read", "on"]
        shown = {node.row.name: node.is_affected for node in lineage(index, id_of("bad")).nodes.values()}
        assert shown == {"bad": False, "named": False, "read": True, "on": True}
