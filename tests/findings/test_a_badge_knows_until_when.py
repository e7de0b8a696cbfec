"""The page drew badges of the day of the check, whatever its source knew: a proof without a node knows until its
blocks, and a node that is behind until its newest."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from blockchaintracer.core.networks import network_by_name
from blockchaintracer.core.record import Kind
from blockchaintracer.lab.groups import create_group
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.published_pages import PAGE
from blockchaintracer.lab.recording.content import record_content
from tests.live.browser.chromium import drive
from tests.live.browser.test_check_page import Nodes, nodes  # noqa: F401
from tests.support.evm import START
from tests.support.forged_bundles import Forged, blocks_of
from tests.support.memory_node import MemoryNode, answering
from tests.support.registry_life import FULL, KeptSigner

from .test_the_page_says_what_it_checked import pytestmark  # noqa: F401

DAY = datetime.fromtimestamp(START, UTC).date().isoformat()


@pytest.fixture(scope="module")
def seen(nodes: Nodes, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:  # noqa: F811
    folder = tmp_path_factory.mktemp("visits")
    node, signer = MemoryNode(network_by_name("base").chain_id), KeptSigner("owner")
    registry = node.deploy("LabRegistry", signer.address, True)
    (folder / "data.csv").write_bytes(b"1,2\n")
    with answering(full=node.answer):
        lab = Lab(Home(folder / "home"), rpc=FULL, registry_address=registry, signer_given=signer)
        create_group(lab, "lab")
        made = record_content(lab, Kind.DATASET, folder / "data.csv")
    (folder / "alone.proof").write_bytes(alone := Forged().data())
    nodes.answers["old"] = node.answer
    asked = {"network": "other", "chain": str(node.chain.chain_id), "registry": registry, "node": nodes.url("old")}
    visits: dict[str, dict[str, Any]] = {
        "a proof alone": {"files": [str(folder / "alone.proof")], "fields": {"block": " ".join(blocks_of(alone))}},
        "an old node": {"paste": made.id, "fields": asked},
    }
    for visit in visits.values():
        visit |= {"press": True, "expects": "Its life", "badge": True}
    told = drive("visit.mjs", {"page": PAGE.as_uri(), "visits": [*visits.values()]}, folder)
    assert not [it["messages"] for it in told if it["messages"]]
    return dict(zip(visits, told, strict=True))


@pytest.mark.parametrize(("name", "day"), [("a proof alone", "2015-07-30"), ("an old node", DAY)])
def test_a_badge_is_of_the_day_until_which_its_source_knows(seen: dict[str, Any], name: str, day: str) -> None:
    assert f": verified on {day}" in seen[name]["badge"]
    assert f"Not until {day}" in seen[name]["text"]
