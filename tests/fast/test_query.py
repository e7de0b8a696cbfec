"""Searching fifteen hundred made-up records: every condition against a plain walk over all rows."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.index import START, fill, searches
from blockchaintracer.core.digest import cid_of_sha256
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import from_hex, to_hex
from blockchaintracer.extras.search import STATUSES, Index, Row, query, query_statement
from blockchaintracer.extras.search.expression import All, Compare, Either, Not, Related, parse
from blockchaintracer.extras.search.searchable import read_json, searchable_fields

ID = "0x" + "ab" * 32
COUNT = 1500


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index(tmp_path_factory.mktemp("index") / "index.sqlite") as index:
        fill(index, COUNT)
        yield index


@pytest.fixture(scope="module")
def rows(index: Index) -> list[Row]:
    """All rows, newest first."""
    return query(index, limit=None)


def count_to_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every condition seems to be met by too many records to count."""
    monkeypatch.setattr(query_statement, "_FEW", 1)
    monkeypatch.setattr(query_statement, "_FEW_TEXTS", 1)


def accuracy(row: Row) -> float:
    return float(row.metrics["accuracy"])


def has_words(row: Row, *words: str) -> bool:
    text = f"{row.name} {row.description}"
    return all(word in text for word in words)


CASES: dict[str, tuple[dict[str, Any], Callable[[Row], bool]]] = {
    "kind": ({"kind": "Dataset"}, lambda row: row.kind == "dataset"),
    "group": ({"group": 3}, lambda row: row.group == 3),
    "group and kind": ({"group": 3, "kind": "run"}, lambda row: row.group == 3 and row.kind == "run"),
    "since": ({"since": START + 600}, lambda row: row.time >= START + 600),
    "until": ({"until": START + 600}, lambda row: row.time <= START + 600),
    "span": ({"since": START + 120, "until": START + 240}, lambda row: START + 120 <= row.time <= START + 240),
    "retracted": ({"status": "retracted"}, lambda row: row.retracted_at is not None),
    "recorded": ({"status": "recorded", "group": 1}, lambda row: row.retracted_at is None and row.group == 1),
    "both": ({"status": ["reproduced", "recorded"]}, lambda row: row.reproduced > 0 and row.status == "recorded"),
    "reviewed": ({"status": "reviewed"}, lambda row: row.reviewed > 0),
    "words": ({"text": "strain MERGER"}, lambda row: has_words(row, "strain", "merger")),
    "words of a group": (
        {"text": "strain", "group": 2, "kind": "run"},
        lambda row: has_words(row, "strain") and row.group == 2 and row.kind == "run",
    ),
    "words in time": (
        {"text": "strain", "since": START + 600, "until": START + 900},
        lambda row: has_words(row, "strain") and START + 600 <= row.time <= START + 900,
    ),
    "words and metric": (
        {"text": "strain", "where": "metrics.accuracy>0.99"},
        lambda row: has_words(row, "strain") and accuracy(row) > 0.99,
    ),
    "metric": ({"where": "metrics.accuracy > 0.9"}, lambda row: accuracy(row) > 0.9),
    "range": (
        {"where": "metrics.accuracy > 0.4 and metrics.accuracy <= 0.41"},
        lambda row: 0.4 < accuracy(row) <= 0.41,
    ),
    "two fields": (
        {"where": "metrics.accuracy>0.5 and params.lr<=1e-4"},
        lambda row: accuracy(row) > 0.5 and float(row.params["lr"]) <= 1e-4,
    ),
    "or": (
        {"where": "params.layers = 3 or params.optimizer = 'sgd'"},
        lambda row: row.params["layers"] == 3 or row.params["optimizer"] == "sgd",
    ),
    "precedence": (
        {"where": "params.layers = 3 or params.layers = 4 and params.optimizer = sgd"},
        lambda row: row.params["layers"] == 3 or (row.params["layers"] == 4 and row.params["optimizer"] == "sgd"),
    ),
    "brackets": (
        {"where": "(params.layers = 3 or params.layers = 4) and params.optimizer = sgd"},
        lambda row: row.params["layers"] in (3, 4) and row.params["optimizer"] == "sgd",
    ),
    "not": (
        {"where": "not (params.layers < 5 or metrics.accuracy < 0.5)"},
        lambda row: float(row.params["layers"]) >= 5 and accuracy(row) >= 0.5,
    ),
    "unequal": ({"where": "params.layers != 2"}, lambda row: row.params["layers"] != 2),
    "numbers are no texts": ({"where": "params.optimizer > 0 or params.layers > 'a'"}, lambda row: False),
    "unknown field": ({"where": "metrics.f1 != 0"}, lambda row: False),
    "everything without it": ({"where": "not metrics.f1 > 0", "group": 4}, lambda row: row.group == 4),
    "nobody": ({"author": "0x" + "00" * 20}, lambda row: False),
}


@pytest.mark.parametrize("few", [True, False], ids=["few", "many"])
@pytest.mark.parametrize("case", CASES)
def test_a_condition_finds_what_it_says(index, rows, case, few, monkeypatch):
    """Whether the records of each condition are few or many."""
    if not few:
        count_to_one(monkeypatch)
    conditions, holds = CASES[case]
    expected = [row for row in rows if holds(row)]
    assert query(index, **conditions, limit=None) == expected
    assert query(index, **conditions, limit=5, offset=3) == expected[3:8]
    assert query(index, **conditions, limit=20, descending=False) == expected[::-1][:20]


@pytest.mark.parametrize("few", [True, False], ids=["few", "many"])
@pytest.mark.parametrize("conditions", [{}, {"group": 2, "kind": "model"}, {"text": "strain"}, {"status": "retracted"}])
def test_rows_are_sorted_by_a_metric(index, rows, conditions, few, monkeypatch):
    if not few:
        count_to_one(monkeypatch)
    same = {row.id for row in query(index, **conditions, limit=None)}
    expected = sorted((row for row in rows if row.id in same), key=lambda row: float(row.metrics["loss"]))
    assert len(expected) > 1
    assert query(index, **conditions, sort="metrics.loss", descending=False, limit=None) == expected
    assert query(index, **conditions, sort="metrics.loss", limit=2, offset=1) == expected[::-1][1:3]
    assert query(index, sort="metrics.f1") == query(index, sort="params.optimizer") == []


def test_subjects_cids_authors_and_lineage_are_found(index, rows):
    row = rows[500]
    assert query(index, subject="0x" + row.subject.upper()) == [row]
    assert (
        query(index, cid=cid_of_sha256(row.subject))
        == query(index, cid="ipfs://" + cid_of_sha256(row.manifest))
        == [row]
    )
    assert query(index, cid="QmNLei78zWmzUdbeRB3CiUfAizWUrbeeZh5K1rhAQKCh51") == []
    mixed_case = "0x" + row.author[2:].upper()
    assert query(index, author=mixed_case, limit=None) == [one for one in rows if one.author == row.author]
    parents = {one: set(parents_of(index, one)) for one in (row.id for row in rows)}
    child = next(one for one in parents if parents[one])
    ancestors, left = set(), [child]
    while left:
        new = parents[left.pop()] - ancestors
        ancestors |= new
        left += new
    assert ancestors
    assert {one.id for one in query(index, ancestors_of=child, limit=None)} == ancestors
    oldest = min(ancestors, key=lambda one: next(place for place, row in enumerate(reversed(rows)) if row.id == one))
    assert child in {one.id for one in query(index, descendants_of=oldest, limit=None)}
    both = query(index, where=f"ancestors of {child} and metrics.accuracy > 0.5", limit=None)
    assert {one.id for one in both} == {one.id for one in rows if one.id in ancestors and accuracy(one) > 0.5}
    outside = query(index, where=f"not ancestors of {child}", limit=None)
    assert len(outside) == len(rows) - len(ancestors)


def parents_of(index: Index, record_id: str) -> list[str]:
    found = index.rows(
        "SELECT p.id FROM records c JOIN links l ON l.child = c.pk JOIN records p ON p.pk = l.parent WHERE c.id = ?",
        (from_hex(record_id),),
    )
    return [to_hex(row[0]) for row in found]


def test_commits_are_found_by_their_beginning(index, rows):
    document = index.rows("SELECT json FROM documents WHERE digest = ?", (bytes.fromhex(rows[7].manifest),))[0][0]
    commit = (read_json(document.encode()) or {})["predicate"]["code"]["commit"]
    assert query(index, text=commit) == query(index, text=commit[:8]) == [rows[7]]


def test_dates_count_from_their_start_to_their_end(index, rows):
    assert query(index, since="2023-11-14", until="2023-11-14", limit=None) == rows[-len(rows) :]
    assert query(index, since="2023-11-15") == query(index, until="2023-11-13") == []
    first = [row for row in rows if row.time <= START]
    # those from batches are older than their blocks
    assert any(row.time < START < row.stored_at for row in first)
    assert query(index, until="2023-11-14T22:13:20Z") == query(index, until="2023-11-14T23:13:20+01:00") == first


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "thing"},
        {"kind": 0},
        {"group": -1},
        {"group": 2**40},
        {"author": "me"},
        {"since": "yesterday"},
        {"subject": "ab"},
        {"cid": "bafy"},
        {"cid": "b" + "1" * 60},
        {"status": "valid"},
        {"where": "accuracy > 1"},
        {"where": ""},
        {"ancestors_of": "12"},
        {"sort": "accuracy"},
        {"sort": "metrics.a = 1 or metrics.b"},
        {"limit": -1},
        {"offset": -1},
        {"text": "  "},
    ],
)
def test_what_makes_no_sense_is_refused(index, wrong):
    with pytest.raises(InputError):
        query(index, **wrong)


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("metrics.accuracy>0.9", Compare("metrics.accuracy", ">", 0.9)),
        ("param.lr <= 1e-3", Compare("params.lr", "<=", 0.001)),
        ("parameters.model.depth == 3", Compare("params.model.depth", "=", 3)),
        ("metrics.'top-1 acc (%)' != -2", Compare("metrics.top-1 acc (%)", "!=", -2)),
        ('params.name = "a \\"b\\" and c"', Compare("params.name", "=", 'a "b" and c')),
        ("params.optimizer = adam", Compare("params.optimizer", "=", "adam")),
        (f"Ancestors OF 0x{ID[2:].upper()}", Related(True, ID)),
        (f"descendants of {'1' * 64}", Related(False, "0x" + "1" * 64)),
        ("not params.a = 1", Not(Compare("params.a", "=", 1))),
        (
            "params.a = 1 or params.b = 2 and params.c = 3",
            Either((Compare("params.a", "=", 1), All((Compare("params.b", "=", 2), Compare("params.c", "=", 3))))),
        ),
    ],
)
def test_an_expression_is_read_as_it_stands(text, condition):
    assert parse(text) == condition


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("metrics.accuracy >", 19, "a number or text"),
        ("metrics.accuracy > 0.9 metrics.b < 1", 24, "'and', 'or' or the end"),
        ("  accuracy > 1", 3, "a field such as"),
        ("metrics. > 1", 10, "a name after the dot"),
        ("(params.a = 1", 14, r"'\)'"),
        ("params.a ~ 1", 10, "a field, a value"),
        ("params.a > 1e999", 12, "a finite number"),
        ("params.a = and", 12, "a number or text"),
        ("ancestors of ab12", 14, "64 hex digits"),
        ("ancestors ab12", 11, "'of' and a record id"),
        ("params.a = 'open", 12, "a field, a value"),
        ("(" * 60, 52, "at most 50 levels"),
        ("not " * 60, 205, "at most 50 levels"),
        (" or ".join(["params.a = 1"] * 201), 3201, "at most 200 comparisons"),
    ],
)
def test_a_wrong_expression_is_refused_with_the_place(text, position, words):
    with pytest.raises(InputError, match=words) as caught:
        parse(text)
    assert caught.value.values["position"] == position


PIECES = st.sampled_from(
    ["metrics.a", "params.b", "metrics.'c d'", "=", "!=", "<", ">=", "0.5", "-1e3", "adam", "'x'", "and", "or", "not",
     "(", ")", f"ancestors of {ID}", "descendants", "of", "'", "\0", "\ud800", "1" * 30]
)  # fmt: skip


@settings(deadline=None, max_examples=400)
@given(
    st.one_of(
        st.text(max_size=60), st.lists(PIECES, max_size=12).map(" ".join), st.lists(PIECES, max_size=9).map("".join)
    )
)
def test_any_text_is_an_expression_or_refused(index, text):
    position = 1
    try:
        query(index, where=text, limit=1)
    except InputError as error:
        position = error.values["position"]
    assert 1 <= position <= len(text) + 1


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=40))
def test_any_text_can_be_looked_for(index, text):
    try:
        query(index, text=text, limit=1)
    except InputError:
        assert not any(character.isalnum() for character in text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["predicate", "name", "metrics", "value", "parameters", "code", "outputs", "subject", "cid", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["predicate", "subject", "name", "description"]), JSON))
def test_no_manifest_stops_the_index(statement):
    found = searchable_fields(statement)
    for name, value in found.values:
        assert name.startswith(("params.", "metrics.")) or name in ("params", "metrics")
        assert isinstance(value, str) or abs(value) < float("inf")


def test_a_cid_of_a_large_file_is_found_by_the_manifest_that_names_it():
    assert searchable_fields({"predicate": {"cid": "bafybeiabc"}}).cid == "bafybeiabc"


def test_every_search_of_the_benchmark_finds_the_same_whatever_is_few(index, monkeypatch):
    ids = [row.id for row in query(index, limit=None, descending=False)]
    made = searches(ids)
    drawn = [next(made) for _ in range(22)]
    assert len({name for name, _ in drawn}) == 22
    found = {name: [row.id for row in query(index, **search)] for name, search in drawn}
    count_to_one(monkeypatch)
    assert {name: [row.id for row in query(index, **search)] for name, search in drawn} == found
    assert sum(bool(rows) for rows in found.values()) > 12


@pytest.mark.parametrize("search", ["group and kind", "metric, rare", "a common word", "best accuracy", "a day"])
def test_large_tables_are_entered_by_an_index(index, search, monkeypatch):
    """No time is asserted: the plan must not read or sort all records."""
    count_to_one(monkeypatch)
    ids = [row.id for row in query(index, limit=None, descending=False)]
    conditions = next(conditions for name, conditions in searches(ids) if name == search)
    asked: list[str] = []
    index._db.set_trace_callback(asked.append)
    query(index, **conditions)
    index._db.set_trace_callback(None)
    for statement in (text for text in asked if text.startswith("SELECT")):
        plans = [row["detail"] for row in index.rows("EXPLAIN QUERY PLAN " + statement)]
        assert not [line for line in plans if re.match(r"SCAN (r|s|f|records|facts|documents)\b", line)], plans
        if "ORDER BY" in statement and search != "metric, rare":
            assert not [line for line in plans if "TEMP B-TREE FOR ORDER BY" in line], plans


def test_statuses_are_those_of_the_command_line():
    assert (
        *("recorded", "retracted", "sealed", "batched"),
        *("reviewed", "reproduced", "not-reproduced", "disputed", "failed"),
    ) == STATUSES
