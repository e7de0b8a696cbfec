"""Which files of a folder may be executed is recorded, restored and verified beside its digest."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.digest import digest_bytes, digest_folder
from blockchaintracer.core.manifest import ContentPredicate, Manifest, parse_manifest
from blockchaintracer.core.record import Kind
from blockchaintracer.core.verify import Check, Outcome
from blockchaintracer.extras.reproduce.rerun import Workspace, _put
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lookup import required_record
from blockchaintracer.lab.recording.commit import commit
from blockchaintracer.lab.recording.content import known_record, record_content
from blockchaintracer.lab.verify_here import verify


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    content = os.urandom(8).hex()
    for name in ("bin/run.sh", "data.csv", "setup", "ü/läuft"):
        path = tmp_path / "tool" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n# {name} {content}\n")
    for name in ("bin/run.sh", "ü/läuft"):
        (tmp_path / "tool" / name).chmod(0o744)
    return tmp_path / "tool"


def said(lab: Lab, manifest: str) -> ContentPredicate:
    predicate = parse_manifest(lab.store.get_bytes(manifest)).predicate
    assert isinstance(predicate, ContentPredicate)
    return predicate


def checked(lab: Lab, *arguments: Any, **more: Any) -> list[Check]:
    return [check for check in verify(lab, *arguments, **more).checks if check.name == "executable"]


def test_equal_bits_are_the_equal_manifest_and_the_digest_is_of_the_bytes_alone(lab: Lab, folder: Path) -> None:
    made = record_content(lab, Kind.SOFTWARE, folder)
    assert said(lab, made.manifest).executable == ("bin/run.sh", "ü/läuft")
    # what group and others may do is nothing of the content's
    (folder / "bin/run.sh").chmod(0o700)
    (folder / "data.csv").chmod(0o655)
    assert record_content(lab, Kind.SOFTWARE, folder).manifest == made.manifest
    (folder / "bin/run.sh").chmod(0o600)
    other = record_content(lab, Kind.SOFTWARE, folder)
    assert other.subject == made.subject
    assert said(lab, other.manifest).executable == ("ü/läuft",)
    # a run that reads it names the record with these very bits
    known = known_record(lab, Kind.SOFTWARE, folder)
    assert known
    assert known.id == other.id
    (folder / "setup").chmod(0o755)
    assert known_record(lab, Kind.SOFTWARE, folder) is None


def test_without_a_program_the_manifest_is_what_it_was(lab: Lab, folder: Path) -> None:
    for name in ("bin/run.sh", "ü/läuft"):
        (folder / name).chmod(0o640)
    made = record_content(lab, Kind.DATASET, folder)
    found = digest_folder(folder)
    listing = digest_bytes(found.listing)
    plain = f'{{"cid":"{listing.cid}","cidProfile":"unixfs-v1-2025","fileCount":4,"size":{found.size},'
    assert plain + '"subjectType":"folder"}' in lab.store.get_bytes(made.manifest).decode()
    assert checked(lab, str(folder)) == []


def test_verify_names_the_files_whose_bit_differs(lab: Lab, folder: Path, tmp_path: Path) -> None:
    made = record_content(lab, Kind.SOFTWARE, folder)
    [same] = checked(lab, str(folder))
    assert (same.verdict, "2 of 4" in same.detail) == (Outcome.PASS, True)
    [kept] = checked(lab, made.id)
    assert kept.verdict is Outcome.PASS
    (folder / "bin/run.sh").chmod(0o644)
    (folder / "setup").chmod(0o755)
    for report in (verify(lab, str(folder)), verify(lab, made.id, path=folder)):
        [wrong] = [check for check in report.checks if check.name == "executable"]
        assert (wrong.verdict, wrong.values) == (Outcome.FAIL, {"lost": ["bin/run.sh"], "gained": ["setup"]})
        assert "bin/run.sh" in wrong.detail
        assert not report.verified
    # it's about what is shown: the record is as good as before
    assert verify(lab, made.id).verified
    # beside a file that was changed, too
    (folder / "data.csv").write_text("changed")
    failed = {check.name for check in verify(lab, made.id, path=folder).checks if check.verdict is Outcome.FAIL}
    assert {"content data.csv", "executable"} <= failed


def test_where_nothing_was_recorded_of_it_nothing_is_claimed(lab: Lab, folder: Path) -> None:
    """As of records from before this was known: a program there is neither right nor wrong."""
    found = lab.store.put_folder(folder)
    listing = digest_bytes(found.listing)
    content = ContentPredicate(
        subject_type="folder", size=found.size, cid=listing.cid, cid_profile=listing.cid_profile, file_count=4
    )
    commit(lab, Manifest.of(Kind.SOFTWARE, content, found.sha256), ())
    [unknown] = checked(lab, str(folder))
    assert unknown.verdict is Outcome.UNKNOWN
    assert verify(lab, str(folder)).verified


def test_a_manifest_that_lists_what_the_folder_lacks_is_told(lab: Lab, folder: Path) -> None:
    found = lab.store.put_folder(folder)
    listing = digest_bytes(found.listing)
    content = ContentPredicate(
        subject_type="folder",
        size=found.size,
        cid=listing.cid,
        cid_profile=listing.cid_profile,
        file_count=4,
        executable=("absent", "ü/läuft"),
    )
    made = commit(lab, Manifest.of(Kind.SOFTWARE, content, found.sha256), ())
    [wrong] = checked(lab, made.id)
    assert (wrong.verdict, wrong.values) == (Outcome.FAIL, {"unknown": ["absent"]})
    [wrong] = checked(lab, made.id, path=folder)
    assert (wrong.verdict, wrong.values["lost"]) == (Outcome.FAIL, ["absent"])


def test_a_repeated_run_gets_its_programs(lab: Lab, folder: Path, tmp_path: Path) -> None:
    made = record_content(lab, Kind.SOFTWARE, folder)
    record = required_record(lab, made.id)
    place = Workspace(tmp_path / "place")
    place.code.mkdir(parents=True)
    target = place.code / "tool"
    assert _put(lab, record, target, place, [])
    assert digest_folder(target).executable == ("bin/run.sh", "ü/läuft")
    assert digest_folder(target).sha256 == made.subject
    # git had it all, but for the bits
    shutil.copytree(folder, place.code / "other")
    for path in (place.code / "other").rglob("*.*"):
        path.chmod(0o644)
    (place.code / "other" / "setup").chmod(0o755)
    assert not _put(lab, record, place.code / "other", place, [])
    assert digest_folder(place.code / "other").executable == ("bin/run.sh", "ü/läuft")


def predicate(**more: Any) -> ContentPredicate:
    cid = digest_bytes(b"").cid
    values = {"subject_type": "folder", "size": 0, "cid": cid, "cid_profile": "unixfs-v1-2025", "file_count": 9}
    return ContentPredicate(**{**values, **more})
