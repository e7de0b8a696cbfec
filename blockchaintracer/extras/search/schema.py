"""The tables of the index. Within a registry, records are numbered (``pk``) in chain order, so their numbers sort as
the times of their blocks do and every SQL index below ends in them."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from blockchaintracer.lab.formats import INDEX

APPLICATION_ID = 0x42544958
VERSION = INDEX.version
"""Raised by every change of the tables or of what is written to them: an index of another version is built anew."""

TABLES = """
CREATE TABLE registries (
  pk INTEGER PRIMARY KEY, chain_id INTEGER NOT NULL, address TEXT NOT NULL, first_block INTEGER NOT NULL,
  -- the cursor: everything up to this block is in the tables
  block INTEGER,
  -- whether it comes from an archive and was not compared with the chain yet
  imported INTEGER NOT NULL DEFAULT 0, UNIQUE (chain_id, address)
);
-- every block that holds an event, and every block that was ever the cursor
CREATE TABLE blocks (
  registry INTEGER NOT NULL, number INTEGER NOT NULL, hash BLOB NOT NULL, time INTEGER NOT NULL,
  PRIMARY KEY (registry, number)
) WITHOUT ROWID;
-- one a digest that the chain names as a manifest; json is NULL until the store has it
CREATE TABLE documents (pk INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, name TEXT, json TEXT, problem TEXT);
CREATE INDEX documents_missing ON documents (pk) WHERE json IS NULL AND problem IS NULL;

-- AUTOINCREMENT: a number that a reorganisation freed is never given again, because the full text still holds it
CREATE TABLE records (
  pk INTEGER PRIMARY KEY AUTOINCREMENT, registry INTEGER NOT NULL, id BLOB NOT NULL, lab_group INTEGER NOT NULL,
  kind INTEGER NOT NULL, subject_type INTEGER NOT NULL, author BLOB NOT NULL, subject BLOB NOT NULL,
  document INTEGER NOT NULL, block INTEGER NOT NULL, time INTEGER NOT NULL, tx BLOB NOT NULL,
  -- of a sealed record the seal's time; of one from a batch its root and its time, which counts as the record's
  sealed_at INTEGER, root BLOB, anchored_at INTEGER,
  retracted_at INTEGER, reviewed INTEGER NOT NULL DEFAULT 0, reproduced INTEGER NOT NULL DEFAULT 0,
  not_reproduced INTEGER NOT NULL DEFAULT 0, disputed INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE links (
  child INTEGER NOT NULL, parent INTEGER NOT NULL, relation INTEGER NOT NULL, PRIMARY KEY (child, parent, relation)
) WITHOUT ROWID;
CREATE INDEX links_by_parent ON links (parent, child, relation);

-- every verdict and withdrawal (verdict 0); current marks what holds now
CREATE TABLE verdicts (
  pk INTEGER PRIMARY KEY, registry INTEGER NOT NULL, record INTEGER NOT NULL, lab_group INTEGER NOT NULL,
  verdict INTEGER NOT NULL, account BLOB NOT NULL, evidence BLOB, version INTEGER NOT NULL, sealed_at INTEGER,
  block INTEGER NOT NULL, time INTEGER NOT NULL, tx BLOB NOT NULL, current INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX verdicts_by_record ON verdicts (record, lab_group);
CREATE INDEX verdicts_by_block ON verdicts (registry, block);

CREATE TABLE retractions (
  record INTEGER PRIMARY KEY, registry INTEGER NOT NULL, account BLOB NOT NULL, reason BLOB NOT NULL,
  block INTEGER NOT NULL, time INTEGER NOT NULL, tx BLOB NOT NULL
);
CREATE INDEX retractions_by_block ON retractions (registry, block);

-- every description that a group ever had; the last holds
CREATE TABLE group_descriptions (
  pk INTEGER PRIMARY KEY, registry INTEGER NOT NULL, lab_group INTEGER NOT NULL, document INTEGER NOT NULL,
  block INTEGER NOT NULL
);
CREATE INDEX group_descriptions_by_group ON group_descriptions (registry, lab_group);

-- every change of every membership in the order of the chain; the last holds, whatever version a registry gives it
CREATE TABLE memberships (
  pk INTEGER PRIMARY KEY, registry INTEGER NOT NULL, lab_group INTEGER NOT NULL, account BLOB NOT NULL,
  version INTEGER NOT NULL, block INTEGER NOT NULL
);
CREATE INDEX memberships_by_account ON memberships (registry, lab_group, account, version);

-- parameters and metrics; numbers sort before texts
CREATE TABLE names (pk INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE facts (
  record INTEGER NOT NULL, name INTEGER NOT NULL, value NOT NULL, PRIMARY KEY (record, name)
) WITHOUT ROWID;
CREATE INDEX facts_by_value ON facts (name, value, record);
CREATE TABLE cids (cid TEXT NOT NULL, record INTEGER NOT NULL, PRIMARY KEY (cid, record)) WITHOUT ROWID;
"""

RECORD_INDEXES = """
CREATE UNIQUE INDEX records_by_id ON records (registry, id);
CREATE INDEX records_by_registry ON records (registry);
CREATE INDEX records_by_time ON records (registry, time);
CREATE INDEX records_by_kind ON records (registry, kind);
CREATE INDEX records_by_group ON records (registry, lab_group);
CREATE INDEX records_by_group_kind ON records (registry, lab_group, kind);
CREATE INDEX records_by_author ON records (registry, author);
CREATE INDEX records_by_subject ON records (registry, subject);
CREATE INDEX records_by_document ON records (document);
CREATE INDEX records_sealed ON records (registry) WHERE sealed_at IS NOT NULL;
CREATE INDEX records_batched ON records (registry) WHERE anchored_at IS NOT NULL;
CREATE INDEX records_by_batch_time ON records (registry, anchored_at) WHERE anchored_at IS NOT NULL;
CREATE INDEX records_retracted ON records (registry) WHERE retracted_at IS NOT NULL;
CREATE INDEX records_reviewed ON records (registry) WHERE reviewed > 0;
CREATE INDEX records_reproduced ON records (registry) WHERE reproduced > 0;
CREATE INDEX records_not_reproduced ON records (registry) WHERE not_reproduced > 0;
CREATE INDEX records_disputed ON records (registry) WHERE disputed > 0;
"""

FULL_TEXT = "CREATE VIRTUAL TABLE texts USING fts5 (name, description, body, facets, content = '')"
"""One row a record whose manifest is known. `facets` holds registry, kind, group and author as words, so that the full
text search narrows down by them itself."""


def create(db: sqlite3.Connection) -> None:
    """Makes the tables in an empty file; does nothing if another process makes them meanwhile."""
    full_text = FULL_TEXT + ";" if has_fts5(db) else ""
    try:
        db.executescript(
            f"BEGIN IMMEDIATE; {TABLES} {RECORD_INDEXES} {full_text}"
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; COMMIT;"
        )
    except sqlite3.OperationalError:
        if db.in_transaction:
            db.execute("ROLLBACK")
        if db.execute("PRAGMA user_version").fetchone()[0] != VERSION:
            raise


@contextmanager
def record_indexes_last(db: sqlite3.Connection) -> Iterator[None]:
    """Drop the records' indexes until the end of the block, which stands in a transaction of the caller's."""
    for name in re.findall(r"INDEX (\w+)", RECORD_INDEXES):
        db.execute(f"DROP INDEX {name}")
    yield
    for statement in RECORD_INDEXES.split(";"):
        db.execute(statement)


def has_fts5(db: sqlite3.Connection) -> bool:
    """Whether this SQLite can search full text."""
    return bool(db.execute("SELECT sqlite_compileoption_used('ENABLE_FTS5')").fetchone()[0])
