"""How a search stays fast among millions of records.

Every way into the tables (an SQL index, the full text, a parameter's values, a lineage) gives records by number, and
numbers are in the order of time. The way that leads to the fewest records is taken, by counting up to `_COUNTED` steps
of each; where all lead to many, records are gone through newest first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from blockchaintracer.extras.search.database import Index, facet_words
from blockchaintracer.extras.search.expression import All, Compare, Condition, Either, Not, Related

_COUNTED = 5_000
_FEW = 500
"""Records for each of which the full text may be asked one by one."""


@dataclass(frozen=True)
class Search:
    """What is searched for; of `sort`, None is time."""

    words: tuple[str, ...]
    kind: int | None
    group: int | None
    author: bytes | None
    since: int | None
    until: int | None
    subject: bytes | None
    cid: tuple[str, bytes | None] | None
    statuses: tuple[str, ...]
    conditions: tuple[Condition, ...]
    sort: str | None
    descending: bool


def find(index: Index, registry: int, search: Search, limit: int | None, offset: int = 0) -> list[tuple[Any, int]]:
    """The records of a registry as (what is sorted by, number), sorted; `limit` at most, without the first `offset`."""
    return _Plan(index, registry, search).run(limit, offset)


@dataclass(frozen=True)
class _Sql:
    """A piece of SQL and the values of its question marks."""

    text: str
    values: tuple[Any, ...] = ()

    def __add__(self, other: _Sql) -> _Sql:
        return _Sql(self.text + other.text, self.values + other.values)


def _joined(terms: Sequence[_Sql], word: str) -> _Sql:
    return _Sql(word.join(term.text for term in terms), tuple(value for term in terms for value in term.values))


@dataclass(frozen=True)
class _Way:
    """A way into the records ``r``, by which they come in the order of their numbers or not.

    Args:
        source: what follows FROM; binds ``r``.
        condition: that belongs to it.
        steps: a SELECT with a row for each step that it takes at most.
        met: the conditions (by name) that need not be asked again.
        number: the column that it gives in order.
    """

    source: _Sql
    condition: _Sql
    steps: _Sql
    met: frozenset[str]
    number: str = "r.pk"


_PLAIN = {"group": "r.lab_group = ?", "kind": "r.kind = ?", "author": "r.author = ?", "subject": "r.subject = ?"}
_WAYS = {
    "records_by_subject": ("subject",),
    "records_by_group_kind": ("group", "kind"),
    "records_by_author": ("author",),
    "records_by_group": ("group",),
    "records_by_kind": ("kind",),
}
STATUS = {
    "recorded": "r.retracted_at IS NULL",
    "retracted": "r.retracted_at IS NOT NULL",
    "sealed": "r.sealed_at IS NOT NULL",
    "batched": "r.anchored_at IS NOT NULL",
    "reviewed": "r.reviewed > 0",
    "reproduced": "r.reproduced > 0",
    "not-reproduced": "r.not_reproduced > 0",
    "disputed": "r.disputed > 0",
}
"""What can be asked of a record's state, as SQL; all but the first are the conditions of partial indexes."""


class _Plan:
    """One search in one registry."""

    def __init__(self, index: Index, registry: int, search: Search) -> None:
        self._index = index
        self._registry = registry
        self._search = search
        self._values = {name: value for name in _PLAIN if (value := getattr(search, name)) is not None}
        self._terms = self._all_terms()

    def run(self, limit: int | None, offset: int) -> list[tuple[Any, int]]:
        search = self._search
        way = self._best()
        asked = [_Sql("r.registry = ?", (self._registry,)), way.condition]
        asked += [term for name, term in self._terms.items() if name not in way.met]
        # within a registry numbers are in the order of time
        key, order = "r.time", way.number
        source = way.source
        if search.sort is not None:
            key, order = "s.value", "s.value, s.record"
            if "sort" not in way.met:
                source += _Sql(" CROSS JOIN facts s ON s.record = r.pk")
                asked.append(self._sorted())
        direction = "DESC" if search.descending else "ASC"
        statement = (
            _Sql(f"SELECT {key}, r.pk FROM ")  # noqa: S608 -- all text is this module's, all values are bound
            + source
            + _Sql(" WHERE ")
            + _joined(asked, " AND ")
            + _Sql(f" ORDER BY {order.replace(',', f' {direction},')} {direction}")
            + _Sql(" LIMIT ? OFFSET ?", (-1 if limit is None else limit, offset))
        )
        return [(row[0], row[1]) for row in self._index.rows(statement.text, statement.values)]

    def _all_terms(self) -> dict[str, _Sql]:
        """Every condition by name, as SQL about ``r`` that can be asked of one record."""
        search = self._search
        terms = {name: _Sql(_PLAIN[name], (value,)) for name, value in self._values.items()}
        for number, status in enumerate(search.statuses):
            terms[f"status{number}"] = _Sql(STATUS[status])
        bounds = []
        if search.since is not None:
            bounds.append(_Sql("r.pk >= ?", (self._first_at(search.since),)))
        if search.until is not None:
            bounds.append(_Sql("r.pk < ?", (self._first_after(search.until),)))
        if bounds:
            terms["time"] = _joined(bounds, " AND ")
            # a record from a batch is older than its block
            span = _seconds(search.since or 0), _seconds(2**62 if search.until is None else search.until)
            terms["batch time"] = _Sql("coalesce(r.anchored_at, r.time) BETWEEN ? AND ?", span)
        if search.words:
            terms["text"] = self._text_of_one()
        if search.cid:
            terms["cid"] = self._with_cid(*search.cid)
        for number, condition in enumerate(_merged(search.conditions)):
            terms[f"where{number}"] = self._condition(condition)
        return terms

    def _first_after(self, time: int) -> int:
        """The number from which on all records are later than a time."""
        batched = self._index.rows(
            "SELECT max(pk) FROM records INDEXED BY records_batched WHERE registry = ? AND anchored_at IS NOT NULL"
            " AND anchored_at <= ?",
            (self._registry, _seconds(time)),
        )
        return max(self._first_at(time + 1), (batched[0][0] or 0) + 1)

    def _first_at(self, time: int) -> int:
        """The number of the first record at or after a time."""
        rows = self._index.rows(
            "SELECT pk FROM records INDEXED BY records_by_time WHERE registry = ? AND time >= ? ORDER BY time LIMIT 1",
            (self._registry, _seconds(time)),
        )
        return int(rows[0][0]) if rows else 2**62

    # -- ways in

    def _best(self) -> _Way:
        first, *others = self._ways()
        if "text" not in first.met:
            return self._shortest([first, *others], _COUNTED) or first
        # the others ask the full text of one record at a time, which takes far longer than reading on in it
        if way := self._shortest(others, _FEW):
            return way
        if self._search.sort is not None and self._steps(first, _COUNTED) == _COUNTED:
            return others[0]
        return first

    def _shortest(self, ways: Sequence[_Way], most: int) -> _Way | None:
        """The way of the fewest steps; None if all take `most` or more."""
        steps, place = min((self._steps(way, most), place) for place, way in enumerate(ways))
        return ways[place] if steps < most else None

    def _steps(self, way: _Way, most: int) -> int:
        counting = _Sql("SELECT count(*) FROM (") + way.steps + _Sql(" LIMIT ?)", (most,))
        return int(self._index.rows(counting.text, counting.values)[0][0])

    def _ways(self) -> Iterator[_Way]:
        """The ways in. Where all lead to too many records to count the first is taken, so they stand in this order: the
        full text, which narrows down by itself; then what gives records as they are to be sorted; then the rest."""
        search = self._search
        if search.words and self._index.has_full_text:
            source, condition = _Sql("texts CROSS JOIN records r ON r.pk = texts.rowid"), self._match()
            met = frozenset({"text", "group", "kind", "author"})
            yield _Way(source, condition, _Sql("SELECT 1 FROM texts WHERE ") + condition, met, number="texts.rowid")
        if search.sort is not None:
            source, condition = _Sql("facts s CROSS JOIN records r ON r.pk = s.record"), self._sorted()
            yield _Way(source, condition, _Sql("SELECT 1 FROM facts s WHERE ") + condition, frozenset({"sort"}))
        for name, columns in _WAYS.items():
            if all(column in self._values for column in columns):
                yield self._by_index(name, columns)
        for place, status in enumerate(search.statuses):
            if status != "recorded":
                yield self._by_index(f"records_{status.replace('-', '_')}", (f"status{place}",))
        yield self._by_index("records_by_registry", ())
        if search.cid:
            yield self._by_set(self._cid_set(*search.cid), "cid")
        for place, merged in enumerate(_merged(search.conditions)):
            numbers = self._numbers(merged)
            if numbers is not None:
                yield self._by_set(numbers, f"where{place}")

    def _by_index(self, name: str, terms: Sequence[str]) -> _Way:
        source = _Sql(f"records r INDEXED BY {name}")
        condition = _joined(
            [_Sql("r.registry = ?", (self._registry,)), *(self._terms[term] for term in terms)], " AND "
        )
        steps = _Sql("SELECT 1 FROM ") + source + _Sql(" WHERE ") + condition
        return _Way(source, condition, steps, frozenset(terms))

    def _by_set(self, numbers: _Sql, name: str) -> _Way:
        source = _Sql("(") + numbers + _Sql(") n CROSS JOIN records r ON r.pk = n.record")
        return _Way(source, _Sql("1"), _Sql("SELECT 1 FROM (") + numbers + _Sql(")"), frozenset({name}))

    # -- conditions as SQL

    def _match(self) -> _Sql:
        search = self._search
        facets = facet_words(self._registry, search.kind, search.group, search.author)
        words = " AND ".join(_fts_word(word) for word in search.words)
        condition = _Sql(
            "texts MATCH ?", (f"{{name description body}} : ({words}) AND facets : ({' AND '.join(facets)})",)
        )
        if "time" not in self._terms:
            return condition
        bounds = self._terms["time"]
        return condition + _Sql(" AND " + bounds.text.replace("r.pk", "texts.rowid"), bounds.values)

    def _text_of_one(self) -> _Sql:
        if self._index.has_full_text:
            words = " AND ".join(_fts_word(word) for word in self._search.words)
            return _Sql(
                "EXISTS (SELECT 1 FROM texts WHERE texts MATCH ? AND rowid = r.pk)",
                (f"{{name description body}} : ({words})",),
            )
        terms = [
            _Sql("instr(lower((SELECT json FROM documents WHERE pk = r.document)), ?) > 0", (word.rstrip("*").lower(),))
            for word in self._search.words
        ]
        return _joined(terms, " AND ")

    def _cid_set(self, cid: str, digest: bytes | None) -> _Sql:
        named = _Sql("SELECT record FROM cids WHERE cid = ?", (cid,))
        if digest is None:
            return named
        return named + _Sql(
            " UNION SELECT pk FROM records WHERE registry = ? AND subject = ?"
            " UNION SELECT pk FROM records WHERE document = (SELECT pk FROM documents WHERE digest = ?)",
            (self._registry, digest, digest),
        )

    def _with_cid(self, cid: str, digest: bytes | None) -> _Sql:
        return _Sql("r.pk IN (") + self._cid_set(cid, digest) + _Sql(")")

    def _sorted(self) -> _Sql:
        return _Sql("s.name = (SELECT pk FROM names WHERE name = ?) AND s.value < ''", (self._search.sort,))

    def _numbers(self, condition: Condition) -> _Sql | None:
        """A SELECT of the numbers of all records that meet a condition; None where that is no way in."""
        if isinstance(condition, Related):
            return self._lineage(condition)
        comparisons = _of_one_field(condition)
        if comparisons and all(comparison.operator != "!=" for comparison in comparisons):
            return _Sql("SELECT f.record FROM facts f WHERE ") + _compared(comparisons)
        return None

    def _condition(self, condition: Condition) -> _Sql:
        if comparisons := _of_one_field(condition):
            return _Sql("EXISTS (SELECT 1 FROM facts f WHERE f.record = r.pk AND ") + _compared(comparisons) + _Sql(")")
        match condition:
            case Related():
                return _Sql("r.pk IN (") + self._lineage(condition) + _Sql(")")
            case Not():
                return _Sql("NOT (") + self._condition(condition.term) + _Sql(")")
            case All() | Either():
                word = " AND " if isinstance(condition, All) else " OR "
                return _Sql("(") + _joined([self._condition(term) for term in condition.terms], word) + _Sql(")")
        raise AssertionError(condition)

    def _lineage(self, related: Related) -> _Sql:
        near, far = ("child", "parent") if related.ancestors else ("parent", "child")
        return _Sql(
            "WITH RECURSIVE line (record) AS (SELECT l.FAR FROM records q JOIN links l ON l.NEAR = q.pk"
            " WHERE q.registry = ? AND q.id = ? UNION SELECT l.FAR FROM line JOIN links l ON l.NEAR = line.record)"
            " SELECT record FROM line".replace("FAR", far).replace("NEAR", near),
            (self._registry, bytes.fromhex(related.record_id)),
        )


def _merged(conditions: Sequence[Condition]) -> list[Condition]:
    """Comparisons of one field together: a range is one way in, its two ends would each lead to far more records."""
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


def _compared(comparisons: Sequence[Compare]) -> _Sql:
    """Comparisons of the one field of ``f``. Numbers sort before texts, so each is kept among its own."""
    terms = [_Sql("f.name = (SELECT pk FROM names WHERE name = ?)", (comparisons[0].field,))]
    terms += [_Sql(f"f.value {comparison.operator} ?", (comparison.value,)) for comparison in comparisons]
    # only where no comparison bounds that side itself: SQLite goes through an index by the first bound it is given
    texts = [comparison for comparison in comparisons if isinstance(comparison.value, str)]
    numbers = [comparison for comparison in comparisons if not isinstance(comparison.value, str)]
    if texts and not any(comparison.operator in ("=", ">", ">=") for comparison in texts):
        terms.append(_Sql("f.value >= ''"))
    if numbers and not any(comparison.operator in ("=", "<", "<=") for comparison in numbers):
        terms.append(_Sql("f.value < ''"))
    return _joined(terms, " AND ")


def _seconds(time: int) -> int:
    """A time that SQLite can hold."""
    return min(max(time, 0), 2**62)


def _fts_word(word: str) -> str:
    prefix = word.endswith("*") or re.fullmatch(r"[0-9a-f]{7,39}", word)
    quoted = word.rstrip("*").replace('"', '""')
    return f'"{quoted}"' + ("*" if prefix else "")
