"""Many writes of one key at a time: several records in a transaction, several transactions under consecutive nonces."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.errors import ChainUnavailable
from blockchaintracer.core.record import Kind, Link, RecordKey, Relation, SubjectType
from blockchaintracer.lab.chain.questions import send
from blockchaintracer.lab.keys.signer import decode_signed
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.outbox import Entry, EntryState, Op, Outbox, Transaction, queue
from blockchaintracer.lab.recording.content import record_content
from tests.support.labs import running_lab
from tests.support.proxy import proxied


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


class Slow:
    """The lab on a chain that makes a block only when it is told to."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.url = lab, lab.devnet.start().url
        self.start = self.head()
        self.paid = lab.chain.nonce(lab.signer.address)

    def ask(self, method: str, *values: Any) -> Any:
        return self.lab.chain.ask(method, *values)

    def head(self) -> int:
        return self.lab.chain.head().number

    def mine(self) -> None:
        self.ask("anvil_mine", "0x1")

    def client(self, url: str = "", **more: Any) -> Lab:
        client = Lab(self.lab.home, rpc=url or self.url)
        client.__dict__["outbox"] = Outbox(self.lab.home.outbox, **more)
        return client

    def enter(self, count: int, parents: Callable[[list[Entry]], list[str]] = lambda before: []) -> list[Entry]:
        entries: list[Entry] = []
        self.lab.outbox._db.execute("PRAGMA synchronous = OFF")
        for _ in range(count):
            links = tuple(Link(parent, Relation.DERIVED_FROM) for parent in parents(entries))
            key = RecordKey(
                group=1,
                kind=Kind.DATASET,
                subject_type=SubjectType.FILE,
                author=self.lab.signer.address,
                subject=os.urandom(32).hex(),
                manifest=os.urandom(32).hex(),
                parents=links,
            )
            write = Transaction(Op.RECORD, self.lab.domain.registry, record_id=self.lab.domain.record_id(key), key=key)
            entries.append(self.lab.outbox.add_transaction(self.lab.chain_id, write, self.lab.signer.address))
        return entries

    def require_once(self, entries: list[Entry]) -> None:
        """Each is on the chain once, and the journal says where; none of the key's nonces was left out."""
        assert all(self.lab.registry.status(entry.write["record_id"]).exists for entry in entries)
        events = {event.id: event for event in self.lab.registry.recorded()}
        for entry in self.lab.outbox.again(entries):
            assert entry.is_on_chain
            assert events[entry.write.record_id].transaction == entry.transaction
        used = self.lab.chain.nonce(self.lab.signer.address)
        assert used == self.lab.chain.nonce(self.lab.signer.address, "pending")
        assert not self.lab.outbox.pending(self.lab.chain_id)


@pytest.fixture
def slow(running: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    """Whoever waits for a block makes one."""
    slow = Slow(running)
    slow.ask("evm_setAutomine", False)
    monkeypatch.setattr(queue.time, "sleep", lambda seconds: slow.mine())
    yield slow
    monkeypatch.undo()
    slow.ask("evm_setAutomine", True)
    slow.mine()
    running.flush()


def test_a_thousand_waiting_records_take_three_blocks(slow: Slow) -> None:
    entries = slow.enter(1000)
    moved = slow.client().flush()
    assert [entry.seq for entry in moved] == [entry.seq for entry in entries]
    assert slow.head() - slow.start <= 3
    assert slow.lab.chain.nonce(slow.lab.signer.address) - slow.paid == 3
    slow.require_once(entries)
    # the receipt of each transaction is kept once
    kept = slow.lab.outbox.receipts_naming(slow.lab.chain_id, str(moved[0].transaction)[2:])
    assert [inclusion.transaction for inclusion in kept] == [moved[0].transaction]


def test_each_by_itself_they_are_sixteen_a_block(slow: Slow) -> None:
    entries = slow.enter(32)
    slow.client().flush(together=1)
    assert slow.head() - slow.start <= 4
    assert slow.lab.chain.nonce(slow.lab.signer.address) - slow.paid == 32
    slow.require_once(entries)


def test_a_record_and_its_parents_go_in_order(slow: Slow) -> None:
    entries = slow.enter(9, lambda before: [str(before[-1].write.record_id)] if before else [])
    slow.client().flush()
    assert slow.lab.chain.nonce(slow.lab.signer.address) - slow.paid == 1
    chain = slow.enter(3, lambda before: [str((before or entries)[-1].write.record_id)])
    slow.client().flush(together=1)
    slow.require_once([*entries, *chain])


def test_one_that_is_refused_stops_no_other_before_it(slow: Slow) -> None:
    good = slow.enter(5)
    [bad] = slow.enter(1, lambda before: ["0x" + "ab" * 32])
    behind = slow.enter(3)
    with pytest.raises(Exception, match="is not recorded"):
        slow.client().flush()
    states = [entry.state for entry in slow.lab.outbox.again([*good, bad])]
    assert all(state in (EntryState.INCLUDED, EntryState.FINAL) for state in states[:5])
    assert states[5] is EntryState.FAILED
    slow.client().flush()
    slow.require_once([*good, *behind])


def test_a_node_that_limits_size_and_number_of_what_waits(slow: Slow) -> None:
    """And what it is given is in the journal before."""
    entries, taken = slow.enter(10), []

    def fault(request: dict[str, Any], ask: Callable[[], Any]) -> Any:
        if request["method"] == "eth_sendRawTransaction":
            raw = bytes.fromhex(request["params"][0][2:])
            with sqlite3.connect(slow.lab.home.outbox) as journal:
                assert journal.execute("SELECT count(*) FROM entries WHERE raw = ?", (raw,)).fetchone() == (1,)
            if len(raw) > 1000:
                error = {"code": -32000, "message": "oversized data: transaction size 2000, limit 1000"}
                return {"jsonrpc": "2.0", "id": request["id"], "error": error}
            if decode_signed(raw)["nonce"] >= slow.lab.chain.nonce(slow.lab.signer.address) + 3:
                error = {"code": -32000, "message": "txpool is full: account slots exceeded"}
                return {"jsonrpc": "2.0", "id": request["id"], "error": error}
            taken.append(raw)
        return ask()

    with proxied(slow.url) as proxy:
        proxy.fault = fault
        slow.client(proxy.url).flush()
    assert len(taken) == len(set(taken)) == 10
    slow.require_once(entries)


@pytest.mark.parametrize("lost", ["one", "all"])
def test_what_a_node_lost_is_sent_again_as_it_was(slow: Slow, monkeypatch: pytest.MonkeyPatch, lost: str) -> None:
    entries, dropped = slow.enter(6), []

    def drop(seconds: float) -> None:
        if not dropped:
            sent = slow.lab.outbox.again(entries, "state = 'submitted'")
            assert len(sent) == 6
            dropped.extend({"one": sent[2:3], "all": sent}[lost])
            for entry in dropped:
                slow.ask("anvil_dropTransaction", entry.transaction)
        slow.mine()

    monkeypatch.setattr(queue.time, "sleep", drop)
    slow.client(stuck_s=0).flush(together=1)
    slow.require_once(entries)
    assert slow.lab.chain.nonce(slow.lab.signer.address) - slow.paid == 6
    now = {entry.seq: entry.transaction for entry in slow.lab.outbox.again(entries)}
    assert all(now[entry.seq] == entry.transaction for entry in dropped)


def test_a_nonce_in_the_middle_that_another_transaction_took(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    entries, replaced = slow.enter(6), []

    def replace(seconds: float) -> None:
        if not replaced:
            victim = slow.lab.outbox.again(entries)[2]
            replaced.append(victim)
            fees = {"maxFeePerGas": 10**12, "maxPriorityFeePerGas": 10**11, "gas": 21000}
            signer, where = slow.lab.signer, {"type": 2, "chainId": slow.lab.chain_id, "nonce": victim.nonce}
            send(
                slow.lab.chain,
                signer.sign_transaction({**where, **fees, "to": signer.address, "value": 0, "data": "0x"}),
            )
        slow.mine()

    monkeypatch.setattr(queue.time, "sleep", replace)
    slow.client().flush(together=1)
    slow.require_once(entries)
    assert slow.lab.chain.nonce(slow.lab.signer.address) - slow.paid == 7


def test_what_another_machine_has_on_its_way_is_no_refusal(slow: Slow, tmp_path: Path) -> None:
    entries = slow.enter(2)
    home = Home(tmp_path / "machine")
    shutil.copytree(slow.lab.home.keys, home.keys, dirs_exist_ok=True)
    other = Lab(home, rpc=slow.url, registry_address=slow.lab.registry.address, group_number=1)
    other.__dict__["outbox"] = Outbox(home.outbox, wait_s=0)
    for entry in entries:
        other.outbox.add_transaction(other.chain_id, entry.write, other.signer.address)
    with pytest.raises(ChainUnavailable, match="in no block"):
        other.flush()
    slow.client().flush(together=1)
    slow.require_once(entries)
    assert slow.lab.chain.nonce(slow.lab.signer.address) - slow.paid == 1


def test_a_process_that_dies_between_signing_and_sending(slow: Slow) -> None:
    entries = slow.enter(7)
    program = """
import os, sys
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.outbox import Outbox
left, step = [3], Outbox._send
def dying(self, *given):
    if not left[0]:
        os.kill(os.getpid(), 9)
    left[0] -= 1
    return step(self, *given)
Outbox._send = dying
Lab(Home(sys.argv[1]), rpc=sys.argv[2]).flush(together=1)
"""
    command = [sys.executable, "-c", program, str(slow.lab.home.path), slow.url]
    assert subprocess.run(command, capture_output=True, check=False, timeout=120).returncode == -9
    slow.client().flush()
    slow.require_once(entries)
    events = [event.id for event in slow.lab.registry.recorded()]
    assert len(events) == len(set(events))


def test_a_record_that_waits_for_its_block_keeps_no_flush_waiting(running: Lab, tmp_path: Path) -> None:
    slow = Slow(running)
    slow.ask("evm_setAutomine", False)
    try:
        (tmp_path / "data").write_bytes(os.urandom(30))
        recording = threading.Thread(
            target=lambda: record_content(slow.client(), Kind.DATASET, tmp_path / "data"), daemon=True
        )
        recording.start()
        in_flight(slow, 1)
        entries = slow.enter(2)
        flushing = threading.Thread(target=lambda: slow.client().flush(together=1), daemon=True)
        flushing.start()
        in_flight(slow, 3)
    finally:
        slow.ask("evm_setAutomine", True)
        slow.mine()
    recording.join(120)
    flushing.join(120)
    slow.require_once(entries)


def in_flight(slow: Slow, count: int) -> None:
    """Until the node has so many that wait for a block."""
    for _ in range(3000):
        if slow.lab.chain.nonce(slow.lab.signer.address, "pending") - slow.paid >= count:
            return
        time.sleep(0.02)
    raise AssertionError(f"no {count} transactions wait together")


def test_a_record_sends_its_parents_and_nothing_else_that_waits(running: Lab, tmp_path: Path) -> None:
    slow = Slow(running)
    waiting = slow.enter(3)
    (tmp_path / "data").write_bytes(os.urandom(30))
    parent = Link(str(waiting[1].write.record_id), Relation.DERIVED_FROM)
    told: list[str] = []
    client = slow.client()
    client.say = told.append
    record_content(client, Kind.DATASET, tmp_path / "data", parents=[parent])
    assert [entry.is_on_chain for entry in slow.lab.outbox.again(waiting)] == [False, True, False]
    assert told == []
    client.flush()
    slow.require_once(waiting)
