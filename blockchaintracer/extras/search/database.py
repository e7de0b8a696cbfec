"""The file of the index: reading a registry's events and the store's manifests into it, and going back on a reorganised
chain. What is asked of it stands in query.py and lineage.py."""

from __future__ import annotations

import itertools
import sqlite3
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from blockchaintracer.core.chain import Block, Chain, Registry
from blockchaintracer.core.errors import ChainUnavailable, InputError, NotVerified, StoreError
from blockchaintracer.core.record import Domain, from_hex, to_hex
from blockchaintracer.extras.search import schema
from blockchaintracer.extras.search.searchable import SearchableFields, read_json, searchable_fields
from blockchaintracer.lab.chain.logs import Log, Span, spans
from blockchaintracer.lab.files import CORRUPT, UNWRITABLE, in_memory, is_among, is_in_memory, locked, open_database
from blockchaintracer.lab.store.store import Store

EVENTS = (
    "Recorded",
    "Retracted",
    "Attested",
    "VerdictWithdrawn",
    "GroupCreated",
    "GroupDescribed",
    "MembershipChanged",
    "Revealed",
    "VerdictRevealed",
    "Materialized",
)
_OF_BLOCKS = ("records", "verdicts", "retractions", "group_descriptions", "memberships")
"""The tables whose rows come and go with the block that they name."""
_MANIFEST = 8
"""Place of the manifest's digest in the row of a record."""
_MANIFEST_LIMIT = 1 << 20
_CHUNK = 500
_SAMPLE = 1_000
"""Rows that `Index.analyze` reads of each index: the most that SQLite's documentation advises."""
_AT_ONCE = 100_000
"""Events of an empty index that are written in one transaction, which SQLite's log then holds: some 100 MB."""
_OPTIONS: dict[str, Any] = {"isolation_level": None, "timeout": 30}


@dataclass
class SyncReport:
    """What an `Index.sync` read.

    Args:
        block: number of the block up to which the index holds everything now.
        records: of the registry, in all.
        missing_manifests: that the store of this lab does not have, of all registries.
        damaged_manifests: digests of objects that the store can't give back whole.
        unexpected: events that a registry of this package never emits; each is told, and stops nothing.
        gap: why events may be missing, or None.
        went_back_to: where a reorganised chain made it start again; None if it did not.
        rebuilt: why the index was built anew; None if it was not.
    """

    block: int = 0
    block_hash: str = ""
    events: int = 0
    records: int = 0
    manifests: int = 0
    missing_manifests: int = 0
    damaged_manifests: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    gap: str | None = None
    went_back_to: int | None = None
    rebuilt: str | None = None


def known(path: Path, limit: int) -> list[tuple[str, str | None]]:
    """Return id and name of the newest records in an index, of any registry."""
    with Index(path) as index:
        select = "SELECT r.id, d.name FROM records r JOIN documents d ON d.pk = r.document ORDER BY r.pk DESC LIMIT ?"
        return [(to_hex(row["id"]), row["name"]) for row in index.rows(select, [limit])]


class Index:
    """The index in one file; several registries of several chains may be in it.

    A file that is damaged or of another version is moved aside (``.damaged``) and an empty one takes its place.

    Args:
        path: the SQLite file (``Home.index``), made on first use.

    Attributes:
        gap: why records may be missing, or None.

    Raises:
        InputError: if the file is another program's database.
        StoreError: if it can't be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rebuilt: str | None = None
        self.gap: str | None = None
        self._db = self._open()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # -- reading

    def rows(self, sql: str, values: Sequence[Any] | dict[str, Any] = ()) -> list[sqlite3.Row]:
        """The rows of a SELECT of this package.

        Raises:
            StoreError: if the file can't be read; if it's damaged, an empty one has taken its place.
        """
        with self._guarded():
            return self._db.execute(sql, values).fetchall()

    def registry_numbers(self, registry: Registry | Domain | None) -> list[int]:
        """The numbers by which the tables know one registry or all.

        Raises:
            InputError: if the registry isn't in the index.
        """
        if registry is None:
            return [row[0] for row in self.rows("SELECT pk FROM registries ORDER BY pk")]
        domain = registry if isinstance(registry, Domain) else registry.domain
        where = (domain.chain_id, domain.registry)
        rows = self.rows("SELECT pk FROM registries WHERE chain_id = ? AND address = ?", where)
        if not rows:
            raise InputError(
                f"expected the registry {domain.registry} in the index {self.path}, got none of that address",
                hint="Read its events first (`Index.sync`).",
            )
        return [rows[0][0]]

    def ids(self, registry: Registry, condition: str, values: Sequence[Any]) -> list[str]:
        """The ids of the records of a registry that meet a condition on records ``r`` and documents ``d``, in order."""
        select = "SELECT r.id FROM records r JOIN documents d ON d.pk = r.document WHERE r.registry = ? AND "
        rows = self.rows(select + condition + " ORDER BY r.pk", [*self.registry_numbers(registry), *values])
        return [to_hex(row["id"]) for row in rows]

    def groups(self, registry: Registry) -> int:
        """How many groups of a registry it knows."""
        select = "SELECT count(DISTINCT lab_group) FROM group_descriptions WHERE registry = ?"
        return int(self.rows(select, self.registry_numbers(registry))[0][0])

    @property
    def has_full_text(self) -> bool:
        """Whether free text is looked up in a full-text index; without FTS5 all manifests are read."""
        return bool(self.rows("SELECT 1 FROM sqlite_master WHERE name = 'texts'"))

    def match(self, words: Sequence[str], facets: Sequence[str] = ()) -> tuple[str, str]:
        """Return the condition of the table ``texts`` that words and facets make, with ``{}`` for its value; and the
        value. A word that ends in ``*`` stands for all that begin so."""
        text = f"{{name description body}} : ({' AND '.join(map(_fts_word, words))})"
        return "texts MATCH {}", f"{text} AND facets : ({' AND '.join(facets)})" if facets else text

    def comparable(self, value: str = "''") -> str:
        """Return an expression of SQL, of a number or a text, as it is compared with the value of a fact. Numbers come
        before the empty text, and texts after it."""
        return value

    # -- following the chain

    def sync(self, registry: Registry, store: Store, *, rescan: bool = False) -> SyncReport:
        """Read the registry's events since the last time, and the manifests that the store has by now.

        Events of blocks that are no longer in the chain are dropped. What a node has forgotten stays, and so does what
        is to be read anew, until it has been read. May be interrupted anywhere and repeated.

        Args:
            registry: whose events; another registry's records in the file stay as they are.
            store: where manifests are looked up by their digests.
            rescan: read all events anew, from the receipts of the blocks that may hold one.

        Raises:
            ChainUnavailable: if the node can't be reached or its answers don't hold together.
            NotVerified: if an event names a record that no event of the registry recorded.
            StoreError: if the index can't be used. If only its file can't be written, it is held in memory.
        """
        # two processes that read the same blocks would write them twice
        with locked(self.path.with_suffix(".lock")):
            try:
                report = self._sync(registry, store, rescan)
            except sqlite3.DatabaseError as error:
                if is_among(error, CORRUPT):
                    self._replace(error)
                elif is_among(error, UNWRITABLE) and not is_in_memory(self._db):
                    self._db.close()
                    self._db = in_memory(self.path, error, self._prepare, rebuildable=True, **_OPTIONS)
                else:
                    raise self._failed(error) from error
                with self._guarded():
                    report = self._sync(registry, store, rescan)
        report.rebuilt, self._rebuilt = self._rebuilt, None
        return report

    def _sync(self, registry: Registry, store: Store, rescan: bool) -> SyncReport:
        chain, head = registry.chain, registry.chain.head()
        report = SyncReport(head.number, head.hash)
        number, cursor, anew = self._enrol(registry)
        anew = anew or rescan
        gap = None if rescan else registry.history.gap
        if anew and gap is None:
            # nothing is dropped before its replacement was read: both in one transaction
            with self._transaction():
                self._go_back(number, -1)
                writer = Writer(self._db, number, chain.address, report.unexpected)
                first = registry.first_block if rescan else registry.history.start
                for span in spans(chain, registry.address, EVENTS, first, head, by_receipts=rescan):
                    writer.write(span)
                    report.events += len(span.logs)
                settled = "UPDATE registries SET imported = 0, first_block = ? WHERE pk = ?"
                self._db.execute(settled, (registry.first_block, number))
        if cursor is not None and not (anew and gap is None):
            common = self._common_block(number, chain)
            if common != cursor:
                report.went_back_to = max(common, 0)
                with self._transaction():
                    self._go_back(number, common)
            cursor = common
        if not anew or gap:
            start = registry.first_block if cursor is None or cursor < 0 else cursor + 1
            if start == registry.first_block and not gap:
                # the node may have forgotten blocks in which there was no registry yet
                start = registry.history.start
            elif gap and start < registry.history.start:
                # another node may know what is between: it is asked for everything from the registry's first block on
                start, anew = registry.history.start, True
                self._db.execute("UPDATE registries SET first_block = ? WHERE pk = ?", (start, number))
            report.gap = gap if anew else None
            if report.gap and self.rows("SELECT 1 FROM registries WHERE pk = ? AND imported", (number,)):
                report.gap += "; what was imported of that time was compared with no chain"
            self._write(number, chain.address, spans(chain, registry.address, EVENTS, start, head), report)
        self._read_manifests(store, report)
        if report.events:
            self.analyze()
        report.records = self._db.execute("SELECT count(*) FROM records WHERE registry = ?", (number,)).fetchone()[0]
        return report

    def _write(self, number: int, source: str, pending: Iterator[Span[Log]], report: SyncReport) -> None:
        """Write spans, each in a transaction of its own.

        The first spans of an empty index are written in one transaction that makes the records' indexes last. That
        takes half the time, and no other process sees the table without them. The spans that were written before the
        chain became unavailable stay.
        """
        if not self._db.execute("SELECT 1 FROM records LIMIT 1").fetchone():
            failure: ChainUnavailable | None = None
            with self._transaction(), schema.record_indexes_last(self._db):
                writer = Writer(self._db, number, source, report.unexpected, report.gap)
                try:
                    while report.events < _AT_ONCE and (span := next(pending, None)):
                        writer.write(span)
                        report.events += len(span.logs)
                except ChainUnavailable as error:
                    failure = error
            if failure:
                raise failure
        for span in pending:
            with self._transaction():
                Writer(self._db, number, source, report.unexpected, report.gap).write(span)
            report.events += len(span.logs)

    def _enrol(self, registry: Registry) -> tuple[int, int | None, bool]:
        """The registry's number and cursor, and whether it is to be read anew: from an earlier block, or because no
        block of an archive was compared with the chain, so that a forged event in a real block would stay for ever."""
        with self._transaction():
            number, first, cursor, imported = self._register(
                registry.chain.chain_id, registry.address, registry.first_block
            )
        return number, cursor, cursor is not None and (bool(imported) or registry.first_block < first)

    def _register(self, chain_id: int, address: str, first_block: int) -> Any:
        self._db.execute(
            "INSERT OR IGNORE INTO registries (chain_id, address, first_block) VALUES (?, ?, ?)",
            (chain_id, address, first_block),
        )
        return self._db.execute(
            "SELECT pk, first_block, block, imported FROM registries WHERE chain_id = ? AND address = ?",
            (chain_id, address),
        ).fetchone()

    def _common_block(self, registry: int, chain: Chain) -> int:
        """The newest block kept that the chain still holds; -1 if none. Blocks before it are then held too, and so are
        those that the node has forgotten."""
        select = "SELECT number, hash FROM blocks WHERE registry = ? ORDER BY number"
        blocks = self._db.execute(select, (registry,)).fetchall()

        def is_lost(block: sqlite3.Row) -> bool:
            now = chain.remembered(lambda: chain.block(block["number"]))
            return bool(now.hash != to_hex(block["hash"]) if now else block["number"] > chain.head().number)

        # as a rule the newest is still there, and no other has to be asked for
        if blocks and is_lost(blocks[-1]):
            del blocks[bisect_left(blocks, True, key=is_lost) :]
        return int(blocks[-1]["number"]) if blocks else -1

    def _go_back(self, registry: int, block: int) -> None:
        """Drops what came after a block."""
        db, after = self._db, (registry, block)
        for table in ("verdicts", "retractions"):
            db.execute(
                f"INSERT OR IGNORE INTO touched SELECT record FROM {table} WHERE registry = ? AND block > ?",  # noqa: S608
                after,
            )
        dropped = "SELECT pk FROM records WHERE registry = ? AND block > ?"
        for table, column in (("links", "child"), ("facts", "record"), ("cids", "record")):
            db.execute(f"DELETE FROM {table} WHERE {column} IN ({dropped})", after)  # noqa: S608
        for table in _OF_BLOCKS:
            db.execute(f"DELETE FROM {table} WHERE registry = ? AND block > ?", after)  # noqa: S608
        db.execute("DELETE FROM blocks WHERE registry = ? AND number > ?", after)
        db.execute(
            "UPDATE registries SET block = (SELECT max(number) FROM blocks WHERE registry = pk) WHERE pk = ?",
            (registry,),
        )
        _settle(db)

    # -- manifests

    def _read_manifests(self, store: Store, report: SyncReport) -> None:
        """Read the manifests that the store has and the index does not know yet."""
        missing = [
            row[0] for row in self._db.execute("SELECT digest FROM documents WHERE json IS NULL AND problem IS NULL")
        ]
        present = list(_present(store, missing))
        for start in range(0, len(present), _CHUNK):
            with self._transaction():
                describer = Describer(self._db)
                for digest in present[start : start + _CHUNK]:
                    try:
                        data = store.get_bytes(digest.hex(), _MANIFEST_LIMIT)
                    except StoreError:
                        report.damaged_manifests.append(digest.hex())
                        continue
                    describer.take_up(digest, data)
                    report.manifests += 1
        report.missing_manifests = len(missing) - report.manifests

    def analyze(self) -> None:
        """Sample the indexes of the records for SQLite's planner. A sample takes some 20 ms for a million records."""
        self._db.execute(f"PRAGMA analysis_limit = {_SAMPLE}")
        self._db.execute("ANALYZE records")

    # -- without a chain

    def restore(
        self, chain_id: int, address: str, spans: Iterable[Span[Log]], store: Store, *, source: str, checked: bool
    ) -> bool:
        """Add a registry's events from an archive, and the manifests that the store has. Returns False if the index has
        the registry already.

        Args:
            spans: in chain order, each of whole blocks.
            store: where manifests are looked up.
            source: what messages call it.
            checked: whether they were compared with the chain. If not, the next `sync` reads them anew from the chain.

        Raises:
            NotVerified: if the events don't hold together; then nothing of them is kept.
            StoreError: if the file can't be written.
        """
        if is_in_memory(self._db):
            raise self._failed("it can't be written")
        with locked(self.path.with_suffix(".lock")), self._guarded():
            with self._transaction():
                number, _, block, _ = self._register(chain_id, address, 0)
                if is_new := block is None:
                    first = None
                    writer = Writer(self._db, number, source)
                    for span in spans:
                        first = span.first if first is None else first
                        writer.write(span)
                    self._db.execute(
                        "UPDATE registries SET first_block = ?, imported = ? WHERE pk = ?",
                        (first or 0, not checked, number),
                    )
                    self.analyze()
            self._read_manifests(store, SyncReport())
        return is_new

    # -- the file

    def _open(self) -> sqlite3.Connection:
        try:
            return open_database(self.path, self._prepare, rebuildable=True, **_OPTIONS)
        except _OtherVersion as other:
            return self._replace(str(other))
        except sqlite3.Error as error:
            if is_among(error, CORRUPT):
                return self._replace(error)
            raise self._failed(error) from error

    def _prepare(self, db: sqlite3.Connection) -> None:
        db.row_factory = sqlite3.Row
        version = self._version(db)
        if version == 0:
            db.execute("PRAGMA journal_mode = WAL")
            schema.create(db)
        elif version != schema.VERSION:
            raise _OtherVersion(f"it was made by another version ({version}, not {schema.VERSION})")
        # it can always be built anew, so it only has to survive a dying process, not a power cut
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA cache_size = -65536")
        # the indexes are written all over the file: with checkpoints of 80 MB, not 4, it fills half as fast again
        db.execute("PRAGMA wal_autocheckpoint = 20000")
        db.execute("CREATE TEMP TABLE touched (record INTEGER PRIMARY KEY)")

    def _version(self, db: sqlite3.Connection) -> int:
        """The version of the tables; 0 for an empty file."""
        [application], [version], [tables] = (
            db.execute(question).fetchone()
            for question in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
        )
        if tables and application != schema.APPLICATION_ID:
            raise InputError(f"expected an index at {self.path}, got another program's database")
        return int(version) if tables else 0

    def _replace(self, reason: sqlite3.Error | str) -> sqlite3.Connection:
        """Replace an index that can't be used by an empty one."""
        if hasattr(self, "_db"):
            self._db.close()
        if isinstance(reason, sqlite3.Error):
            reason = f"it was damaged ({reason})"
        self._rebuilt = f"the index {self.path} is built anew from the chain: {reason}"
        aside = self.path.with_name(self.path.name + ".damaged")
        try:
            self.path.replace(aside)
            for suffix in ("-wal", "-shm"):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"the index {self.path} can't be replaced: {error.strerror}") from error
        self._db = self._open()
        return self._db

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            if not is_among(error, CORRUPT):
                raise self._failed(error) from error
            self._replace(error)
            raise StoreError(
                f"the index {self.path} was damaged ({error}); an empty one has taken its place",
                hint="Nothing is lost: the next command that reads the chain fills it again.",
            ) from error

    def _failed(self, error: sqlite3.Error | str) -> StoreError:
        return StoreError(
            f"the index {self.path} can't be used: {error}",
            hint="Free some space, or delete the file: it is built anew from the chain.",
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.IntegrityError | OverflowError):
                raise NotVerified(f"the events hold what no registry emits: {error}", hint=HOLE) from None
            raise
        self._db.execute("COMMIT")


HOLE = (
    "A node may leave out logs: ask another one, or read all receipts instead (`blockchaintracer query --rescan`). Or "
    "they are read from too late a block: start at the registry's deployment."
)


class _OtherVersion(Exception):
    """The file has other tables than this version makes."""


class _Missing(NotVerified):
    """An event names a record that no event before it stores."""


class Writer:
    """Writes the logs of spans, inside a transaction of the caller's.

    Args:
        gap: why events may be missing. What is said of records that are missing then is left out.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        registry: int,
        source: str,
        unexpected: list[str] | None = None,
        gap: str | None = None,
    ) -> None:
        self._db = db
        self._lenient = suppress(_Missing) if gap else nullcontext()
        self._unexpected = [] if unexpected is None else unexpected
        self._registry = registry
        self._source = source
        self._known: dict[bytes, int] = {}
        self._pending: list[Sequence[Any]] = []
        self._next = 0
        self._made: dict[str, tuple[bytes, int]] = {}
        """By table: id of the record of the row that was made last, and the row's number."""

    def write(self, span: Span[Log]) -> None:
        """Write the logs of a span.

        Raises:
            NotVerified: if an event names a record that no event recorded.
        """
        self._made.clear()
        sequence = "SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'records'"
        first = self._next = self._db.execute(sequence).fetchone()[0]
        for log in span.logs:
            with self._lenient:
                self._take(log, [log.block, span.times[log.block], log.transaction])
        self._write_records()
        self._note_blocks(span)
        _settle(self._db)
        # of new records, those whose manifests are known already
        Describer(self._db).describe("r.pk >= ? AND d.json IS NOT NULL", first)

    def _take(self, log: Log, where: list[Any]) -> None:
        """Write the rows that one event makes."""
        registry, values = self._registry, log.values
        match log.event:
            case "Recorded":
                record_id, subject, group, author, subject_type, kind, manifest, parents = values
                links = []
                for parent, relation in parents:
                    with self._lenient:
                        links.append((self._record(parent, "parent"), relation))
                pk = self._known[record_id] = self._next
                self._next += 1
                about = (pk, registry, record_id, group, kind, subject_type, author, subject, manifest)
                self._pending.append((*about, *where))
                self._made["records"] = record_id, pk
                if links:
                    self._db.executemany("INSERT INTO links VALUES (?, ?, ?)", ((pk, *link) for link in links))
            case "Attested":
                group, attester, record_id, verdict, evidence, version = values
                self._take_verdict(record_id, [group, verdict, attester, evidence, version, *where])
            case "VerdictWithdrawn":
                group, by, record_id, verdict, version = values
                # without a verdict only signed ones end, and the record need not exist
                if verdict:
                    self._take_verdict(record_id, [group, 0, by, bytes(32), version, *where])
            case "Retracted":
                _, by, record_id, reason = values
                row = [self._touch(record_id, "retracted record"), registry, by, reason, *where]
                if not self._db.execute("INSERT OR IGNORE INTO retractions VALUES (?, ?, ?, ?, ?, ?, ?)", row).rowcount:
                    self._unexpected.append(f"the record {to_hex(record_id)} was retracted more than once")
            case "GroupCreated" | "GroupDescribed":
                row = [registry, values[0], self._document(values[-1]), log.block]
                self._insert("group_descriptions", "registry, lab_group, document, block", row)
            case "MembershipChanged":
                self._take_membership(values[0], values[2], values[-1], log.block)
            case "Revealed":
                record_id, _, sealed_at = values
                self._amend("records", record_id, "sealed_at = ?", sealed_at)
            case "VerdictRevealed":
                _, record_id, _, sealed_at = values
                self._amend("verdicts", record_id, "sealed_at = ?", sealed_at)
            case "Materialized":
                record_id, root, anchored_at = values
                self._amend("records", record_id, "root = ?, anchored_at = ?", root, anchored_at)

    def _take_verdict(self, record_id: bytes, row: list[Any]) -> None:
        row = [self._registry, self._touch(record_id, "subject of a verdict"), *row]
        columns = "registry, record, lab_group, verdict, account, evidence, version, block, time, tx"
        self._made["verdicts"] = record_id, self._insert("verdicts", columns, row)

    def _take_membership(self, group: int, account: bytes, version: int, block: int) -> None:
        """Write a change of a membership; tell if its version is not the next one, or the largest again."""
        where = (self._registry, group, account)
        of_account = "FROM memberships WHERE registry = ? AND lab_group = ? AND account = ?"
        highest = self._db.execute(f"SELECT max(version) {of_account}", where).fetchone()[0]
        self._insert("memberships", "registry, lab_group, account, version, block", [*where, version, block])
        if highest is not None and version != min(highest + 1, 2**32 - 1):
            select = f"SELECT version {of_account} ORDER BY pk DESC LIMIT 5"
            versions = [row[0] for row in self._db.execute(select, where)][::-1]
            text = f"{to_hex(account)} in group {group} has the versions {versions}"
            hint = f". {HOLE}" if version > highest else ""
            self._unexpected.append(f"expected versions of a membership to grow by one, got others: {text}{hint}")

    def _insert(self, table: str, columns: str, row: list[Any]) -> int:
        places = ", ".join("?" * len(row))
        return self._db.execute(f"INSERT INTO {table} ({columns}) VALUES ({places})", row).lastrowid or 0  # noqa: S608

    def _write_records(self) -> None:
        """Write the rows of the records that wait: all at once takes a third of the time."""
        digests = ((row[_MANIFEST],) for row in self._pending)
        self._db.executemany("INSERT OR IGNORE INTO documents (digest) VALUES (?)", digests)
        columns = "pk, registry, id, lab_group, kind, subject_type, author, subject, document, block, time, tx"
        document = "(SELECT pk FROM documents WHERE digest = ?)"
        insert = f"INSERT INTO records ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, {document}, ?, ?, ?)"  # noqa: S608
        self._db.executemany(insert, self._pending)
        self._pending.clear()

    def _amend(self, table: str, record_id: bytes, change: str, *values: Any) -> None:
        """Add to the row of a record that the previous event made."""
        self._write_records()
        made, pk = self._made.get(table, (b"", 0))
        if made != record_id:
            raise _Missing(
                f"an event reveals or materializes the record {to_hex(record_id)}, which no event before it stores",
                hint=HOLE,
            )
        self._db.execute(f"UPDATE {table} SET {change} WHERE pk = ?", (*values, pk))  # noqa: S608

    def _touch(self, record_id: bytes, what: str) -> int:
        number = self._record(record_id, what)
        self._db.execute("INSERT OR IGNORE INTO touched VALUES (?)", (number,))
        return number

    def _document(self, digest: bytes) -> int:
        made = self._db.execute("INSERT OR IGNORE INTO documents (digest) VALUES (?)", (digest,))
        if made.rowcount and made.lastrowid:
            return made.lastrowid
        return int(self._db.execute("SELECT pk FROM documents WHERE digest = ?", (digest,)).fetchone()[0])

    def _note_blocks(self, span: Span[Log]) -> None:
        blocks = {log.block: log.block_hash for log in span.logs}
        last: Block = span.last
        if to_hex(blocks.setdefault(last.number, from_hex(last.hash))) != last.hash:
            raise NotVerified(
                f"{self._source} gave logs of block {last.number} that are of another block of that height",
                hint="Try again: the chain was reorganised meanwhile.",
            )
        times = {**span.times, last.number: last.timestamp}
        self._db.executemany(
            "INSERT INTO blocks VALUES (?, ?, ?, ?)",
            ((self._registry, number, block_hash, times[number]) for number, block_hash in blocks.items()),
        )
        self._db.execute("UPDATE registries SET block = ? WHERE pk = ?", (last.number, self._registry))

    def _record(self, record_id: bytes, what: str) -> int:
        if (number := self._known.get(record_id)) is not None:
            return number
        row = self._db.execute(
            "SELECT pk FROM records WHERE registry = ? AND id = ?", (self._registry, record_id)
        ).fetchone()
        if row is None:
            raise _Missing(
                f"expected the {what} {to_hex(record_id)} to be recorded before, got no event of it", hint=HOLE
            )
        self._known[record_id] = row[0]
        return int(row[0])


class Describer:
    """Writes what manifests say of their records."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._has_full_text = bool(db.execute("SELECT 1 FROM sqlite_master WHERE name = 'texts'").fetchone())
        self._names: dict[str, int] = {}

    def take_up(self, digest: bytes, data: bytes) -> None:
        """A manifest that the store has now."""
        if (fields := _fields(data)) is None:
            self._db.execute("UPDATE documents SET problem = 'not a JSON object' WHERE digest = ?", (digest,))
            return
        said = fields.name, data.decode(), digest
        self._db.execute("UPDATE documents SET name = ?, json = ? WHERE digest = ?", said)
        self.describe("d.digest = ?", digest)

    def describe(self, term: str, value: bytes | int) -> None:
        """Describe the records that meet a term of SQL, ``r`` of the record or ``d`` of its manifest."""
        records = self._db.execute(
            "SELECT r.pk, r.registry, r.kind, r.lab_group, r.author, d.json"  # noqa: S608 -- the value is bound
            f" FROM records r JOIN documents d ON d.pk = r.document WHERE {term}",
            (value,),
        ).fetchall()
        for pk, registry, kind, group, author, text in records:
            fields = _fields(text.encode()) or searchable_fields({})
            self._db.executemany(
                "INSERT INTO facts VALUES (?, ?, ?)", ((pk, self._name(name), value) for name, value in fields.values)
            )
            if fields.cid is not None:
                self._db.execute("INSERT INTO cids VALUES (?, ?)", (fields.cid, pk))
            if self._has_full_text:
                facets = " ".join(facet_words(registry, kind, group, author))
                self._db.execute(
                    "INSERT INTO texts (rowid, name, description, body, facets) VALUES (?, ?, ?, ?, ?)",
                    (pk, fields.name, fields.description, fields.body, facets),
                )

    def _name(self, name: str) -> int:
        if name not in self._names:
            self._db.execute("INSERT OR IGNORE INTO names (name) VALUES (?)", (name,))
            row = self._db.execute("SELECT pk FROM names WHERE name = ?", (name,)).fetchone()
            self._names[name] = row[0]
        return self._names[name]


@lru_cache(maxsize=1)
def _fields(manifest: bytes) -> SearchableFields | None:
    """Read a manifest once, for itself and for its records."""
    statement = read_json(manifest)
    return None if statement is None else searchable_fields(statement)


def _fts_word(word: str) -> str:
    quoted = word.rstrip("*").replace('"', '""')
    return f'"{quoted}"' + ("*" if word.endswith("*") else "")


def facet_words(registry: int, kind: int | None, group: int | None, author: bytes | None) -> list[str]:
    """Registry, kind, group and author as words of the full text."""
    values = {"registry": registry, "kind": kind, "group": group, "author": author and author.hex()}
    return [f"{name}{value}" for name, value in values.items() if value is not None]


def _settle(db: sqlite3.Connection) -> None:
    """Derives current verdicts, their counts and retraction of records that events touched."""
    db.execute(
        "UPDATE verdicts SET current = verdict != 0 AND pk = (SELECT max(v.pk) FROM verdicts v"
        " WHERE v.record = verdicts.record AND v.lab_group = verdicts.lab_group)"
        " WHERE record IN (SELECT record FROM touched)"
    )
    counts = ", ".join(
        f"(SELECT count(*) FROM verdicts WHERE record = records.pk AND current AND verdict = {verdict})"  # noqa: S608
        for verdict in range(1, 5)
    )
    db.execute(
        f"UPDATE records SET (reviewed, reproduced, not_reproduced, disputed) = (SELECT {counts}),"  # noqa: S608
        " retracted_at = (SELECT time FROM retractions WHERE record = records.pk)"
        " WHERE pk IN (SELECT record FROM touched)"
    )
    db.execute("DELETE FROM touched")


def _present(store: Store, digests: Iterable[bytes]) -> Iterator[bytes]:
    """The digests that the store has, ascending. Each folder of the store is listed once."""
    for _, group in itertools.groupby(sorted(digests), key=lambda digest: digest[:1]):
        of_folder = [digest.hex() for digest in group]
        folder = store.path_of(of_folder[0]).parent
        names = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
        yield from (bytes.fromhex(digest) for digest in of_folder if digest[2:] in names)
