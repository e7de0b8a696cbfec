"""A node had forgotten that a member's key was stated to be stolen: a verdict of that key was told without a word, and
that the membership had ended, which the state tells, was not said."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from blockchaintracer.core.record import Kind, Role, Verdict
from blockchaintracer.core.verify import Check, Outcome, Report
from blockchaintracer.lab.attest import attest
from blockchaintracer.lab.groups import invite, join, remove_member
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.recording.content import record_content
from blockchaintracer.lab.rotation import report_key
from blockchaintracer.lab.verify_here import verify
from tests.support.memory_node import MODES, answering, forgetful
from tests.support.registry_life import FULL, KeptSigner, Life, live

pytestmark = pytest.mark.evm


@dataclass
class Told:
    """A record and a verdict of the stolen key.

    Attributes:
        cut: the block after the verdict's, which a node that has forgotten still has.
    """

    life: Life
    thief: Lab
    record: str
    judged: str
    published: Path
    cut: int


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    folder = tmp_path_factory.mktemp("life")
    life = live(folder)
    thief = Lab(life.other.home, rpc=FULL, registry_address=life.lab.registry_address, group_number=1)
    thief.signer_given = KeptSigner("thief")
    (folder / "stolen.bin").write_bytes(b"stolen")
    with answering(full=life.node.answer):
        join(thief, invite(life.lab, 1, thief.signer.address, Role.RECORDER | Role.REVIEWER))
        record = record_content(thief, Kind.DATASET, folder / "stolen.bin").id
        report_key(life.lab, thief.signer.address, "2025-01-01")
        remove_member(life.lab, 1, thief.signer.address)
        # of group 2, whose reviewer it is too
        join(thief, invite(life.other, 2, thief.signer.address, Role.REVIEWER))
        cut = life.node.head
        thief.group_number = 2
        attest(thief, life.ids["late"], Verdict.DISPUTED)
        life.node.mine(4)
        published = folder / "published by the thief"
        publish(thief, record, published)
    return Told(life, thief, record, life.ids["late"], published, cut)


def named(report: Report, name: str) -> list[Check]:
    return [check for check in report.checks if check.name == name]


def test_a_node_that_remembers_refuses_the_record(told: Told, tmp_path: Path) -> None:
    with answering(full=told.life.node.answer):
        report = verify(told.life.open_lab(told.life.lab.home.path, FULL), told.record)
        assert str(report.conclusion) == "not verified"
        assert [check.name for check in report.failed] == ["key"]


@pytest.mark.parametrize("mode", MODES)
def test_whether_it_was_stated_is_unknown_and_the_end_is_told(told: Told, tmp_path: Path, mode: str) -> None:
    with answering(full=forgetful(told.life.node, mode, told.life.node.head)):
        report = verify(told.life.open_lab(tmp_path / "home", FULL), told.record, sources=[told.published])
        [key] = named(report, "key")
        assert key.verdict is Outcome.UNKNOWN
        assert key.detail.startswith(f"whether group 1 stated that the key of {told.thief.signer.address}")
        assert "is unknown: the history of the node" in key.detail
        ended = f"its membership ended {told_time(told)} (state)"
        assert ended in key.detail
        [role] = named(report, "role")
        assert ended in role.detail


@pytest.mark.parametrize("mode", MODES)
def test_of_a_verdict_too(told: Told, tmp_path: Path, mode: str) -> None:
    with answering(full=forgetful(told.life.node, mode, told.cut)):
        report = verify(told.life.open_lab(tmp_path / "home", FULL), told.judged, sources=[told.life.published])
        [verdict] = named(report, "verdict of group 2")
        assert verdict.values["attester"] == told.thief.signer.address
        details = [check.detail for check in named(report, "key")]
        assert any(f"whether group 2 stated that the key of {told.thief.signer.address}" in it for it in details)


def told_time(told: Told) -> str:
    from blockchaintracer.core.networks import when

    with answering(full=told.life.node.answer):
        lab = told.life.open_lab(told.life.lab.home.path, FULL)
        return when(lab.registry.membership(1, told.thief.signer.address).until)
