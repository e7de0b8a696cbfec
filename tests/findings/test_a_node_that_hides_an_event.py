"""A node with all its history that does not give one event was told as "unknown: None"."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.record_view import RecordView
from blockchaintracer.core.verify.verifier import Verifier
from tests.evm.verify.conftest import file_of
from tests.support.revm_lab import RevmLab, Stranger

pytestmark = pytest.mark.evm


def test_the_node_does_not_give_its_event(tmp_path: Path) -> None:
    lab = RevmLab(tmp_path)
    for name in ("data", "more"):
        lab.record(file_of(lab, name), mine=False)
    lab.node.mine()

    def hiding(method: str, params: list[Any], result: Any) -> Any:
        return [log for log in result if lab.id("data") not in log["topics"]] if method == "eth_getLogs" else result

    lab.node.lie = hiding
    with lab.node.serving() as url:
        stranger = Stranger(lab, url)
        registry = stranger.registry.knowing(lambda digest: [RecordView(id=lab.id("data"), key=lab.keys["data"])])
        reports = [Verifier(registry, stranger.copies).hash(lab.id("data"))]
        reports += [
            each.before(lab.id("data"), lab.id("more"))
            for each in (Verifier(registry, stranger.copies), stranger.verifier)
        ]
    told = [check.detail for report in reports for check in report.checks if "unknown" in check.detail]
    assert len(told) > 4
    for detail in told:
        assert "None" not in detail
    assert sum("the node does not give its event" in detail for detail in told) > 3
    assert [check.values for check in reports[1].checks if check.name == "order"] == [
        {"unavailable": ["the node does not give its event"]}
    ]
