"""Retracting a Run takes back every verdict that stands on it, in one transaction. A Run that could carry more than fit
into one (EIP-7825) could not be retracted by its author, who need not be a REVIEWER and so can't take them back one by
one. Whatever the registry stores as one record can be retracted as one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.findings.conftest import ALICE, BOB, CAROL, DATA, found, run_reproducing
from tests.model.registry import REPRODUCED, Refused
from tests.support.evm import Chain
from tests.support.node import NodeChain, NodeContract, anvil

pytestmark = pytest.mark.node

TRANSACTION_LIMIT = 16_777_216
"""EIP-7825"""


@pytest.fixture
def node() -> Iterator[NodeChain]:
    with anvil() as chain:
        yield chain


def gas_of(registry: NodeContract, by: str, function: str, *arguments: object) -> int:
    registry.chain.tick()
    receipt = registry.chain.transact(by, registry.address, registry.interface.encode_call(function, *arguments))
    assert receipt["status"] == "0x1"
    return int(receipt["gasUsed"], 16)


def gas_to_retract(registry: NodeContract, verdicts: int) -> int:
    """A Run on which so many verdicts stand."""
    keys = tuple(DATA._replace(subject=(1000 * verdicts + index).to_bytes(32, "big")) for index in range(verdicts))
    gas_of(registry, ALICE.address, "recordMany", keys)
    records = registry.read_all([("idOf", key) for key in keys])
    run = run_reproducing(*records, subject=verdicts)
    gas_of(registry, BOB.address, "record", run)
    for record in records:
        gas_of(registry, BOB.address, "attestWithEvidence", 2, record, REPRODUCED, run)
    gas = gas_of(registry, BOB.address, "retract", run, bytes(32))
    assert all(registry.read("verdictOf", 2, record)[0] == 0 for record in records)
    return gas


def stores_a_run_on(records: int) -> bool:
    """Whether a Run may name so many records; in process, where gas has no limit."""
    registry = found(Chain().deploy("LabRegistry", CAROL.address, True))
    keys = tuple(DATA._replace(subject=index.to_bytes(32, "big")) for index in range(records))
    ids, _ = registry.send(ALICE.address, "recordMany", keys)
    try:
        registry.send(BOB.address, "record", run_reproducing(*ids))
    except Refused:
        return False
    return True


def test_a_run_that_is_stored_can_be_retracted(node) -> None:
    registry = found(node.deploy("LabRegistry", CAROL.address, True))
    few, more = 4, 12
    each = (gas_to_retract(registry, more) - gas_to_retract(registry, few)) / (more - few)
    too_many = int(TRANSACTION_LIMIT / each) + 1
    assert not stores_a_run_on(too_many), f"retracting a Run with {too_many} verdicts at {each:,.0f} gas each won't fit"
    assert stores_a_run_on(512), "a Run over a few hundred records is ordinary"
