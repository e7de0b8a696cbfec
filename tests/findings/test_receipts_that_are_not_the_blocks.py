"""`query --rescan` believed any receipts: a node could leave logs out, or invent them, there as in its logs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.errors import ChainUnavailable, NotVerified
from blockchaintracer.core.record import Kind, Link, Relation
from blockchaintracer.extras.search import Index, query
from blockchaintracer.extras.tokens.kept_tokens import known_tokens
from blockchaintracer.lab.recording.content import commit_document
from tests.support.memory_node import RpcError, answering
from tests.support.registry_life import FULL, Life, live

pytestmark = pytest.mark.evm

EMPTY_BLOOM = "0x" + "00" * 256


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    return live(tmp_path_factory.mktemp("life"))


def lying(life: Life, lie: str) -> Any:
    """A node that changes what it tells of the block that holds the record called data."""
    place = life.node.receipts[life.transactions["data"]]["blockHash"]

    def changed(receipt: dict[str, Any]) -> dict[str, Any]:
        if receipt["blockHash"] != place or lie == "bloom of the header":
            return receipt
        if lie == "no logs":
            return receipt | {"logs": []}
        if lie == "no logs and no bloom":
            return receipt | {"logs": [], "logsBloom": EMPTY_BLOOM}
        [log] = receipt["logs"]
        return receipt | {"logs": [log | {"data": log["data"][:-1] + ("1" if log["data"][-1] == "0" else "0")}]}

    def answer(method: str, params: list[Any]) -> Any:
        told = life.node.answer(method, params)
        if method == "eth_getBlockReceipts":
            if lie.startswith("one by one"):
                raise RpcError(-32601, "the method does not exist")
            return [changed(receipt) for receipt in told]
        if method == "eth_getTransactionReceipt":
            return changed(told)
        if lie == "bloom of the header" and method == "eth_getBlockByNumber" and told and told["hash"] == place:
            return told | {"logsBloom": EMPTY_BLOOM}
        return told

    return answer


@pytest.mark.parametrize(
    "lie", ["no logs", "no logs and no bloom", "other data", "one by one: other data", "bloom of the header"]
)
def test_a_rescan_holds_receipts_against_the_header(life: Life, tmp_path: Path, lie: str) -> None:
    with Index(tmp_path / "index") as index:
        with answering(full=life.node.answer):
            lab = life.open_lab(tmp_path / "home", FULL)
            index.sync(lab.registry, lab.store, rescan=True)
            before = {row.id for row in query(index)}
        assert life.ids["data"] in before
        with answering(full=lying(life, lie)):
            lab = life.open_lab(tmp_path / "home", FULL)
            with pytest.raises(ChainUnavailable, match=r"not those of its header|has another hash"):
                index.sync(lab.registry, lab.store, rescan=True)
        assert {row.id for row in query(index)} == before


def test_where_a_log_stands_is_told_by_its_block(life: Life, tmp_path: Path) -> None:
    def answer(method: str, params: list[Any]) -> Any:
        told = life.node.answer(method, params)
        if method != "eth_getBlockReceipts":
            return told
        wrong = {"blockNumber": "0x1", "blockHash": "0x" + "22" * 32, "logIndex": "0x7", "removed": True}
        return [receipt | {"logs": [log | wrong for log in receipt["logs"]]} for receipt in told]

    rows = []
    for node in (answer, life.node.answer):
        with Index(tmp_path / f"index {len(rows)}") as index, answering(full=node):
            lab = life.open_lab(tmp_path / "home", FULL)
            index.sync(lab.registry, lab.store, rescan=True)
            rows.append(sorted((row.id, row.block, row.transaction) for row in query(index)))
    assert rows[0] == rows[1]


def test_documents_of_strangers_are_not_asked_about(life: Life) -> None:
    """`verify` asked the node about each of up to 2,000 documents that anybody had recorded about a run."""
    with answering(full=life.node.answer):
        for number in range(6):
            about = {"subject_type": "identifier", "identifier": f"https://example.org/{number}", "name": "CI token"}
            commit_document(life.other, Kind.DOCUMENT, None, [Link(life.ids["data"], Relation.USES)], **about)
        with Index(life.lab.home.index) as index:
            index.sync(life.lab.registry, life.lab.store)
        before = life.node.asked["eth_getLogs"]
        assert known_tokens(life.lab, life.ids["data"], 1) == []
        assert life.node.asked["eth_getLogs"] - before < 6


@pytest.mark.parametrize("lie", ["twice", "sealed in a time beyond SQLite's numbers"])
def test_events_that_no_registry_emits_are_the_nodes(life: Life, tmp_path: Path, lie: str) -> None:
    """A record twice was told as an index without space on its disk; a number of 64 bits ended in a traceback."""

    def answer(method: str, params: list[Any]) -> Any:
        told = life.node.answer(method, params)
        if method != "eth_getLogs":
            return told
        if lie == "twice":
            return [*told, *({**log, "logIndex": "0x99"} for log in told if len(log["data"]) > 322)]
        return [log | {"data": "0x" + "ff" * 32} if len(log["data"]) == 66 else log for log in told]

    with answering(full=answer), Index(tmp_path / "index") as index:
        lab = life.open_lab(tmp_path / "home", FULL)
        with pytest.raises(NotVerified, match="what no registry emits"):
            index.sync(lab.registry, lab.store)
        assert not query(index)
