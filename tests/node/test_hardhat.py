"""The main jobs on Hardhat's node: nothing here needs what only anvil has. One lab records, another one checks."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.hardhat import RICH, hardhat
from tests.support.labs import typed

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Runs a verb of one of two labs on a Hardhat node: its JSON."""
    folder = tmp_path_factory.mktemp("hardhat")
    with hardhat(folder / "user") as url:

        def run(*arguments: Any, lab: int = 0, code: int = 0) -> Any:
            more = {"BLOCKCHAINTRACER_RPC": url, "BLOCKCHAINTRACER_PRIVATE_KEY": RICH[lab]}
            done = typed(*map(str, arguments), "--json", home=folder / f"lab {lab}", **more)
            assert done.returncode == code, done.stdout + done.stderr
            return json.loads(done.stdout)

        yield run


@pytest.fixture(scope="module")
def records(run: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Two groups; a dataset, a model trained on it that the other group reviewed, a batched file."""
    files = {name: tmp_path_factory.mktemp("files") / f"{name}.bin" for name in ("data", "model", "batched")}
    for file in files.values():
        file.write_bytes(os.urandom(60))
    registry = run("deploy", "--open")["registry"]
    run("group", "create", "The lab")
    run("group", "create", "Reviewers", "--registry", registry, lab=1)
    data = run("record", "--dataset", files["data"])["id"]
    model = run("record", "--model", files["model"], "--parent", f"{data}:trained-on")["id"]
    run("attest", model, "reviewed", "--registry", registry, lab=1)
    batched = run("batch", "add", "--dataset", files["batched"])["id"]
    run("batch", "anchor")
    run("materialize", batched)
    return {"registry": registry, "data": data, "model": model, "batched": batched, "file": str(files["model"])}


def test_records_and_files_are_verified(run: Run, records: dict[str, str]) -> None:
    for what in (records["model"], records["file"], records["batched"]):
        report = run("verify", what, "--registry", records["registry"], "--chain-id", 4949, lab=1)
        assert report["outcome"] == "verified"
    assert run("status", records["model"])["verdicts"][0]["verdict"] == "reviewed"
    unknown = Path(records["file"]).with_name("unknown")
    unknown.write_bytes(b"nobody recorded this")
    assert run("verify", unknown, code=1)["outcome"] == "not verified"


def test_records_are_found_with_the_times_of_their_blocks(run: Run, records: dict[str, str]) -> None:
    found = run("query", "--ascending")
    assert [row["id"] for row in found["records"]] == [records[name] for name in ("data", "model", "batched")]
    assert run("query", "--until", "2020-01-01")["records"] == []
    assert records["data"] in json.dumps(run("lineage", records["model"]))
    assert records["model"] in json.dumps(run("impact", records["data"]))


def test_a_report_and_a_bundle_are_made(run: Run, records: dict[str, str], tmp_path: Path) -> None:
    run("report", records["model"], "-o", tmp_path / "report")
    assert any((tmp_path / "report").iterdir())
    run("export-proof", records["model"], records["batched"], "-o", tmp_path / "proof.json")
    report = run("verify", "--proof", tmp_path / "proof.json", "--chain-id", 4949, lab=1)
    assert report["outcome"] == "verified"
