"""The tables of the index. Within a registry, records are numbered (``pk``) in chain order, so their numbers sort as
the times of their blocks do and every SQL index below ends in them."""

from __future__ import annotations

import sqlite3

APPLICATION_ID = 0x42544958
VERSION = 6
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
CREATE TABLE transactions (
  pk INTEGER PRIMARY KEY, registry INTEGER NOT NULL, hash BLOB NOT NULL, block INTEGER NOT NULL
);
CREATE INDEX transactions_by_block ON transactions (registry, block);

-- one a digest that the chain names as a manifest; json is NULL until the store has it
CREATE TABLE documents (pk INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, name TEXT, json TEXT, problem TEXT);
CREATE INDEX documents_missing ON documents (pk) WHERE json IS NULL AND problem IS NULL;

-- AUTOINCREMENT: a number that a reorganisation freed is never given again, because the full text still holds it
CREATE TABLE records (
  pk INTEGER PRIMARY KEY AUTOINCREMENT, registry INTEGER NOT NULL, id BLOB NOT NULL, lab_group INTEGER NOT NULL,
  kind INTEGER NOT NULL, subject_type INTEGER NOT NULL, author BLOB NOT NULL, subject BLOB NOT NULL,
  document INTEGER NOT NULL, block INTEGER NOT NULL, time INTEGER NOT NULL, tx INTEGER NOT NULL,
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
  block INTEGER NOT NULL, time INTEGER NOT NULL, tx INTEGER NOT NULL, current INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX verdicts_by_record ON verdicts (record, lab_group);
CREATE INDEX verdicts_by_block ON verdicts (registry, block);

CREATE TABLE retractions (
  record INTEGER PRIMARY KEY, registry INTEGER NOT NULL, account BLOB NOT NULL, reason BLOB NOT NULL,
  block INTEGER NOT NULL, time INTEGER NOT NULL, tx INTEGER NOT NULL
);
CREATE INDEX retractions_by_block ON retractions (registry, block);

CREATE TABLE group_changes (
  pk INTEGER PRIMARY KEY, registry INTEGER NOT NULL, lab_group INTEGER NOT NULL, owner BLOB, document INTEGER,
  block INTEGER NOT NULL, time INTEGER NOT NULL, tx INTEGER NOT NULL
);
CREATE INDEX group_changes_by_group ON group_changes (registry, lab_group);
CREATE VIEW groups AS
  SELECT registry, lab_group, min(time) AS created_at,
    (SELECT c.owner FROM group_changes c WHERE c.registry = g.registry AND c.lab_group = g.lab_group
       AND c.owner IS NOT NULL ORDER BY c.pk DESC LIMIT 1) AS owner,
    (SELECT c.document FROM group_changes c WHERE c.registry = g.registry AND c.lab_group = g.lab_group
       AND c.document IS NOT NULL ORDER BY c.pk DESC LIMIT 1) AS document
  FROM group_changes g GROUP BY registry, lab_group;

-- every change of every membership in the order of the chain; the last holds, whatever version a registry gives it
CREATE TABLE memberships (
  pk INTEGER PRIMARY KEY, registry INTEGER NOT NULL, lab_group INTEGER NOT NULL, account BLOB NOT NULL,
  version INTEGER NOT NULL, roles INTEGER NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL,
  changed_by BLOB NOT NULL, block INTEGER NOT NULL, tx INTEGER NOT NULL
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

RECORD_INDEXES = {
    "records_by_id": "UNIQUE INDEX {} ON records (registry, id)",
    "records_by_registry": "INDEX {} ON records (registry)",
    "records_by_time": "INDEX {} ON records (registry, time)",
    "records_by_kind": "INDEX {} ON records (registry, kind)",
    "records_by_group": "INDEX {} ON records (registry, lab_group)",
    "records_by_group_kind": "INDEX {} ON records (registry, lab_group, kind)",
    "records_by_author": "INDEX {} ON records (registry, author)",
    "records_by_subject": "INDEX {} ON records (registry, subject)",
    "records_by_document": "INDEX {} ON records (document)",
    "records_sealed": "INDEX {} ON records (registry) WHERE sealed_at IS NOT NULL",
    "records_batched": "INDEX {} ON records (registry) WHERE anchored_at IS NOT NULL",
    "records_by_batch_time": "INDEX {} ON records (registry, anchored_at) WHERE anchored_at IS NOT NULL",
    "records_retracted": "INDEX {} ON records (registry) WHERE retracted_at IS NOT NULL",
    **{
        f"records_{verdict}": f"INDEX {{}} ON records (registry) WHERE {verdict} > 0"
        for verdict in ("reviewed", "reproduced", "not_reproduced", "disputed")
    },
}

FULL_TEXT = "CREATE VIRTUAL TABLE texts USING fts5 (name, description, body, facets, content = '')"
"""One row a record whose manifest is known. `facets` holds registry, kind, group and author as words, so that the full
text search narrows down by them itself."""


def create(db: sqlite3.Connection) -> None:
    """Makes the tables in an empty file; does nothing if another process makes them meanwhile."""
    full_text = FULL_TEXT + ";" if has_fts5(db) else ""
    indexes = "".join(f"CREATE {statement.format(name)};" for name, statement in RECORD_INDEXES.items())
    try:
        db.executescript(
            f"BEGIN IMMEDIATE; {TABLES} {indexes} {full_text}"
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; COMMIT;"
        )
    except sqlite3.OperationalError:
        if db.in_transaction:
            db.execute("ROLLBACK")
        if db.execute("PRAGMA user_version").fetchone()[0] != VERSION:
            raise


def drop_record_indexes(db: sqlite3.Connection) -> None:
    """Drops what `create_record_indexes` makes, inside a transaction of the caller's."""
    for name in RECORD_INDEXES:
        db.execute(f"DROP INDEX {name}")


def create_record_indexes(db: sqlite3.Connection) -> None:
    """Makes the indexes of the records, inside a transaction of the caller's."""
    for name, statement in RECORD_INDEXES.items():
        db.execute(f"CREATE {statement.format(name)}")


def has_fts5(db: sqlite3.Connection) -> bool:
    """Whether this SQLite can search full text."""
    return bool(db.execute("SELECT sqlite_compileoption_used('ENABLE_FTS5')").fetchone()[0])
