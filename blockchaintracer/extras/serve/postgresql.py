"""The index in PostgreSQL, for several servers of a consortium: the same code, tables and answers as in SQLite.

SQL is written for SQLite once. What PostgreSQL lacks is made there (functions, a type, views), and the few words that
differ are replaced. A fact's value is a row of a number and a text, so that numbers come before texts as they do in
SQLite. Texts are cut into words by SQLite for both, so that both find the same.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from typing_extensions import override

from blockchaintracer.core.chain import Registry
from blockchaintracer.core.errors import InputError, StoreError
from blockchaintracer.extras.search import Index, schema
from blockchaintracer.extras.search.database import SyncReport
from blockchaintracer.extras.serve.readers import Unanswered, takes_long
from blockchaintracer.lab.optional import require
from blockchaintracer.lab.store.store import Store

_LOCK = 0x42544958
"""Of PostgreSQL's advisory locks: one server at a time follows the chain."""
_FACETS = "\x1f"
"""Begins the words of a record's facets, which no word of a text does."""
_COLUMN_GAP = 2
_MOST_PLACE, _MOST_PLACES, _MOST_OF_WORD = 16_383, 255, 500
"""Of PostgreSQL's full text: the last place, the places of one word, and letters of a word."""

_MADE = """
CREATE TYPE fact_value AS (number numeric, text text COLLATE "C");
CREATE FUNCTION fact(smallint) RETURNS fact_value IMMUTABLE LANGUAGE sql AS 'SELECT ROW($1::numeric, NULL)::fact_value';
CREATE FUNCTION fact(integer) RETURNS fact_value IMMUTABLE LANGUAGE sql AS 'SELECT ROW($1::numeric, NULL)::fact_value';
CREATE FUNCTION fact(bigint) RETURNS fact_value IMMUTABLE LANGUAGE sql AS 'SELECT ROW($1::numeric, NULL)::fact_value';
CREATE FUNCTION fact(numeric) RETURNS fact_value IMMUTABLE LANGUAGE sql AS 'SELECT ROW($1, NULL)::fact_value';
-- by its shortest text: a cast to numeric would keep 15 digits
CREATE FUNCTION fact(double precision) RETURNS fact_value IMMUTABLE LANGUAGE sql
  AS 'SELECT ROW($1::text::numeric, NULL)::fact_value';
CREATE FUNCTION fact(text) RETURNS fact_value IMMUTABLE LANGUAGE sql AS 'SELECT ROW(NULL, $1)::fact_value';
CREATE FUNCTION json_each(text) RETURNS TABLE (value bigint) IMMUTABLE LANGUAGE sql
  AS 'SELECT v::bigint FROM json_array_elements_text($1::json) AS v';
CREATE FUNCTION zeroblob(integer) RETURNS bytea IMMUTABLE LANGUAGE sql AS $$SELECT decode(repeat('00', $1), 'hex')$$;
CREATE FUNCTION max(bigint, bigint) RETURNS bigint IMMUTABLE LANGUAGE sql AS 'SELECT greatest($1, $2)';
-- a manifest is a stranger's: PostgreSQL's JSON has no NUL, and inputs that are no list name nothing
CREATE FUNCTION names_input(manifest text, id bytea) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
  RETURN EXISTS (SELECT 1 FROM json_array_elements(
                   replace(manifest, '\\u0000', '\\ufffd')::json->'predicate'->'inputs') i
                 WHERE i.value->>'record' = '0x' || encode(id, 'hex'));
EXCEPTION WHEN data_exception THEN RETURN false;
END $$;
CREATE TABLE texts (rowid bigint PRIMARY KEY, words tsvector NOT NULL);
CREATE INDEX texts_by_word ON texts USING gin (words);
CREATE VIEW sqlite_master AS SELECT 'texts'::text AS name;
CREATE VIEW sqlite_sequence AS SELECT 'records'::text AS name,
  CASE WHEN is_called THEN last_value ELSE last_value - 1 END AS seq FROM records_pk_seq;
"""
_NUMBERED = r"INSERT INTO (?:records|documents|verdicts|group_descriptions|memberships|names) "
_WORDS = (
    (r"\bINTEGER PRIMARY KEY( AUTOINCREMENT)?", "bigserial PRIMARY KEY"),
    (r"current INTEGER NOT NULL DEFAULT 0", "current boolean NOT NULL DEFAULT false"),
    (r"\bINTEGER\b", "bigint"),
    (r"\bBLOB\b", "bytea"),
    (r"value NOT NULL", "value fact_value NOT NULL"),
    (r" WITHOUT ROWID", ""),
    (r"TEXT\b", 'text COLLATE "C"'),
)
"""How tables are written for PostgreSQL."""
_INPUTS = re.compile(r"JOIN json_each\(d\.json.*?lower\(hex\(p\.id\)\)\)*", re.DOTALL)


def _tables() -> str:
    text = f"{schema.TABLES} {schema.RECORD_INDEXES}"
    for pattern, replacement in _WORDS:
        text = re.sub(pattern, replacement, text)
    return text


@lru_cache(maxsize=512)
def translated(sql: str) -> str:
    """Return an SQLite statement of this package as PostgreSQL takes it."""
    if "json_each(d.json" in sql:
        sql = _INPUTS.sub(" WHERE c.pk = l.child AND names_input(d.json, p.id)))", sql)
    sql = re.sub(r"\bCROSS JOIN\b(?= \w+ \w+ ON\b)", "JOIN", sql)
    sql = sql.replace("BEGIN IMMEDIATE", "BEGIN").replace("f.value = 'failed'", "f.value = fact('failed'::text)")
    sql = sql.replace("INSERT INTO facts VALUES (?, ?, ?)", "INSERT INTO facts VALUES (?, ?, fact(?))")
    if sql.startswith("INSERT OR IGNORE"):
        sql = sql.replace("INSERT OR IGNORE", "INSERT", 1) + " ON CONFLICT DO NOTHING"
    if re.match(_NUMBERED, sql):
        sql += " RETURNING pk"
    sql = sql.replace("%", "%%").replace("?", "%s")
    return re.sub(r"(?<![:\w]):(\w+)", r"%(\1)s", sql)


class _Row(tuple[Any, ...]):
    """A row by position and by name, as SQLite's."""

    names: tuple[str, ...]

    @override
    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(self.names.index(key) if isinstance(key, str) else key)

    def keys(self) -> tuple[str, ...]:
        return self.names


def _rows(cursor: Any) -> Any:
    names = tuple(column.name for column in cursor.description or ())
    return type("Row", (_Row,), {"names": names})


class _Answer:
    """What a statement gave, as SQLite's cursor tells it."""

    def __init__(self, cursor: Any, is_insert: bool) -> None:
        self._cursor = cursor
        self.rowcount = cursor.rowcount
        self.lastrowid = None
        if is_insert and cursor.description:
            row = cursor.fetchone()
            self.lastrowid = row[0] if row else None

    def fetchall(self) -> list[Any]:
        return self._cursor.fetchall()  # type: ignore[no-any-return]

    def fetchone(self) -> Any:
        return self._cursor.fetchone()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._cursor)


class _Connection:
    """A connection of psycopg that takes the statements of this package as SQLite's does."""

    def __init__(self, url: str, name: str) -> None:
        psycopg = require("psycopg", "serve")
        self.psycopg = psycopg
        self._db = psycopg.connect(url, autocommit=True, connect_timeout=10, row_factory=_rows)
        # functions are found by the types of their arguments
        self._db.adapters.register_dumper(str, psycopg.types.string.StrDumper)
        self.execute(f'SET search_path = "{name}"')

    @property
    def in_transaction(self) -> bool:
        return bool(self._db.info.transaction_status != self.psycopg.pq.TransactionStatus.IDLE)

    def execute(self, sql: str, values: Sequence[Any] | dict[str, Any] | None = None) -> _Answer:
        if sql.startswith("INSERT INTO texts "):
            assert isinstance(values, Sequence)  # noqa: S101 -- the one statement of this package
            sql, values = "INSERT INTO texts VALUES (?, ?::tsvector)", (values[0], _vector(values[1:4], values[4]))
        text = translated(sql)
        return _Answer(self._db.execute(text, values or None), text.endswith("RETURNING pk"))

    def executemany(self, sql: str, values: Iterable[Sequence[Any]]) -> None:
        if many := [tuple(row) for row in values]:
            self._db.cursor().executemany(translated(sql), many)

    @property
    def is_lost(self) -> bool:
        return bool(self._db.closed)

    def script(self, text: str) -> None:
        self._db.execute(text)

    def close(self) -> None:
        self._db.close()


class PostgresIndex(Index):
    """An index in a schema of a PostgreSQL database, made on first use.

    Args:
        url: of the database; a password comes by ``$PGPASSWORD`` or ``~/.pgpass``.
        name: of the schema.
        to_read: only read, which makes nothing.
    """

    def __init__(self, url: str, name: str, *, to_read: bool = False) -> None:
        self.path = Path(name)
        self.gap = None
        self._rebuilt = None
        self._to_read = to_read
        self._db: Any
        with self._guarded():
            self._db = _Connection(url, name)
            if not to_read:
                self._make(name)

    def _make(self, name: str) -> None:
        version = f"blockchaintracer index {schema.VERSION}"
        with self._only():
            there = self._db.execute("SELECT obj_description(to_regnamespace(?), 'pg_namespace')", (name,)).fetchone()[
                0
            ]
            if there == version:
                pass
            elif there is None or there.startswith("blockchaintracer index "):
                self._db.script(
                    f'BEGIN; DROP SCHEMA IF EXISTS "{name}" CASCADE; CREATE SCHEMA "{name}";'
                    f"COMMENT ON SCHEMA \"{name}\" IS '{version}';"
                    f"{_MADE.partition('CREATE TABLE texts')[0]} {_tables()}"
                    f"CREATE TABLE texts{_MADE.partition('CREATE TABLE texts')[2]} COMMIT"
                )
            else:
                raise InputError(f"expected the schema {name} of an index, got another program's")
        self._db.execute("CREATE TEMP TABLE touched (record bigint PRIMARY KEY)")

    @contextmanager
    def _only(self) -> Iterator[None]:
        """Hold the lock of the one server that writes."""
        self._db.execute("SELECT pg_advisory_lock(?)", (_LOCK,))
        try:
            yield
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self._db.execute("SELECT pg_advisory_unlock(?)", (_LOCK,))

    @override
    def sync(self, registry: Registry, store: Store, *, rescan: bool = False) -> SyncReport:
        with self._guarded(), self._only():
            return self._sync(registry, store, rescan)

    @override
    def analyze(self) -> None:
        self._db.execute("ANALYZE")

    @override
    def match(self, words: Sequence[str], facets: Sequence[str] = ()) -> tuple[str, str]:
        terms = [_phrase(word) for word in words] + [_quoted(_FACETS + facet) for facet in facets]
        return "texts.words @@ {}::tsquery", " & ".join(terms)

    @override
    def comparable(self, value: str = "''") -> str:
        return f"fact({value}::text)" if value == "''" else f"fact({value})"

    @override
    @contextmanager
    def _guarded(self) -> Iterator[None]:
        psycopg = require("psycopg", "serve")
        try:
            yield
        except psycopg.Error as error:
            # the text of a driver's error may hold the address of the database
            if isinstance(error, psycopg.errors.QueryCanceled):
                raise takes_long() from None
            reason = f"the database can't be used now ({type(error).__name__})"
            hint = "Look whether it runs, and whether its user may use and make schemas."
            raise (Unanswered if self._to_read else StoreError)(reason, hint=hint) from None

    @property
    def is_lost(self) -> bool:
        """Whether the connection has ended."""
        return bool(self._db.is_lost)

    def drop(self) -> None:
        """Delete the index, if it is there."""
        with self._guarded(), self._only():
            self._db.script(f'DROP SCHEMA IF EXISTS "{self.path}" CASCADE')

    @contextmanager
    def snapshot(self, seconds: float) -> Iterator[None]:
        """Read one state of the index, for so many seconds."""
        with self._guarded():
            self._db.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            self._db.execute(f"SET LOCAL statement_timeout = {max(int(1000 * seconds), 1)}")
        try:
            yield
        finally:
            with self._guarded():
                self._db.execute("ROLLBACK")


# -- words, as SQLite's full text has them


_splitting = threading.Lock()


@lru_cache(maxsize=1)
def _splitter() -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    db.execute("CREATE VIRTUAL TABLE t USING fts5 (a, b, c)")
    db.execute("CREATE VIRTUAL TABLE v USING fts5vocab (t, instance)")
    return db


def _split(*columns: str | None) -> list[list[str]]:
    """The words of each of three columns, in order."""
    with _splitting:
        db = _splitter()
        db.execute("BEGIN")
        try:
            db.execute("INSERT INTO t VALUES (?, ?, ?)", columns)
            words: dict[str, list[str]] = {"a": [], "b": [], "c": []}
            for term, column in db.execute("SELECT term, col FROM v ORDER BY col, offset"):
                words[column].append(term[:_MOST_OF_WORD])
        finally:
            db.execute("ROLLBACK")
    return [*words.values()]


def _vector(columns: Sequence[str | None], facets: str) -> str:
    """The words with their places, and the facets, as PostgreSQL's text of a tsvector."""
    places, place = dict[str, list[int]](), 0
    for words in _split(*columns):
        for word in words:
            place += 1
            places.setdefault(word, []).append(min(place, _MOST_PLACE))
        # no phrase goes from one column to the next
        place += _COLUMN_GAP
    entries = [f"{_quoted(word)}:{','.join(map(str, at[:_MOST_PLACES]))}" for word, at in places.items()]
    return " ".join([*entries, *(_quoted(_FACETS + facet) for facet in facets.split())])


def _phrase(word: str) -> str:
    """A word of a question, which may be several words in a row, as PostgreSQL's text of a tsquery."""
    [terms, *_] = _split(word.rstrip("*"), None, None)
    text = " <-> ".join(map(_quoted, terms)) or _quoted(_FACETS)
    return f"({text}{':*' if word.endswith('*') else ''})"


def _quoted(word: str) -> str:
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"
