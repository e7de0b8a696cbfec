"""The queue that drives each transaction: captured -> stored -> signed -> submitted -> included -> final, or failed.

Its rules: a transaction enters before anything is signed. The signed one is kept before it is sent. Nothing is sent
while the chain shows the effect already. What was signed once is sent again as it is, or with a higher fee under the
same nonce, until that nonce is used. So every step can be repeated, and the process may die between any two.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

from blockchaintracer.core.chain import Block, Chain, TransactionReceipt
from blockchaintracer.core.errors import (
    BlockchainTracerError,
    ChainUnavailable,
    ContractRevert,
    InputError,
    NodeError,
    StoreError,
)
from blockchaintracer.core.formats import OUTBOX
from blockchaintracer.core.networks import is_private
from blockchaintracer.core.record import Domain, checksummed, to_hex
from blockchaintracer.core.verify.inclusion import Inclusion
from blockchaintracer.lab.chain.finality import final_block
from blockchaintracer.lab.chain.gas_price import gas_price, offer
from blockchaintracer.lab.chain.questions import estimate_gas, require_same, send
from blockchaintracer.lab.chain.receipts import BlockReceipts, prove_inclusion
from blockchaintracer.lab.files import locked, open_database
from blockchaintracer.lab.keys import Signer
from blockchaintracer.lab.keys.transaction_bytes import decode_signed
from blockchaintracer.lab.outbox.transactions import RECORDS, Op, Overtaken, Transaction, from_payload

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
  replaced TEXT NOT NULL DEFAULT '',
  manifest BLOB,
  UNIQUE (chain_id, identity)
);
CREATE INDEX IF NOT EXISTS entries_by_record ON entries (record_id);
CREATE INDEX IF NOT EXISTS entries_by_subject ON entries (
  iif(json_valid(payload), json_extract(payload, '$.key.subject'), NULL)
);
CREATE TABLE IF NOT EXISTS receipts (seq INTEGER PRIMARY KEY, block_hash TEXT NOT NULL, proof TEXT NOT NULL);
"""
MAX_COST = "BLOCKCHAINTRACER_MAX_COST"
"""Environment variable: what one transaction may cost at most, in the chain's coin."""
_MAX_COST_WEI = 2 * 10**17
_WAIT_S = 180
_POLL_S = 0.05
_MAX_POLL_S = 2.0
_STUCK_S = 30
_STUCK_BLOCKS = 3
_CONFLICTS = 20
_PAGE = 100
_RECEIPTS = 100
"""so many are kept by one flush"""
_entered: set[tuple[Path, int]] = set()
"""What this process entered, by journal and number: what it may sign without asking."""
_log = logging.getLogger(__name__)
_DAMAGED = "Restore the file from a copy, or move it away: what was recorded stays in store and chain."
_KNOWN = ("already known", "already imported", "known transaction", "alreadyknown")
_KEPT = "receipts JOIN entries USING (seq) WHERE receipts.block_hash = entries.block_hash"
_NONCE_USED = ("nonce too low", "nonce is too low", "noncetoolow", "invalid nonce", "oldnonce")
_UNDERPRICED = ("underpriced", "fee too low", "less than block base fee", "feetoolow", "below base fee", "fee cap")


class EntryState(StrEnum):
    """How far a transaction has come."""

    CAPTURED = "captured"
    STORED = "stored"
    SIGNED = "signed"
    SUBMITTED = "submitted"
    INCLUDED = "included"
    FINAL = "final"
    FAILED = "failed"


@dataclass(frozen=True)
class Entry:
    """A transaction in the queue.

    Args:
        replaced: hashes of the same nonce and a lower fee under which it was sent before.
    """

    seq: int
    chain_id: int
    write: Transaction
    sender: str
    state: EntryState
    transaction: str | None
    nonce: int | None
    raw: bytes | None
    block: Block | None
    error: str | None
    replaced: tuple[str, ...] = ()

    @property
    def is_on_chain(self) -> bool:
        """Whether a block held it when last looked at."""
        return self.state in (EntryState.INCLUDED, EntryState.FINAL)


class _NonceTaken(Exception):
    """The entry's nonce belongs to another transaction of the same key."""

    def __init__(self, entry: Entry) -> None:
        super().__init__()
        self.entry = entry


class _Underpriced(Exception):
    """The node wants a higher fee for it."""


class Outbox:
    """The queue of one lab.

    Args:
        wait_s: seconds to wait for one transaction to reach a block.
        stuck_s: seconds after which it is sent again with a higher fee; by default from the chain's block time.
    """

    def __init__(self, path: Path, *, wait_s: float = _WAIT_S, stuck_s: float | None = None) -> None:
        self._path = path
        self.wait_s = wait_s
        self.stuck_s = stuck_s
        self._tip: int | None = None
        try:
            self._db = open_database(path, isolation_level=None, timeout=30)
            self._db.row_factory = sqlite3.Row
            # 0 is a new file
            OUTBOX.check_version(self._db.execute("PRAGMA user_version").fetchone()[0] or OUTBOX.version, str(path))
            start = f"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA user_version = {OUTBOX.version};"
            self._db.executescript(start + _SCHEMA)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise StoreError(f"the outbox {path} can't be opened: {error}", hint=_way_out(error)) from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # -- what is in it

    def add_transaction(self, chain_id: int, write: Transaction, sender: str, manifest: bytes | None = None) -> Entry:
        """Enter a transaction once; the same one again returns its entry. One that failed gets another try.

        Args:
            manifest: what it commits to, if the store lacks it: it is captured until `store_captured` stored it.
        """
        with self._transaction():
            self._db.execute(
                "INSERT INTO entries (chain_id, identity, op, payload, record_id, sender, state, manifest)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (chain_id, identity) DO UPDATE"
                " SET state = iif(state = 'failed', excluded.state, state), error = NULL,"
                " manifest = iif(state = 'failed', excluded.manifest, manifest),"
                # what another key signed, or what failed, is of no use: its nonce says nothing about this sender
                " raw = iif(state = 'failed' OR lower(sender) <> lower(excluded.sender), NULL, raw),"
                " replaced = iif(state = 'failed' OR lower(sender) <> lower(excluded.sender), '', replaced),"
                " sender = excluded.sender",
                (
                    chain_id,
                    write.identity,
                    write.op,
                    json.dumps(write.payload()),
                    write.record_id,
                    sender,
                    EntryState.STORED if manifest is None else EntryState.CAPTURED,
                    manifest,
                ),
            )
        entry = self.find_entry(chain_id, write)
        _entered.add((self._path.absolute(), entry.seq))
        return entry

    def store_captured(self, store: Callable[[bytes], object]) -> None:
        """Give what is only captured to `store`, and mark it as stored once that returns."""
        for seq, manifest in self._rows("SELECT seq, manifest FROM entries WHERE state = 'captured' ORDER BY seq"):
            store(manifest)
            with self._transaction():
                self._db.execute(
                    "UPDATE entries SET state = 'stored', manifest = NULL WHERE seq = ? AND state = 'captured'", (seq,)
                )

    def find_entry(self, chain_id: int, write: Transaction) -> Entry:
        """Return the entry of a transaction that was added."""
        return self._entries("chain_id = ? AND identity = ?", chain_id, write.identity)[0]

    def entries(self, chain_id: int | None = None, *ops: Op) -> list[Entry]:
        """Return the entries in order, of one chain or of all, of these operations or of all."""
        return self._entries("(?1 IS NULL OR chain_id = ?1)" + _of(ops), chain_id, *ops)

    def states(self) -> dict[str, int]:
        """Count the entries of all chains by their state."""
        rows = self._rows("SELECT state, count(*) FROM entries GROUP BY state ORDER BY min(seq)")
        return {state: count for state, count in rows}  # noqa: C416 -- a row is no pair

    def entries_in(self, domain: Domain, *ops: Op) -> list[Entry]:
        """Return the entries of these operations that a registry has or is to get, in order: none that failed."""
        entries = self.entries(domain.chain_id, *ops)
        return [
            entry
            for entry in entries
            if entry.write.registry == domain.registry and entry.state is not EntryState.FAILED
        ]

    def entries_of(self, domain: Domain, subjects: Iterable[str]) -> list[Entry]:
        """Return the entries that record these digests (64 hex digits) in a registry, in order: none that failed."""
        of_these = "iif(json_valid(payload), json_extract(payload, '$.key.subject'), NULL) = ?"
        of_these += " AND chain_id = ? AND op = ? AND state <> 'failed'"
        found = [
            entry
            for subject in set(subjects)
            for entry in self._entries(of_these, subject, domain.chain_id, Op.RECORD)
            if entry.write.registry == domain.registry
        ]
        return sorted(found, key=lambda entry: entry.seq)

    def newest(self, limit: int) -> list[Entry]:
        """Return the newest entries of all chains, in order."""
        return self._entries("seq IN (SELECT seq FROM entries ORDER BY seq DESC LIMIT ?)", limit)

    def pending(self, chain_id: int | None = None, *, failed: bool = False) -> list[Entry]:
        """Return what still has to reach a block, in order, of one chain or of all; `failed` adds what was refused."""
        states = ("stored", "signed", "submitted", *(("captured", "failed") if failed else ()))
        waits = f"(?1 IS NULL OR chain_id = ?1) AND state IN {states}"
        return self._entries(waits, chain_id)

    def unsettled(self, chain_id: int) -> list[Entry]:
        """Return what is in a block that is not final yet, in order."""
        return self._entries("chain_id = ? AND state = 'included'", chain_id)

    def entries_about(self, record_id: str, *ops: Op) -> list[Entry]:
        """Return the entries about a record in order, of these operations or of all."""
        return self._entries("record_id = ?" + _of(ops), record_id, *ops)

    def record_ids(self, domain: Domain, start: str = "0x", limit: int = -1) -> list[str]:
        """Return ids of records that a registry has or is to get from here, the newest first.

        Args:
            start: the first characters of the ids.
            limit: how many at most; below 0 for all.
        """
        query = "SELECT DISTINCT record_id FROM entries WHERE chain_id = ? AND record_id GLOB ? AND payload LIKE ?"
        query += f" AND state != 'failed'{_of(RECORDS)} ORDER BY seq DESC LIMIT ?"
        rows = self._rows(query, domain.chain_id, f"{start}*", f"%{domain.registry}%", *RECORDS, limit)
        return [row["record_id"] for row in rows]

    def entries_naming(self, chain_id: int, digest: str) -> list[Entry]:
        """Return the entries of a chain about a record id, or whose fields hold a digest (64 hex digits)."""
        named = "chain_id = ? AND (record_id = ? OR payload LIKE ?)"
        return self._entries(named, chain_id, f"0x{digest}", f"%{digest}%")

    def receipts_naming(self, chain_id: int, digest: str) -> list[Inclusion]:
        """Return the receipts, kept at inclusion, of a transaction (64 hex digits) or that hold a digest."""
        rows = self._rows(
            f"SELECT proof FROM {_KEPT} AND chain_id = ? AND (tx = ? OR proof LIKE ?) ORDER BY seq",  # noqa: S608
            *(chain_id, f"0x{digest}", f"%{digest}%"),
        )
        return [Inclusion.from_json(json.loads(row["proof"])) for row in rows]

    def _keep_receipts(self, chain: Chain) -> None:
        """Keep what proves that blocks hold the transactions: nodes forget it. What a node does not give now is asked
        for again by the next flush."""
        kept = f"SELECT seq FROM {_KEPT}"  # noqa: S608
        lacking = f"chain_id = ? AND state IN ('included', 'final') AND tx IS NOT NULL AND seq NOT IN ({kept})"
        entries = self._entries(lacking, chain.chain_id)
        known: dict[str, BlockReceipts] = {}
        for entry in entries[: -_RECEIPTS - 1 : -1]:
            try:
                raw = entry.raw if entry.raw and _hash(entry.raw) == entry.transaction else None
                proof = prove_inclusion(chain, entry.transaction or "", known, raw)
                if entry.block is None or proof.receipt().block_hash != entry.block.hash:
                    continue
                row = (entry.seq, entry.block.hash, json.dumps(proof.as_json()))
                with self._transaction():
                    self._db.execute("INSERT OR REPLACE INTO receipts VALUES (?, ?, ?)", row)
            except (BlockchainTracerError, LookupError, TypeError, ValueError) as error:
                told = "receipts of %d transactions are not kept yet (%s). They are recorded; the next flush asks again"
                _log.warning(told, len(entries), error)
                return

    def forget_chain(self, chain_id: int) -> None:
        """Drop what is known of a chain that is no more. What was recorded there stays in the store."""
        with self._transaction():
            self._db.execute("DELETE FROM entries WHERE chain_id = ?", (chain_id,))
            self._db.execute("DELETE FROM receipts WHERE seq NOT IN (SELECT seq FROM entries)")

    # -- driving it

    def older(self, chain: Chain, signer: Signer, *record_ids: str) -> list[Entry]:
        """Return what waits for this signer and is no business of this process: it did not enter it, nor did this key
        sign it before, nor is it about one of these records, nor a parent of what is sent.
        """
        needed, older = set(record_ids), []
        for entry in reversed(self.pending(chain.chain_id)):
            if entry.sender.lower() != signer.address.lower():
                continue
            entered = (self._path.absolute(), entry.seq) in _entered
            if entered or entry.write.record_id in needed or _is_signed(entry, chain, signer):
                key = entry.write.fields.get("key")
                needed |= {link.parent for link in key.parents} if key else set()
            else:
                older.append(entry)
        return older[::-1]

    def cost(self, entry: Entry, chain: Chain) -> int | None:
        """Return what a transaction may cost at most now, in wei; None if that can't be told."""
        try:
            to, data = entry.write.call(chain)
            value = entry.write.value(chain)
            call = {"from": entry.sender, "to": to, "data": data, "value": value}
            return estimate_gas(chain, call) * 5 // 4 * gas_price(chain, self._tip).most + value
        except Exception:  # a stranger may have written it: the encoders let their own errors through
            return None

    def flush(self, chain: Chain, signer: Signer, *, left: Collection[int] = ()) -> list[Entry]:
        """Bring every pending transaction of this signer into a block, in order; return those that moved.

        What a reorganised or restored chain lost is sent again first.

        Args:
            left: numbers of entries that stay.

        Raises:
            ContractRevert: if the registry refuses one; it is marked failed with the reason, those behind it wait.
            Overtaken: if somebody else changed the same thing first; as above.
            ChainUnavailable: everything stays where it was.
        """
        # two processes with one key would take one nonce twice
        with locked(self._path.with_suffix(".lock")):
            self._tip = None
            require_same(chain)
            self.recheck(chain)
            moved = []
            for entry in self.pending(chain.chain_id):
                if entry.sender.lower() == signer.address.lower() and entry.seq not in left:
                    moved.append(self._drive(entry, chain, signer))
            self.settle(chain)
            self._keep_receipts(chain)
            return [self._entries("seq = ?", entry.seq)[0] for entry in moved]

    def recheck(self, chain: Chain) -> list[Entry]:
        """Put back what the chain no longer holds; return it, the newest first. Look at everything that is not final,
        and at the newest that is: a private chain can be set back.
        """
        lost: list[Entry] = []
        seen: dict[int, Block | None] = {}
        included = self.unsettled(chain.chain_id)
        for entry in included:
            if not self._is_held(entry, chain, seen):
                lost.append(entry)
        for entry in self._newest_final(chain.chain_id):
            if self._is_held(entry, chain, seen):
                break
            lost.append(entry)
        for entry in lost:
            # the same signed transaction is sent again: it can't happen twice
            raw = None if entry.write.presigned else entry.raw
            tx = _hash(raw) if raw else None
            self._update(entry, EntryState.SIGNED if raw else EntryState.STORED, raw=raw, tx=tx, block=None, error=None)
        return sorted(lost, key=lambda entry: entry.seq, reverse=True)

    def _is_held(self, entry: Entry, chain: Chain, seen: dict[int, Block | None]) -> bool:
        if entry.block is None:
            return False
        number = entry.block.number
        if number not in seen:
            seen[number] = chain.remembered(lambda: chain.block(number))
        block = seen[number]
        if block is None and number <= chain.head().number:
            # the node has forgotten it: the state says whether it stands
            return entry.state is EntryState.FINAL or entry.write.is_done(chain)
        if block is None and chain.network and not chain.network.is_devnet:
            # a public chain does not get shorter: the node is behind, and sending again might pay twice
            raise ChainUnavailable(
                f"{chain.address} does not have the block yet that holds {entry.write.op} of this lab",
                hint="The node is behind: try again, or another node. What is stored here waits.",
            )
        return block is not None and block.hash == entry.block.hash

    def settle(self, chain: Chain) -> None:
        """Mark as final what is in or before the newest final block, and still there; its note says if by depth."""
        final, note = final_block(chain)
        if final is None:
            return
        seen: dict[int, Block | None] = {}
        for entry in self.unsettled(chain.chain_id):
            if entry.block and entry.block.number <= final.number and self._is_held(entry, chain, seen):
                self._update(entry, EntryState.FINAL, error=note)

    def _drive(self, entry: Entry, chain: Chain, signer: Signer) -> Entry:
        deadline = time.monotonic() + self.wait_s
        for _ in range(_CONFLICTS):
            if self._is_done(entry, chain):
                return self._found(entry, chain)
            try:
                entry = self._offer(entry, chain, signer)
                return self._wait(entry, chain, signer, deadline)
            except _NonceTaken as taken:
                # another process or machine with this key used the nonce: this one can no longer be included
                entry = self._update(taken.entry, EntryState.STORED, raw=None, nonce=None)
        raise ChainUnavailable(
            f"{_CONFLICTS} times in a row another transaction of {signer.address} was faster",
            hint="Others send with the same key: it stays in the outbox, any later command tries again.",
        )

    def _is_done(self, entry: Entry, chain: Chain) -> bool:
        try:
            return entry.write.is_done(chain)
        except Overtaken as error:
            # otherwise it would block everything behind it for good
            self._update(entry, EntryState.FAILED, error=error.message)
            raise

    def _offer(self, entry: Entry, chain: Chain, signer: Signer) -> Entry:
        """Send the entry's transaction: the one that was signed before, at a price that can pass, or a first one."""
        if entry.raw is None or not self._can_come(entry, chain, signer):
            entry = self._sign(entry, chain, signer)
        elif self._is_too_cheap(entry, chain):
            entry = self._reprice(entry, chain, signer)
        for _ in range(_CONFLICTS):
            try:
                self._send(entry, chain)
                return self._update(entry, EntryState.SUBMITTED)
            except _Underpriced:
                is_mine = any(chain.transaction(transaction) is not None for transaction in _transactions(entry))
                if not is_mine and chain.nonce(signer.address, "pending") > (entry.nonce or 0):
                    raise _NonceTaken(entry) from None
                entry = self._reprice(entry, chain, signer)
        raise ChainUnavailable(
            f"{chain.address} takes {entry.write.op} at no price that it names itself",
            hint="It is signed and kept: try again later, or another node.",
        )

    def _can_come(self, entry: Entry, chain: Chain, signer: Signer) -> bool:
        """Whether the transaction that was signed can reach a block as far as its nonce goes."""
        if entry.nonce is None:
            return bool(entry.write.presigned)
        if entry.nonce < chain.nonce(signer.address):
            # if it was this entry's own, its effect would have been seen
            return False
        if entry.nonce <= chain.nonce(signer.address, "pending"):
            return True
        # transactions before it are missing: a node that is behind doesn't know them yet, a chain that lost them never
        newest = self._rows("SELECT max(block_number) FROM entries WHERE chain_id = ?", chain.chain_id)[0][0]
        if chain.network and not chain.network.is_devnet and chain.head().number < (newest or 0):
            raise ChainUnavailable(
                f"{chain.address} is behind: it lacks block {newest}, which this lab has seen",
                hint="Try again, or another node. What is stored here waits.",
            )
        return False

    def _sign(self, entry: Entry, chain: Chain, signer: Signer) -> Entry:
        if entry.write.presigned:
            # its price is fixed and may be far above the market, which the node then suggests for what comes behind
            self._tip = gas_price(chain).tip
        try:
            entry.write.check(chain, signer.address)
            if raw := entry.write.presigned:
                return self._update(entry, EntryState.SIGNED, raw=raw, tx=_hash(raw))
            to, data = entry.write.call(chain)
            value = entry.write.value(chain)
            nonce = chain.nonce(signer.address, "pending")
            call = {"from": signer.address, "to": to, "data": data, "value": value}
            gas = estimate_gas(chain, call) * 5 // 4 if chain.balance(signer.address) else 0
        except (ContractRevert, InputError) as error:
            if self._is_done(entry, chain):
                # somebody else was faster by a moment
                raise _NonceTaken(entry) from None
            self._update(entry, EntryState.FAILED, error=error.message)
            raise

        if gas > (entry.write.most_gas or gas):
            reason = f"{entry.write.op} may take {gas:,} gas, and at most {entry.write.most_gas:,} are paid for another"
            self._update(entry, EntryState.FAILED, error=reason)
            raise InputError(reason, hint="Nothing was sent. The account's contract burns gas to check its signature.")
        transaction = {
            "chainId": chain.chain_id,
            "nonce": nonce,
            "to": to,
            "data": data,
            "value": value,
            "gas": gas,
            **gas_price(chain, self._tip).fields(),
        }
        return self._signed(entry, transaction, chain, signer)

    def _reprice(self, entry: Entry, chain: Chain, signer: Signer) -> Entry:
        """The same transaction under the same nonce at the market's price, and at least 12.5% above its own."""
        if entry.write.presigned or entry.raw is None:
            raise ChainUnavailable(
                f"{chain.address} does not take {entry.write.op} at its fixed price now",
                hint="It stays in the outbox: try again when the chain is cheaper.",
            )
        old = decode_signed(entry.raw)
        transaction = {
            "chainId": chain.chain_id,
            **{name: old[name] for name in ("nonce", "value", "gas")},
            "to": checksummed(to_hex(old["to"]), "a transaction's address"),
            "data": to_hex(old["data"]),
            **gas_price(chain, self._tip).fields(replaced=old),
        }
        return self._signed(entry, transaction, chain, signer)

    def _signed(self, entry: Entry, transaction: dict[str, Any], chain: Chain, signer: Signer) -> Entry:
        balance = chain.balance(signer.address)
        cost = transaction["gas"] * offer(transaction)[1] + transaction["value"]
        most = _most_wei()
        if cost > most:
            raise BlockchainTracerError(
                f"one transaction on {chain.name} would cost up to {cost / 10**18:.6f} of its coin, and at most "
                f"{most / 10**18} is allowed",
                hint=f"Wait until it's cheaper, ask another node, or allow more: ${MAX_COST}=0.5, in the chain's coin.",
            )
        if not balance:
            fund = "Send it some"
            if is_private(chain.chain_id):
                fund = f"`blockchaintracer node fund {signer.address} --rpc {chain.address}` gives it some"
            raise BlockchainTracerError(
                f"{signer.address} has no coin on {chain.name}, and a transaction costs some",
                hint=f"{fund} coin of this chain, act with a key that has some (--key NAME), or let another send what "
                "you sign (`blockchaintracer outbox sign FILE`: records and verdicts); what is stored here waits.",
                address=signer.address,
                balance="0",
            )
        if balance < cost:
            raise BlockchainTracerError(
                f"{signer.address} has {balance} wei on {chain.name} and this may cost up to {cost} wei",
                hint="Send it some coin of this chain; what is stored here waits.",
                address=signer.address,
                balance=str(balance),
            )
        raw = signer.sign_transaction(transaction)
        before = [*entry.replaced, *([entry.transaction] if entry.transaction else [])]
        return self._update(
            entry,
            EntryState.SIGNED,
            raw=raw,
            nonce=transaction["nonce"],
            tx=_hash(raw),
            replaced=" ".join(dict.fromkeys(before)),
        )

    def _is_too_cheap(self, entry: Entry, chain: Chain) -> bool:
        if entry.write.presigned or entry.raw is None:
            return False
        return not gas_price(chain, self._tip).covers_next_block(decode_signed(entry.raw))

    def _send(self, entry: Entry, chain: Chain) -> None:
        try:
            send(chain, entry.raw or b"")
        except ChainUnavailable as error:
            answer = error.reason.lower() if isinstance(error, NodeError) else ""
            # the nonce is used by this very transaction, if an answer was lost, or by another: the wait finds out.
            # The node has it already if it was sent before the process died.
            if any(words in answer for words in (*_NONCE_USED, *_KNOWN)):
                return
            if any(words in answer for words in _UNDERPRICED):
                raise _Underpriced from None
            # refused for what it did before: the proxy's signer has no coin left once the proxy is there
            if answer and self._is_done(entry, chain):
                raise _NonceTaken(entry) from None
            raise ChainUnavailable(error.message, hint="It is signed and kept; the next flush sends it.") from None

    def _wait(self, entry: Entry, chain: Chain, signer: Signer, deadline: float) -> Entry:
        """Until a block holds one of the entry's transactions and the chain shows what it did."""
        began, pause, shown, absent = time.monotonic(), _POLL_S, False, 0
        patience = self.stuck_s
        if patience is None:
            patience = max(_STUCK_S, _STUCK_BLOCKS * chain.network.block_time_s if chain.network else 0)
        while True:
            for transaction in _transactions(entry):
                receipt = chain.receipt(transaction)
                if receipt is None:
                    continue
                shown = True
                if (moved := self._held(entry, chain, signer, transaction, receipt)) is not None:
                    return moved
            if entry.nonce is not None and not shown:
                used = chain.nonce(signer.address) > entry.nonce
                # asked twice: of several nodes behind one address, one can have a block that another doesn't have yet
                absent = absent + 1 if used else 0
                if absent > 1:
                    raise _NonceTaken(entry)
            now = time.monotonic()
            if now > deadline:
                raise ChainUnavailable(
                    f"{chain.address} gave a receipt for {entry.transaction}, but the chain doesn't show its effect"
                    if shown
                    else f"transaction {entry.transaction} is in no block after {self.wait_s:.0f} s",
                    hint="It stays in the outbox; any later command looks again.",
                )
            if entry.nonce is not None and now - began > patience and not shown:
                entry, began = self._offer(self._reprice(entry, chain, signer), chain, signer), now
            time.sleep(pause)
            pause = min(pause * 1.5, _MAX_POLL_S)

    def _held(
        self, entry: Entry, chain: Chain, signer: Signer, transaction: str, receipt: TransactionReceipt
    ) -> Entry | None:
        """What a receipt came to; None while the chain doesn't show what it says: a node may lie, or be behind."""
        block = chain.block(receipt.block)
        if block is None or block.hash != receipt.block_hash:
            return None
        done = self._is_done(entry, chain)
        if receipt.succeeded:
            return self._update(entry, EntryState.INCLUDED, tx=transaction, block=block) if done else None
        if done:
            # somebody else made the same thing first
            return self._found(entry, chain)
        if entry.nonce is not None and chain.nonce(signer.address) <= entry.nonce:
            return None
        return self._refused(entry, chain)

    def _found(self, entry: Entry, chain: Chain) -> Entry:
        """The effect is there: by this entry's own transaction, or by somebody who relayed it."""
        event = entry.write.event(chain)
        if event is None and not entry.write.has_event:
            receipt = chain.receipt(entry.transaction) if entry.transaction else None
            if receipt is not None and receipt.succeeded:
                return self._included(entry, chain, entry.transaction, receipt.block)
            # nothing says where somebody else made it: it stands as long as the block in which it was seen
            return self._included(entry, chain, None, chain.head().number)
        if event is None:
            raise ChainUnavailable(
                f"{chain.address} shows the effect of {entry.write.op} but not its event",
                hint="The node is catching up or answers differently from call to call: try again, or another node.",
            )
        return self._included(entry, chain, event.transaction, event.block)

    def _included(self, entry: Entry, chain: Chain, transaction: str | None, number: int) -> Entry:
        block = chain.block(number)
        if block is None or not entry.write.is_done(chain):
            raise ChainUnavailable(
                f"{chain.address} gave a receipt for {transaction}, but the chain doesn't show its effect",
                hint="The node is behind, or the chain was reorganised: any later command looks again.",
            )
        return self._update(entry, EntryState.INCLUDED, tx=transaction, block=block)

    def _refused(self, entry: Entry, chain: Chain) -> Entry:
        try:
            entry.write.check(chain, entry.sender)
            message = "it was refused on the chain, though it would pass now: try again"
        except ContractRevert as error:
            message = error.message
        self._update(entry, EntryState.FAILED, error=message)
        raise ContractRevert("Reverted", {"transaction": entry.transaction}, message)

    # -- the file

    def _newest_final(self, chain_id: int) -> Iterator[Entry]:
        query = (
            "SELECT * FROM entries WHERE chain_id = ? AND state = 'final'"
            " ORDER BY block_number DESC, seq DESC LIMIT ? OFFSET ?"
        )
        offset = 0
        while rows := self._rows(query, chain_id, _PAGE, offset):
            yield from (self._entry(row) for row in rows)
            offset += _PAGE

    def _rows(self, query: str, *values: Any) -> list[sqlite3.Row]:
        try:
            # all at once: while a statement is read, SQLite lets this process write only if nobody else did meanwhile
            return self._db.execute(query, values).fetchall()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise StoreError(f"the outbox {self._path} can't be read: {error}", hint=_way_out(error)) from error

    def _update(self, entry: Entry, state: EntryState, **changes: Any) -> Entry:
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
        return [self._entry(row) for row in self._rows(query, *values)]

    def _entry(self, row: sqlite3.Row) -> Entry:
        try:
            return _entry(row)
        except (ValueError, TypeError, LookupError, AttributeError, InputError) as error:
            raise StoreError(
                f"entry {row['seq']} of the outbox {self._path} is damaged: {type(error).__name__}", hint=_DAMAGED
            ) from error

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


def _of(ops: tuple[Op, ...]) -> str:
    return f" AND op IN ({', '.join('?' * len(ops))})" if ops else ""


def _way_out(error: Exception) -> str:
    """What to do about a file that can't be used: the system refuses it, or SQLite finds it damaged."""
    return "Check the disk and who may write there." if isinstance(error, sqlite3.OperationalError) else _DAMAGED


def _most_wei() -> int:
    """The price is the node's word, and a node may lie: what a transaction may cost is decided here."""
    chosen = os.environ.get(MAX_COST)
    try:
        return int(Decimal(chosen) * 10**18) if chosen else _MAX_COST_WEI
    except (ArithmeticError, ValueError):
        raise InputError(f"expected an amount of coin in ${MAX_COST}, such as 0.5, got {chosen!r}") from None


def _transactions(entry: Entry) -> list[str]:
    """All transactions that can have brought the entry to the chain, the newest first."""
    return list(dict.fromkeys([*([entry.transaction] if entry.transaction else []), *reversed(entry.replaced)]))


def _hash(raw: bytes) -> str:
    from eth_utils.crypto import keccak

    return to_hex(keccak(raw))


def _is_signed(entry: Entry, chain: Chain, signer: Signer) -> bool:
    """Whether sending it says nothing new in the name of this key: it signed this very change before, or need not."""
    if entry.raw is None or entry.write.presigned:
        return bool(entry.write.presigned)
    from eth_account import Account

    try:
        fields, (to, data) = decode_signed(entry.raw), entry.write.call(chain)
        call = (fields["chainId"], to_hex(fields["to"]), to_hex(fields["data"]))
        sender = Account.recover_transaction(entry.raw)
    except Exception:  # the decoders let their own errors through
        return False
    asked = (chain.chain_id, to.lower(), data.lower())
    return bool(call == asked and sender.lower() == signer.address.lower())


def _entry(row: sqlite3.Row) -> Entry:
    number = row["block_number"]
    return Entry(
        seq=row["seq"],
        chain_id=row["chain_id"],
        write=from_payload(row["op"], json.loads(row["payload"])),
        sender=row["sender"],
        state=EntryState(row["state"]),
        transaction=row["tx"],
        nonce=row["nonce"],
        raw=row["raw"],
        block=None if number is None else Block(number, row["block_hash"], row["block_time"]),
        error=row["error"],
        replaced=tuple(row["replaced"].split()),
    )
