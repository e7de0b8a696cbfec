"""eas-sdk read logs without asking who emitted them. A contract that emits the registry's events is not believed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from blockchaintracer.core.chain import Chain, Registry
from blockchaintracer.core.record import to_hex
from tests.findings.conftest import ALICE, CAROL, DATA, MALLORY, found
from tests.support.node import NodeChain, NodeContract, anvil

pytestmark = pytest.mark.node

FORGED = b"\x66" * 32


@pytest.fixture
def node() -> Iterator[NodeChain]:
    with anvil() as chain:
        yield chain


@pytest.fixture
def contract(node: NodeChain) -> NodeContract:
    return found(node.deploy("LabRegistry", CAROL.address, True))


def sent(contract: NodeContract, *call: Any) -> dict[str, Any]:
    """The log that a transaction of Alice leaves."""
    contract.chain.tick()
    receipt = contract.chain.transact(ALICE.address, contract.address, contract.interface.encode_call(*call))
    (log,) = receipt["logs"]
    return log


def copied(node: NodeChain, log: dict[str, Any], place: int) -> dict[str, Any]:
    """The receipt of a contract that emits the same, but for one word."""
    impostor = node.deploy("Impostor")
    topics, data = [bytes.fromhex(topic[2:]) for topic in log["topics"]], bytes.fromhex(log["data"][2:])
    # the id of a record, the root of a batch, the commitment of a seal
    topics[place] = FORGED
    node.tick()
    receipt = node.transact(MALLORY.address, impostor.address, impostor.interface.encode_call("emitAs", topics, data))
    (forged,) = receipt["logs"]
    assert (forged["topics"][0], forged["data"]) == (log["topics"][0], log["data"])
    return receipt


def test_a_copied_record_is_not_the_registrys(node, contract) -> None:
    record = contract.read("idOf", DATA)
    log = sent(contract, "record", DATA)
    assert log["topics"][1] == "0x" + record.hex()
    receipt = copied(node, log, 1)
    client = Registry(Chain.connect(node.url), contract.address)
    assert [event.id for event in client.recorded()] == [to_hex(record)]
    assert client.find_record(FORGED.hex()) is None
    assert client.events_of(client.chain.receipt(receipt["transactionHash"])) == []


@pytest.mark.parametrize(
    ("event", "field", "call"),
    [
        ("Sealed", "commitment", ("seal", 1, b"\1" * 32)),
        ("Anchored", "root", ("anchor", 1, b"\1" * 32, 5, b"\2" * 32)),
        ("LeavesAnchored", "root", ("anchorLeaves", 1, [b"\1" * 32])),
    ],
)
def test_nor_is_a_copied_commitment(node, contract, event, field, call) -> None:
    log = sent(contract, *call)
    receipt = copied(node, log, 2)
    client = Registry(Chain.connect(node.url), contract.address)
    assert ["0x" + heard.args[field].hex() for heard in client.events(event)] == [log["topics"][2]]
    assert client.events_of(client.chain.receipt(receipt["transactionHash"])) == []
