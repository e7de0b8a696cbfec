"""Recorded data that stay where they are, and what the lab's own home says of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.digest import digest_bytes
from blockchaintracer.core.errors import InputError, StoreError
from blockchaintracer.core.manifest import parse_manifest
from blockchaintracer.core.record import Kind
from blockchaintracer.core.verify.copies import object_name
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.recording import keep
from blockchaintracer.lab.recording.content import record_content
from blockchaintracer.lab.recording.request import Request, record_request
from blockchaintracer.lab.store.collect_garbage import collect_garbage, store_status
from blockchaintracer.lab.store.repair import repair_store
from blockchaintracer.lab.verify_here import verify
from tests.node.test_addresses import Server as Hub
from tests.support.labs import again, run_predicate, shared_lab, typed
from tests.support.serving import serving

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with shared_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


def test_the_home_says_that_a_recorded_file_has_changed_since(lab: Lab, tmp_path: Path) -> None:
    file, folder = tmp_path / "data.csv", tmp_path / "folder"
    file.write_bytes(b"1,2\n")
    folder.mkdir()
    (folder / "inner.csv").write_bytes(b"3\n")
    record, other = (record_content(lab, Kind.DATASET, path) for path in (file, folder))
    assert verify(lab, record.id).notes == verify(lab, other.id).notes == ()
    file.write_bytes(b"1,3\n")
    (folder / "inner.csv").unlink()
    report = verify(lab, record.id)
    assert report.verified, "the copy in the store is whole"
    assert f"has changed since: {file}, recorded on 20" in report.notes[0]
    assert "has changed since" in verify(lab, other.id).notes[0]
    (folder / "inner.csv").write_bytes(b"4\n")
    for path, recorded in ((file, record), (folder, other)):
        [note] = verify(lab, str(path)).notes
        assert note.startswith("It has changed since you recorded it on 20")
        assert f"(record {recorded.id})" in note, "of the file as it is now the lab has no record, and it knows why"
    (again := tmp_path / "again.csv").write_bytes(b"1,2\n")
    file.unlink()
    assert f"is gone: {file}" in verify(lab, record.id).notes[0]
    record_content(lab, Kind.DATASET, again)
    assert verify(lab, record.id).notes == (), "the same content lies elsewhere"


def test_what_stays_in_place_is_verified_published_and_repaired_where_it_lies(lab: Lab, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "deep").mkdir(parents=True)
    (folder / "one.csv").write_bytes(b"one\n")
    (folder / "deep/two.csv").write_bytes(b"two\n")
    request = Request(datasets=[folder], in_place=True)
    (record,), _ = record_request(lab, request, lambda count: None)
    digest = digest_bytes(b"two\n").sha256
    assert not lab.store.path_of(digest).exists()
    assert verify(lab, record.id).verified
    publish(lab, record.id, tmp_path / "published")
    assert store_status(lab, verify=True).damaged == []
    assert not repair_store(lab).left
    lab.__dict__.pop("store")
    collect_garbage(again(lab), older_than_s=0)
    (folder / "deep/two.csv").write_bytes(b"TWO\n")
    report = verify(lab, record.id)
    assert [check.name for check in report.failed] == ["subject deep/two.csv"]
    assert str(folder / "deep/two.csv") in report.failed[0].detail
    assert f"has changed since: {folder}" in report.notes[0]
    with pytest.raises(StoreError, match=r"deep/two\.csv has changed since it was recorded"):
        publish(lab, record.id, tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere" / object_name(digest)).exists()
    with pytest.raises(StoreError, match=r"deep/two\.csv is damaged"):
        publish(lab, record.id, tmp_path / "blocks.car")
    (left,) = repair_store(lab).left
    assert (left.was, str(folder / "deep/two.csv") in str(left.problem)) == ("changed", True)
    (folder / "deep/two.csv").unlink()
    assert any("deep/two.csv" in check.detail for check in verify(lab, record.id).unknown)
    with pytest.raises(StoreError, match=rf"missed .*{folder}/deep/two\.csv"):
        publish(lab, record.id, tmp_path / "elsewhere")
    assert not repair_store(lab, [tmp_path / "published"]).left
    assert verify(lab, record.id).verified


def test_a_person_is_asked_once_about_large_files(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keep, "ASK_IN_PLACE", 100)
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(b"1" * 100)
    large.write_bytes(b"1" * 101)
    asked: list[str] = []

    def answering(answer: bool) -> Lab:
        other = again(lab)
        other.confirm = lambda question: asked.append(question) or answer  # type: ignore[func-returns-value]
        return other

    assert not keep.stays_in_place(again(lab), None, [large]), "nobody is there"
    assert not keep.stays_in_place(answering(True), None, [small])
    assert keep.stays_in_place(answering(True), True, [small])
    assert asked == []
    assert keep.stays_in_place(answering(True), None, [large])
    assert keep.stays_in_place(answering(False), None, [large])
    assert keep.stays_in_place(again(lab), None, [large])
    assert not keep.stays_in_place(again(lab), False, [large])
    assert not keep.stays_in_place(again(lab), None, [small])
    assert len(asked) == 1
    with lab.changed_settings() as settings:
        settings["inPlaceAbove"] = False
    assert not keep.stays_in_place(answering(True), None, [large])
    assert len(asked) == 1
    with pytest.raises(InputError, match="--in-place or --encrypt-to"):
        keep.stays_in_place(lab, True, [large], keep.Keeping(recipients=["age1"]))


class Server(BaseHTTPRequestHandler):
    """Others' data."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"5,6\n")

    def log_message(self, *about: Any) -> None:
        pass


def test_data_of_others_are_recorded_by_their_address(lab: Lab, tmp_path: Path) -> None:
    with serving(Server) as server:
        named = server.replace("//", "//user:open-sesame@") + "/survey.csv?token=open-sesame"
        arguments = ["--dataset", named, "--allow-local", "--license", "CC-BY-4.0", "--citation", "Doe 2026"]
        done = typed("record", *arguments, "--json", home=lab.home.path)
        assert done.returncode == 0, done.stderr
        (record,) = json.loads(done.stdout)["records"]
    manifest = lab.store.get_bytes(record["manifest"])
    content = parse_manifest(manifest).predicate
    assert b"sesame" not in manifest
    assert (content.name, content.source) == ("survey.csv", f"{server}/survey.csv")
    assert (content.license, content.citation, content.size) == ("CC-BY-4.0", "Doe 2026", 4)
    digest = digest_bytes(b"5,6\n").sha256
    assert not lab.store.has(digest)
    report = verify(lab, record["id"])
    assert (report.verified, report.notes) == (True, ())
    assert [check.name for check in report.unknown] == ["subject"]
    published = publish(lab, record["id"], tmp_path / "published")
    assert any(f"{server}/survey.csv has them" in left for left in published.left_out)
    assert (tmp_path / "published" / object_name(record["manifest"])).exists(), "licence and citation go with it"
    assert not repair_store(again(lab)).left
    (tmp_path / "fetched.csv").write_bytes(b"5,6\n")
    assert verify(lab, str(tmp_path / "fetched.csv")).verified


def test_a_run_names_data_of_others_and_a_copy_is_kept_if_asked(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    fsspec, hub = pytest.importorskip("fsspec"), pytest.importorskip("huggingface_hub")
    constants = pytest.importorskip("huggingface_hub.constants")
    with fsspec.open("memory://others/data.csv", "wb") as file:
        file.write(b"7,8\n")
    addresses = ["memory://others/data.csv", "hf://datasets/lab/set/large.parquet"]
    with serving(Hub) as server:
        monkeypatch.setattr(constants, "ENDPOINT", server)
        hub.HfFileSystem.clear_instance_cache()
        request = Request(addresses=addresses, metrics=["accuracy=0.9"], allow_local=True)
        records, _ = record_request(lab, request, lambda count: None)
    run = run_predicate(lab, records[-1].id)
    assert {parent.record for parent in run.parents} == {record.id for record in records[:-1]}
    report = verify(lab, records[1].id)
    assert "it is the word of 127.0.0.1" in next(check.detail for check in report.checks if check.name == "digest")
    digest = digest_bytes(b"7,8\n").sha256
    assert not lab.store.has(digest)
    record_request(lab, Request(addresses=addresses[:1], in_place=False), lambda count: None)
    lab.store.verify(digest)
