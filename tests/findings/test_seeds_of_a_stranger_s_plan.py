"""A run named the plan that another group had sealed: of all seals in a registry, one whose block gave the seeds that
suited its author. "seed plan" and "seed choice" passed."""

from __future__ import annotations

from pathlib import Path

import pytest

from blockchaintracer.core.manifest import RunPredicate, SeedDerivation
from blockchaintracer.core.record import from_hex, record_commitment
from blockchaintracer.core.seed_derivation import derive_seeds
from tests.evm.verify.conftest import SALT, block, file_of, number
from tests.support.revm_lab import ALICE, BOB, RevmLab, Stranger

pytestmark = pytest.mark.evm


@pytest.mark.parametrize(("who", "group", "word"), [(ALICE, 1, "pass"), (BOB, 2, "fail")])
def test_the_plan_is_of_the_run_s_own_group(tmp_path: Path, who, group: int, word: str) -> None:
    lab = RevmLab(tmp_path)
    plan = file_of(lab, "plan", group=group, author=who.address)
    commitment = record_commitment(lab.id(plan), SALT)
    lab.do(who, "seal", group, from_hex(commitment))
    lab.node.mine()
    first = block(lab, lab.node.number - 1)
    lab.do(who, "reveal", plan.as_abi(), from_hex(SALT))
    chain_id = lab.node.chain.chain_id
    seeds = derive_seeds(chain_id, first.block_hash, commitment, ("numpy",))
    derivation = SeedDerivation(
        chain_id=str(chain_id),
        group=group,
        author=who.address,
        commitment=commitment,
        rule="first-after-seal",
        block_number=first.block_number,
        block_hash=first.block_hash,
        seeds=seeds,
    )
    run = RunPredicate(run_id=number(1), name="run", status="completed", seed_derivation=derivation, seeds=seeds)
    lab.record(lab.key("run", run, kind=3))
    lab.node.mine(3)
    with lab.node.serving() as url:
        report = Stranger(lab, url).verifier.hash(lab.id("run"))
    checks = {check.name: check for check in report.checks}
    assert checks["seed plan"].verdict == word, checks["seed plan"].detail
    assert report.verified is (word == "pass"), report.failed
