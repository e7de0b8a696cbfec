"""`serve` from PostgreSQL: the same answers as from SQLite, to the same questions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from benchmarks.index import fill, searches
from blockchaintracer.core.errors import InputError, StoreError
from blockchaintracer.core.record import Kind, Relation
from blockchaintracer.extras.lineage import lineage
from blockchaintracer.extras.search import Index
from blockchaintracer.extras.search.rows import utc
from blockchaintracer.extras.serve import readers
from blockchaintracer.extras.serve.postgresql import PostgresIndex
from blockchaintracer.extras.serve.published import PublishedFolder
from blockchaintracer.extras.serve.server import IndexPlace
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.recording.content import record_content
from tests.support.labs import shared_lab, typed
from tests.support.postgresql import postgresql
from tests.support.served import MADE_UP, Served

COUNT = 600
_CAMEL = {"ancestors_of": "ancestorsOf", "descendants_of": "descendantsOf"}


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with postgresql() as url:
        yield url


@pytest.fixture(scope="module")
def filled(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Served, list[str]]]:
    """Servers of the same records from SQLite and from PostgreSQL, and the ids."""
    path = tmp_path_factory.mktemp("index") / "index.sqlite"
    with Index(path) as index, PostgresIndex(database, "served_filled") as shared:
        ids = fill(index, COUNT)
        assert fill(shared, COUNT) == ids
        yield Served(path), Served(path, lambda: PostgresIndex(database, "served_filled", to_read=True)), ids


def both(filled: tuple[Served, Served, list[str]], path: str) -> Any:
    """The one answer of both."""
    ours, theirs = (server.get(path) for server in filled[:2])
    assert (ours.status_code, ours.json()) == (theirs.status_code, theirs.json()), path
    return ours.json()


def test_the_same_answers_to_what_people_ask(filled: tuple[Served, Served, list[str]]) -> None:
    found = 0
    for _, search in islice(searches(filled[2]), 88):
        search.pop("offset", None)
        fields = {_CAMEL.get(name, name): value for name, value in search.items() if name != "descending"}
        fields |= {name: utc(fields[name]) for name in ("since", "until") if name in fields}
        fields["order"] = "descending" if search.get("descending", True) else "ascending"
        page = both(filled, f"records?{urlencode(fields, doseq=True)}")
        found += len(page["records"])
        if page["more"]:
            both(filled, f"records?{urlencode({**fields, 'after': page['next']}, doseq=True)}")
    assert found > 1000


@pytest.mark.parametrize(
    "path",
    [
        "health",
        "registry",
        "groups",
        "records?text=run-5",
        "records?text=TEMPL*",
        "records?text=%22%27%5C",
        "records?where=metrics.accuracy%20!%3D%200.5%20and%20not%20params.layers%20%3E%203",
        "records?where=params.optimizer%20%3E%3D%20b",
        "records?where=params.optimizer%20%3C%205",
        "records?where=params.layers%20%3E%3D%20a",
        "records?sort=params.optimizer",
        "records?sort=params.layers&order=ascending",
        "records?status=failed",
        "records?status=reproduced&status=recorded",
        "records?waitingFor=11&limit=9",
        "records?cid=bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
        "records?where=nothing",
        "records?since=2023-11-14&until=2023-11-14T22:20:00",
    ],
)
def test_the_same_answers_to_odd_questions(filled: tuple[Served, Served, list[str]], path: str) -> None:
    both(filled, path)


def test_the_same_records_lineages_and_files(filled: tuple[Served, Served, list[str]]) -> None:
    for record in filled[2][::40]:
        subject = both(filled, f"records/{record}")["record"]["subject"]
        both(filled, f"records/{record}/lineage?depth=6")
        both(filled, f"files/{subject}")
        both(filled, f"records/{record}/proof")


def test_what_a_record_rests_on_by_its_manifest(database: str, tmp_path: Path) -> None:
    shown = []
    for index in (Index(tmp_path / "index.sqlite"), PostgresIndex(database, "served_inputs")):
        with index:
            ids = fill(index, 60)
            db: Any = index._db
            db.execute("UPDATE links SET relation = ?", (int(Relation.REPRODUCES),))
            db.execute("UPDATE records SET retracted_at = 1 WHERE pk < 50")
            for child, parent in [
                tuple(row) for row in index.rows("SELECT child, parent FROM links ORDER BY child, parent")
            ]:
                # one in three names its parent as an input; of another PostgreSQL's JSON can't be read
                inputs = [[{"record": ids[parent - 1]}], [{"record": "\0"}, {"record": ids[0]}], "none"][child % 3]
                text = json.dumps({"predicate": {"inputs": inputs}})
                document = "(SELECT document FROM records WHERE pk = ?)"
                db.execute(f"UPDATE documents SET json = ? WHERE pk = {document}", (text, child))
            graphs = [lineage(index, record, 3, registry=MADE_UP) for record in ids[30:]]
            shown.append([{it: node.retracted_ancestors for it, node in graph.nodes.items()} for graph in graphs])
    assert shown[0] == shown[1]
    assert len({bool(above) for graph in shown[0] for above in graph.values()}) == 2


def test_a_question_that_takes_too_long(database: str, filled: tuple[Served, Served, list[str]]) -> None:
    with PostgresIndex(database, "served_filled", to_read=True) as index:
        with index.snapshot(0.05), pytest.raises(readers.Unanswered, match="answered in time"):
            index.rows("SELECT pg_sleep(5)")
        with index.snapshot(5):
            assert index.rows("SELECT 1 AS one")[0]["one"] == 1
        # nothing can be written by what reads
        with index.snapshot(5), pytest.raises(readers.Unanswered, match="ReadOnlySqlTransaction"):
            index.rows("DELETE FROM records")


def test_a_connection_that_ends_is_opened_again(database: str, filled: tuple[Served, Served, list[str]]) -> None:
    server = Served(Path(), lambda: PostgresIndex(database, "served_filled", to_read=True), threads=1)
    assert server.get("health").status_code == 200
    with PostgresIndex(database, "served_filled") as index:
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid != pg_backend_pid() AND usename = ?"
        index.rows(others, ("lab",))
    assert server.get("health").status_code == 503
    assert server.get("health").status_code == 200


def test_it_follows_a_chain_as_the_file_does(database: str, tmp_path: Path) -> None:
    with shared_lab(tmp_path / "lab") as lab:
        (tmp_path / "data").write_text("x")
        shown = record_content(lab, Kind.DATASET, tmp_path / "data", name="shown strain")
        (tmp_path / "hidden").write_text("y")
        record_content(lab, Kind.DATASET, tmp_path / "hidden", name="hidden strain")
        publish(lab, shown.id, tmp_path / "published")
        published = PublishedFolder(tmp_path / "published", tmp_path / "nothing")
        tables = []
        for url in (None, database):
            place = IndexPlace(published, tmp_path, url)
            with place.open() as index:
                index.sync(lab.registry, published.store)
                report = index.sync(lab.registry, published.store)
                assert (report.events, report.records, report.missing_manifests) == (0, 2, 1), "what is hidden"
                names = ("records", "documents", "blocks", "group_descriptions", "memberships", "facts", "links")
                tables.append({name: sorted(map(tuple, index.rows(f"SELECT * FROM {name}"))) for name in names})
        assert tables[0] == tables[1]
        assert "hidden strain" not in json.dumps(tables, default=str)
        # a manifest that is withdrawn leaves the database, too
        (published.store.path_of(shown.manifest)).unlink()
        place.withdraw()
        with place.open() as index:
            assert index.rows("SELECT * FROM documents") == []


def test_what_is_no_database_of_an_index_is_refused(database: str, tmp_path: Path) -> None:
    with PostgresIndex(database, "served_other") as index:
        index._db.script("COMMENT ON SCHEMA served_other IS 'of somebody else'")
    with pytest.raises(InputError, match="another program's"):
        PostgresIndex(database, "served_other")
    with pytest.raises(StoreError, match="can't be used now"):
        PostgresIndex(f"postgresql://lab@/none?host={tmp_path}", "served_x")
    done = typed("serve", "--database", "mysql://x", home=tmp_path / "home")
    assert (done.returncode, "postgresql://USER@HOST/NAME" in done.stderr) == (2, True)
    done = typed("serve", "--database", "postgresql://lab:secret@db.example/records", home=tmp_path / "home")
    assert (done.returncode, "without a password" in done.stderr, "secret" in done.stderr) == (2, True, False)
