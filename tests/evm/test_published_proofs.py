"""What is published beside the objects is found: from Python as by `verify`, by file as by id, in folders and at URLs.

What stands there and cannot be read is named.
"""

from __future__ import annotations

import os
import shutil
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import pytest

from blockchaintracer import Trust
from blockchaintracer import verify as verify_from_python
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.verify import Report
from blockchaintracer.extras.report.documentation import DocumentationTracer
from blockchaintracer.lab.verify_here import verify
from tests.support.memory_node import MODES, answering, forgetful
from tests.support.registry_life import FULL, Life, live
from tests.support.serving import serving

LAST = 20


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    return live(tmp_path_factory.mktemp("life"))


def trust(life: Life) -> Trust:
    return Trust(registry=life.lab.registry_address, chain_id=life.node.chain.chain_id, rpc=FULL)


def proofs(report: Report) -> list[str]:
    return [check.detail for check in report.checks if check.name == "proof"]


def test_python_finds_batched_records_by_id_and_by_file(life: Life) -> None:
    with answering(full=life.node.answer):
        for target in (life.ids["batched"], life.files["batched"], str(life.files["batched"])):
            report = verify_from_python(target, trust(life), copies=life.published)
            assert report.verified, report.checks
            assert [record.id for record in report.records] == [life.ids["batched"]]
            assert report.looked_up_as == "batch"
        assert not verify_from_python(life.ids["batched"], trust(life)).verified, "without the folder it is unknown"


@pytest.mark.parametrize("mode", MODES)
def test_python_takes_the_keys_of_what_a_node_has_forgotten(life: Life, mode: str) -> None:
    with answering(full=forgetful(life.node, mode, LAST)):
        for name in ("data", "stored", "batched", "late"):
            report = verify_from_python(life.ids[name], trust(life), copies=life.published)
            assert report.verified, report.checks
            without = verify_from_python(life.ids[name], trust(life))
            assert str(without.conclusion) == "unavailable"


def test_at_an_address_a_batched_record_is_found_by_its_file(life: Life, tmp_path: Path) -> None:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    with answering(full=life.node.answer), serving(partial(Quiet, directory=str(life.published))) as url:
        lab = life.open_lab(tmp_path / "home", FULL)
        for target in (life.ids["batched"], str(life.files["batched"])):
            report = verify(lab, target, sources=[url])
            assert str(report.conclusion) == "verified", report.checks
            assert [record.id for record in report.records] == [life.ids["batched"]]
        (tmp_path / "another").write_bytes(b"another")
        assert str(verify(lab, str(tmp_path / "another"), sources=[url]).conclusion) == "not verified"


BAD = {
    "fifo": os.mkfifo,
    "giant": lambda path: os.truncate(path.open("wb").name, 3 << 20),
    "damaged": lambda path: path.write_bytes(b"{"),
    "a folder": Path.mkdir,
}


@pytest.mark.parametrize("what", BAD)
def test_a_proof_that_cannot_be_read_is_named(life: Life, tmp_path: Path, what: str) -> None:
    folder = tmp_path / "published"
    shutil.copytree(life.published, folder)
    for name in ("batched", "data"):
        file = folder / "proofs" / f"{life.ids[name]}.json"
        file.unlink()
        BAD[what](file)
    alias = next(file for file in (folder / "proofs").glob("*.json") if not file.name.startswith("0x"))
    alias.unlink()
    with answering(full=life.node.answer):
        lab = life.open_lab(tmp_path / "home", FULL)
        for report in (
            verify(lab, life.ids["batched"], sources=[folder]),
            verify_from_python(life.ids["batched"], trust(life), copies=folder),
        ):
            assert str(report.conclusion) == "not verified"
            assert any(life.ids["batched"] in detail for detail in proofs(report)), report.checks
    with answering(full=forgetful(life.node, "4444", LAST)):
        lab = life.open_lab(tmp_path / "home", FULL)
        report = verify(lab, life.ids["data"], sources=[folder])
        assert str(report.conclusion) == "unavailable", "a file of a stranger decides nothing"
        assert any(life.ids["data"] in detail for detail in proofs(report)), report.checks
    # what was looked for is there: others are not named
    with answering(full=life.node.answer):
        assert proofs(verify(lab, life.ids["late"], sources=[folder])) == []


def test_a_report_takes_no_chain_that_nobody_chose(life: Life, tmp_path: Path) -> None:
    chain_id = life.node.chain.chain_id
    with answering(full=life.node.answer):
        tracer = DocumentationTracer(life.ids["run"], home=tmp_path, rpc=FULL, registry=life.lab.registry_address)
        with pytest.raises(InputError, match=f"got one of chain {chain_id}"):
            tracer.generate_documentation()
        chosen = DocumentationTracer(
            life.ids["run"], home=tmp_path, rpc=FULL, registry=life.lab.registry_address, chain_id=chain_id
        )
        assert chosen._lab.registry.address == life.lab.registry.address
        # this home has written to the chain
        assert DocumentationTracer(home=life.lab.home.path, rpc=FULL)._lab.chain.chain_id == chain_id
