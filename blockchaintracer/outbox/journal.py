"""The journal that drives each write: stored -> signed -> submitted -> included -> final (or failed, with the reason).

Its rules: a write enters before anything is signed; the signed transaction is kept before it's sent; nothing is sent
while the chain shows the effect already. So every step can be repeated and the process may die between any two.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

from blockchaintracer.chain import Block, Chain
from blockchaintracer.errors import BlockchainTracerError, ChainUnavailable, ContractRevert, InputError, StoreError
from blockchaintracer.files import locked
from blockchaintracer.keys import Signer
from blockchaintracer.outbox.writes import Overtaken, Write, from_payload

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  chain_id INTEGER NOT NULL,
  identity TEXT NOT NULL,
  op TEXT NOT NULL,
  payload TEXT NOT NULL,
  record_id TEXT,
  sender TEXT NOT NULL,
  state TEXT NOT NULL,
  raw BLOB,
  nonce INTEGER,
  tx TEXT,
  block_number INTEGER,
  block_hash TEXT,
  block_time INTEGER,
  error TEXT,
  UNIQUE (chain_id, identity)
);
CREATE INDEX IF NOT EXISTS entries_by_record ON entries (record_id);
"""
MAX_COST = "BLOCKCHAINTRACER_MAX_COST"
"""Environment variable: what one transaction may cost at most, in the chain's coin."""
_MAX_COST_WEI = 2 * 10**17
_WAIT_S = 180
_POLL_S = 0.05
_MAX_POLL_S = 2.0


class State(StrEnum):
    """How far a write has come."""

    STORED = "stored"
    SIGNED = "signed"
    SUBMITTED = "submitted"
    INCLUDED = "included"
    FINAL = "final"
    FAILED = "failed"


@dataclass(frozen=True)
class Entry:
    """A write in the journal.

    Args:
        seq: its place in the order.
        state: how far it has come.
        transaction: 64 hex digits, once signed or found on the chain.
        block: the block that holds it, once included.
        error: why it failed.
    """

    seq: int
    chain_id: int
    write: Write
    sender: str
    state: State
    transaction: str | None
    nonce: int | None
    raw: bytes | None
    block: Block | None
    error: str | None

    @property
    def is_on_chain(self) -> bool:
        """Whether a block held it when last looked at."""
        return self.state in (State.INCLUDED, State.FINAL)


class Outbox:
    """The journal of one lab.

    Args:
        path: the SQLite file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tip: int | None = None
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=30)
            self._db.row_factory = sqlite3.Row
            self._db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;" + _SCHEMA)
        except sqlite3.Error as error:
            raise StoreError(
                f"the outbox {path} can't be opened: {error}", hint="Check the disk; a copy of the folder is a backup."
            ) from error

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    # -- what is in it

    def add(self, chain_id: int, write: Write, sender: str) -> Entry:
        """Enters a write, once: the same write again is the entry that is there. One that failed gets another try."""
        with self._transaction():
            self._db.execute(
                "INSERT INTO entries (chain_id, identity, op, payload, record_id, sender, state)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (chain_id, identity) DO UPDATE"
                " SET state = iif(state = 'failed', 'stored', state), error = NULL,"
                # what another key signed, or what failed, is of no use: its nonce says nothing about this sender
                " raw = iif(state = 'failed' OR lower(sender) <> lower(excluded.sender), NULL, raw),"
                " sender = excluded.sender",
                (
                    chain_id,
                    write.identity,
                    write.op,
                    json.dumps(write.payload()),
                    write.record_id_of,
                    sender,
                    State.STORED,
                ),
            )
        return self.find(chain_id, write)

    def find(self, chain_id: int, write: Write) -> Entry:
        """The entry of a write that was added."""
        return self._entries("chain_id = ? AND identity = ?", chain_id, write.identity)[0]

    def entries(self, chain_id: int | None = None) -> list[Entry]:
        """All entries in order, of one chain or of all."""
        return self._entries("?1 IS NULL OR chain_id = ?1", chain_id)

    def pending(self, chain_id: int) -> list[Entry]:
        """What still has to reach a block, in order."""
        return self._entries("chain_id = ? AND state IN ('stored', 'signed', 'submitted')", chain_id)

    def of_record(self, record_id: str) -> list[Entry]:
        """The writes about a record, in order."""
        return self._entries("record_id = ?", record_id)

    def forget(self, chain_id: int) -> None:
        """Drops what is known of a chain that is no more. What was recorded there stays in the store."""
        with self._transaction():
            self._db.execute("DELETE FROM entries WHERE chain_id = ?", (chain_id,))

    # -- driving it

    def flush(
        self, chain: Chain, signer: Signer, progress: Callable[[Entry], None] = lambda entry: None
    ) -> list[Entry]:
        """Brings every pending write of this signer into a block, in order, and gives those that it moved.

        What a reorganised or restored chain lost is sent again first. `progress` is called after each.

        Raises:
            ContractRevert: if the registry refuses one; it's marked failed with the reason, those behind it wait.
            Overtaken: if somebody else changed the same thing first; as above.
            ChainUnavailable: if the chain can't be reached; everything stays where it was.
        """
        with self._only_one_flush():
            self._tip = None
            self.recheck(chain)
            moved = []
            for entry in self.pending(chain.chain_id):
                if entry.sender.lower() == signer.address.lower():
                    moved.append(self._drive(entry, chain, signer))
                    progress(moved[-1])
            self.settle(chain)
            return [self._entries("seq = ?", entry.seq)[0] for entry in moved]

    def recheck(self, chain: Chain) -> list[Entry]:
        """Puts back what the chain no longer holds, and gives it: from the newest on, until a block is still there.

        Raises:
            ChainUnavailable: if the node of a public chain is behind what was seen of it.
        """
        lost: list[Entry] = []
        known = self._entries("chain_id = ? AND state IN ('included', 'final')", chain.chain_id)
        for entry in sorted(
            known, key=lambda entry: (entry.block.number if entry.block else 0, entry.seq), reverse=True
        ):
            block = chain.block(entry.block.number) if entry.block else None
            if entry.block and block and block.hash == entry.block.hash:
                break
            if block is None and chain.network and not chain.network.is_devnet:
                # a public chain does not get shorter, and what is sent twice may be paid and done twice
                raise ChainUnavailable(
                    f"{chain.address} does not have the block yet that holds {entry.write.op} of this lab",
                    hint="The node is behind: try again, or another node. What is stored here waits.",
                )
            lost.append(entry)
            self._update(entry, State.STORED, raw=None, nonce=None, tx=None, block=None)
        return lost

    def settle(self, chain: Chain) -> None:
        """Marks as final what lies in or before the newest final block."""
        final = chain.finalized()
        if final is None:
            return
        for entry in self._entries("chain_id = ? AND state = 'included'", chain.chain_id):
            if entry.block and entry.block.number <= final.number:
                self._update(entry, State.FINAL)

    def _drive(self, entry: Entry, chain: Chain, signer: Signer) -> Entry:
        try:
            done = entry.write.is_done(chain)
        except Overtaken as error:
            # it would stand in the way of everything behind it for good
            self._update(entry, State.FAILED, error=error.message)
            raise
        if done:
            return self._found(entry, chain)
        if entry.raw and entry.transaction and self._nonce_is_free(entry, chain, signer):
            self._send(entry.raw, chain)
        else:
            entry = self._sign(entry, chain, signer)
            self._send(entry.raw or b"", chain)
        self._update(entry, State.SUBMITTED)
        receipt = self._wait(entry.transaction or "", chain)
        if receipt["status"] != 1:
            if not entry.write.has_event and entry.write.is_done(chain):
                # somebody else made the same thing first
                return self._found(entry, chain)
            return self._refused(entry, chain)
        return self._included(entry, chain, entry.transaction or "", receipt["blockNumber"])

    def _sign(self, entry: Entry, chain: Chain, signer: Signer) -> Entry:
        web3 = chain.web3
        if entry.write.presigned:
            # its price is fixed and may be far above the market, which the node then suggests for what comes behind
            self._tip = chain.ask(lambda: web3.eth.max_priority_fee)
        try:
            entry.write.check(chain, signer.address)
        except (ContractRevert, InputError) as error:
            self._update(entry, State.FAILED, error=error.message)
            raise
        from eth_utils.crypto import keccak

        if raw := entry.write.presigned:
            return self._update(entry, State.SIGNED, raw=raw, tx=keccak(raw).hex())
        to, data = entry.write.transaction(chain)
        value = entry.write.value(chain)
        with chain.reaching():
            base_fee = web3.eth.get_block("latest").get("baseFeePerGas", 0)
            tip = web3.eth.max_priority_fee if self._tip is None else self._tip
            nonce = web3.eth.get_transaction_count(signer.address, "pending")  # type: ignore[arg-type]
            balance = web3.eth.get_balance(signer.address)  # type: ignore[arg-type]
            call = {"from": signer.address, "to": to, "data": data, "value": value}
            gas = web3.eth.estimate_gas(call) * 5 // 4 if balance else 0  # type: ignore[arg-type]
        price = 2 * base_fee + tip
        cost, most = gas * price + value, _most_wei()
        if cost > most:
            raise BlockchainTracerError(
                f"one transaction on {chain.name} would cost up to {cost / 10**18:.6f} of its coin, and at most "
                f"{most / 10**18} is allowed",
                hint=f"Wait until it's cheaper, ask another node, or allow more: ${MAX_COST}=0.5, in the chain's coin.",
            )
        if balance < cost or not balance:
            raise BlockchainTracerError(
                f"{signer.address} has {balance} wei on {chain.name} and this may cost up to {cost} wei",
                hint="Send it some coin of this chain; what is stored here waits.",
                address=signer.address,
                balance=str(balance),
            )
        transaction = {
            "type": 2,
            "chainId": chain.chain_id,
            "nonce": nonce,
            "to": to,
            "data": data,
            "value": value,
            "gas": gas,
            "maxFeePerGas": price,
            "maxPriorityFeePerGas": tip,
        }
        raw = signer.sign_transaction(transaction)
        return self._update(entry, State.SIGNED, raw=raw, nonce=nonce, tx=keccak(raw).hex())

    def _send(self, raw: bytes, chain: Chain) -> None:
        from web3.exceptions import Web3RPCError

        try:
            with chain.reaching():
                try:
                    chain.web3.eth.send_raw_transaction(raw)
                except Web3RPCError as error:
                    # the node has it already: sent before the process died, or by an answer that was lost
                    if not any(
                        word in str(error).lower() for word in ("already known", "already imported", "nonce too low")
                    ):
                        raise
        except ChainUnavailable as error:
            raise ChainUnavailable(error.message, hint="It is signed and kept; the next flush sends it.") from None

    def _nonce_is_free(self, entry: Entry, chain: Chain, signer: Signer) -> bool:
        with chain.reaching():
            used = chain.web3.eth.get_transaction_count(signer.address, "latest")  # type: ignore[arg-type]
        return entry.nonce is not None and entry.nonce >= used

    def _wait(self, transaction: str, chain: Chain) -> Any:
        deadline, pause = time.monotonic() + _WAIT_S, _POLL_S
        while True:
            receipt = chain.receipt(transaction)
            if receipt is not None:
                return receipt
            if time.monotonic() > deadline:
                raise ChainUnavailable(
                    f"transaction {transaction} is in no block after {_WAIT_S} s",
                    hint="It stays in the outbox; any later command looks again.",
                )
            time.sleep(pause)
            pause = min(pause * 1.5, _MAX_POLL_S)

    def _found(self, entry: Entry, chain: Chain) -> Entry:
        """The effect is there: by this entry's own transaction, or by somebody who relayed it."""
        event = entry.write.event(chain)
        if event is None and not entry.write.has_event:
            receipt = chain.receipt(entry.transaction) if entry.transaction else None
            if receipt is not None and receipt["status"] == 1:
                return self._included(entry, chain, entry.transaction, receipt["blockNumber"])
            # nothing says where somebody else made it: it stands as long as the block in which it was seen
            return self._included(entry, chain, None, chain.head().number)
        if event is None:
            raise ChainUnavailable(
                f"{chain.address} shows the effect of {entry.write.op} but not its event",
                hint="The node is catching up or answers differently from call to call: try again, or another node.",
            )
        return self._included(entry, chain, bytes(event["transactionHash"]).hex(), event["blockNumber"])

    def _included(self, entry: Entry, chain: Chain, transaction: str | None, number: int) -> Entry:
        block = chain.block(number)
        if block is None or not entry.write.is_done(chain):
            raise ChainUnavailable(
                f"{chain.address} gave a receipt for {transaction}, but the chain doesn't show its effect",
                hint="The node is behind, or the chain was reorganised: any later command looks again.",
            )
        return self._update(entry, State.INCLUDED, tx=transaction, block=block)

    def _refused(self, entry: Entry, chain: Chain) -> Entry:
        try:
            entry.write.check(chain, entry.sender)
            message = "it was refused on the chain, though it would pass now: try again"
        except ContractRevert as error:
            message = error.message
        self._update(entry, State.FAILED, error=message)
        raise ContractRevert("Reverted", {"transaction": entry.transaction}, message)

    # -- the file

    def _update(self, entry: Entry, state: State, **changes: Any) -> Entry:
        if "block" in changes:
            block = changes.pop("block")
            changes |= {
                "block_number": block.number if block else None,
                "block_hash": block.hash if block else None,
                "block_time": block.timestamp if block else None,
            }
        names = ", ".join(f"{name} = :{name}" for name in ("state", *changes))
        with self._transaction():
            self._db.execute(
                f"UPDATE entries SET {names} WHERE seq = :seq",  # noqa: S608 -- the names are this module's own
                {"state": state, "seq": entry.seq, **changes},
            )
        return self._entries("seq = ?", entry.seq)[0]

    def _entries(self, condition: str, *values: Any) -> list[Entry]:
        query = f"SELECT * FROM entries WHERE {condition} ORDER BY seq"  # noqa: S608 -- conditions are this module's own
        try:
            return [_entry(row) for row in self._db.execute(query, values)]
        except sqlite3.Error as error:
            raise StoreError(f"the outbox {self._path} can't be read: {error}") from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreError(
                f"the outbox {self._path} can't be written: {error}",
                hint="Nothing was sent. Free space or choose --home.",
            ) from error

    @contextmanager
    def _only_one_flush(self) -> Iterator[None]:
        """Two processes with one key would take one nonce twice."""
        with locked(self._path.with_suffix(".lock")):
            yield


def _most_wei() -> int:
    """The price is the node's word, and a node may lie: what a transaction may cost is decided here."""
    chosen = os.environ.get(MAX_COST)
    try:
        return int(Decimal(chosen) * 10**18) if chosen else _MAX_COST_WEI
    except (ArithmeticError, ValueError):
        raise InputError(f"expected an amount of coin in ${MAX_COST}, such as 0.5, got {chosen!r}") from None


def _entry(row: sqlite3.Row) -> Entry:
    number = row["block_number"]
    return Entry(
        seq=row["seq"],
        chain_id=row["chain_id"],
        write=from_payload(row["op"], json.loads(row["payload"])),
        sender=row["sender"],
        state=State(row["state"]),
        transaction=row["tx"],
        nonce=row["nonce"],
        raw=row["raw"],
        block=None if number is None else Block(number, row["block_hash"], row["block_time"]),
        error=row["error"],
    )
