"""A node of a public chain that had stopped days ago was believed: "no record" of what was recorded since, and "it is
not retracted" of what was retracted since, without a word of its newest block."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from blockchaintracer.core.api import verify
from blockchaintracer.core.manifest import ContentPredicate
from blockchaintracer.core.networks import Network, network_by_name
from blockchaintracer.core.trust import Trust
from blockchaintracer.core.verify import Report
from tests.support.revm_lab import RevmLab

SEPOLIA, DEVNET = network_by_name("base-sepolia"), network_by_name("devnet")
HOUR = 3_600


@pytest.fixture(scope="module", params=[SEPOLIA, DEVNET], ids=lambda network: str(network.name))
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[RevmLab, Network]:
    lab = RevmLab(tmp_path_factory.mktemp("lab"), request.param.chain_id)
    lab.key("data", ContentPredicate(subject_type="commitment", name="data"), "11" * 32)
    lab.record(lab.keys["data"])
    lab.node.mine(3)
    return lab, request.param


@pytest.mark.parametrize("age", [HOUR // 2, 2 * HOUR])
def test_what_came_since_is_unknown(
    lab: tuple[RevmLab, Network], age: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab_, network = lab
    newest = int(lab_.node.blocks[-1]["timestamp"])
    # this machine's clock alone says how old a block is
    monkeypatch.setattr(time, "time", lambda: newest + age)
    file = tmp_path / "unknown.csv"
    file.write_text("x")
    with lab_.node.serving() as url:
        trust = Trust(registry=lab_.registry.address, chain_id=network.chain_id, rpc=url)
        reports: list[Report] = [
            verify(target, trust, copies=lab_.folder) for target in (lab_.id("data"), "0x" + "ab" * 32, file)
        ]
    is_behind = network is SEPOLIA and age > HOUR
    absent = "unavailable" if is_behind else "not verified"
    assert [str(it.conclusion) for it in reports] == ["verified", absent, absent]
    for report in reports:
        told = [check.detail for check in report.checks if check.name == "node"]
        assert len(told) == is_behind
        assert all("what came since, it does not know" in detail for detail in told)
        assert report.private is (network is DEVNET)
