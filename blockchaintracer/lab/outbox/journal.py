"""The file that holds every write of a lab and how far it has come. What sends them is `queue`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from blockchaintracer.core.chain import Block, Chain
from blockchaintracer.core.errors import InputError, StoreError
from blockchaintracer.core.record import Domain, to_hex
from blockchaintracer.core.verify.inclusion import Inclusion
from blockchaintracer.lab.files import locked, open_database
from blockchaintracer.lab.formats import OUTBOX
from blockchaintracer.lab.keys import Signer
from blockchaintracer.lab.keys.signer import decode_signed
from blockchaintracer.lab.outbox.transactions import RECORDS, Op, Transaction, call_of, from_payload

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
CREATE INDEX IF NOT EXISTS entries_by_state ON entries (state, block_number);
CREATE INDEX IF NOT EXISTS entries_by_transaction ON entries (tx);
CREATE INDEX IF NOT EXISTS entries_by_subject ON entries (
  iif(json_valid(payload), json_extract(payload, '$.key.subject'), NULL)
);
CREATE TABLE IF NOT EXISTS receipts (seq INTEGER PRIMARY KEY, block_hash TEXT NOT NULL, proof TEXT NOT NULL);
"""
_PAGE = 100
# a query that says +chain_id is to take another index: all entries can be of one chain
PENDING = "state IN ('stored', 'signed', 'submitted')"
_entered: set[tuple[Path, int]] = set()
"""What this process entered, by journal and number: what it may sign without asking."""
_DAMAGED = "Restore the file from a copy, or move it away: what was recorded stays in store and chain."
_KEPT = "receipts JOIN entries USING (seq) WHERE receipts.block_hash = entries.block_hash"


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
        raw: the signed transaction. Of entries that share one, only the first holds it.
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


class Journal:
    """The writes of one lab, in one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._db = open_database(path, self._prepare, isolation_level=None, timeout=30)
            self._db.row_factory = sqlite3.Row
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise StoreError(f"the outbox {path} can't be opened: {error}", hint=_way_out(error)) from error

    def _prepare(self, db: sqlite3.Connection) -> None:
        # 0 is a new file
        OUTBOX.check_version(db.execute("PRAGMA user_version").fetchone()[0] or OUTBOX.version, str(self._path))
        start = f"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA user_version = {OUTBOX.version};"
        db.executescript(start + _SCHEMA)

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
        of_these = "iif(json_valid(payload), json_extract(payload, '$.key.subject'), NULL) IN"
        of_these += " (SELECT value FROM json_each(?)) AND +chain_id = ? AND op = ? AND state <> 'failed'"
        found = self._entries(of_these, json.dumps(list(subjects)), domain.chain_id, Op.RECORD)
        return [entry for entry in found if entry.write.registry == domain.registry]

    def newest(self, limit: int) -> list[Entry]:
        """Return the newest entries of all chains, in order."""
        return self._entries("seq IN (SELECT seq FROM entries ORDER BY seq DESC LIMIT ?)", limit)

    def pending(self, chain_id: int | None = None, *, failed: bool = False) -> list[Entry]:
        """Return what still has to reach a block, in order, of one chain or of all; `failed` adds what was refused."""
        more = " OR state IN ('captured', 'failed')" if failed else ""
        return self._entries(f"(?1 IS NULL OR chain_id = ?1) AND ({PENDING}{more})", chain_id)

    def waiting(self) -> dict[tuple[int, str], int]:
        """Count what still has to reach a block, by chain and sender."""
        query = f"SELECT chain_id, sender, count(*) FROM entries WHERE {PENDING} GROUP BY chain_id, sender"  # noqa: S608
        return {(chain_id, sender): count for chain_id, sender, count in self._rows(query)}

    def pending_of(
        self, chain: Chain, signer: Signer, seqs: Collection[int] | None = None, ids: Collection[str] = ()
    ) -> list[Entry]:
        """Return what waits for a signer, in order: all of it, or what has these numbers or is about these records."""
        chosen = "(?3 IS NULL OR seq IN (SELECT value FROM json_each(?3)))"
        if ids:
            chosen = "record_id IN (SELECT value FROM json_each(?4))"
        mine = f"+chain_id = ?1 AND {PENDING} AND lower(sender) = ?2 AND {chosen}"
        numbers = None if seqs is None else json.dumps(list(seqs))
        given = (chain.chain_id, signer.address.lower(), numbers, *([json.dumps(list(ids))] if ids else []))
        return self._entries(mine, *given)

    def needed(
        self, chain: Chain, signer: Signer, record_ids: Iterable[str], seqs: Collection[int] | None = None
    ) -> set[int]:
        """Return the numbers of what waits for this signer and goes together: the entries of these numbers, what this
        key signed before, what is about these records, and the parents of all that.

        Args:
            seqs: all that this process entered, if not given.
        """
        if seqs is None:
            seqs = [seq for path, seq in _entered if path == self._path.absolute()]
        fresh = self.pending_of(chain, signer, seqs)
        fresh += [entry for entry in self._signed_of(chain, signer) if self._is_signed(entry, chain, signer)]
        needed, seen, ids = set[int](), set[str](), set(record_ids)
        while fresh or ids - seen:
            needed |= {entry.seq for entry in fresh}
            keys = [entry.write.fields.get("key") for entry in fresh]
            ids |= {link.parent for key in keys if key for link in key.parents}
            asked, seen = ids - seen, seen | ids
            fresh = (
                [entry for entry in self.pending_of(chain, signer, ids=asked) if entry.seq not in needed]
                if asked
                else []
            )
        return needed

    def older(self, chain: Chain, signer: Signer, needed: Collection[int], after: int) -> list[int]:
        """Return the numbers, above one, of what waits for this signer, is not needed, and was entered by others."""
        query = (
            f"SELECT seq FROM entries WHERE chain_id = ? AND {PENDING} AND lower(sender) = ? AND seq > ? ORDER BY seq"  # noqa: S608
        )
        path = self._path.absolute()
        rows = self._rows(query, chain.chain_id, signer.address.lower(), after)
        return [row["seq"] for row in rows if row["seq"] not in needed and (path, row["seq"]) not in _entered]

    def _signed_of(self, chain: Chain, signer: Signer) -> list[Entry]:
        signed = "+chain_id = ? AND state IN ('signed', 'submitted') AND lower(sender) = ?"
        return self._entries(signed, chain.chain_id, signer.address.lower())

    def _is_signed(self, entry: Entry, chain: Chain, signer: Signer) -> bool:
        """Whether sending it says nothing new in the name of this key: it signed this very change before, or need
        not."""
        if entry.write.presigned:
            return True
        raw = entry.raw or next((it.raw for it in self._entries("tx = ? AND raw NOT NULL", entry.transaction)), None)
        if raw is None:
            return False
        from eth_account import Account

        try:
            fields, (to, data) = decode_signed(raw), call_of([entry.write], chain)
            call = (fields["chainId"], to_hex(fields["to"]))
            sender = Account.recover_transaction(raw)
        except Exception:  # the decoders let their own errors through
            return False
        if call != (chain.chain_id, to.lower()) or sender.lower() != signer.address.lower():
            return False
        return to_hex(fields["data"]) == data.lower() or entry.write.is_among(bytes(fields["data"]))

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

    def forget_chain(self, chain_id: int) -> None:
        """Drop what is known of a chain that is no more. What was recorded there stays in the store."""
        with self._transaction():
            self._db.execute("DELETE FROM entries WHERE chain_id = ?", (chain_id,))
            self._db.execute("DELETE FROM receipts WHERE seq NOT IN (SELECT seq FROM entries)")

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

    def _turn(self) -> AbstractContextManager[None]:
        """Keep other processes from signing: two with one key would take one nonce twice."""
        return locked(self._path.with_suffix(".lock"))

    def _update(self, entries: Sequence[Entry], state: EntryState, **changes: Any) -> list[Entry]:
        """Change entries at once; of a signed transaction that they share, the first keeps the bytes."""
        if "block" in changes:
            block = changes.pop("block")
            changes |= {
                "block_number": block.number if block else None,
                "block_hash": block.hash if block else None,
                "block_time": block.timestamp if block else None,
            }
        names = "".join(f", {name} = :{name}" for name in changes)
        names = names.replace("raw = :raw", f"raw = iif(seq = {entries[0].seq}, :raw, NULL)")
        numbers = json.dumps([entry.seq for entry in entries])
        with self._transaction():
            self._db.execute(
                # the names are this module's own
                f"UPDATE entries SET state = :state{names} WHERE seq IN (SELECT value FROM json_each(:numbers))",  # noqa: S608
                {"state": state, "numbers": numbers, **changes},
            )
        return self.again(entries)

    def again(self, entries: Sequence[Entry], more: str = "true") -> list[Entry]:
        """Return entries as they are now, those of which `more` is true."""
        numbers = json.dumps([entry.seq for entry in entries])
        return self._entries(f"seq IN (SELECT value FROM json_each(?)) AND {more}", numbers)  # noqa: S608

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
                # it is entered before and after it is sent
                hint="Free space or choose --home. `blockchaintracer outbox list` shows what was sent: it goes on with "
                "the next command, and nothing is paid twice.",
            ) from error


def _of(ops: tuple[Op, ...]) -> str:
    return f" AND op IN ({', '.join('?' * len(ops))})" if ops else ""


def _way_out(error: Exception) -> str:
    """What to do about a file that can't be used: the system refuses it, or SQLite finds it damaged."""
    return "Check the disk and who may write there." if isinstance(error, sqlite3.OperationalError) else _DAMAGED


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
