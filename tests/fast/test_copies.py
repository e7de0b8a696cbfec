"""Copies by digest: the first whole one is used, and what came of the others is told apart."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from blockchaintracer.core.digest import DEFAULT_PROFILE, digest_bytes
from blockchaintracer.core.errors import ChainUnavailable, InputError, NotVerified, StoreError
from blockchaintracer.core.formats import PUBLISHED
from blockchaintracer.core.manifest import Manifest, RunPredicate
from blockchaintracer.core.record import Kind, RecordKey
from blockchaintracer.core.verify.content_checks import checked_manifest
from blockchaintracer.core.verify.copies import (
    CHUNK,
    VERSION_FILE,
    Copy,
    Damaged,
    Differences,
    FolderCopies,
    GivenFiles,
    SourceError,
    compare_files,
    object_name,
)
from blockchaintracer.core.verify.outcomes import Check, Conclusion, Outcome, Report

DATA = b"what was recorded"
DIGEST = hashlib.sha256(DATA).hexdigest()


def put(folder: Path, data: bytes, digest: str = DIGEST) -> Path:
    path = folder / object_name(digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    for name in ("whole", "damaged", "empty"):
        (tmp_path / name).mkdir()
    put(tmp_path / "whole", DATA)
    put(tmp_path / "damaged", DATA[:-1] + b"!")
    return {name: tmp_path / name for name in ("whole", "damaged", "empty", "nowhere")}


def test_an_object_has_the_name_of_its_digest() -> None:
    assert object_name("ab" + "cd" * 31) == "objects/ab/" + "cd" * 31


def test_the_first_whole_copy_is_used(folders: dict[str, Path]) -> None:
    names = ("nowhere", "empty", "damaged", "whole", "damaged")
    with FolderCopies([folders[name] for name in names]).find_copy(DIGEST) as copy:
        assert copy.path == folders["whole"] / object_name(DIGEST)
        assert copy.path.read_bytes() == DATA
        assert copy.where == str(copy.path)
        assert copy.digest
        assert (copy.digest.sha256, copy.digest.size, copy.digest.cid) == (DIGEST, len(DATA), "")
        assert copy.told == [f"{folders['nowhere']} is no published folder", f"{folders['empty']} does not have it"]
        [bad] = copy.damaged
        assert bad.where == str(folders["damaged"] / object_name(DIGEST))
        assert bad.sha256 == hashlib.sha256(DATA[:-1] + b"!").hexdigest()
        assert bad.differences == Differences(len(DATA) - 1, ((0, len(DATA) - 1),), 1, 1, (len(DATA), len(DATA)))
        assert copy.unavailable == []
        assert copy.wrong is None


def test_without_a_whole_copy_none_is_given(folders: dict[str, Path]) -> None:
    with FolderCopies([folders["damaged"]]).find_copy(DIGEST) as copy:
        assert (copy.path, copy.where, copy.digest) == (None, "", None)
        assert [bad.differences for bad in copy.damaged] == [None]
    with FolderCopies().find_copy(DIGEST) as copy:
        assert copy == Copy()


def test_a_copy_that_is_too_large_does_not_count(folders: dict[str, Path]) -> None:
    copies = FolderCopies([folders["whole"]])
    for limit, whole in ((len(DATA), True), (len(DATA) - 1, False)):
        with copies.find_copy(DIGEST, limit=limit) as copy:
            assert (copy.digest is not None) is whole
            assert len(copy.damaged) == (not whole)
        assert copies.read_bytes(DIGEST, limit)[0] == (DATA if whole else None)


def test_the_cid_is_computed_if_its_profile_is_known(folders: dict[str, Path]) -> None:
    copies = FolderCopies([folders["whole"]])
    for profile, cid in ((DEFAULT_PROFILE, digest_bytes(DATA).cid), ("other", ""), (None, "")):
        with copies.find_copy(DIGEST, cid_profile=profile) as copy:
            assert copy.digest
            assert copy.digest.cid == cid


def test_a_copy_that_cannot_be_read_is_unavailable(folders: dict[str, Path]) -> None:
    path = folders["empty"] / object_name(DIGEST)
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    with FolderCopies([folders["empty"], folders["damaged"]]).find_copy(DIGEST) as copy:
        assert copy.digest is None
        assert len(copy.damaged) == 1
        [reason] = copy.unavailable
        assert reason.startswith(f"{folders['empty']} ")
        assert "FIFO" in reason
        assert copy.reasons == [str(copy.damaged[0]), reason]


def test_bytes_that_change_after_they_were_hashed_are_not_given(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = FolderCopies([folders["whole"]])
    assert copies.read_bytes(DIGEST, 100)[0] == DATA
    monkeypatch.setattr("blockchaintracer.core.verify.copies.read_limited", lambda *asked: b"something else")
    data, copy = copies.read_bytes(DIGEST, 100)
    assert data is None
    assert copy.digest is None
    assert copy.unavailable == [f"{folders['whole'] / object_name(DIGEST)} changed while it was read"]


def test_what_was_read_is_told_to_the_progress(folders: dict[str, Path]) -> None:
    counted: list[int] = []
    copies = FolderCopies([folders["whole"]], counted.append)
    with copies.find_copy(DIGEST), copies.find_copy(DIGEST, cid_profile=DEFAULT_PROFILE):
        assert sum(counted) == 2 * len(DATA)


def test_nothing_is_decided_while_a_source_is_unavailable() -> None:
    copy = Copy()
    for source, error, kind in (
        ("none", SourceError("does not have it"), StoreError),
        ("liar", SourceError("gave 3 bytes", wrong=True), NotVerified),
        ("down", SourceError("can't be reached", unavailable=True), ChainUnavailable),
    ):
        copy.note(source, error)
        raised = copy.error("expected it", "a hint")
        assert type(raised) is kind
        assert raised.hint == "a hint"
    assert copy.told == ["none does not have it"]
    assert copy.damaged == [Damaged("liar", None, reason="gave 3 bytes")]
    assert copy.unavailable == ["down can't be reached"]
    liar = "the copy at liar is damaged: gave 3 bytes"
    assert raised.message == f"expected it: {liar}; none does not have it; down can't be reached"
    assert Copy().error("expected it", "").message == "expected it: no source was given"
    assert not SourceError("x").unavailable
    assert not SourceError("x").wrong


@pytest.mark.parametrize(
    ("original", "other", "expected"),
    [
        (b"", b"", None), (b"abc", b"abc", None), (bytes(3 * CHUNK), bytes(3 * CHUNK), None),
        (b"abc", b"abd", Differences(2, ((0, 2),), 1, 1, (3, 3))),
        (b"abc", b"ab", Differences(2, ((0, 2),), 1, 1, (3, 2))),
        (b"", b"ab", Differences(0, ((0, 1),), 1, 1, (0, 2))),
        (bytes(CHUNK) + b"a", bytes(CHUNK) + b"b", Differences(CHUNK, ((CHUNK, CHUNK),), 1, 2, (CHUNK + 1, CHUNK + 1))),
        (b"a" * 3 * CHUNK, b"b" * CHUNK + b"a" * CHUNK + b"c" * CHUNK,
         Differences(0, ((0, CHUNK - 1), (2 * CHUNK, 3 * CHUNK - 1)), 2, 3, (3 * CHUNK, 3 * CHUNK))),
        (b"a" * 4 * CHUNK, b"b" * CHUNK + b"a" * CHUNK + b"c" * 2 * CHUNK,
         Differences(0, ((0, CHUNK - 1), (2 * CHUNK, 4 * CHUNK - 1)), 3, 4, (4 * CHUNK, 4 * CHUNK))),
        (b"a" * 2 * CHUNK, b"b" * 2 * CHUNK, Differences(0, ((0, 2 * CHUNK - 1),), 2, 2, (2 * CHUNK, 2 * CHUNK))),
        (bytes(CHUNK), bytes(CHUNK + 5), Differences(CHUNK, ((CHUNK, CHUNK + 4),), 1, 2, (CHUNK, CHUNK + 5))),
    ],
)  # fmt: skip
def test_where_files_differ(tmp_path: Path, original: bytes, other: bytes, expected: Differences | None) -> None:
    # as the words say
    assert CHUNK == 1 << 20
    (tmp_path / "one").write_bytes(original)
    (tmp_path / "two").write_bytes(other)
    assert compare_files(tmp_path / "one", tmp_path / "two") == expected


def test_differences_are_told_in_words() -> None:
    ranges = tuple((start, start + 1) for start in range(0, 40, 4))
    assert str(Differences(0, ranges[:2], 2, 9, (40, 40))) == (
        "it differs from byte 0 on, in 2 of 9 chunks of 1 MiB: bytes 0-1, 4-5"
    )
    told = str(Differences(3, ranges, 10, 10, (40, 41)))
    assert told.endswith(
        "bytes 0-1, 4-5, 8-9, 12-13, 16-17, 20-21, 24-25, 28-29 and 2 more ranges; its size is 41 bytes, not 40"
    )
    assert "more" not in str(Differences(3, ranges[:8], 8, 10, (40, 40)))
    damaged = Damaged("there", "ab", Differences(0, ranges[:1], 1, 1, (2, 2)))
    assert str(damaged) == (
        "the copy at there is damaged: its SHA-256 is ab, "
        "it differs from byte 0 on, in 1 of 1 chunks of 1 MiB: bytes 0-1"
    )


@pytest.mark.parametrize(
    ("verdicts", "conclusion"),
    [
        ("", Conclusion.VERIFIED), ("p", Conclusion.VERIFIED), ("pu", Conclusion.VERIFIED),
        ("pa", Conclusion.UNAVAILABLE),
        ("pf", Conclusion.NOT_VERIFIED), ("fa", Conclusion.NOT_VERIFIED), ("ua", Conclusion.UNAVAILABLE),
    ],
)  # fmt: skip
def test_what_checks_come_to(verdicts: str, conclusion: Conclusion) -> None:
    made = {
        "p": Check("p", Outcome.PASS, ""),
        "f": Check("f", Outcome.FAIL, ""),
        "u": Check("u", Outcome.UNKNOWN, ""),
        "a": Check("a", Outcome.UNKNOWN, "", {"unavailable": ["down"]}),
    }
    report = Report("x", "record", tuple(made[letter] for letter in verdicts), private=True)
    assert report.conclusion is conclusion
    assert [check.name for check in report.failed] == [letter for letter in verdicts if letter == "f"]
    assert [check.name for check in report.unknown] == [letter for letter in verdicts if letter in "ua"]
    assert [check.name for check in report.unavailable] == [letter for letter in verdicts if letter == "a"]
    told = report.as_json()
    assert told["outcome"] == conclusion.value
    assert told["verified"] is {Conclusion.VERIFIED: True, Conclusion.NOT_VERIFIED: False}.get(conclusion)
    assert (told["failed"], told["unknown"]) == (len(report.failed), len(report.unknown))
    assert told["privateTestChain"] is True
    assert len(told["checks"]) == len(verdicts)


def test_a_conclusion_has_one_exit_code_and_one_colour() -> None:
    codes = {conclusion: conclusion.exit_code for conclusion in Conclusion}
    assert list(codes.values()) == [0, 1, 2, 3, 4, 5]
    assert codes[Conclusion.UNAVAILABLE] == 3
    colours = {conclusion.value: conclusion.colour() for conclusion in Conclusion}
    assert colours == {
        "verified": "green", "not verified": "red", "wrong use": "red", "unavailable": "yellow", "consistent": "yellow",
        "inconclusive": "yellow",
    }  # fmt: skip
    assert Conclusion.VERIFIED.colour(private=True) == "yellow"
    assert Conclusion.NOT_VERIFIED.colour(private=True) == "red"


class Fetched(FolderCopies):
    """Copies that come from elsewhere: `given` has the bytes of each source, None if it has none."""

    def __init__(self, given: dict[str, bytes | None]) -> None:
        super().__init__([*given])
        self.given = given

    def _locate(self, source: str, sha256: str, scratch: Path, limit: int | None) -> Path | None:
        data = self.given[source]
        scratch.parent.mkdir(exist_ok=True)
        return scratch if data is not None and scratch.write_bytes(data) is not None else None


def test_a_copy_that_is_fetched_has_the_name_of_its_source(tmp_path: Path) -> None:
    given = {"none": None, "liar": DATA[:-1] + b"!", "good": DATA}
    with Fetched(given).find_copy(DIGEST) as copy:
        assert copy.path
        assert copy.path.read_bytes() == DATA
        assert copy.where == "good"
        assert copy.damaged == [Damaged("liar", hashlib.sha256(DATA[:-1] + b"!").hexdigest())]
        assert copy.told == []
        scratch = copy.path.parent
        assert scratch.name.startswith("blockchaintracer-")
    assert not scratch.exists()


@pytest.mark.parametrize("elsewhere", ["a", "z"])
def test_a_copy_in_a_folder_is_named_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: str
) -> None:
    (tmp_path / elsewhere).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / elsewhere))
    path = put(tmp_path / "m", DATA)
    with FolderCopies([tmp_path / "m"]).find_copy(DIGEST) as copy:
        assert copy.where == str(path)
    with Fetched({"good": DATA}).find_copy(DIGEST) as copy:
        assert copy.where == "good"


def test_a_digest_that_is_smaller_or_larger_is_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()
    path = put(tmp_path, DATA)
    for other in (b"0", b"20"):
        digest = hashlib.sha256(other).hexdigest()
        seen.add(digest > DIGEST)
        path.write_bytes(other)
        with FolderCopies([tmp_path]).find_copy(DIGEST) as copy:
            assert (copy.digest, copy.damaged) == (None, [Damaged(str(path), digest)])
        path.write_bytes(DATA)
        with monkeypatch.context() as patched:
            patched.setattr("blockchaintracer.core.verify.copies.read_limited", lambda *asked, it=other: it)
            assert FolderCopies([tmp_path]).read_bytes(DIGEST, 100)[0] is None
    assert seen == {True, False}


def test_what_cannot_be_read_after_it_was_hashed_is_unavailable(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*asked: object) -> bytes:
        raise InputError("it is gone")

    monkeypatch.setattr("blockchaintracer.core.verify.copies.read_limited", gone)
    data, copy = FolderCopies([folders["whole"]]).read_bytes(DIGEST, 100)
    assert (data, copy.digest) == (None, None)
    assert copy.unavailable == [f"{folders['whole'] / object_name(DIGEST)} changed while it was read"]
    data, copy = FolderCopies([folders["damaged"]]).read_bytes(DIGEST, 100)
    assert (data, copy.unavailable, len(copy.damaged)) == (None, [], 1)


def test_a_copy_that_is_too_large_is_told_with_the_limit(folders: dict[str, Path]) -> None:
    with FolderCopies([folders["whole"]]).find_copy(DIGEST, limit=3) as copy:
        assert copy.damaged == [Damaged(str(folders["whole"]), None, reason="has more than the 3 bytes allowed")]


def test_a_folder_of_another_version_is_unavailable(folders: dict[str, Path]) -> None:
    file, copies = folders["whole"] / VERSION_FILE, FolderCopies([folders["whole"]])
    for header, whole in ((PUBLISHED.header(), True), (PUBLISHED.header() | {"type": f"{PUBLISHED.prefix}v2"}, False)):
        file.write_text(json.dumps(header))
        with copies.find_copy(DIGEST) as copy:
            assert (copy.digest is not None) is whole
            told = f"{folders['whole']} {folders['whole']}: it is written in version 2 of published; "
            assert copy.unavailable == [] if whole else copy.unavailable[0].startswith(told)


def test_given_files_come_first_and_other_copies_for_the_rest(folders: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(DATA)
    (tmp_path / "more").write_bytes(b"more")
    counted: list[int] = []
    others = FolderCopies([folders["damaged"], folders["whole"]], counted.append)
    given = GivenFiles([tmp_path / "data", tmp_path / "more", folders["empty"]], others)
    assert sum(counted) == len(DATA) + 4
    assert given.files == {DIGEST: tmp_path / "data", hashlib.sha256(b"more").hexdigest(): tmp_path / "more"}
    assert given.progress is not None
    with given.find_copy(DIGEST) as copy:
        assert (copy.path, copy.where, copy.damaged) == (tmp_path / "data", str(tmp_path / "data"), [])
    (tmp_path / "data").write_bytes(b"changed meanwhile")
    with given.find_copy(DIGEST) as copy:
        assert [bad.where for bad in copy.damaged] == [str(tmp_path / "data")]
    given = GivenFiles([tmp_path / "more"], others)
    with given.find_copy(DIGEST, limit=len(DATA), cid_profile=DEFAULT_PROFILE) as copy:
        assert copy.path == folders["whole"] / object_name(DIGEST)
        assert len(copy.damaged) == 1
        assert copy.digest == digest_bytes(DATA)
    assert given.read_bytes(DIGEST, len(DATA))[0] == DATA
    assert given.read_bytes(DIGEST, len(DATA) - 1)[0] is None


def test_a_manifest_names_the_damaged_copies_that_were_passed_over(folders: dict[str, Path]) -> None:
    predicate = RunPredicate(run_id="5e1f6f9e-2f0b-4a51-9a49-0f5ac1c6a1de", name="run", status="completed")
    manifest = Manifest.of(Kind.RUN, predicate)
    data, digest, subject_type = manifest.to_bytes(), manifest.digest(), manifest.subject_type
    key = RecordKey(1, "0x" + "11" * 20, subject_type, manifest.subject_digest, Kind.RUN, digest)
    put(folders["whole"], data, digest)
    put(folders["damaged"], data[:-1], digest)
    copies = FolderCopies([folders["damaged"], folders["whole"]])
    read, checks = checked_manifest(copies, key)
    assert read == manifest
    assert [(it.name, it.verdict) for it in checks] == [("manifest", Outcome.PASS), ("agreement", Outcome.PASS)]
    assert f"passed over: the copy at {folders['damaged']}" in checks[0].detail
    _, checks = checked_manifest(copies, replace(key, subject="ab" * 32))
    assert [it.verdict for it in checks] == [Outcome.PASS, Outcome.FAIL]
    _, checks = checked_manifest(FolderCopies([folders["damaged"]]), key)
    assert [it.verdict for it in checks] == [Outcome.FAIL]
