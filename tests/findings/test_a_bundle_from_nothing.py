"""A bundle that its maker invented, chain, author, time and verdicts included, was "Verified", exit 0, with a registry
"whose code is genuine". `--rpc` and `--network` were accepted beside it, and no node was asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from blockchaintracer import Checkpoint, Trust, verify_bundle
from blockchaintracer.cli import main, verb_verify
from blockchaintracer.cli.options import GIVEN
from blockchaintracer.core.formats import TRUSTED_BLOCKS
from blockchaintracer.core.trust import checkpoints_json
from tests.support.forged_bundles import Forged, blocks_of

pytestmark = pytest.mark.fast

KINDS: list[dict[str, Any]] = [{}, {"count": 3}, {"batched": True, "count": 3}, {"chain_id": 77787}, {"fields": 8}]


def typed(*words: str | Path) -> Result:
    environment = {"BLOCKCHAINTRACER_HOME": "/dev/null/nowhere", "BLOCKCHAINTRACER_RPC": ""}
    return CliRunner(mix_stderr=False, env=environment).invoke(main, ["verify", *map(str, words)])


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_consistent_and_no_more(kind: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "forged.proof"
    file.write_bytes(data := Forged(**kind).data())
    report = verify_bundle(data)
    assert (report.conclusion, report.verified, report.code) == ("consistent", None, None)
    shown = typed("--proof", file)
    assert shown.exit_code == 4, shown.stderr
    assert "Consistent: " in shown.stdout
    for claim in ("Verified", "genuine", "LabRegistry", "made by the factory"):
        assert claim not in shown.stdout
    told = json.loads(typed("--proof", file, "--json").stdout)
    assert (told["outcome"], told["verified"], told["code"]) == ("consistent", None, None)


def test_it_stands_only_by_each_of_its_blocks(tmp_path: Path) -> None:
    data = Forged().data()
    one, other = blocks_of(data)
    for trust, outcome in (
        (Trust(blocks=("00" * 32,)), "consistent"),
        (Trust(blocks=(one,)), "consistent"),
        (Trust(blocks=(other,)), "consistent"),
        (Trust(chain_id=1), "consistent"),
        (Trust(blocks=(one[2:], other)), "verified"),
        (Trust(blocks=(one, other), chain_id=5), "not verified"),
        (Trust(blocks=(one, other), registry="0x" + "11" * 20), "not verified"),
        (Trust(blocks=(one, other), groups=(8,)), "not verified"),
        (Trust(blocks=(one, other), groups=(7, 8)), "verified"),
    ):
        assert verify_bundle(data, trust).conclusion == outcome, trust


def test_checkpoints_are_of_a_chain_and_a_height(tmp_path: Path) -> None:
    file, points = tmp_path / "forged.proof", tmp_path / "points.json"
    file.write_bytes(data := Forged().data())
    one, other = blocks_of(data)
    right = [Checkpoint(1, 18_000_000, one), Checkpoint(1, 18_000_001, other)]
    for given, outcome in (
        (right, "verified"),
        (right[:1], "consistent"),
        ([point._replace(chain_id=5) for point in right], "consistent"),
        ([point._replace(number=point.number + 9) for point in right], "consistent"),
        ([right[0], right[1]._replace(hash=one)], "not verified"),
    ):
        assert verify_bundle(data, Trust(checkpoints=tuple(given))).conclusion == outcome
        points.write_text(json.dumps(checkpoints_json(tuple(given))))
        shown = typed("--proof", file, "--checkpoints", points, "--json")
        assert json.loads(shown.stdout)["outcome"] == outcome
    good = {"chainId": "1", "number": "1", "hash": one}
    bad: tuple[dict[str, Any], ...] = ({"number": 1}, {"number": "-1"}, {"hash": 2}, {"hash": one[2:]}, {"more": 1})
    for wrong in ([], [[]], *([good | values] for values in bad)):
        points.write_text(json.dumps(TRUSTED_BLOCKS.header() | {"blocks": wrong}))
        assert typed("--proof", file, "--checkpoints", points).exit_code == 2, wrong


def test_a_registry_that_anybody_could_have_filled_is_not_verified_unless_it_is_chosen() -> None:
    """The code that makes a contract can write any record into it and then leave the code of a LabRegistry there."""
    for kind in ({"is_genuine": False}, {"is_genuine": False, "registry": "0x" + "11" * 20}, {"code": b"evil"}):
        forged = Forged(**kind) if "code" not in kind else Forged(code=b"evil", is_genuine=False)
        data = forged.data()
        blocks = blocks_of(data)
        assert verify_bundle(data, Trust(blocks=blocks)).conclusion == "consistent"
        chosen = Trust(blocks=blocks, registry=json.loads(data)["registry"], chain_id=1)
        assert verify_bundle(data, chosen).conclusion == "verified"


def test_trusted_blocks_of_one_chain_choose_no_other() -> None:
    """Beside any checkpoint, the chain that the file claims for a block that is trusted by its hash was believed."""
    data = Forged(code=b"evil", is_genuine=False, chain_id=999).data()
    registry, (one, other) = json.loads(data)["registry"], blocks_of(data)
    for points, outcome in (
        ([Checkpoint(1, 7, "00" * 32)], "consistent"),
        ([Checkpoint(999, 18_000_000, one)], "consistent"),
        ([Checkpoint(999, 18_000_000, one), Checkpoint(999, 18_000_001, other)], "verified"),
    ):
        trust = Trust(blocks=(one, other), registry=registry, checkpoints=tuple(points))
        assert verify_bundle(data, trust).conclusion == outcome


def test_under_ape_without_a_network_nothing_is_trusted() -> None:
    """Ape's scripts leave an empty connection there for the devnet: it ended in a traceback."""
    names = ("registry", "chain_id", "of_group", "checkpoints", "home")
    with click.Context(verb_verify.command) as ctx:
        ctx.meta[GIVEN] = {}
        assert verb_verify._trust(ctx, dict.fromkeys(names) | {"trusted_blocks": ()}) == (None, None)


def test_what_its_author_cancelled_does_not_stand() -> None:
    forged = Forged(batched=True)
    data = forged.data()
    assert verify_bundle(data, Trust(blocks=blocks_of(data))).conclusion == "verified"
    forged.cancelled = True
    data = forged.data()
    report = verify_bundle(data, Trust(blocks=blocks_of(data)))
    assert (report.conclusion, report.bundle.records[0].status.name) == ("not verified", "CANCELLED")
