"""`serve` called itself well while its node's newest block was days old."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from blockchaintracer.core.networks import network_by_name
from blockchaintracer.extras.search import Index
from blockchaintracer.extras.serve.follower import Follower
from blockchaintracer.extras.serve.published import PublishedFolder
from blockchaintracer.extras.serve.registry_answers import Answers
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from tests.support.memory_node import MemoryNode, answering
from tests.support.registry_life import FULL, KeptSigner


def test_its_health_is_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node, published = MemoryNode(network_by_name("base").chain_id), PublishedFolder(None, tmp_path / "nothing")
    registry = node.deploy("LabRegistry", KeptSigner("owner").address, True).lower()
    node.mine()
    newest = int(str(node.blocks[-1]["timestamp"]), 0)
    told = []
    for age in (3_600, 3_601, 3_600):
        monkeypatch.setattr(time, "time", lambda now=newest + age: now)
        with answering(full=node.answer):
            lab = Lab(Home(tmp_path / "home"), rpc=FULL, registry_address=registry)
            follower = Follower(lab, lambda: Index(tmp_path / "index"), published, 1)
            follower.follow()
            with Index(tmp_path / "index") as index:
                told.append(Answers(lab.domain, published).health(index, follower.state))
    assert [it["status"] for it in told] == ["ok", "stale", "ok"]
    assert told[0]["problem"] is None
    assert "of the node" in told[1]["problem"]
    assert FULL not in told[1]["problem"]
