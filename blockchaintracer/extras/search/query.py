"""Searching the index. Nothing is true because the index says so: a row names what it read, and where to check it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from blockchaintracer.core.chain import Registry
from blockchaintracer.core.digest import RAW
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import Domain, Kind, checksummed, normal_digest, parse_number, written_id
from blockchaintracer.extras.search import expression
from blockchaintracer.extras.search.database import Index
from blockchaintracer.extras.search.expression import All, Compare, Condition, Related
from blockchaintracer.extras.search.query_statement import STATUS, Search, Statement
from blockchaintracer.extras.search.rows import Row, records, required_number
from blockchaintracer.lab.store.ipfs.blocks import Cid

STATUSES = tuple(STATUS)
"""What can be asked of a record's state."""


def query(
    index: Index,
    *,
    registry: Registry | Domain | None = None,
    text: str | None = None,
    kind: int | str | None = None,
    group: int | None = None,
    waiting_for: int | None = None,
    author: str | None = None,
    holders: Sequence[str | int] = (),
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
    after: str | None = None,
) -> list[Row]:
    """The records that meet every condition.

    Args:
        index: synchronised as far as the answer should reach.
        registry: of which registry; None for all in the index.
        text: words that all occur in name, description, parameters, metrics, file names or git commit; ``word*`` and
            abbreviated git commits match what begins so.
        kind: a `Kind`, its name, or the lab's own number.
        waiting_for: number of a group: only records of other groups, not retracted, on which it has no current verdict;
            one that was withdrawn is none.
        holders: accounts by their addresses and groups by their numbers: records of any of them.
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
        after: id of the last record of the page before, in one registry. Records that come meanwhile move nothing.
    """
    if offset < 0 or (limit is not None and limit < 0):
        raise InputError(f"expected limit and offset from 0, got {limit} and {offset}")
    search = Search(
        words=_words(text),
        kind=_kind(kind),
        group=_within(group, 2**32 - 1, "a group's number"),
        waiting_for=waiting_for,
        author=_author(author),
        holders=tuple(_holder(holder) for holder in holders),
        since=_time(since, end=False),
        until=_time(until, end=True),
        subject=None if subject is None else bytes.fromhex(normal_digest(subject, "subject's digest")),
        cid=_cid(cid),
        statuses=_statuses(status),
        conditions=_conditions(where, ancestors_of, descendants_of, registry),
        sort=None if sort == "time" else _sort_field(sort),
        descending=descending,
    )
    numbers = index.registry_numbers(registry)
    if after is not None:
        search = replace(search, after=_place(index, after, registry, search.sort))
    if len(numbers) == 1 or after is not None:
        entries = Statement(index, numbers[0], search).run(limit, offset)
    else:
        end = None if limit is None else offset + limit
        entries = [entry for number in numbers for entry in Statement(index, number, search).run(end)]
        entries = sorted(entries, reverse=descending)[offset:end]
    return records(index, [number for _, number in entries])


# -- arguments


def _place(index: Index, after: str, registry: Registry | Domain | None, sort: str | None) -> int:
    """The number of the record after which a page begins."""
    if registry is None:
        raise InputError("expected a registry beside the record that a page begins after, got none")
    number = required_number(index, after, registry)
    value = "SELECT 1 FROM facts f JOIN names n ON n.pk = f.name WHERE f.record = ? AND n.name = ?"
    if sort is not None and not index.rows(value, (number, sort)):
        reason = f"expected a record with {sort}, after which the page begins, got {after}"
        raise InputError(reason, hint="Begin again with the first page.", after=after)
    return number


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
    return None if author is None else bytes.fromhex(checksummed(author, "an author's address")[2:])


def _holder(holder: str | int) -> tuple[str, bytes | int]:
    if isinstance(holder, int):
        return "lab_group", holder
    return "author", bytes.fromhex(checksummed(holder, "an address")[2:])


def _statuses(status: str | Sequence[str]) -> tuple[str, ...]:
    statuses = (status,) if isinstance(status, str) else tuple(status)
    for name in statuses:
        if name not in STATUSES:
            raise InputError(f"expected a status, got {name!r}", hint=f"Use one of {', '.join(STATUSES)}.")
    return statuses


def _cid(text: str | None) -> tuple[str, bytes | None] | None:
    """The address as text, and the SHA-256 that it holds if it is of raw bytes."""
    if text is None:
        return None
    cid = Cid.parse(text.strip().removeprefix("ipfs://"))
    return str(cid), cid.digest if cid.codec == RAW else None


def _time(moment: str | int | datetime | None, *, end: bool) -> int | None:
    """Unix seconds that SQLite can hold; of a date its first second, or its last."""
    if moment is None:
        return None
    if isinstance(moment, int):
        return min(max(moment, 0), 2**62)
    if isinstance(moment, datetime):
        return _time(int(moment.timestamp()), end=end)
    try:
        parsed = datetime.fromisoformat(moment)
    except ValueError:
        raise InputError(
            f"expected a date or time such as 2026-01-31 or 2026-01-31T12:00:00Z, got {moment!r}"
        ) from None
    parsed = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    if end and re.fullmatch(r"[\d-]*(W\d\d(-?\d)?)?", moment):
        parsed += timedelta(days=1, seconds=-1)
    return _time(parsed, end=end)


def _sort_field(sort: str) -> str:
    condition = expression.parse(f"{sort} = 0")
    if not isinstance(condition, Compare):
        raise InputError(f"expected time or a field such as metrics.accuracy to sort by, got {sort!r}")
    return condition.field


def _conditions(
    where: str | None, ancestors_of: str | None, descendants_of: str | None, registry: Registry | Domain | None
) -> tuple[Condition, ...]:
    # without a registry, an id is of one only: chain and registry are hashed into it
    domain = registry.domain if isinstance(registry, Registry) else registry
    parse_id = domain.parse_id if domain else lambda text: written_id(text).rpartition("/")[2]
    conditions: list[Condition] = []
    if where is not None:
        parsed = expression.parse(where, parse_id)
        conditions += parsed.terms if isinstance(parsed, All) else (parsed,)
    for record_id, ancestors in ((ancestors_of, True), (descendants_of, False)):
        if record_id is not None:
            conditions.append(Related(ancestors, parse_id(record_id)))
    return tuple(conditions)
