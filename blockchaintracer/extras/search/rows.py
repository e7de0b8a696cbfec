"""What the index holds, as rows and tables: records, verdicts, retractions and keys.

SHA-256 digests are 64 hex digits, ids and addresses 0x-hex, times Unix seconds. `transaction` and `block` say where to
check a row."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from blockchaintracer.core.chain import Registry
from blockchaintracer.core.chain.registry import KeySource
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.plain_json import fields_json
from blockchaintracer.core.record import (
    Domain,
    Kind,
    Link,
    RecordKey,
    SubjectType,
    Verdict,
    from_hex,
    label,
    named_hex,
    normal_digest,
    normal_id,
    to_hex,
)
from blockchaintracer.core.record_view import Position, RecordView
from blockchaintracer.extras.search.database import Index
from blockchaintracer.extras.search.searchable import (
    SearchableFields,
    metrics_of,
    read_json,
    run_status,
    searchable_fields,
)
from blockchaintracer.lab.files import write_output
from blockchaintracer.lab.optional import require

if TYPE_CHECKING:
    from blockchaintracer.core.manifest import Metric


@dataclass(frozen=True, slots=True)
class Row:
    """A record as the index knows it.

    Args:
        time: at which it counts as recorded: the block's, or for a record from a batch the batch's.
        stored_at: of the block.
        sealed_at: when it was sealed; None if it was not.
        batch: root of the batch that it was stored from; None if it was not.
        kind, subject_type: names, or the lab's own numbers as text.
        group_name, name, description, params, metrics: as its group and author declare them, not proven; empty if the
            manifest is not in this lab's store.
        status: ``recorded`` or ``retracted``.
        run_status: how a run ended, as its manifest says: ``completed``, ``failed`` or ``running``.
        reviewed, reproduced, not_reproduced, disputed: how many groups say so now. One person can own several groups.
        comparisons: of each verdict that stands on a run ``group``, ``verdict``, ``evidence`` and ``metrics``: what was
            found of each (`MetricComparison`), None if the manifest of that run is not here.
        decisive: whether finding its metrics again shows something (`are_decisive`), as far as the manifest is here.
        has_manifest: whether the store had it.
        declared: names of the metrics that a person declares and no program told.
    """

    id: str
    chain_id: int
    registry: str
    kind: str
    group: int
    group_name: str | None
    author: str
    name: str | None
    description: str
    status: str
    run_status: str | None
    time: int
    stored_at: int
    sealed_at: int | None
    batch: str | None
    retracted_at: int | None
    reviewed: int
    reproduced: int
    not_reproduced: int
    disputed: int
    subject: str
    subject_type: str
    manifest: str
    has_manifest: bool
    decisive: bool
    comparisons: list[dict[str, Any]]
    params: dict[str, float | int | str]
    metrics: dict[str, float | int | str]
    declared: list[str]
    transaction: str
    block: int
    block_hash: str

    @property
    def states(self) -> list[str]:
        """What is to be shown of the record's state, and of a run that did not complete."""
        return [self.status, *([self.run_status] if self.run_status in ("failed", "running") else [])]

    @property
    def verdict_counts(self) -> dict[str, int]:
        """How many groups gave each verdict, without verdicts that no group gave."""
        names = ("reviewed", "reproduced", "not_reproduced", "disputed")
        return {name.replace("_", " "): count for name in names if (count := getattr(self, name))}

    def as_json(self) -> dict[str, Any]:
        """JSON-ready values; times also as RFC 3339 text in UTC."""
        return {**fields_json(self), "timeUtc": utc(self.time)}


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """A verdict, or its withdrawal (``none``), from its event.

    Args:
        evidence: id of the run it stands on; None without.
        current: whether it is what the group says now.
        sealed_at: when it was sealed; None if it was not.
    """

    record_id: str
    group: int
    verdict: str
    account: str
    evidence: str | None
    version: int
    current: bool
    sealed_at: int | None
    time: int
    transaction: str
    block: int


@dataclass(frozen=True, slots=True)
class Retraction:
    """By whom, when and why a record was retracted: the SHA-256 of the reason's text, None if none was given."""

    account: str
    reason: str | None
    time: int
    transaction: str
    block: int


_MOST_KEPT = 16_384
"""Letters of a manifest that is kept when it was read."""
_LABELS: dict[str, Any] = {"kind": Kind, "subject_type": SubjectType, "verdict": Verdict}

_RECORDS = (
    'SELECT r.pk, r.id, g.chain_id, g.address AS registry, r.kind, r.lab_group AS "group",'
    " (SELECT n.name FROM group_descriptions l JOIN documents n ON n.pk = l.document WHERE l.registry = r.registry"
    "  AND l.lab_group = r.lab_group ORDER BY l.pk DESC LIMIT 1) AS group_name, r.author,"
    " CASE WHEN r.retracted_at IS NULL THEN 'recorded' ELSE 'retracted' END AS status,"
    " coalesce(r.anchored_at, r.time) AS time, r.time AS stored_at, r.sealed_at, r.root AS batch, r.retracted_at,"
    " r.reviewed, r.reproduced, r.not_reproduced, r.disputed, r.subject, r.subject_type, d.digest AS manifest, d.json,"
    ' r.tx AS "transaction", r.block, b.hash AS block_hash'
    " FROM json_each(:numbers) j CROSS JOIN records r ON r.pk = j.value JOIN registries g ON g.pk = r.registry"
    " JOIN blocks b ON b.registry = r.registry AND b.number = r.block"
    " JOIN documents d ON d.pk = r.document"
)
_VERDICTS = (
    'SELECT r.id AS record_id, v.lab_group AS "group", v.verdict, v.account,'
    " nullif(v.evidence, zeroblob(32)) AS evidence, v.version, v.current, v.sealed_at, v.time,"
    ' v.tx AS "transaction", v.block FROM verdicts v JOIN records r ON r.pk = v.record'
    " WHERE r.id = ? AND r.registry IN (SELECT value FROM json_each(?)) ORDER BY v.pk"
)
_EVIDENCE = (
    'SELECT v.lab_group AS "group", v.verdict, v.evidence, d.json FROM verdicts v JOIN records r ON r.pk = v.record'
    " JOIN records e ON e.registry = r.registry AND e.id = v.evidence JOIN documents d ON d.pk = e.document"
    " WHERE v.record = ? AND v.current ORDER BY v.pk"
)
_RETRACTIONS = (
    'SELECT r.account, nullif(r.reason, zeroblob(32)) AS reason, r.time, r.tx AS "transaction", r.block'
    " FROM retractions r WHERE r.record = ?"
)


def records(index: Index, numbers: Sequence[int]) -> list[Row]:
    """The records with these numbers in the tables, in the order of the numbers given."""
    by_number: dict[int, Row] = {}
    for row in index.rows(_RECORDS, {"numbers": json.dumps(list(numbers))}):
        values = _values(row)
        number, text = values.pop("pk"), values.pop("json")
        statement, recorded, fields = (_read if len(text or "") <= _MOST_KEPT else _read.__wrapped__)(text)
        facts = fields.values if fields else ()
        by_number[number] = Row(
            **values,
            name=fields.name if fields else None,
            description=fields.description if fields else "",
            has_manifest=fields is not None,
            decisive=bool(recorded) and _comparison().are_decisive(recorded.values()),
            declared=[name for name, metric in recorded.items() if metric.is_declared],
            comparisons=_comparisons(index, number, recorded) if row["reproduced"] or row["not_reproduced"] else [],
            run_status=run_status(statement or {}),
            params={name.removeprefix("params."): value for name, value in facts if name.startswith("params.")},
            metrics={name.removeprefix("metrics."): value for name, value in facts if name.startswith("metrics.")},
        )
    return [by_number[number] for number in numbers if number in by_number]


@lru_cache(maxsize=1024)
def _read(text: str | None) -> tuple[dict[str, Any] | None, Mapping[str, Metric], SearchableFields | None]:
    """A manifest as a statement, with its metrics and what can be searched for. The newest are asked for often."""
    statement = read_json(text.encode()) or {} if text else None
    return statement, metrics_of(statement or {}), None if statement is None else searchable_fields(statement)


def _comparison() -> Any:
    # what searches alone has no need of the models
    return import_module("blockchaintracer.core.manifest.metric_comparison")


def _comparisons(index: Index, number: int, recorded: Mapping[str, Metric]) -> list[dict[str, Any]]:
    """What the runs that verdicts stand on found of a record's metrics."""
    found = []
    for row in index.rows(_EVIDENCE, [number]):
        values = _values(row)
        if statement := read_json((values.pop("json") or "").encode()):
            repeated = {name: metric.value for name, metric in metrics_of(statement).items()}
            rows = [row for row in _comparison().compare_metrics(recorded, repeated) if row.tolerance]
        found.append({**values, "metrics": rows if statement else None})
    return [each for each in found if each["metrics"] != []]


def verdicts(index: Index, record_id: str, *, registry: Registry | Domain | None = None) -> list[VerdictRow]:
    """Every verdict that groups gave on a record, withdrawals included, oldest first."""
    where = from_hex(normal_id(record_id)), json.dumps(index.registry_numbers(registry))
    return [VerdictRow(**_values(row)) for row in index.rows(_VERDICTS, where)]


def retraction(index: Index, record_id: str, *, registry: Registry | Domain | None = None) -> Retraction | None:
    """The retraction of a record; None if it is not retracted."""
    rows = index.rows(_RETRACTIONS, (required_number(index, record_id, registry),))
    return Retraction(**_values(rows[0])) if rows else None


def required_number(index: Index, record_id: str, registry: Registry | Domain | None) -> int:
    """The number of a record in the tables."""
    where = from_hex(normal_id(record_id)), json.dumps(index.registry_numbers(registry))
    rows = index.rows("SELECT pk FROM records WHERE id = ? AND registry IN (SELECT value FROM json_each(?))", where)
    if not rows:
        raise InputError(
            f"expected a record of the index, got {record_id}, which is in none of its registries",
            hint="Check the id and the registry; a new record is found once the index has read its block.",
            record=record_id,
        )
    return int(rows[0][0])


def utc(time: int) -> str:
    """Unix seconds as RFC 3339 text in UTC; past the year 9999, which a devnet may claim, as they are."""
    try:
        return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError):
        return str(time)


def _values(row: Any) -> dict[str, Any]:
    return {name: _plain(name, row[name]) for name in row.keys()}  # noqa: SIM118 -- a sqlite3.Row iterates values


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, bytes):
        return named_hex(name, value)
    if name in _LABELS:
        return label(value, _LABELS[name])
    return bool(value) if name == "current" else value


_RECORDS_NAMING = (
    "SELECT r.*, d.digest AS manifest, b.hash AS block_hash, g.imported FROM records r"
    " JOIN registries g ON g.pk = r.registry JOIN documents d ON d.pk = r.document"
    " JOIN blocks b ON (b.registry, b.number) = (r.registry, r.block)"
    " WHERE g.chain_id = ? AND g.address = ? AND ? IN (r.id, r.subject) ORDER BY r.pk"
)
_PARENTS = "SELECT p.id, l.relation FROM links l JOIN records p ON p.pk = l.parent WHERE l.child = ?"


def index_keys(path: Path, domain: Domain) -> KeySource:
    """Return the source of the keys in an index, which may not be there."""

    def known(digest: str) -> Iterator[RecordView]:
        if not path.is_file():
            return
        with Index(path) as index:
            where = (domain.chain_id, domain.registry, bytes.fromhex(normal_digest(digest)))
            for row in index.rows(_RECORDS_NAMING, where):
                view = RecordView(id=to_hex(row["id"]), key=_key(index, row))
                # a key proves itself; its place in an archive that was not compared with a chain is a stranger's word
                if not row["imported"]:
                    view = replace(view, transaction=to_hex(row["tx"]), block_hash=to_hex(row["block_hash"]))
                    view = replace(view, batch=to_hex(row["root"]) if row["root"] else None)
                    view = replace(view, position=Position(row["block"]))
                yield view

    return known


def record_key(index: Index, number: int) -> RecordKey:
    """Return the key of the record with this number in the tables."""
    select = "SELECT r.*, d.digest AS manifest FROM records r JOIN documents d ON d.pk = r.document WHERE r.pk = ?"
    return _key(index, index.rows(select, [number])[0])


def _key(index: Index, row: Any) -> RecordKey:
    links = [Link(to_hex(parent), relation) for parent, relation in index.rows(_PARENTS, [row["pk"]])]
    return RecordKey(
        group=row["lab_group"],
        author=to_hex(row["author"]),
        subject_type=row["subject_type"],
        subject=row["subject"].hex(),
        kind=row["kind"],
        manifest=row["manifest"].hex(),
        parents=tuple(sorted(links, key=lambda link: (link.parent, link.relation))),
    )


def columns_of(rows: Sequence[Row]) -> tuple[list[str], list[list[Any]]]:
    """Return names and rows of a table with a column for each parameter and metric. An absent value is None."""
    values = [{**asdict(row), "declared": "; ".join(row.declared), "time_utc": utc(row.time)} for row in rows]
    about = [name for name in (*get_type_hints(Row), "time_utc") if name not in ("params", "metrics", "comparisons")]
    named = sorted({f"{part}.{name}" for row in values for part in ("params", "metrics") for name in row[part]})
    split = [name.partition(".") for name in named]
    return [*about, *named], [
        [*(row[name] for name in about), *(row[part].get(name) for part, _, name in split)] for row in values
    ]


def write_parquet(rows: Sequence[Row], path: Path) -> None:
    """Write the table as Parquet. The columns of all records have the same types in every file. A parameter or metric
    is a number if it is one in all rows, else text.
    """
    arrow, files = require("pyarrow", "tables"), require("pyarrow.parquet", "tables")
    names, values = columns_of(rows)
    hints = get_type_hints(Row)

    def text(value: Any) -> str | None:
        return None if value is None else str(value).encode("utf-8", "replace").decode()

    def column(name: str, cells: list[Any]) -> Any:
        hint = hints.get(name)
        if hint is bool:
            return arrow.array(cells, arrow.bool_())
        if hint is int or int in get_args(hint):
            return arrow.array(cells, arrow.int64())
        if name.startswith(("params.", "metrics.")):
            try:
                return arrow.array(cells, arrow.float64() if any(isinstance(cell, float) for cell in cells) else None)
            except (arrow.ArrowInvalid, arrow.ArrowTypeError, OverflowError):
                pass
        return arrow.array([text(cell) for cell in cells], arrow.string())

    cells = [[row[number] for row in values] for number in range(len(names))]
    made = arrow.table([column(*each) for each in zip(names, cells, strict=True)], names=[text(name) for name in names])
    out = io.BytesIO()
    files.write_table(made, out)
    write_output(path, out.getvalue())
