"""What `query` prints and writes, and what is told of records that are in a batch only."""

import csv
import io
import json
from pathlib import Path

import pyarrow.parquet
import pytest

from blockchaintracer.lab.lab import Lab
from tests.support.labs import second_lab, typed, verb


@pytest.fixture(scope="module")
def runs(lab: Lab) -> list[str]:
    """Three runs of different parameters and one dataset's group, oldest first."""
    given = (("lr=0.1", "loss=1.5"), ("optimizer==1+1", "loss=0.5"), ("lr=adaptive", "loss=2.5"))
    done = [typed("record", "--param", a, "--metric", b, "--json", home=lab.home.path) for a, b in given]
    return [json.loads(one.stdout)["id"] for one in done]


def test_rows_beyond_the_limit_are_told(lab: Lab, runs: list[str]) -> None:
    home = lab.home.path
    found = json.loads(typed("query", "--kind", "run", "--limit", "2", "--json", home=home).stdout)
    assert ([one["id"] for one in found["records"]], found["more"]) == (runs[:0:-1], True)
    for form in ((), ("--csv",)):
        told = typed("query", "--kind", "run", "--limit", "2", *form, home=home)
        assert told.stderr == "There are more: --offset 2\n"
        assert runs[0] not in told.stdout
    rest = json.loads(typed("query", "--kind", "run", "--limit", "2", "--offset", "2", "--json", home=home).stdout)
    assert ([one["id"] for one in rest["records"]], rest["more"]) == (runs[:1], False)
    assert typed("query", "--kind", "run", "--limit", "3", home=home).stderr == ""


def test_parquet_holds_the_rows_of_the_csv(lab: Lab, runs: list[str], tmp_path: Path) -> None:
    home, file = lab.home.path, tmp_path / "runs.parquet"
    printed = [*csv.DictReader(io.StringIO(typed("query", "--kind", "run", "--csv", home=home).stdout))]
    done = typed("query", "--kind", "run", "--parquet", str(file), home=home)
    assert done.stdout == f"Wrote {file}: 3 records.\n"
    table = pyarrow.parquet.read_table(file)
    rows = table.to_pylist()
    assert table.column_names == [*printed[0]]
    # a spreadsheet runs no Parquet: a text stays as it is
    assert rows[1]["params.optimizer"] == "=1+1"
    printed[1]["params.optimizer"] = printed[1]["params.optimizer"].removeprefix("'")
    assert [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows] == printed
    kinds = {field.name: str(field.type) for field in table.schema}
    assert kinds["block"] == kinds["retracted_at"] == "int64"
    assert (kinds["params.lr"], kinds["metrics.loss"], kinds["has_manifest"]) == ("string", "double", "bool")

    # also of nothing, and with JSON on stdout
    done = typed("query", "nothing", "--parquet", str(file), "--json", home=home)
    assert json.loads(done.stdout) == {"records": [], "more": False, "file": str(file)}
    empty = pyarrow.parquet.read_table(file)
    assert (empty.num_rows, empty.column_names) == (0, [one for one in kinds if "." not in one])
    assert all(str(field.type) == kinds[field.name] for field in empty.schema)

    refused = typed("query", "--parquet", str(tmp_path / "no" / "file"), home=home)
    assert (refused.returncode, "can be written" in refused.stderr) == (2, True)


def test_without_pyarrow_the_extra_is_named(lab: Lab, runs: list[str], tmp_path: Path) -> None:
    (tmp_path / "pyarrow.py").write_text("raise ImportError('not installed')")
    file = tmp_path / "runs.parquet"
    done = verb("query", "--parquet", str(file), "--json", home=lab.home.path, PYTHONPATH=str(tmp_path))
    assert (done.returncode, json.loads(done.stdout)["error"]) == (2, "InputError")
    assert "blockchaintracer[tables]" in json.loads(done.stdout)["hint"]
    assert not file.exists()


def test_a_record_that_is_in_a_batch_only_is_told_so(lab: Lab, tmp_path: Path) -> None:
    home = lab.home.path
    (tmp_path / "data.csv").write_text("x,y\n1,2\n")
    added = typed("batch", "add", "--dataset", str(tmp_path / "data.csv"), "--json", home=home)
    [record] = json.loads(added.stdout)["records"]

    def hints(*verbs: str) -> set[str]:
        done = [typed(one, record["id"], "--json", home=home) for one in verbs]
        assert {one.returncode for one in done} == {2}
        return {json.loads(one.stdout)["hint"] for one in done}

    assert hints("lineage") == {"It's in the open batch: `blockchaintracer batch anchor` first."}
    root = json.loads(typed("batch", "anchor", "--json", home=home).stdout)["root"]
    assert hints("lineage", "impact", "score", "compare") == {
        f"It's in batch {root}: `blockchaintracer materialize {record['id']}` stores it."
    }
    told = typed("query", "--subject", record["subject"], home=home)
    assert "only in a batch are not searched" in told.stderr

    typed("materialize", record["id"], home=home)
    assert record["id"] in typed("query", "--subject", record["subject"], "--csv", home=home).stdout
    assert typed("lineage", record["id"], home=home).returncode == 0
    unknown = json.loads(typed("lineage", "ab" * 32, "--json", home=home).stdout)
    assert unknown["hint"].startswith("Check the id")


def test_names_of_others_come_from_where_they_publish(lab: Lab, tmp_path: Path) -> None:
    other = second_lab(lab, tmp_path / "other")
    (tmp_path / "soil.csv").write_text("of another lab\n")
    made = typed(
        "record", "--dataset", str(tmp_path / "soil.csv"), "--name", "Their soil", "--json", home=lab.home.path
    )
    record = json.loads(made.stdout)["id"]
    published = tmp_path / "published"
    assert typed("publish", record, "--to", str(published), home=lab.home.path).returncode == 0
    where = ("--rpc", lab.devnet.start().url, "--registry", lab.registry.address)

    def name(*more: str) -> object:
        rows = json.loads(typed("query", *more, *where, "--json", home=other.home.path).stdout)["records"]
        return next(row["name"] for row in rows if row["id"] == record)

    assert name() is None
    assert name("--from", str(tmp_path)) is None, "what a source does not have stays unknown"
    assert name("--from", str(published)) == "Their soil"
    assert name() == "Their soil"
