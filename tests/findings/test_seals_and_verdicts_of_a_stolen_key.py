"""A group had stated that a member's key was stolen: records were compared with that, but what the thief sealed,
anchored or gave as a verdict was told as the member's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from blockchaintracer.core.record import Verdict, from_hex
from blockchaintracer.core.verify import Outcome, Report
from blockchaintracer.core.verify.outcomes import Conclusion
from tests.evm.verify.conftest import file_of, statement_on_a_key
from tests.support.revm_lab import ALICE, BOB, MALLORY, RevmLab, Stranger

pytestmark = pytest.mark.evm
EARLY, LATE, ROOT = ("0x" + digits * 32 for digits in ("e1", "1a", "b0"))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stranger, dict[str, str]]]:
    lab = RevmLab(tmp_path_factory.mktemp("published"))
    lab.join(MALLORY, 7)
    data = lab.keys["data"] = file_of(lab, "data", group=2, author=BOB.address)
    lab.record(data, BOB)
    lab.do(MALLORY, "seal", 1, from_hex(EARLY))
    lab.node.mine()
    since = lab.node.blocks[-1]["timestamp"] + 1
    lab.node.mine(3)
    sent = {
        "seal": lab.do(MALLORY, "seal", 1, from_hex(LATE)),
        "batch": lab.do(MALLORY, "anchor", 1, from_hex(ROOT), 3, bytes(32)),
        "verdict": lab.do(MALLORY, "attest", 1, from_hex(lab.id("data")), int(Verdict.DISPUTED)),
    }
    lab.record(statement_on_a_key(lab, "statement", since, of=MALLORY.address), ALICE)
    lab.node.mine(3)
    with lab.node.serving() as url:
        yield Stranger(lab, url), {**sent, "data": lab.id("data")}


def stolen(report: Report) -> list[Outcome]:
    return [check.verdict for check in report.checks if "this was committed to after" in check.detail]


def test_what_was_sealed_before_and_after(done: tuple[Stranger, dict[str, str]]) -> None:
    verifier = done[0].verifier
    early, late = verifier.hash(EARLY), verifier.hash(LATE)
    assert early.conclusion is Conclusion.VERIFIED
    assert any("this was committed to before" in check.detail for check in early.checks)
    assert len(early.proves) == 1
    assert stolen(late) == [Outcome.FAIL]
    assert late.conclusion is Conclusion.NOT_VERIFIED
    assert late.proves == ()


@pytest.mark.parametrize("what", ["seal", "batch", "verdict"])
def test_a_transaction_of_the_thief(done: tuple[Stranger, dict[str, str]], what: str) -> None:
    report = done[0].verifier.hash(done[1][what])
    assert stolen(report) == [Outcome.FAIL]
    assert report.proves == ()


def test_a_batch_of_the_thief(done: tuple[Stranger, dict[str, str]]) -> None:
    assert stolen(done[0].verifier.hash(ROOT)) == [Outcome.FAIL]


def test_a_verdict_of_the_thief_is_named_and_is_not_the_records_fault(done: tuple[Stranger, dict[str, str]]) -> None:
    report = done[0].verifier.hash(done[1]["data"])
    assert stolen(report) == [Outcome.UNKNOWN]
    assert report.conclusion is Conclusion.VERIFIED
    # it was told among what the record's verification proves, in the name of the thief's group
    verdicts = [check.verdict for check in report.checks if check.name == "verdict of group 1"]
    assert verdicts == [Outcome.UNKNOWN] * 2
    assert len(report.proves) == 1
