"""A review on the evidence of a run was told to be contradicted by the run's metrics, which fit: a group that reviewed
said nothing of them. Metrics are compared under a verdict that is about them."""

from __future__ import annotations

from pathlib import Path

import pytest

from blockchaintracer.core.manifest import Metric
from blockchaintracer.core.manifest.predicates import Tolerance
from blockchaintracer.core.record import Relation, Verdict, from_hex
from blockchaintracer.core.verify import Outcome
from tests.evm.verify.conftest import run_of
from tests.support.revm_lab import BOB, RevmLab, Stranger

pytestmark = pytest.mark.evm
ACCURACY = Metric(value=0.9, tolerance=Tolerance(absolute=0.1))
PASS, UNKNOWN = Outcome.PASS, Outcome.UNKNOWN


def test_metrics_are_compared_under_a_verdict_that_is_about_them(tmp_path: Path) -> None:
    lab = RevmLab(tmp_path)
    lab.record(run_of(lab, "run", 1, metrics={"accuracy": ACCURACY}))
    run = from_hex(lab.id("run"))
    cases: list[tuple[Verdict, float | None, Outcome | None]] = [
        (Verdict.REPRODUCED, 0.85, PASS), (Verdict.NOT_REPRODUCED, 0.5, PASS), (Verdict.REPRODUCED, 0.5, UNKNOWN),
        (Verdict.NOT_REPRODUCED, 0.85, UNKNOWN), (Verdict.REPRODUCED, None, UNKNOWN),
        (Verdict.REVIEWED, 0.85, None), (Verdict.DISPUTED, 0.5, None),
    ]  # fmt: skip
    for group, (verdict, found, _) in enumerate(cases, 3):
        lab.do(BOB, "createGroup", 7, bytes(32))
        metrics = {} if found is None else {"metrics": {"accuracy": Metric(value=found)}}
        facts = {"group": group, "author": BOB.address, **metrics}
        again = run_of(lab, f"again {group}", group, {"run": Relation.REPRODUCES}, **facts)
        lab.record(again, BOB)
        lab.do(BOB, "attestWithEvidence", group, run, int(verdict), again.as_abi())
    with lab.node.serving() as url:
        report = Stranger(lab, url).verifier.hash(lab.id("run"))
    for group, (_, _, outcome) in enumerate(cases, 3):
        checks = [check for check in report.checks if check.name == f"metrics of group {group}"]
        assert [check.verdict for check in checks] == ([] if outcome is None else [outcome]), group
        for check in checks:
            assert check.detail.startswith("they contradict the verdict: ") is (outcome is UNKNOWN)
    assert report.conclusion == "verified"
