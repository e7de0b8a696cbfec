"""Logs by several endpoints: what one leaves out another tells, and one that is away is not waited for twice."""

from __future__ import annotations

import json
from typing import Any

import pytest

from blockchaintracer.core.chain import Chain, endpoints
from blockchaintracer.core.chain.endpoints import Endpoints
from blockchaintracer.core.fetch import Fetched, FetchError

REGISTRY = "0x" + "12" * 20
FIRST, SECOND, THIRD = (f"http://{name}.example/" for name in ("first", "second", "third"))


def log(index: int) -> dict[str, Any]:
    word = "0x" + "ab" * 32
    place = {"blockNumber": "0x1", "transactionIndex": "0x0", "logIndex": hex(index), "blockHash": word}
    return place | {"address": REGISTRY, "topics": [word], "data": "0x", "transactionHash": word, "removed": False}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two endpoints that each leave out a log, a third that is away: which of them were asked for logs."""
    asked: list[str] = []
    logs = {FIRST: [log(0), log(1)], SECOND: [log(1), log(2)]}

    def fetch(url: str, *, data: bytes, **given: Any) -> Fetched:
        request = json.loads(data)
        asked.extend([url] if request["method"] == "eth_getLogs" else [])
        if url == THIRD:
            raise FetchError("can't be reached")
        result = {"eth_chainId": "0x5", "eth_blockNumber": "0x9", "eth_getLogs": logs[url]}[request["method"]]
        return Fetched(200, {}, json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}).encode())

    monkeypatch.setattr(endpoints, "fetch", fetch)
    return asked


def test_what_one_endpoint_leaves_out_another_tells(asked: list[str]) -> None:
    node = Endpoints([FIRST, SECOND, THIRD])
    assert node.open() == 5
    for _ in range(2):
        found = Chain(node).logs({"address": REGISTRY})
        assert [each.position.log for each in found] == [0, 1, 2]
    assert asked.count(FIRST) == asked.count(SECOND) == 2
    assert asked.count(THIRD) == 0, "it did not tell its chain"
