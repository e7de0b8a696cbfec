"""`serve` over some hundred made-up records: pages, tags, limits and refusals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.index import fill
from blockchaintracer.extras.search import Index, Row, query
from blockchaintracer.extras.serve import readers, registry_answers
from blockchaintracer.extras.serve.follower import Following
from tests.support.json_forms import problems, snake_names
from tests.support.served import MADE_UP, Served

ID = "0x" + "ab" * 32
COUNT = 330


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index(tmp_path_factory.mktemp("index") / "index.sqlite") as index:
        fill(index, COUNT)
        yield index


@pytest.fixture(scope="module")
def server(index: Index) -> Served:
    return Served(index.path)


@pytest.fixture(scope="module")
def rows(index: Index) -> list[Row]:
    """All rows, newest first."""
    return query(index, limit=None)


def all_pages(server: Served, question: str) -> list[dict[str, Any]]:
    """The records of all pages, of which none is repeated."""
    records, after = [], ""
    while True:
        page = server.get(f"records?{question}&limit=60{after}").json()
        records += page["records"]
        assert page["more"] is (page["next"] is not None)
        if not page["more"]:
            return records
        after = f"&after={page['next']}"


@pytest.mark.parametrize(
    ("question", "conditions"),
    [
        ("", {}),
        ("order=ascending", {"descending": False}),
        ("kind=run&group=3", {"kind": "run", "group": 3}),
        ("sort=metrics.accuracy", {"sort": "metrics.accuracy"}),
        ("sort=metrics.loss&order=ascending&kind=run", {"sort": "metrics.loss", "descending": False, "kind": "run"}),
        ("text=glitch", {"text": "glitch"}),
        ("text=glitch&sort=params.layers", {"text": "glitch", "sort": "params.layers"}),
        ("where=metrics.accuracy%20%3E%200.2", {"where": "metrics.accuracy > 0.2"}),
        ("status=reproduced", {"status": "reproduced"}),
    ],
)
def test_pages_are_the_rows_of_a_query(server: Served, index: Index, question: str, conditions: dict[str, Any]) -> None:
    expected = query(index, registry=MADE_UP, limit=None, **conditions)
    assert [each["id"] for each in all_pages(server, question)] == [row.id for row in expected]
    assert expected


def test_a_record_is_shown_as_query_shows_it_and_every_answer_has_its_form(
    server: Served, index: Index, rows: list[Row]
) -> None:
    reproduced = query(index, status="reproduced", limit=1)[0]
    shown = server.get(f"records/{reproduced.id}").json()
    assert shown["record"] == reproduced.as_json() | {"globalId": MADE_UP.global_id(reproduced.id)}
    assert [each["verdict"] for each in shown["verdicts"]] == ["reproduced"]
    assert (shown["key"]["subject"], shown["key"]["group"]) == (reproduced.subject, reproduced.group)
    for path in (
        "health",
        "registry",
        "groups",
        "records",
        f"records/{rows[0].id}/lineage",
        f"files/{rows[0].subject}",
    ):
        answer = server.get(path).json()
        assert not [*snake_names(answer), *problems(answer)]
        assert answer["asOf"]["block"] == rows[0].block
    assert [each["id"] for each in server.get(f"files/{rows[0].subject}").json()["records"]] == [rows[0].id]


def test_a_tag_is_of_one_address_and_one_state(server: Served) -> None:
    first = server.get("records?limit=1")
    tag = first.headers["etag"]
    again = server.get("records?limit=1", **{"If-None-Match": f'"x", {tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert server.get("records?limit=2", **{"If-None-Match": tag}).status_code == 200
    before = server.follower.state
    server.follower.state = Following(generation=before.generation + 1, has_followed=True)
    assert server.get("records?limit=1", **{"If-None-Match": tag}).status_code == 200
    # while something is written, an answer may be of a state in between
    server.follower.state = Following(is_settled=False, has_followed=True)
    assert "etag" not in server.get("records?limit=1").headers
    server.follower.state = before


def test_what_many_ask_is_read_once(index: Index) -> None:
    server = Served(index.path)
    first = server.get("records?limit=3")
    server.readers.close()
    assert server.get("records?limit=3").json() == first.json()
    assert server.get("records?limit=4").status_code == 500
    server.follower.state = Following(generation=1, has_followed=True)
    assert server.get("records?limit=3").status_code == 500


def test_what_is_not_known_is_said(server: Served) -> None:
    before = server.follower.state
    server.follower.state = Following(silent_since=1_767_225_600, problem="no node answers")
    health = server.get("health").json()
    assert (health["status"], health["problem"]) == ("stale", "no node answers")
    assert (health["asOf"]["nodeSilentSince"], health["asOf"]["complete"]) == ("2026-01-01T00:00:00Z", None)
    server.follower.state = Following(has_followed=True, gap="the node forgot")
    as_of = server.get("records?status=disputed").json()["asOf"]
    assert (as_of["complete"], as_of["gap"]) == (False, "the node forgot")
    server.follower.state = before


def test_gzip_head_and_other_origins(server: Served) -> None:
    plain = server.get("records", **{"Accept-Encoding": "identity"})
    zipped = server.get("records", **{"Accept-Encoding": "gzip"})
    assert (zipped.headers["content-encoding"], zipped.json()) == ("gzip", plain.json())
    for accepted, zips in (("br, GZIP;q=0.5", True), ("gzip; q=0.0, br", False), ("gzip;q=0", False), ("x", False)):
        answered = server.get("records", **{"Accept-Encoding": accepted})
        assert ("content-encoding" in answered.headers) == zips, accepted
    assert "content-encoding" not in plain.headers
    assert int(zipped.headers["content-length"]) < len(plain.content) / 3
    head = server.ask("HEAD", "records", headers={"Accept-Encoding": "identity"})
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(plain.content)))
    assert server.get("records", Origin="https://lab.example").headers["access-control-allow-origin"] == "*"
    ask = {"Origin": "https://lab.example", "Access-Control-Request-Method": "GET"}
    assert server.ask("OPTIONS", "records", headers=ask).status_code == 200
    ask["Access-Control-Request-Method"] = "POST"
    assert server.ask("OPTIONS", "records", headers=ask).status_code == 400


@pytest.mark.parametrize(
    ("path", "status", "part"),
    [
        ("records?limt=1", 400, "got 'limt'"),
        ("records?kind=run&kind=model", 400, "expected kind once, got it 2 times"),
        ("records?limit=201", 400, "less than or equal to 200"),
        ("records?limit=x", 400, "'x'"),
        ("records?where=accuracy", 400, "expected a field such as metrics.accuracy"),
        ("records?kind=nothing", 400, "expected a kind, got 'nothing'"),
        ("records?author=0x1", 400, "author"),
        ("records?since=yesterday", 400, "expected a date or time"),
        ("records?status=lost", 400, "'lost'"),
        (f"records?after={ID}", 404, f"got {ID}"),
        ("records/0xab", 400, "expected a record id"),
        (f"records/{ID}", 404, f"got {ID}"),
        (f"records/{ID}/lineage", 404, f"got {ID}"),
        (f"records/{ID}/proof", 404, "expected a record whose key is published"),
        (f"records/{ID}/lineage?depth=11", 400, "less than or equal to 10"),
        (f"manifests/{'ab' * 32}", 404, "expected a published manifest"),
        ("files/abc", 400, "expected a SHA-256"),
        ("nothing", 404, "Not Found"),
        ("records/", 404, "Not Found"),
        (f"records?text={'a' * 9000}", 414, "at most 8192 bytes"),
    ],
)
def test_a_wrong_question_is_told_what_was_expected_and_what_to_do(
    server: Served, path: str, status: int, part: str
) -> None:
    answer = server.get(path)
    told = answer.json()
    assert (answer.status_code, told["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert part in told["detail"], told
    assert told["type"].startswith("urn:blockchaintracer:problem:")


def test_a_page_begins_at_a_place_of_its_order(server: Served, rows: list[Row]) -> None:
    answer = server.get(f"records?sort=metrics.unknown&after={rows[3].id}")
    assert (answer.status_code, answer.json()["hint"]) == (404, "Begin again with the first page.")


def test_nothing_can_be_written(server: Served) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "TRACE"):
        answer = server.ask(method, "records")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    answer = server.ask("GET", "records", content=b"something")
    assert (answer.status_code, "without a body" in answer.json()["detail"]) == (413, True)


def test_the_log_has_no_query(server: Served) -> None:
    server.log.clear()
    server.get("records?text=secret%20thing")
    server.get("x%0a%1b[2J")
    [asked, odd] = server.log
    assert asked.startswith("GET /v1/records 200 ")
    assert "secret" not in asked
    assert odd.isprintable()


def test_a_question_that_takes_too_long_or_too_many_at_once(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "_STEPS", 1)
    late = Served(index.path, seconds=-1).get("records?limit=1")
    assert (late.status_code, late.headers["retry-after"]) == (503, "2")
    assert "answered in time" in late.json()["detail"]
    full = Served(index.path, threads=1, waiting=-1).get("records?limit=1")
    assert (full.status_code, "than can wait" in full.json()["detail"]) == (503, True)


def test_an_index_that_is_not_there_or_replaced(index: Index, tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    server = Served(path)
    assert server.get("records").status_code == 503
    with Index(path):
        assert "not been read yet" in server.get("records").json()["detail"]
    with Index(tmp_path / "another") as another:
        fill(another, 20)
    # as an index does that finds its file damaged
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    (tmp_path / "another").replace(path)
    assert len(server.get("records").json()["records"]) == 20
    path.write_bytes(b"damaged" * 1000)
    broken = server.get("records?limit=3")
    assert (broken.status_code, broken.headers["content-type"]) == (503, "application/problem+json")


def test_a_lineage_is_bounded_and_says_so(server: Served, rows: list[Row], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = (server.get(f"records/{row.id}/lineage?depth=10").json() for row in rows)
    whole = next(answer for answer in asked if len(answer["nodes"]) > 10)
    assert {node["moreRetracted"] for node in whole["nodes"]} <= {True, False}
    retracted = {node["id"] for node in whole["nodes"] if node["retractedAncestors"]}
    monkeypatch.setattr(registry_answers, "MAX_NODES", 5)
    short = server.get(f"records/{whole['root']}/lineage?depth=9").json()
    assert (len(short["nodes"]), short["isComplete"]) == (6, False)
    monkeypatch.setattr(registry_answers, "MAX_FOLLOWED", 3)
    fewer = server.get(f"records/{whole['root']}/lineage?depth=8").json()
    assert {node["moreRetracted"] for node in fewer["nodes"]} == {None}
    assert retracted >= {node["id"] for node in fewer["nodes"] if node["retractedAncestors"]}
