"""Anyone could make another's record "not verified": give it a verdict on evidence, and retract the evidence. A
Reviewed or Disputed stays in the registry then, and the check of it failed, and the record with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from blockchaintracer.core.record import Verdict, from_hex
from blockchaintracer.core.verify import Outcome
from tests.evm.verify.conftest import file_of
from tests.support.revm_lab import BOB, RevmLab, Stranger

pytestmark = pytest.mark.evm


@pytest.mark.parametrize("verdict", [Verdict.REVIEWED, Verdict.DISPUTED])
def test_the_record_stays_verified_and_the_verdict_is_told(tmp_path: Path, verdict: Verdict) -> None:
    lab = RevmLab(tmp_path)
    lab.record(file_of(lab, "data"))
    evidence = file_of(lab, "evidence", group=2, author=BOB.address)
    lab.record(evidence, BOB)
    lab.do(BOB, "attestWithEvidence", 2, from_hex(lab.id("data")), int(verdict), evidence.as_abi())
    lab.do(BOB, "retract", evidence.as_abi(), bytes(32))
    with lab.node.serving() as url:
        report = Stranger(lab, url).verifier.hash(lab.id("data"))
    assert report.conclusion == "verified"
    [check] = [check for check in report.checks if check.name == "verdict of group 2"]
    assert check.verdict is Outcome.UNKNOWN
    assert check.detail.endswith(" UTC, but that evidence is retracted")
    assert len(report.proves) == 1
