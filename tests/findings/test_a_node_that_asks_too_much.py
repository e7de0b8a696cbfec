"""The price of gas is the node's word. One that names a thousand times the price must not get it out of a lab's key."""

import pytest

from blockchaintracer.core.errors import BlockchainTracerError
from blockchaintracer.core.record import Kind
from blockchaintracer.lab.outbox.queue import MAX_COST
from blockchaintracer.lab.recording.content import record_content

pytestmark = pytest.mark.node


def test_a_transaction_costs_no_more_than_the_lab_allows(lab, file, monkeypatch):
    lab.chain.ask("anvil_setNextBlockBaseFeePerGas", hex(10**14))
    lab.chain.ask("evm_mine")
    paid = lab.chain.nonce(lab.signer.address)
    with pytest.raises(BlockchainTracerError, match="is allowed"):
        record_content(lab, Kind.DATASET, file)
    assert lab.chain.nonce(lab.signer.address) == paid
    monkeypatch.setenv(MAX_COST, "100")
    lab.devnet.fund(lab.signer.address, 10**21)
    assert record_content(lab, Kind.DATASET, file).block
