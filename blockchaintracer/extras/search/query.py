"""Searching the index. Nothing is true because the index says so: a row says what it read, and where to check it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from blockchaintracer.core.chain import Registry
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import Kind, SubjectType, Verdict, label, normal_digest, parse_number
from blockchaintracer.extras.search import expression
from blockchaintracer.extras.search.database import Index
from blockchaintracer.extras.search.expression import All, Compare, Condition, Related
from blockchaintracer.extras.search.query_plan import STATUS, Search, find
from blockchaintracer.extras.search.searchable import read_json, searchable_fields

STATUSES = tuple(STATUS)
"""What can be asked of a record's state."""

_ROWS = (
    "SELECT r.*, g.chain_id, g.address, t.hash AS transaction_hash, b.hash AS block_hash, d.digest, d.json,"
    " (SELECT n.name FROM groups l JOIN documents n ON n.pk = l.document"
    "  WHERE l.registry = r.registry AND l.lab_group = r.lab_group) AS group_name"
    " FROM records r JOIN registries g ON g.pk = r.registry JOIN transactions t ON t.pk = r.tx"
    " JOIN blocks b ON b.registry = r.registry AND b.number = r.block JOIN documents d ON d.pk = r.document"
)
_CID = re.compile(r"Qm[1-9A-HJ-NP-Za-km-z]{44}|b[a-z2-7]{50,110}")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_RAW_SHA256 = bytes.fromhex("01551220")


@dataclass(frozen=True, slots=True)
class Row:
    """A record as the index knows it.

    Args:
        id: 64 hex digits.
        chain_id, registry, transaction, block, block_hash: where to check it.
        time: at which it counts as recorded, Unix seconds: the block's, or for a record from a batch the batch's.
        stored_at: of the block, Unix seconds.
        sealed_at: when it was sealed, Unix seconds; None if it was not.
        batch: root of the batch that it was stored from, 64 hex digits; None if it was not.
        kind, subject_type: names, or the lab's own numbers as text.
        group_name, name, description, params, metrics: as its group and author declare them, not proven; empty if the
            manifest is not in this lab's store.
        status: ``recorded`` or ``retracted``.
        retracted_at: Unix seconds, or None.
        reviewed, reproduced, not_reproduced, disputed: how many groups say so now. One person can own several groups.
        manifest: its digest, 64 hex digits.
        has_manifest: whether the store had it.
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
    params: dict[str, float | int | str]
    metrics: dict[str, float | int | str]
    transaction: str
    block: int
    block_hash: str

    def as_json(self) -> dict[str, Any]:
        """JSON-ready values; times also as RFC 3339 text in UTC."""
        return {**asdict(self), "time_utc": utc(self.time)}


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """A verdict, or its withdrawal (``none``), from its event.

    Args:
        evidence: id of the run it stands on, 64 hex digits; None without.
        current: whether it is what the group says now.
        sealed_at: when it was sealed, Unix seconds; None if it was not.
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

    def as_json(self) -> dict[str, Any]:
        """JSON-ready values."""
        return asdict(self)


def query(
    index: Index,
    *,
    registry: Registry | None = None,
    text: str | None = None,
    kind: int | str | None = None,
    group: int | None = None,
    author: str | None = None,
    since: str | int | datetime | None = None,
    until: str | int | datetime | None = None,
    subject: str | None = None,
    cid: str | None = None,
    status: str | Sequence[str] = (),
    where: str | None = None,
    ancestors_of: str | None = None,
    descendants_of: str | None = None,
    sort: str = "time",
    descending: bool = True,
    limit: int | None = 50,
    offset: int = 0,
) -> list[Row]:
    """The records that meet every condition.

    Args:
        index: synchronised as far as the answer should reach.
        registry: of which registry; None for all in the index.
        text: words that all occur in name, description, parameters, metrics, file names or git commit; ``word*`` and
            abbreviated git commits match what begins so.
        kind: a `Kind`, its name, or the lab's own number.
        group: number of the lab group.
        author: address, 0x-hex.
        since: earliest time by the chain: a date (its start, UTC), RFC 3339 text, Unix seconds or a datetime.
        until: latest time; a date counts to its end.
        subject: SHA-256 of what is recorded, 64 hex digits: all records of it, by whomever.
        cid: IPFS address of the manifest or of the subject.
        status: one or more of `STATUSES`, all of which hold; ``recorded`` is not retracted.
        where: a condition as in `expression`: ``metrics.accuracy > 0.9 and descendants of ID``.
        ancestors_of: id of a record: everything that it was made from.
        descendants_of: id of a record: everything that was made from it.
        sort: ``time`` for the order in which they were stored, or a number such as ``metrics.accuracy``; records
            without it are left out then.
        descending: newest or largest first.
        limit: rows at most; None for all.
        offset: rows to leave out at the start.

    Raises:
        InputError: if an argument isn't what it should be; of `where` with the position.
        StoreError: if the index can't be read.
    """
    if offset < 0 or (limit is not None and limit < 0):
        raise InputError(f"expected limit and offset from 0, got {limit} and {offset}")
    search = Search(
        words=_words(text),
        kind=_kind(kind),
        group=_within(group, 2**32 - 1, "a group's number"),
        author=_author(author),
        since=None if since is None else _time(since, end=False),
        until=None if until is None else _time(until, end=True),
        subject=None if subject is None else bytes.fromhex(normal_digest(subject, "subject's digest")),
        cid=_cid(cid),
        statuses=_statuses(status),
        conditions=_conditions(where, ancestors_of, descendants_of),
        sort=None if sort == "time" else _sort_field(sort),
        descending=descending,
    )
    numbers = index.registry_numbers(registry)
    if len(numbers) == 1:
        found = find(index, numbers[0], search, limit, offset)
    else:
        end = None if limit is None else offset + limit
        found = [entry for number in numbers for entry in find(index, number, search, end)]
        found = sorted(found, reverse=descending)[offset:end]
    return rows_of(index, [pk for _, pk in found])


def verdicts(index: Index, record_id: str, *, registry: Registry | None = None) -> list[VerdictRow]:
    """Every verdict that groups gave on a record, withdrawals included, oldest first."""
    found = []
    for pk in numbers_of(index, record_id, registry):
        for row in index.rows(
            "SELECT v.*, t.hash AS transaction_hash FROM verdicts v JOIN transactions t ON t.pk = v.tx"
            " WHERE v.record = ? ORDER BY v.pk",
            (pk,),
        ):
            found.append(
                VerdictRow(
                    record_id=normal_digest(record_id),
                    group=row["lab_group"],
                    verdict=label(row["verdict"], Verdict),
                    account="0x" + row["account"].hex(),
                    evidence=row["evidence"].hex() if row["evidence"] else None,
                    version=row["version"],
                    current=bool(row["current"]),
                    sealed_at=row["sealed_at"],
                    time=row["time"],
                    transaction=row["transaction_hash"].hex(),
                    block=row["block"],
                )
            )
    return found


def rows_of(index: Index, numbers: Sequence[int]) -> list[Row]:
    """The rows of records by their numbers in the tables, in the same order."""
    found: dict[int, Row] = {}
    for part in parts(numbers):
        marks = ", ".join("?" * len(part))
        for row in index.rows(
            _ROWS + f" WHERE r.pk IN ({marks})",
            part,
        ):
            found[row["pk"]] = _row(row)
    return [found[number] for number in numbers if number in found]


def numbers_of(index: Index, record_id: str, registry: Registry | None) -> list[int]:
    """The numbers of a record in the tables: one, or none. An id is of one registry and chain."""
    digest = bytes.fromhex(normal_digest(record_id, "record id"))
    return [
        row[0]
        for number in index.registry_numbers(registry)
        for row in index.rows("SELECT pk FROM records WHERE registry = ? AND id = ?", (number, digest))
    ]


def parts(numbers: Sequence[int], size: int = 1000) -> Iterator[Sequence[int]]:
    """The numbers in portions that one statement can take."""
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]


def utc(time: int) -> str:
    """Unix seconds as RFC 3339 text in UTC; past the year 9999, which a devnet may claim, as they are."""
    try:
        return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError):
        return str(time)


def _row(row: Any) -> Row:
    found = searchable_fields(read_json(row["json"].encode()) or {}) if row["json"] else None
    values = found.values if found else ()
    return Row(
        id=row["id"].hex(),
        chain_id=row["chain_id"],
        registry=row["address"],
        kind=label(row["kind"], Kind),
        group=row["lab_group"],
        group_name=row["group_name"],
        author="0x" + row["author"].hex(),
        name=found.name if found else None,
        description=found.description if found else "",
        status="recorded" if row["retracted_at"] is None else "retracted",
        time=row["time"] if row["anchored_at"] is None else row["anchored_at"],
        stored_at=row["time"],
        sealed_at=row["sealed_at"],
        batch=row["root"].hex() if row["root"] else None,
        retracted_at=row["retracted_at"],
        reviewed=row["reviewed"],
        reproduced=row["reproduced"],
        not_reproduced=row["not_reproduced"],
        disputed=row["disputed"],
        subject=row["subject"].hex(),
        subject_type=label(row["subject_type"], SubjectType),
        manifest=row["digest"].hex(),
        has_manifest=found is not None,
        params={name.removeprefix("params."): value for name, value in values if name.startswith("params.")},
        metrics={name.removeprefix("metrics."): value for name, value in values if name.startswith("metrics.")},
        transaction=row["transaction_hash"].hex(),
        block=row["block"],
        block_hash=row["block_hash"].hex(),
    )


# -- arguments


def _words(text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    words = text.replace("\0", " ").encode("utf-8", "replace").decode().split()
    words = [word for word in words if re.search(r"[^\W_]", word)]
    if not words:
        raise InputError(f"expected words to look for, got {text[:40]!r}")
    return tuple(words)


def _kind(kind: int | str | None) -> int | None:
    return parse_number(kind, Kind) if isinstance(kind, str) else _within(kind, 255, "a kind's number")


def _within(number: int | None, most: int, what: str) -> int | None:
    if number is not None and not 1 <= number <= most:
        raise InputError(f"expected {what}, 1 to {most}, got {number}")
    return number


def _author(author: str | None) -> bytes | None:
    if author is None:
        return None
    if not _ADDRESS.fullmatch(author):
        raise InputError(f"expected an author's address, 0x and 40 hex digits, got {author!r}")
    return bytes.fromhex(author[2:])


def _statuses(status: str | Sequence[str]) -> tuple[str, ...]:
    statuses = (status,) if isinstance(status, str) else tuple(status)
    for one in statuses:
        if one not in STATUSES:
            raise InputError(f"expected a status, got {one!r}", hint=f"Use one of {', '.join(STATUSES)}.")
    return statuses


def _cid(cid: str | None) -> tuple[str, bytes | None] | None:
    """The address as text, and the SHA-256 that it holds if it is of raw bytes."""
    if cid is None:
        return None
    from base64 import b32decode

    cid = cid.strip().removeprefix("ipfs://")
    if not _CID.fullmatch(cid):
        raise InputError(f"expected an IPFS address (CID) such as bafkrei… or Qm…, got {cid!r}")
    if cid.startswith("b"):
        try:
            raw = b32decode(cid[1:].upper() + "=" * (-len(cid[1:]) % 8))
        except ValueError:
            raise InputError(f"expected an IPFS address (CID), got {cid!r}, which is no base32") from None
        if raw[:4] == _RAW_SHA256 and len(raw) == 36:
            return cid, raw[4:]
    return cid, None


def _time(moment: str | int | datetime, *, end: bool) -> int:
    """Unix seconds; of a date its first second, or its last."""
    if isinstance(moment, int):
        return moment
    if isinstance(moment, datetime):
        return int(moment.timestamp())
    try:
        parsed = datetime.fromisoformat(moment)
    except ValueError:
        raise InputError(
            f"expected a date or time such as 2026-01-31 or 2026-01-31T12:00:00Z, got {moment!r}"
        ) from None
    parsed = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    if end and re.fullmatch(r"[\d-]*(W\d\d(-?\d)?)?", moment):
        parsed += timedelta(days=1, seconds=-1)
    return int(parsed.timestamp())


def _sort_field(sort: str) -> str:
    condition = expression.parse(f"{sort} = 0")
    if not isinstance(condition, Compare):
        raise InputError(f"expected time or a field such as metrics.accuracy to sort by, got {sort!r}")
    return condition.field


def _conditions(where: str | None, ancestors_of: str | None, descendants_of: str | None) -> tuple[Condition, ...]:
    conditions: list[Condition] = []
    if where is not None:
        parsed = expression.parse(where)
        conditions += parsed.terms if isinstance(parsed, All) else (parsed,)
    for record_id, ancestors in ((ancestors_of, True), (descendants_of, False)):
        if record_id is not None:
            conditions.append(Related(ancestors, normal_digest(record_id, "record id")))
    return tuple(conditions)
