"""Fees that rise after a transaction was signed, and blocks that the chain takes back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.errors import BlockchainTracerError
from blockchaintracer.core.record import Kind, from_hex
from blockchaintracer.lab.chain.questions import send
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.keys.signer import decode_signed
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.outbox import Entry, EntryState, Outbox
from blockchaintracer.lab.outbox.queue import MAX_COST
from blockchaintracer.lab.recording.content import record_content
from tests.support.labs import running_lab

GWEI = 10**9


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


class Slow:
    """The lab on a chain that makes a block only when it's told to."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.url = lab.devnet.start().url

    def ask(self, method: str, *values: Any) -> Any:
        return self.lab.chain.ask(method, *values)

    def client(self, *, wait_s: float = 0.4, stuck_s: float | None = None) -> Lab:
        client = Lab(self.lab.home, rpc=self.url)
        client.__dict__["outbox"] = Outbox(self.lab.home.outbox, wait_s=wait_s, stuck_s=stuck_s)
        return client

    def rise(self, base_fee: int) -> None:
        """A block, empty but for what can pay for it, after which the next ones have this base fee."""
        self.ask("anvil_setNextBlockBaseFeePerGas", hex(base_fee))
        self.ask("anvil_mine", "0x1")

    def entry(self, recorded: Recorded) -> Entry:
        return self.lab.outbox.entries_about(recorded.id)[0]

    def require_once(self, recorded: Recorded, nonce: int) -> None:
        [event] = self.lab.registry.recorded(id=from_hex(recorded.id))
        assert int(self.ask("eth_getTransactionByHash", event.transaction)["nonce"], 16) == nonce
        entry = self.entry(recorded)
        assert (entry.transaction, entry.is_on_chain) == (event.transaction, True)


@pytest.fixture
def slow(lab: Lab) -> Iterator[Slow]:
    slow = Slow(lab)
    slow.ask("evm_setAutomine", False)
    yield slow
    slow.ask("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
    slow.ask("anvil_mine", "0x1")
    slow.ask("evm_setAutomine", True)
    lab.flush()


def fees(entry: Entry) -> tuple[int, int]:
    assert entry.raw
    signed = decode_signed(entry.raw)
    return signed["maxFeePerGas"], signed["maxPriorityFeePerGas"]


def waits(slow: Slow, path: Path, **more: Any) -> tuple[Recorded, Entry]:
    recorded = record_content(slow.client(**more), Kind.DATASET, path)
    entry = slow.entry(recorded)
    assert entry.state is EntryState.SUBMITTED
    assert not slow.lab.registry.status(recorded.id).exists
    return recorded, entry


def test_what_was_signed_before_the_fee_rose_is_signed_again_under_its_nonce(slow: Slow, file: Path) -> None:
    recorded, first = waits(slow, file)
    slow.rise(20 * fees(first)[0])
    with pytest.raises(BlockchainTracerError, match="in no block"):
        slow.client().flush()
    second = slow.entry(recorded)
    assert second.nonce == first.nonce
    assert second.transaction != first.transaction
    assert second.replaced == (first.transaction,)
    assert all(8 * now >= 9 * before for now, before in zip(fees(second), fees(first), strict=True))
    assert fees(second)[0] >= 20 * fees(first)[0]
    slow.ask("anvil_mine", "0x1")
    slow.client().flush()
    slow.require_once(recorded, first.nonce or 0)


def test_one_that_is_stuck_is_replaced_while_it_is_waited_for(slow: Slow, file: Path) -> None:
    recorded, entry = waits(slow, file, wait_s=2.5, stuck_s=0.5)
    assert len(entry.replaced) >= 2
    pool = slow.ask("txpool_content")
    mine = {name.lower(): sent for name, sent in pool["pending"].items()}[entry.sender.lower()]
    assert [one["hash"] for one in mine.values()] == [entry.transaction]
    slow.ask("anvil_mine", "0x1")
    slow.client().flush()
    slow.require_once(recorded, entry.nonce or 0)


def test_no_replacement_costs_more_than_is_allowed(slow: Slow, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded, first = waits(slow, file)
    signed = decode_signed(first.raw or b"")
    monkeypatch.setenv(MAX_COST, f"{2 * signed['gas'] * signed['maxFeePerGas'] / 10**18:.18f}")
    slow.rise(50 * fees(first)[0])
    with pytest.raises(BlockchainTracerError, match="is allowed"):
        slow.client().flush()
    kept = slow.entry(recorded)
    assert (kept.transaction, kept.raw) == (first.transaction, first.raw)
    slow.rise(GWEI // 10)
    # anvil dropped what couldn't pay: it's sent again, as it was
    with pytest.raises(BlockchainTracerError, match="in no block"):
        slow.client().flush()
    slow.ask("anvil_mine", "0x1")
    slow.client().flush()
    assert slow.entry(recorded).transaction == first.transaction
    slow.require_once(recorded, first.nonce or 0)


def test_the_replaced_one_may_be_the_one_that_is_mined(slow: Slow, file: Path) -> None:
    recorded, first = waits(slow, file)
    client = slow.client()
    # signed again, and the process died before it was sent
    client.outbox._reprice([first], client.chain, client.signer)
    slow.ask("anvil_mine", "0x1")
    assert slow.entry(recorded).transaction != first.transaction
    slow.client().flush()
    assert slow.entry(recorded).transaction == first.transaction
    slow.require_once(recorded, first.nonce or 0)


def test_a_nonce_that_another_transaction_took_is_given_up(slow: Slow, file: Path) -> None:
    recorded, first = waits(slow, file)
    other = slow.client()
    high = {"maxFeePerGas": 100 * fees(first)[0], "maxPriorityFeePerGas": 100 * fees(first)[1]}
    send(
        other.chain,
        other.signer.sign_transaction(
            {
                "type": 2,
                "chainId": other.chain_id,
                "nonce": first.nonce,
                "to": other.signer.address,
                "value": 0,
                "data": "0x",
                "gas": 21000,
                **high,
            }
        ),
    )
    slow.ask("anvil_mine", "0x1")
    slow.ask("evm_setAutomine", True)
    slow.client(wait_s=5).flush()
    slow.require_once(recorded, (first.nonce or 0) + 1)


@pytest.mark.parametrize("depth", range(1, 21))
def test_a_reorganisation_is_noticed_and_the_same_transaction_sent_again(lab: Lab, tmp_path: Path, depth: int) -> None:
    ask = lab.chain.ask
    # as on a chain of others: nobody makes blocks on demand
    client = Lab(lab.home, rpc=lab.devnet.start().url)
    path = tmp_path / "data.bin"
    path.write_bytes(os.urandom(50))
    recorded = record_content(client, Kind.DATASET, path)
    [before] = client.outbox.entries_about(recorded.id)
    assert before.state is EntryState.INCLUDED
    if depth > 1:
        ask("anvil_mine", hex(depth - 1))
    ask("anvil_reorg", depth, [])
    assert not client.registry.status(recorded.id).exists
    said: list[str] = []
    after = Lab(lab.home, rpc=lab.devnet.start().url, say=said.append)
    assert [entry.write.record_id for entry in after.flush()] == [recorded.id]
    assert any("lost 1 write" in line for line in said)
    [entry] = after.outbox.entries_about(recorded.id)
    assert entry.transaction == before.transaction
    assert entry.block != before.block
    [event] = after.registry.recorded(id=from_hex(recorded.id))
    assert (event.transaction, event.block_hash) == (entry.transaction, entry.block.hash if entry.block else None)
