"""The SQL statement of a search.

SQLite's planner chooses among the indexes by what ANALYZE measured. It does not know how many records meet a comparison
(its statistics hold averages), nor how soon a walk in sorted order finds enough. Without that, a rare metric, a sorted
search or a word beside a condition takes a second among a million records. So the module counts up to a bound first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from blockchaintracer.core.record import from_hex
from blockchaintracer.extras.search.database import Index, facet_words
from blockchaintracer.extras.search.expression import All, Compare, Condition, Not, Related

_FEW = 5_000
"""Below this many records it is faster to read and sort all of them than to walk in order until enough are found."""
_FEW_TEXTS = 500
"""Records for each of which the full text may be asked one by one."""

STATUS = {
    "recorded": "r.retracted_at IS NULL",
    "retracted": "r.retracted_at IS NOT NULL",
    "sealed": "r.sealed_at IS NOT NULL",
    "batched": "r.anchored_at IS NOT NULL",
    "reviewed": "r.reviewed > 0",
    "reproduced": "r.reproduced > 0",
    "not-reproduced": "r.not_reproduced > 0",
    "disputed": "r.disputed > 0",
    "failed": "r.pk IN (SELECT f.record FROM facts f JOIN names n ON n.pk = f.name"
    " WHERE n.name = 'run.status' AND f.value = 'failed')",
}
"""What can be asked of a record's state, as SQL; but for the first and the last the conditions of partial indexes."""


@dataclass(frozen=True)
class Search:
    """The conditions of a search; `sort` is a field's name, or None for the order of time. What is found comes after
    the record with the number `after`."""

    words: tuple[str, ...]
    kind: int | None
    group: int | None
    waiting_for: int | None
    author: bytes | None
    holders: tuple[tuple[str, bytes | int], ...]
    since: int | None
    until: int | None
    subject: bytes | None
    cid: tuple[str, bytes | None] | None
    statuses: tuple[str, ...]
    conditions: tuple[Condition, ...]
    sort: str | None
    descending: bool
    after: int | None = None


class Statement:
    """The statement for one search in one registry. Numbers (``pk``) are in the order of time there."""

    def __init__(self, index: Index, registry: int, search: Search) -> None:
        self._index = index
        self._search = search
        self._values: dict[str, Any] = {}
        self._registry_number = registry
        self._registry = self._bind(registry)

    def run(self, limit: int | None, offset: int = 0) -> list[tuple[Any, int]]:
        """Find the registry's records, sorted, each as (sort value, number): at most `limit` after the first
        `offset`."""
        search = self._search
        columns = self._columns()
        sets, filters = self._conditions()
        is_narrow = bool(sets) or search.subject is not None
        by_text = bool(search.words) and self._index.has_full_text and not is_narrow
        by_value = False
        if search.sort is not None and not is_narrow:
            entry = f"texts WHERE {self._match()}" if by_text else f"records r WHERE {' AND '.join(columns)}"
            by_value = not self._is_few(f"SELECT 1 FROM {entry}", _FEW)  # noqa: S608 -- all values are bound
        by_text = by_text and not by_value

        number, key, order = "r.pk", "r.time", ["r.pk"]
        if by_value:
            source = "facts s CROSS JOIN records r ON r.pk = s.record"
        elif by_text:
            source, number, order = "texts CROSS JOIN records r ON r.pk = texts.rowid", "texts.rowid", ["texts.rowid"]
        else:
            source = "records r"
        terms = columns + [f"r.pk IN ({numbers})" for numbers in sets] + self._times(number) + filters
        if search.words:
            terms.append(self._match() if by_text else self._text_of_record())
        if search.sort is not None:
            source += "" if by_value else " CROSS JOIN facts s ON s.record = r.pk"
            terms += [f"s.name = {self._name(search.sort)}", f"s.value < {self._index.comparable()}"]
            key, order = "s.value", ["s.value", "s.record"]
        if search.after is not None:
            after = self._bind(search.after)
            place = [after]
            if search.sort is not None:
                value = f"SELECT value FROM facts WHERE record = {after} AND name = {self._name(search.sort)}"  # noqa: S608
                place.insert(0, f"({value})")
            terms.append(f"({', '.join(order)}) {'<' if search.descending else '>'} ({', '.join(place)})")
        direction = "DESC" if search.descending else "ASC"
        rows = self._index.rows(
            f"SELECT {key}, r.pk FROM {source} WHERE {' AND '.join(terms)}"  # noqa: S608 -- all values are bound
            f" ORDER BY {', '.join(f'{column} {direction}' for column in order)}"
            f" LIMIT {self._bind(2**62 if limit is None else limit)} OFFSET {self._bind(offset)}",
            self._values,
        )
        return [(row[0], row[1]) for row in rows]

    def _bind(self, value: Any) -> str:
        name = f"v{len(self._values)}"
        self._values[name] = value
        return f":{name}"

    def _is_few(self, select: str, most: int) -> bool:
        count = f"SELECT count(*) FROM ({select} LIMIT {self._bind(most)}) AS few"  # noqa: S608 -- all values are bound
        return int(self._index.rows(count, self._values)[0][0]) < most

    # -- conditions as SQL about the record r

    def _columns(self) -> list[str]:
        search = self._search
        columns = {"lab_group": search.group, "kind": search.kind, "author": search.author, "subject": search.subject}
        terms = [f"r.{column} = {self._bind(value)}" for column, value in columns.items() if value is not None]
        if search.holders:
            terms.append(f"({' OR '.join(f'r.{column} = {self._bind(value)}' for column, value in search.holders)})")
        if search.waiting_for is not None:
            reviewer = self._bind(search.waiting_for)
            given = f"SELECT 1 FROM verdicts v WHERE v.record = r.pk AND v.lab_group = {reviewer} AND v.current"  # noqa: S608
            terms += [f"r.lab_group != {reviewer}", "r.retracted_at IS NULL", f"NOT EXISTS ({given})"]
        return [f"r.registry = {self._registry}", *terms, *(STATUS[status] for status in search.statuses)]

    def _times(self, number: str) -> list[str]:
        """Bound the record's time, and first its number, because numbers are in the order of the blocks' times.

        A record from a batch counts from the batch's time, which is earlier than its block's.
        """
        search = self._search
        if search.since is None and search.until is None:
            return []
        since, until = self._bind(search.since or 0), self._bind(2**62 if search.until is None else search.until)
        records = f"FROM records WHERE registry = {self._registry}"
        terms = [f"coalesce(r.anchored_at, r.time) BETWEEN {since} AND {until}"]
        if search.since is not None:
            terms.append(f"{number} >= (SELECT pk {records} AND time >= {since} ORDER BY time, pk LIMIT 1)")
        if search.until is not None:
            by_block = f"SELECT pk {records} AND time <= {until} ORDER BY time DESC, pk DESC LIMIT 1"
            by_batch = f"SELECT max(pk) {records} AND anchored_at <= {until}"
            terms.append(f"{number} <= max(coalesce(({by_block}), 0), coalesce(({by_batch}), 0))")
        return terms

    def _match(self) -> str:
        """The full text's own condition, which narrows down by registry, kind, group and author as well."""
        search = self._search
        facets = facet_words(self._registry_number, search.kind, search.group, search.author)
        condition, value = self._index.match(self._words(), facets)
        return " AND ".join([condition.format(self._bind(value)), *self._times("texts.rowid")[1:]])

    def _text_of_record(self) -> str:
        if self._index.has_full_text:
            condition, value = self._index.match(self._words())
            return f"EXISTS (SELECT 1 FROM texts WHERE {condition.format(self._bind(value))} AND rowid = r.pk)"  # noqa: S608
        document = "lower((SELECT json FROM documents WHERE pk = r.document))"
        words = [word.rstrip("*").lower() for word in self._search.words]
        return " AND ".join(f"instr({document}, {self._bind(word)}) > 0" for word in words)

    def _words(self) -> list[str]:
        """The words; what may be the beginning of a git commit is looked for as one."""
        return [f"{word}*" if re.fullmatch(r"[0-9a-f]{7,39}", word) else word for word in self._search.words]

    def _conditions(self) -> tuple[list[str], list[str]]:
        """The conditions that few records meet, each as a SELECT of their numbers; and terms for all others."""
        few = _FEW_TEXTS if self._search.words else _FEW
        sets = [self._with_cid(*self._search.cid)] if self._search.cid else []
        filters = []
        for condition in _merged(self._search.conditions):
            if isinstance(condition, Related):
                sets.append(self._lineage(condition))
                continue
            comparisons = _of_one_field(condition)
            if comparisons and all(comparison.operator != "!=" for comparison in comparisons):
                numbers = f"SELECT f.record FROM facts f WHERE {self._compared(comparisons)}"  # noqa: S608
                if self._is_few(numbers, few):
                    sets.append(numbers)
                    continue
            filters.append(self._condition(condition))
        return sets, filters

    def _condition(self, condition: Condition) -> str:
        comparisons = _of_one_field(condition)
        if comparisons or isinstance(condition, Compare):
            compared = self._compared(comparisons)
            return f"EXISTS (SELECT 1 FROM facts f WHERE f.record = r.pk AND {compared})"  # noqa: S608
        if isinstance(condition, Related):
            return f"r.pk IN ({self._lineage(condition)})"
        if isinstance(condition, Not):
            return f"NOT ({self._condition(condition.term)})"
        word = " AND " if isinstance(condition, All) else " OR "
        return f"({word.join(map(self._condition, condition.terms))})"

    def _compared(self, comparisons: Sequence[Compare]) -> str:
        """Comparisons of the one field of ``f``. Numbers sort before texts, so each is kept among its own."""
        terms = [f"f.name = {self._name(comparisons[0].field)}"]
        terms += [f"f.value {it.operator} {self._index.comparable(self._bind(it.value))}" for it in comparisons]
        # only where no comparison bounds that side itself: SQLite goes through an index by the first bound it is given
        texts = {comparison.operator for comparison in comparisons if isinstance(comparison.value, str)}
        numbers = {comparison.operator for comparison in comparisons if not isinstance(comparison.value, str)}
        if texts and not texts & {"=", ">", ">="}:
            terms.append(f"f.value >= {self._index.comparable()}")
        if numbers and not numbers & {"=", "<", "<="}:
            terms.append(f"f.value < {self._index.comparable()}")
        return " AND ".join(terms)

    def _name(self, field: str) -> str:
        return f"(SELECT pk FROM names WHERE name = {self._bind(field)})"  # noqa: S608 -- the value is bound

    def _with_cid(self, cid: str, digest: bytes | None) -> str:
        numbers = f"SELECT record FROM cids WHERE cid = {self._bind(cid)}"  # noqa: S608 -- the value is bound
        if digest is None:
            return numbers
        sha256 = self._bind(digest)
        return (
            f"{numbers} UNION SELECT pk FROM records WHERE registry = {self._registry} AND subject = {sha256}"  # noqa: S608
            f" UNION SELECT pk FROM records WHERE document = (SELECT pk FROM documents WHERE digest = {sha256})"
        )

    def _lineage(self, related: Related) -> str:
        near, far = ("child", "parent") if related.ancestors else ("parent", "child")
        record = self._bind(from_hex(related.record_id))
        return (
            f"WITH RECURSIVE line (record) AS (SELECT l.{far} FROM records q JOIN links l ON l.{near} = q.pk"  # noqa: S608
            f" WHERE q.registry = {self._registry} AND q.id = {record}"
            f" UNION SELECT l.{far} FROM line JOIN links l ON l.{near} = line.record) SELECT record FROM line"
        )


def _merged(conditions: Sequence[Condition]) -> list[Condition]:
    """Comparisons of one field together: a range leads to few records where its two ends each lead to many."""
    by_field: dict[str, list[Condition]] = {}
    merged: list[Condition] = []
    for condition in conditions:
        if isinstance(condition, Compare):
            by_field.setdefault(condition.field, []).append(condition)
        else:
            merged.append(condition)
    return merged + [All(tuple(terms)) for terms in by_field.values()]


def _of_one_field(condition: Condition) -> list[Compare]:
    """The comparisons of a condition that consists of comparisons of one field; none for any other."""
    terms = condition.terms if isinstance(condition, All) else (condition,)
    comparisons = [term for term in terms if isinstance(term, Compare)]
    is_one = len(comparisons) == len(terms) and len({comparison.field for comparison in comparisons}) == 1
    return comparisons if is_one else []
