"""A node that is behind said that a record is not retracted, that a batch is not anchored, and of two records whose
order is asked that one is missing."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from blockchaintracer.core.manifest import ContentPredicate
from blockchaintracer.core.merkle import MerkleTree
from blockchaintracer.core.networks import network_by_name
from blockchaintracer.core.verify import Report
from blockchaintracer.core.verify.verifier import Verifier, as_told
from tests.support.revm_lab import RevmLab, Stranger

HOUR = 3_600


@pytest.mark.parametrize("age", [HOUR, HOUR + 1])
def test_what_it_lacks_is_unknown(age: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = RevmLab(tmp_path, network_by_name("base-sepolia").chain_id)
    keys = [
        lab.key(name, ContentPredicate(subject_type="commitment", name=name), digit * 64)
        for name, digit in (("data", "1"), ("later", "2"))
    ]
    lab.record(keys[0])
    lab.node.mine(3)
    newest = int(lab.node.blocks[-1]["timestamp"])
    monkeypatch.setattr(time, "time", lambda: newest + age)
    with lab.node.serving() as url:
        stranger = Stranger(lab, url)
        verifier = Verifier(stranger.registry, stranger.copies)
        tree = MerkleTree([lab.id("later")])
        recorded, order, batched, forged = (
            as_told(report, stranger.registry.chain)
            for report in (
                verifier.hash(lab.id("data")),
                verifier.before(lab.id("data"), lab.id("later")),
                verifier.batched(keys[1], tree.root, ()),
                verifier.batched(keys[1], tree.root, (lab.id("data"),), groups=(2,)),
            )
        )
    is_behind = age > HOUR
    absent = "unavailable" if is_behind else "not verified"
    assert [str(it.conclusion) for it in (recorded, order, batched)] == ["verified", absent, absent]
    assert verdicts(recorded, "retraction") == ["unknown" if is_behind else "pass"]
    assert verdicts(order, "recorded") == ["pass", "unknown" if is_behind else "fail"]
    # what fails whatever came since stays as it is
    assert verdicts(forged, "group") == ["fail"]
    assert str(forged.conclusion) == "not verified"


def verdicts(report: Report, name: str) -> list[str]:
    return [check.verdict.value for check in report.checks if check.name == name]
