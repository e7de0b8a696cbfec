"""A faulty proxy between client and node: the client never reports a success that the chain doesn't hold."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.chain import Chain, endpoints
from blockchaintracer.core.chain.endpoints import Endpoints
from blockchaintracer.core.errors import BlockchainTracerError, ChainUnavailable, InputError
from blockchaintracer.core.networks import network_by_name
from blockchaintracer.core.record import Kind, from_hex
from blockchaintracer.lab.devnet import Devnet
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.outbox import EntryState, Outbox
from blockchaintracer.lab.recording.content import record_content
from tests.support.labs import free_port, running_lab
from tests.support.node import anvil
from tests.support.proxy import Answer, Ask, Fault, Proxy, proxied

TIMES = 20 if os.environ.get("FAULTS") else 2
SHARE = 0.25


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many tries as ever, in less time."""
    monkeypatch.setattr(endpoints, "_PAUSE_S", 0.02)


@pytest.fixture
def proxy(lab: Lab) -> Iterator[Proxy]:
    with proxied(lab.devnet.start().url) as proxy:
        yield proxy


def through(lab: Lab, url: str, wait_s: float = 3) -> Lab:
    """The lab as a new process would open it, behind another address and of little patience."""
    client = Lab(lab.home, rpc=url, registry_address=lab.registry.address, group_number=1)
    client.__dict__["outbox"] = Outbox(lab.home.outbox, wait_s=wait_s)
    return client


def a_file(folder: Path) -> Path:
    path = folder / os.urandom(8).hex()
    path.write_bytes(os.urandom(50))
    return path


def require_true(lab: Lab, recorded: Recorded) -> None:
    """What was said of a record, held against the chain itself."""
    if recorded.state in ("included", "final"):
        assert lab.registry.status(recorded.id).exists
        [event] = lab.registry.recorded(id=from_hex(recorded.id))
        assert (event.transaction, event.block) == (recorded.transaction, recorded.block)


# -- faults that come and go


def dropped_question(request: dict[str, Any], ask: Ask) -> Answer:
    return None


def dropped_answer(request: dict[str, Any], ask: Ask) -> Answer:
    ask()
    return None


def asked_twice(request: dict[str, Any], ask: Ask) -> Answer:
    ask()
    return ask()


def delayed(request: dict[str, Any], ask: Ask) -> Answer:
    time.sleep(0.1)
    return ask()


def cut(request: dict[str, Any], ask: Ask) -> Answer:
    data = json.dumps(ask()).encode()
    return data[: len(data) // 2]


def too_many(request: dict[str, Any], ask: Ask) -> Answer:
    return 429


def broken(request: dict[str, Any], ask: Ask) -> Answer:
    ask()
    return 500


def of_another_id(request: dict[str, Any], ask: Ask) -> Answer:
    return {**ask(), "id": request["id"] + 1}


class Reordered:
    """Answers with what was asked before."""

    def __init__(self) -> None:
        self.last: dict[str, Any] | None = None

    def __call__(self, request: dict[str, Any], ask: Ask) -> Answer:
        before, self.last = self.last, ask()
        return before or self.last


def nonsense(request: dict[str, Any], ask: Ask) -> Answer:
    ask()
    values: list[Any] = ["0x", "0xzz", "", None, [], {}, 7, True, "0x" + "f" * 64, {"number": "0x1"}, [{"data": "0x"}]]
    return {"jsonrpc": "2.0", "id": request["id"], "result": random.choice(values)}


def refused(request: dict[str, Any], ask: Ask) -> Answer:
    return {"jsonrpc": "2.0", "id": request["id"], "error": {"code": -32000, "message": "header not found"}}


FAULTS: list[Fault] = [
    *(dropped_question, dropped_answer, asked_twice, delayed, cut, too_many, broken),
    *(of_another_id, Reordered(), nonsense, refused),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: getattr(fault, "__name__", "reordered"))
def test_nothing_is_said_to_be_recorded_that_is_not_and_nothing_is_recorded_twice(lab, proxy, tmp_path, fault):
    chance = random.Random(7)

    def sometimes(request: dict[str, Any], ask: Ask) -> Answer:
        return fault(request, ask) if chance.random() < SHARE else ask()

    said = []
    paid = lab.chain.nonce(lab.signer.address)
    files = [a_file(tmp_path) for _ in range(TIMES)]
    for path in files:
        proxy.fault = sometimes
        try:
            said.append(record_content(through(lab, proxy.url), Kind.DATASET, path))
        except BlockchainTracerError:
            # a typed error is an answer, too: it claims nothing
            continue
        require_true(lab, said[-1])
    proxy.fault = lambda request, ask: ask()
    after = through(lab, proxy.url)
    after.flush()
    found = [record_content(after, Kind.DATASET, path) for path in files]
    for one in found:
        require_true(lab, one)
        assert one.state in ("included", "final")
    assert {one.id for one in said} <= {one.id for one in found}
    # what waited goes together
    assert lab.chain.nonce(lab.signer.address) - paid <= TIMES


def test_a_node_that_loses_its_newest_block_for_one_question_loses_no_record(lab, proxy, tmp_path):
    asked = which = 0

    def forgetful(request: dict[str, Any], ask: Ask) -> Answer:
        nonlocal asked
        if request["method"] != "eth_getBlockByNumber":
            return ask()
        asked += 1
        return {"jsonrpc": "2.0", "id": request["id"], "result": None} if asked == which else ask()

    # every question for a block that a record takes, one after the other
    while asked >= which:
        asked, which, path = 0, which + 1, a_file(tmp_path)
        proxy.fault = forgetful
        # what can't be sent now waits: it is no error, and no success
        require_true(lab, record_content(through(lab, proxy.url), Kind.DATASET, path))
        proxy.fault = lambda request, ask: ask()
        found = record_content(through(lab, proxy.url), Kind.DATASET, path)
        require_true(lab, found)
        assert found.state in ("included", "final")
    assert which > 5


# -- nodes that lie


def lying_receipt(status: str) -> Fault:
    def fault(request: dict[str, Any], ask: Ask) -> Answer:
        method, answer = request["method"], {"jsonrpc": "2.0", "id": request["id"]}
        if method == "eth_sendRawTransaction":
            from eth_utils.crypto import keccak

            return {**answer, "result": "0x" + keccak(bytes.fromhex(request["params"][0][2:])).hex()}
        if method == "eth_getTransactionReceipt":
            return {
                **answer,
                "result": {
                    "transactionHash": request["params"][0],
                    "blockHash": fault.head["hash"],
                    "blockNumber": fault.head["number"],
                    "transactionIndex": "0x0",
                    "status": status,
                    "gasUsed": "0x5208",
                    "cumulativeGasUsed": "0x5208",
                    "effectiveGasPrice": "0x1",
                    "logs": [],
                    "logsBloom": "0x" + "00" * 256,
                    "from": "0x" + "11" * 20,
                    "to": "0x" + "22" * 20,
                    "contractAddress": None,
                    "type": "0x2",
                },
            }
        found = ask()
        if method == "eth_getBlockByNumber" and request["params"][0] == "latest":
            fault.head = found["result"]
        return found

    fault.head = {}
    return fault


@pytest.mark.parametrize("status", ["0x1", "0x0"])
def test_a_receipt_of_what_never_happened_is_not_believed(lab, proxy, tmp_path, status):
    proxy.fault = lying_receipt(status)
    path = a_file(tmp_path)
    recorded = record_content(through(lab, proxy.url, 1), Kind.DATASET, path)
    assert recorded.state == "submitted"
    assert recorded.block is None
    assert not lab.registry.status(recorded.id).exists
    # told the truth, the same transaction is sent again
    after = through(lab, lab.devnet.start().url)
    [entry] = after.flush()
    assert entry.transaction == recorded.transaction
    assert lab.registry.status(recorded.id).exists


def test_a_reverted_receipt_for_what_did_happen_is_no_failure(lab, proxy, tmp_path):
    def fault(request: dict[str, Any], ask: Ask) -> Answer:
        answer = ask()
        if request["method"] == "eth_getTransactionReceipt" and answer["result"]:
            answer["result"]["status"] = "0x0"
        return answer

    proxy.fault = fault
    recorded = record_content(through(lab, proxy.url), Kind.DATASET, a_file(tmp_path))
    assert recorded.state in ("included", "final")
    require_true(lab, recorded)


def test_a_head_called_final_is_held_against_the_chain_again(lab, tmp_path):
    """A block that was reorganised away before it was final never becomes so."""
    client = through(lab, lab.devnet.start().url)
    recorded = record_content(client, Kind.DATASET, a_file(tmp_path))
    [entry] = client.outbox.entries_about(recorded.id)
    assert entry.state is EntryState.INCLUDED
    client.chain.ask("anvil_reorg", 2, [])
    client.chain.ask("anvil_mine", "0x8")
    client.outbox.settle(client.chain)
    assert client.outbox.entries_about(recorded.id)[0].state is EntryState.INCLUDED
    client.flush()
    require_true(lab, record_content(client, Kind.DATASET, next(tmp_path.iterdir())))


# -- nodes that are behind, or elsewhere


class Public(Chain):
    """The devnet, taken for a public chain."""

    network = network_by_name("base-sepolia")


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lab, str, str]]:
    """A lab, a node of its chain as it was 100 blocks ago, and the node itself."""
    with running_lab(tmp_path_factory.mktemp("ahead")) as lab:
        old = Home(tmp_path_factory.mktemp("behind") / "home")
        lab.devnet.persist()
        for path in lab.home.devnet.glob("state*"):
            (old.devnet / path.name).write_bytes(path.read_bytes())
        node = Devnet(old)
        url = node.start(free_port()).url
        record_content(lab, Kind.DATASET, a_file(tmp_path_factory.mktemp("files")))
        lab.chain.ask("anvil_mine", hex(100))
        yield lab, url, lab.devnet.start().url
        node.stop()


def test_of_two_endpoints_the_one_that_is_behind_is_not_asked(behind, tmp_path):
    lab, old, new = behind
    chain = Chain.connect(f"{old},{new}")
    assert chain.head().number == lab.chain.head().number
    client = through(lab, f"{old},{new}")
    recorded = record_content(client, Kind.DATASET, a_file(tmp_path))
    require_true(lab, recorded)


def test_a_node_that_is_behind_is_told_and_nothing_is_sent_to_it(behind, tmp_path):
    lab, old, new = behind
    client = through(lab, old)
    client.connect = lambda: Public(Endpoints([old]))
    before = client.chain.head().number
    recorded = record_content(client, Kind.DATASET, a_file(tmp_path))
    assert (recorded.state, recorded.block) == ("stored", None)
    assert client.chain.head().number == before
    after = through(lab, new)
    after.flush()
    assert lab.registry.status(recorded.id).exists


def test_an_endpoint_that_dies_makes_way_for_the_next(lab, tmp_path):
    url = lab.devnet.start().url
    with proxied(url) as first, proxied(url) as second:
        client = through(lab, f"http://127.0.0.1:9,{first.url}, {second.url}")
        require_true(lab, record_content(client, Kind.DATASET, a_file(tmp_path)))
        assert not second.asked["eth_sendRawTransaction"]
        first.fault = broken
        require_true(lab, recorded := record_content(client, Kind.DATASET, a_file(tmp_path)))
        assert recorded.state in ("included", "final")
        assert second.asked["eth_sendRawTransaction"] == 1


def test_endpoints_of_different_chains_are_refused(lab):
    with anvil(chain_id=5) as other, pytest.raises(InputError, match="expected endpoints of one chain"):
        Chain.connect(f"{lab.devnet.start().url},{other.url}")


def test_an_address_that_leads_to_another_chain_now_gets_nothing(lab, proxy, tmp_path):
    client = through(lab, proxy.url)
    assert client.chain.chain_id == lab.chain_id

    def elsewhere(request: dict[str, Any], ask: Ask) -> Answer:
        if request["method"] == "eth_chainId":
            return {"jsonrpc": "2.0", "id": request["id"], "result": "0x5"}
        return ask()

    proxy.fault = elsewhere
    with pytest.raises(ChainUnavailable, match="is chain 5 now"):
        client.flush()
    recorded = record_content(client, Kind.DATASET, a_file(tmp_path))
    assert recorded.state == "stored"
    assert not lab.registry.status(recorded.id).exists
    assert proxy.asked["eth_sendRawTransaction"] == 0
