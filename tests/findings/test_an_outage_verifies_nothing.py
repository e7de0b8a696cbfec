"""`Report.verified`, which a program asks, was true where `verify` ends in "unavailable": of an id that nobody
recorded, on a node that has forgotten events. A report's badge was green where a source could not be asked."""

from __future__ import annotations

import pytest

from blockchaintracer.core.verify.copies import FolderCopies
from blockchaintracer.core.verify.verifier import Verifier
from blockchaintracer.lab.gather import Gatherer
from tests.support.memory_node import answering, forgetful
from tests.support.registry_life import FULL, live

pytestmark = pytest.mark.evm


def test_an_id_that_nobody_recorded_is_not_verified(tmp_path) -> None:
    life = live(tmp_path)
    for mode in ("4444", "null"):
        with answering(full=forgetful(life.node, mode, life.node.head)):
            registry = life.open_lab(tmp_path / mode, FULL).registry
            report = Verifier(registry, FolderCopies()).hash("ab" * 32)
            assert (report.conclusion, report.verified) == ("unavailable", None)


def test_a_badge_is_not_green_while_a_source_is_away(tmp_path) -> None:
    life = live(tmp_path)
    with answering(full=life.node.answer):
        for source, shown in (
            (life.published, ("verified", "green")),
            ("http://127.0.0.1:9", ("unavailable", "yellow")),
        ):
            lab = life.open_lab(tmp_path / f"home {shown[0]}", FULL)
            lab.store.fetch(_manifest_of(life), [life.published])
            gatherer = Gatherer(lab, [source])
            verification = gatherer.verification(gatherer.required(life.ids["late"]), None)
            assert (verification.status, verification.colour) == shown


def _manifest_of(life) -> str:
    return life.lab.registry.find_record(life.ids["late"]).key.manifest
