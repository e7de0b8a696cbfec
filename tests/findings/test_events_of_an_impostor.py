"""eas-sdk read logs without asking who emitted them. A contract that emits the registry's events is not believed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from blockchaintracer.chain import Chain, Registry
from tests.findings.conftest import ALICE, CAROL, DATA, MALLORY, found
from tests.node import NodeChain, anvil


@pytest.fixture
def node() -> Iterator[NodeChain]:
    with anvil() as chain:
        yield chain


def test_a_copied_event_is_not_the_registrys(node) -> None:
    contract = found(node.deploy("LabRegistry", CAROL.address, True))
    impostor = node.deploy("Impostor")
    record = contract.read("idOf", DATA)
    node.tick()
    contract.send(ALICE.address, "record", DATA)
    (log,) = node.rpc("eth_getLogs", [{"address": contract.address, "topics": [None, "0x" + record.hex()]}])
    topics, data = [bytes.fromhex(topic[2:]) for topic in log["topics"]], bytes.fromhex(log["data"][2:])
    topics[1] = b"\x66" * 32
    node.tick()
    forged = node.transact(MALLORY.address, impostor.address, impostor.interface.encode_call("emitAs", topics, data))
    assert [entry["topics"][0] for entry in forged["logs"]] == [log["topics"][0]]

    client = Registry(Chain.connect(node.url), contract.address)
    assert [event.id for event in client.recorded()] == [record.hex()]
    assert client.find("66" * 32) is None
    receipt = client.chain.web3.eth.get_transaction_receipt(forged["transactionHash"])
    assert client.events_of(receipt) == []
