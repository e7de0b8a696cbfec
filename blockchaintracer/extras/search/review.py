"""Which records wait for a group's verdict."""

from __future__ import annotations

import re
from typing import Any

from blockchaintracer.core.chain import Registry
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import Kind, parse_number
from blockchaintracer.extras.search.database import Index
from blockchaintracer.extras.search.query import Row, rows_of

_WAITING = (
    "SELECT r.pk FROM records r WHERE r.registry = ? AND r.lab_group != ? AND r.retracted_at IS NULL AND NOT EXISTS"
    " (SELECT 1 FROM verdicts v WHERE v.record = r.pk AND v.lab_group = ? AND v.current)"
)


def waiting(
    index: Index,
    registry: Registry,
    reviewer: int,
    *,
    kind: int | str | None = None,
    author: str | None = None,
    group: int | None = None,
    limit: int | None = 50,
) -> list[Row]:
    """The records of other groups that are not retracted and have no current verdict of a group, oldest first.

    A verdict that was withdrawn is none, so its record waits again.

    Args:
        reviewer: number of the group that would give the verdict.
        kind: a `Kind`, its name, or the lab's own number.
        author: only of this account, 0x-hex.
        group: only of this group.
        limit: rows at most; None for all.

    Raises:
        InputError: if an argument isn't what it should be, or the registry isn't in the index.
    """
    [number] = index.registry_numbers(registry)
    asked, values = _WAITING, [number, reviewer, reviewer]
    conditions: dict[str, Any] = {
        "r.kind": parse_number(kind, Kind) if isinstance(kind, str) else kind,
        "r.author": None if author is None else _address(author),
        "r.lab_group": group,
    }
    for column, value in conditions.items():
        if value is not None:
            asked += f" AND {column} = ?"
            values.append(value)
    rows = index.rows(f"{asked} ORDER BY r.pk LIMIT ?", (*values, -1 if limit is None else limit))
    return rows_of(index, [row[0] for row in rows])


def _address(text: str) -> bytes:
    if not re.fullmatch(r"0x[0-9a-fA-F]{40}", text):
        raise InputError(f"expected an author's address, 0x and 40 hex digits, got {text[:60]!r}")
    return bytes.fromhex(text[2:])
