"""Whether files are what a record names, without a chain: kept copies, and what somebody shows."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from blockchaintracer.core.digest import digest_bytes, digest_folder
from blockchaintracer.core.manifest import Artifact, ContentPredicate, Manifest, RunOutput
from blockchaintracer.core.manifest.predicates import Encrypted, PrivateValues
from blockchaintracer.core.record import Kind, RecordKey, SubjectType
from blockchaintracer.core.verify.content_checks import (
    Shown,
    check_artifacts,
    check_private,
    check_subject,
    passed_over,
    read_listing,
    same_name,
)
from blockchaintracer.core.verify.copies import Copy, Damaged, FolderCopies
from blockchaintracer.core.verify.outcomes import Check, Outcome
from tests.fast.test_copies import put
from tests.fast.test_executable import predicate
from tests.fast.test_manifest import RUN_ID, run_predicate

PASS, FAIL, UNKNOWN = Outcome.PASS, Outcome.FAIL, Outcome.UNKNOWN
FILES = {"a.txt": b"one", "sub/b.csv": b"two" * 9, "sub/c.csv": b"three"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in FILES.items():
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_bytes(data)
    return tmp_path / "data"


@pytest.fixture
def store(folder: Path, tmp_path: Path) -> Path:
    """A published folder with the listing of the folder, and its files."""
    digest = digest_folder(folder)
    put(tmp_path / "store", digest.listing, digest.sha256)
    for entry in digest.files:
        put(tmp_path / "store", FILES[entry.path], entry.sha256)
    return tmp_path / "store"


def key(subject: str, subject_type: SubjectType = SubjectType.FOLDER) -> RecordKey:
    return RecordKey(1, "0x" + "11" * 20, subject_type, subject, Kind.DATASET, "22" * 32)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def told(checks: list[Check]) -> list[tuple[str, Outcome]]:
    return [(check.name, check.verdict) for check in checks]


def test_a_folder_is_hashed_file_by_file(folder: Path, store: Path) -> None:
    subject = digest_folder(folder).sha256
    [check] = check_subject(FolderCopies([store]), key(subject), None)
    assert check == Check(
        "subject", PASS, f"re-hashed: 3 of 3 files of the folder {subject}", {"sha256": subject, "files": 3}
    )


def test_a_file_of_it_that_is_damaged_missing_or_unavailable_is_told_apart(
    folder: Path, store: Path, tmp_path: Path
) -> None:
    subject = digest_folder(folder).sha256
    a, b = sha256(FILES["a.txt"]), sha256(FILES["sub/b.csv"])
    path = put(store, b"other", a)
    fail, ok = check_subject(FolderCopies([store]), key(subject), None)
    assert (fail.name, fail.verdict) == ("subject a.txt", FAIL)
    assert fail.detail == f"expected the SHA-256 {a}: the copy at {path} is damaged: its SHA-256 is {sha256(b'other')}"
    assert fail.values == {"expected": a, "actual": sha256(b"other"), "where": str(path), "differences": None}
    assert "2 of 3 files" in ok.detail

    good = tmp_path / "good"
    put(good, FILES["a.txt"], a)
    [ok] = check_subject(FolderCopies([store, good]), key(subject), None)
    assert ok.verdict is PASS
    assert ok.detail.startswith(f"re-hashed: 3 of 3 files of the folder {subject}; passed over: the copy at {path} is")

    path.unlink()
    missing, ok = check_subject(FolderCopies([store]), key(subject), None)
    assert told([missing, ok]) == [("subject", UNKNOWN), ("subject", PASS)]
    assert missing.detail == "1 of 3 files are not here: a.txt"
    assert missing.values == {"sha256": subject, "missing": {"a.txt": a}}

    (store / "objects" / b[:2] / b[2:]).unlink()
    (store / "objects" / b[:2] / b[2:]).mkdir()
    down, missing, ok = check_subject(FolderCopies([store]), key(subject), None)
    assert told([down, missing, ok]) == [("subject", UNKNOWN), ("subject", UNKNOWN), ("subject", PASS)]
    assert down.detail.startswith("1 of 3 files are unavailable: sub/b.csv (")
    assert list(down.values["unavailable"]) == ["sub/b.csv"]
    # the first reason of the first of them is shown
    (store / "objects" / b[:2] / b[2:]).chmod(0o755)
    two = FolderCopies([tmp_path / "twice", store])
    put(tmp_path / "twice", b"", subject)
    (tmp_path / "twice" / "objects" / b[:2]).mkdir(parents=True)
    (tmp_path / "twice" / "objects" / b[:2] / b[2:]).mkdir()
    assert f"({tmp_path / 'twice'} " in next(iter(check_subject(two, key(subject), None))).detail
    assert missing.values["missing"] == {"a.txt": a}


def test_a_file_is_hashed_again(tmp_path: Path) -> None:
    subject = sha256(b"x")
    copies = FolderCopies([tmp_path / "store"])
    [check] = check_subject(copies, key(subject, SubjectType.FILE), None)
    assert check.detail == f"not here: {subject} ({tmp_path / 'store'} is no published folder)"
    path = put(tmp_path / "store", b"x", subject)
    [check] = check_subject(copies, key(subject, SubjectType.FILE), None)
    assert (check.verdict, check.detail) == (PASS, f"re-hashed: {subject}, 1 bytes, {path}")
    assert check.values == {"sha256": subject, "size": 1, "where": str(path)}
    put(tmp_path / "store", b"y", subject)
    [check] = check_subject(copies, key(subject, SubjectType.FILE), None)
    assert check.verdict is FAIL
    put(tmp_path / "good", b"x", subject)
    [check] = check_subject(FolderCopies([tmp_path / "store", tmp_path / "good"]), key(subject, SubjectType.FILE), None)
    assert check.verdict is PASS
    assert f"; passed over: the copy at {path} is damaged" in check.detail


def test_what_is_no_listing_is_no_folder(tmp_path: Path) -> None:
    subject = sha256(b"no listing")
    put(tmp_path, b"no listing", subject)
    [check] = check_subject(FolderCopies([tmp_path]), key(subject), None)
    assert check.verdict is FAIL
    assert check.detail.startswith(f"{subject} is no folder: ")
    assert read_listing(FolderCopies([tmp_path]), subject)[1].wrong


def test_what_cannot_be_looked_up_is_unknown(tmp_path: Path) -> None:
    for kind, part in ((SubjectType.COMMITMENT, "salted commitment"), (SubjectType.IDENTIFIER, "type identifier")):
        [check] = check_subject(FolderCopies([tmp_path]), key("33" * 32, kind), None)
        assert check.verdict is UNKNOWN
        assert part in check.detail


def test_a_folder_that_is_shown_is_compared_file_by_file(folder: Path, store: Path) -> None:
    subject = digest_folder(folder).sha256
    copies = FolderCopies([store])
    [same] = Shown(folder, copies).compare(key(subject), None)
    assert same == Check(
        "content", PASS, f"{folder} is what was recorded: {subject}", {"path": str(folder), "sha256": subject}
    )
    (folder / "a.txt").write_bytes(b"onE")
    (folder / "sub" / "b.csv").unlink()
    (folder / "new").write_bytes(b"new")
    changed, missing, added = Shown(folder, copies).compare(key(subject), None)
    assert told([changed, missing, added]) == [
        ("content a.txt", FAIL), ("content sub/b.csv", FAIL), ("content new", FAIL)
    ]  # fmt: skip
    assert changed.detail == (
        f"changed: expected {sha256(b'one')}, got {sha256(b'onE')}; "
        "it differs from byte 2 on, in 1 of 1 chunks of 1 MiB: bytes 0-2"
    )
    assert changed.values["differences"]["first"] == 2
    assert missing.detail == f"missing: expected {sha256(FILES['sub/b.csv'])}"
    assert missing.values == {"path": "sub/b.csv", "expected": sha256(FILES["sub/b.csv"])}
    assert added.detail == f"added: the record has no such file; it is {sha256(b'new')}"
    [unknown] = Shown(folder, FolderCopies()).compare(key(subject), None)
    assert unknown.verdict is FAIL
    assert "which file is unknown" in unknown.detail


def test_a_file_of_a_recorded_folder_is_found_by_its_bytes_or_its_name(
    folder: Path, store: Path, tmp_path: Path
) -> None:
    subject = digest_folder(folder).sha256
    copies = FolderCopies([store])
    for name in FILES:
        [check] = Shown(folder / name, copies).compare(key(subject), None)
        assert (check.verdict, check.detail.partition(":")[0]) == (
            PASS,
            f"{folder / name} is the recorded folder's {name}",
        )
    # the place of one file, the bytes of another
    (folder / "sub" / "c.csv").write_bytes(FILES["a.txt"])
    [check] = Shown(folder / "sub" / "c.csv", copies).compare(key(subject), None)
    assert (check.name, check.verdict) == ("content sub/c.csv", FAIL)
    assert check.detail.endswith("; it has the bytes of the recorded a.txt")
    (tmp_path / "renamed").write_bytes(FILES["a.txt"])
    [check] = Shown(tmp_path / "renamed", copies).compare(key(subject), None)
    assert check.detail.startswith(f"{tmp_path / 'renamed'} is the recorded folder's a.txt")
    (tmp_path / "sub").mkdir()
    for name, like in (("sub/c.csv", "content sub/c.csv"), ("c.csv", "content sub/c.csv")):
        (tmp_path / name).write_bytes(b"changed")
        [check] = Shown(tmp_path / name, copies).compare(key(subject), None)
        assert (check.name, check.verdict) == (like, FAIL)
    (tmp_path / "other").write_bytes(b"changed")
    [check] = Shown(tmp_path / "other", copies).compare(key(subject), None)
    assert check.detail == f"the recorded folder has no file like {tmp_path / 'other'}"
    assert check.values == {"expected": None, "actual": sha256(b"changed")}


def test_a_file_is_compared_with_a_recorded_file(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    subject = digest_bytes(b"x").sha256
    assert Shown(tmp_path / "x", FolderCopies()).compare(key(subject, SubjectType.FILE), None)[0].verdict is PASS
    [check] = Shown(folder, FolderCopies()).compare(key(subject, SubjectType.FILE), None)
    assert check.detail == f"{folder} is a folder, and the record is of a file"
    (tmp_path / "x").write_bytes(b"y")
    [check] = Shown(tmp_path / "x", FolderCopies()).compare(key(subject, SubjectType.FILE), None)
    assert check.detail.endswith("; where is unknown, for the original is not here")
    [check] = Shown(tmp_path / "x", FolderCopies()).compare(key(subject, SubjectType.COMMITMENT), None)
    assert check.verdict is UNKNOWN


@pytest.mark.parametrize(
    ("recorded", "path", "same"),
    [("a/b", "/x/a/b", True), ("a/b", "/b", True), ("b", "/x/b", True), ("a/b", "/x/b", False), ("b", "/x/c", False)],
)
def test_a_path_that_ends_as_another_may_be_it(recorded: str, path: str, same: bool) -> None:
    assert same_name(recorded, Path(path)) is same


def test_many_damaged_copies_are_counted() -> None:
    assert passed_over(Copy()) == ""
    many = Copy(damaged=[Damaged(str(number), "ab") for number in range(23)])
    assert passed_over(many).count("passed over") == 20
    assert passed_over(many).endswith("; and 3 more")
    assert "more" not in passed_over(Copy(damaged=many.damaged[:20]))


def test_what_is_shown_is_compared_with_the_outputs_of_a_run(folder: Path, tmp_path: Path) -> None:
    made = [Artifact.of(f"out/{name}", digest_bytes(name.encode())) for name in ("a", "b")]
    made_digest = digest_bytes(b"sorts before")
    run = run_predicate(outputs=[RunOutput(role="model", artifact=artifact) for artifact in made])
    manifest, asked = Manifest.of(Kind.RUN, run), key("44" * 32, SubjectType.IDENTIFIER)

    def shown(path: Path) -> list[Check]:
        return Shown(path, FolderCopies()).compare(asked, manifest)

    (tmp_path / "out").mkdir()
    for name, data, verdict, detail in (
        ("out/a", b"a", PASS, "is the record's out/a: "),
        ("elsewhere", b"b", PASS, "is the record's out/b: "),
        ("out/a", b"b", FAIL, "it has the bytes of the recorded out/b"),
        ("a", b"x", FAIL, "where is unknown, for the original is not here"),
        ("c", b"x", FAIL, "the record names no file like"),
    ):
        (tmp_path / name).write_bytes(data)
        [check] = shown(tmp_path / name)
        assert check.verdict is verdict, (name, data)
        assert detail in check.detail
    # a folder that was an output by its listing, beside outputs whose names sort before it
    listing = digest_folder(folder)
    put(tmp_path / "kept", listing.listing, listing.sha256)
    output = Artifact.of(f"{folder.name}/SHA256SUMS", digest_bytes(listing.listing))
    more = [RunOutput(role="model", artifact=artifact) for artifact in (*made, output)]
    (folder / "a.txt").write_bytes(b"changed")
    listed = Manifest.of(
        Kind.RUN, run_predicate(outputs=[RunOutput(role="x", artifact=Artifact.of("a/b", made_digest)), *more])
    )
    [check] = Shown(folder, FolderCopies([tmp_path / "kept"])).compare(asked, listed)
    assert (check.name, check.verdict) == ("content a.txt", FAIL)
    # a folder in which some of the outputs lie under their names
    (folder / "out").mkdir()
    (folder / "out" / "a").write_bytes(b"a")
    (folder / "out" / "b").write_bytes(b"changed")
    same, changed = shown(folder)
    assert (same.verdict, changed.verdict) == (PASS, FAIL)
    assert same.detail == f"{folder / 'out' / 'a'} is the record's out/a: {made[0].sha256}"
    assert (changed.name, changed.values["expected"]) == ("content out/b", made[1].sha256)
    (folder / "out" / "a").unlink()
    (folder / "out" / "b").unlink()
    [check] = shown(folder)
    assert "the record names no file like" in check.detail
    assert Shown(folder, FolderCopies()).compare(asked, None)[0].verdict is UNKNOWN


def test_what_a_run_read_is_its_input(folder: Path, tmp_path: Path) -> None:
    """It counted as no file of the run."""
    inputs = [
        {"record": "0x" + "11" * 32, "relation": 1, "path": "in/data.csv", "sha256": sha256(b"data")},
        {"record": "0x" + "22" * 32, "relation": 1, "name": "a folder", "sha256": digest_folder(folder).sha256},
    ]
    parents = [{key: it[key] for key in ("record", "relation")} for it in inputs]
    run = Manifest.of(Kind.RUN, run_predicate(inputs=inputs, parents=parents))
    for name, data, verdict, detail in (
        ("data.csv", b"data", PASS, "is the run's input in/data.csv, by its digest: "),
        ("elsewhere", b"data", PASS, "is the run's input in/data.csv, by its digest: "),
        ("data.csv", b"changed", FAIL, "changed: expected"),
        ("else", b"changed", FAIL, "the record names no file like"),
    ):
        (tmp_path / name).write_bytes(data)
        [check] = Shown(tmp_path / name, FolderCopies()).compare(key("44" * 32, SubjectType.IDENTIFIER), run)
        assert check.verdict is verdict, (name, data)
        assert detail in check.detail
    [check] = Shown(folder, FolderCopies()).compare(key("44" * 32, SubjectType.IDENTIFIER), run)
    assert (check.verdict, "is the run's input a folder" in check.detail) == (PASS, True)


@pytest.mark.parametrize(
    ("recorded", "here", "verdict", "values"),
    [
        (("a.txt",), ("a.txt",), PASS, ([], [])), (("a.txt",), ("sub/b.csv",), FAIL, (["a.txt"], ["sub/b.csv"])),
        (("a.txt",), ("a.txt", "sub/b.csv"), FAIL, ([], ["sub/b.csv"])), (("a.txt",), (), FAIL, (["a.txt"], [])),
        ((), ("a.txt",), UNKNOWN, (None, ["a.txt"])), ((), (), None, None),
    ],
)  # fmt: skip
def test_the_files_that_may_be_executed_are_those_of_the_manifest(
    folder: Path, recorded: tuple[str, ...], here: tuple[str, ...], verdict: Outcome | None, values: object
) -> None:
    for name in here:
        (folder / name).chmod(0o755)
    manifest = Manifest.of(Kind.SOFTWARE, predicate(executable=recorded or None), "55" * 32)
    checks = list(Shown(folder, FolderCopies()).check_executable(manifest))
    assert [check.verdict for check in checks] == ([verdict] if verdict else [])
    for check in checks:
        assert (check.values.get("lost"), check.values["gained"]) == values
        for path in {*recorded} ^ {*here}:
            assert path in check.detail
    assert not list(Shown(folder / "a.txt", FolderCopies()).check_executable(manifest))


def test_a_list_of_programs_names_files_of_the_folder(folder: Path, store: Path) -> None:
    subject, copies = digest_folder(folder).sha256, FolderCopies([store])
    for paths, verdict in ((("a.txt",), PASS), (("a.txt", "none"), FAIL)):
        manifest = Manifest.of(Kind.SOFTWARE, predicate(executable=paths), subject)
        check = list(check_subject(copies, key(subject), manifest))[-1]
        assert (check.name, check.verdict) == ("executable", verdict)
        assert ("none" in check.detail) is (verdict is FAIL)


def test_size_and_cid_of_a_manifest_are_checked(tmp_path: Path) -> None:
    digest = digest_bytes(b"x")
    put(tmp_path, b"x", digest.sha256)
    for change, told_as in (
        ({}, "re-hashed"), ({"size": 2}, "says 2 bytes, it has 1"),
        ({"cid": digest_bytes(b"y").cid}, f"it is {digest.cid}"),
    ):  # fmt: skip
        values = {"size": 1, "cid": digest.cid, "cid_profile": digest.cid_profile} | change
        content = ContentPredicate(subject_type="file", **values)
        manifest = Manifest.of(Kind.DATASET, content, digest.sha256)
        [check] = check_subject(FolderCopies([tmp_path]), key(digest.sha256, SubjectType.FILE), manifest)
        assert check.verdict is (FAIL if change else PASS)
        assert told_as in check.detail


def test_every_artifact_of_a_run_is_hashed(folder: Path, store: Path) -> None:
    listing = digest_folder(folder)
    made = [
        Artifact.of("out/SHA256SUMS", digest_bytes(listing.listing)),
        Artifact.of("a.txt", digest_bytes(FILES["a.txt"])),
        Artifact.of("gone", digest_bytes(b"gone")),
    ]
    run = run_predicate(outputs=[RunOutput(role="model", artifact=artifact) for artifact in made])
    checks = list(check_artifacts(FolderCopies([store]), Manifest.of(Kind.RUN, run)))
    assert told(checks) == [("artifact out/SHA256SUMS", PASS), ("artifact a.txt", PASS), ("artifact gone", UNKNOWN)]
    assert "3 of 3 files" in checks[0].detail
    assert list(check_private(Manifest.of(Kind.RUN, run))) == []


# -- each word at its limits


def artifact(path: str) -> Artifact:
    return Artifact.of(path, digest_bytes(path.encode()))


def encrypted() -> ContentPredicate:
    hidden = Encrypted(subject_type="file", commitment="77" * 32, opening=artifact("opening"))
    return ContentPredicate(subject_type="commitment", artifact=artifact("data.age"), encrypted=hidden)


def test_a_commitment_is_opened_by_its_salt_or_its_recipients() -> None:
    hidden = Manifest.of(Kind.DATASET, encrypted(), "77" * 32)
    salted = Manifest.of(Kind.DATASET, ContentPredicate(subject_type="commitment"), "77" * 32)
    asked = key("77" * 32, SubjectType.COMMITMENT)
    by_salt = "it is a salted commitment: who has the salt and the content can open it"
    by_key = "it is a salted commitment: its content is encrypted, and `decrypt` opens it for its recipients"
    for manifest, detail in ((None, by_salt), (salted, by_salt), (hidden, by_key)):
        assert list(check_subject(FolderCopies(), asked, manifest)) == [Check("subject", UNKNOWN, detail)]


def test_an_identifier_has_its_digest() -> None:
    run, seen = Manifest.of(Kind.RUN, run_predicate()), set()
    right = sha256(RUN_ID.encode())
    for subject in (right, "00" * 32, "ff" * 32):
        seen.add((subject > right) - (subject < right))
        [check] = check_subject(FolderCopies(), key(subject, SubjectType.IDENTIFIER), run)
        no = "" if subject == right else "not "
        expected = PASS if subject == right else FAIL
        told = Check("subject", expected, f"it is {no}the SHA-256 of the identifier {RUN_ID}", {"identifier": RUN_ID})
        assert check == told
    assert seen == {0, 1, -1}
    content = Manifest.of(Kind.DATASET, predicate(), "77" * 32)
    [check] = check_subject(FolderCopies(), key(right, SubjectType.IDENTIFIER), content)
    detail = "it is of type identifier: what it is the digest of is not known here"
    assert check == Check("subject", UNKNOWN, detail)


def test_private_values_are_named_by_their_root() -> None:
    private = PrivateValues(root="88" * 32, leaves=1024)
    [check] = check_private(Manifest.of(Kind.RUN, run_predicate(private=private)))
    detail = f"it commits to values that are not shown, by the root {'88' * 32}: `verify` of a disclosure shows one"
    assert check == Check("private", UNKNOWN, detail, {"rootSha256": "88" * 32, "leaves": 1024})
    assert list(check_private(Manifest.of(Kind.DATASET, predicate(), "77" * 32))) == []


def in_the_way(store: Path, digest: str) -> None:
    """Put a folder where an object should be, which can't be read."""
    (store / "objects" / digest[:2] / digest[2:]).mkdir(parents=True)


def test_while_a_source_is_unavailable_a_damaged_copy_decides_nothing(tmp_path: Path) -> None:
    subject = sha256(b"x")
    damaged = put(tmp_path / "damaged", b"y", subject)
    in_the_way(tmp_path / "down", subject)
    asked = key(subject, SubjectType.FILE)
    down = FolderCopies([tmp_path / "down"])
    [check] = check_subject(down, asked, None)
    reason = f"{tmp_path / 'down'} expected a file in a regular file, got a folder: "
    assert check.detail.startswith(f"unavailable: {subject} ({reason}")
    assert check.values["unavailable"][0].startswith(reason)
    assert (check.verdict, len(check.values), check.values["sha256"]) == (UNKNOWN, 2, subject)
    [check] = check_subject(FolderCopies([tmp_path / "damaged", tmp_path / "down"]), asked, None)
    told = f"unavailable: {subject} (the copy at {damaged} is damaged: its SHA-256 is {sha256(b'y')}; {reason}"
    assert (check.verdict, check.detail[: len(told)]) == (UNKNOWN, told)
    assert list(check_subject(FolderCopies(), asked, None)) == [
        Check("subject", UNKNOWN, f"not here: {subject}", {"sha256": subject})
    ]


def test_many_files_of_a_folder_are_counted(tmp_path: Path) -> None:
    names = [f"file {number:02}" for number in range(24)]
    for name in names:
        (tmp_path / "many").mkdir(exist_ok=True)
        (tmp_path / "many" / name).write_text(name)
    digest, store = digest_folder(tmp_path / "many"), tmp_path / "store"
    put(store, digest.listing, digest.sha256)
    objects = [sha256(name.encode()) for name in names]
    for name, each in zip(names[:2], objects[:2], strict=True):
        put(store, name.encode(), each)
    put(store, b"other", objects[0])
    in_the_way(store, objects[2])
    in_the_way(store, objects[3])
    checks = list(check_subject(FolderCopies([store]), key(digest.sha256), None))
    assert told(checks) == [
        ("subject file 00", FAIL), ("subject", UNKNOWN), ("subject", UNKNOWN), ("subject", PASS)
    ]  # fmt: skip
    assert checks[1].detail.startswith("2 of 24 files are unavailable: file 02, file 03 (")
    assert list(checks[1].values["unavailable"]) == names[2:4]
    assert checks[2].detail == f"20 of 24 files are not here: {', '.join(names[4:])}"
    assert checks[2].values == {"sha256": digest.sha256, "missing": dict(zip(names[4:], objects[4:], strict=True))}
    assert checks[3].detail == f"re-hashed: 1 of 24 files of the folder {digest.sha256}"
    assert checks[3].values == {"sha256": digest.sha256, "files": 1}
    (store / "objects" / objects[1][:2] / objects[1][2:]).unlink()
    *_, last = check_subject(FolderCopies([store]), key(digest.sha256), None)
    assert last.detail == f"21 of 24 files are not here: {', '.join([names[1], *names[4:23]])} and more"
    # a damaged copy that another source may mend is no failure of the file
    in_the_way(tmp_path / "down", objects[0])
    first, *_ = check_subject(FolderCopies([store, tmp_path / "down"]), key(digest.sha256), None)
    assert first.detail.startswith(
        "3 of 24 files are unavailable: file 00, file 02, file 03 (" + str(tmp_path / "down")
    )


def test_what_is_passed_over_stands_first_of_the_listing(folder: Path, store: Path, tmp_path: Path) -> None:
    subject, bad = digest_folder(folder).sha256, tmp_path / "bad"
    listing, file = put(bad, b"x", subject), put(bad, b"y", sha256(FILES["a.txt"]))
    [check] = check_subject(FolderCopies([bad, store]), key(subject), None)
    passed = [f"; passed over: the copy at {path} is damaged: its SHA-256 is " for path in (listing, file)]
    assert 0 < check.detail.index(passed[0]) < check.detail.index(passed[1])
    [check] = check_subject(FolderCopies([bad]), key(subject), None)
    assert (check.verdict, check.values["where"]) == (FAIL, str(listing))


def test_a_size_or_a_cid_that_differs_is_told_with_both(tmp_path: Path) -> None:
    digest, other = digest_bytes(b"xyz"), digest_bytes(b"other").cid
    where = str(put(tmp_path, b"xyz", digest.sha256))
    values = {"sha256": digest.sha256, "size": 3, "where": where}
    for size in (2, 4):
        made = Artifact.of("a", digest).model_copy(update={"size": size})
        run = run_predicate(outputs=[RunOutput(role="model", artifact=made)])
        told_as = Check("artifact a", FAIL, f"the manifest says {size} bytes, it has 3", values)
        assert list(check_artifacts(FolderCopies([tmp_path]), Manifest.of(Kind.RUN, run))) == [told_as]
    for cid in (other, digest_bytes(b"z").cid, digest_bytes(b"q").cid):
        made = Artifact.of("a", digest).model_copy(update={"cid": cid})
        run = run_predicate(outputs=[RunOutput(role="model", artifact=made)])
        told_as = Check("artifact a", FAIL, f"the manifest says the CID {cid}, it is {digest.cid}", values)
        assert list(check_artifacts(FolderCopies([tmp_path]), Manifest.of(Kind.RUN, run))) == [told_as]


def test_programs_that_the_folder_does_not_have_are_named(folder: Path, store: Path) -> None:
    subject = digest_folder(folder).sha256
    for paths, check in (
        (("a.txt", "sub/c.csv"), Check("executable", PASS, "2 of 3 files may be executed, as the manifest says",
            {"executable": ["a.txt", "sub/c.csv"]})),
        (("a.txt", "z", "none"), Check("executable", FAIL,
            "the manifest calls executable what the folder doesn't have: none, z", {"unknown": ["none", "z"]})),
    ):  # fmt: skip
        manifest = Manifest.of(Kind.SOFTWARE, predicate(executable=paths), subject)
        assert list(check_subject(FolderCopies([store]), key(subject), manifest))[1:] == [check]
        assert len(list(check_subject(FolderCopies(), key(subject), manifest))) == 1
    manifest = Manifest.of(Kind.SOFTWARE, predicate(), subject)
    assert len(list(check_subject(FolderCopies([store]), key(subject), manifest))) == 1


def test_a_file_is_the_record_of_a_file_alone(folder: Path, store: Path, tmp_path: Path) -> None:
    subject, seen = sorted(sha256(str(number).encode()) for number in range(9))[4], set()
    for number in range(9):
        (tmp_path / "x").write_text(str(number))
        shown = Shown(tmp_path / "x", FolderCopies())
        seen.add((shown.sha256 > subject) - (shown.sha256 < subject))
        [check] = shown.compare(key(subject, SubjectType.FILE), None)
        assert check.verdict is (PASS if shown.sha256 == subject else FAIL)
        if check.verdict is FAIL:
            assert check.name == f"content {tmp_path / 'x'}"
            detail = f"changed: expected {subject}, got {shown.sha256}; where is unknown, for the original is not here"
            values = {"path": str(tmp_path / "x"), "expected": subject, "actual": shown.sha256, "differences": None}
            assert (check.detail, check.values) == (detail, values)
    assert seen == {0, 1, -1}
    # the listing of a folder has the folder's digest, and is not the folder
    digest = digest_folder(folder)
    (tmp_path / "SHA256SUMS").write_bytes(digest.listing)
    [check] = Shown(tmp_path / "SHA256SUMS", FolderCopies([store])).compare(key(digest.sha256), None)
    assert (check.verdict, check.values) == (FAIL, {"expected": None, "actual": digest.sha256})
    [check] = Shown(folder, FolderCopies()).compare(key(digest.sha256, SubjectType.FILE), None)
    values = {"expected": digest.sha256, "actual": digest.sha256}
    assert check == Check("content", FAIL, f"{folder} is a folder, and the record is of a file", values)


def test_what_cannot_be_compared_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    shown, asked = Shown(tmp_path / "x", FolderCopies()), key("77" * 32, SubjectType.COMMITMENT)
    manifest = "which files the record names is in its manifest, not at hand"
    for other in (0, SubjectType.COMMITMENT, SubjectType.IDENTIFIER, SubjectType.TREE):
        assert shown.compare(replace(asked, subject_type=other), None) == [Check("content", UNKNOWN, manifest)]
    hidden = "the record's content is encrypted: `decrypt` shows it to its recipients, to compare"
    assert shown.compare(asked, Manifest.of(Kind.DATASET, encrypted(), "77" * 32)) == [
        Check("content", UNKNOWN, hidden)
    ]
    salted = Manifest.of(Kind.DATASET, ContentPredicate(subject_type="commitment"), "77" * 32)
    none = f"the record names no file like {tmp_path / 'x'}"
    values = {"expected": None, "actual": sha256(b"x")}
    assert shown.compare(asked, salted) == [Check("content", FAIL, none, values)]


def test_why_a_listing_is_not_compared_is_told(folder: Path, tmp_path: Path) -> None:
    subject = sha256(b"no listing")
    unknown = f"{folder} is not what was recorded; which file is unknown, for the listing is not here"
    values = {"expected": subject, "actual": digest_folder(folder).sha256}
    put(tmp_path / "wrong", b"no listing", subject)
    damaged = put(tmp_path / "damaged", b"x", subject)
    (tmp_path / "empty").mkdir()
    for sources, why in (
        ([], ""), (["empty"], f": {tmp_path / 'empty'} does not have it"),
        (["damaged", "empty"], f": the copy at {damaged} is damaged: its SHA-256 is {sha256(b'x')}; "
         f"{tmp_path / 'empty'} does not have it"),
        (["empty", "wrong"], f": {read_listing(FolderCopies([tmp_path / 'wrong']), subject)[1].wrong}"),
    ):  # fmt: skip
        copies = FolderCopies([tmp_path / source for source in sources])
        assert Shown(folder, copies).compare(key(subject), None) == [Check("content", FAIL, unknown + why, values)]


def test_a_folder_whose_programs_differ_is_told_with_their_names(folder: Path, store: Path) -> None:
    manifest = Manifest.of(Kind.SOFTWARE, predicate(executable=("a.txt", "sub/c.csv")), "55" * 32)
    run = Manifest.of(Kind.RUN, run_predicate())

    def told_of(*here: str, of: Manifest | None = manifest) -> list[Check]:
        for name in FILES:
            (folder / name).chmod(0o755 if name in here else 0o644)
        return list(Shown(folder, FolderCopies()).check_executable(of))

    differs = "it differs from what was recorded: "
    for here, detail, lost, gained in (
        (("a.txt",), "not executable here: sub/c.csv", ["sub/c.csv"], []),
        ((), "not executable here: a.txt, sub/c.csv", ["a.txt", "sub/c.csv"], []),
        (("a.txt", "sub/b.csv"), "not executable here: sub/c.csv; executable here alone: sub/b.csv", ["sub/c.csv"],
         ["sub/b.csv"]),
        (tuple(FILES), "executable here alone: sub/b.csv", [], ["sub/b.csv"]),
    ):  # fmt: skip
        values = {"lost": lost, "gained": gained}
        assert told_of(*here) == [Check("executable", FAIL, differs + detail, values)]
    same = "the same 2 of 3 files may be executed as when it was recorded"
    assert told_of("a.txt", "sub/c.csv") == [Check("executable", PASS, same, {"lost": [], "gained": []})]
    none = "executable here, and the manifest lists none (or had too many to list): a.txt, sub/b.csv"
    unlisted = Manifest.of(Kind.SOFTWARE, predicate(), "55" * 32)
    expected = [Check("executable", UNKNOWN, none, {"gained": ["a.txt", "sub/b.csv"]})]
    assert told_of("sub/b.csv", "a.txt", of=unlisted) == expected
    for other in (None, run):
        assert told_of("a.txt", of=other) == []
    # beside what differs in content
    subject = digest_folder(folder).sha256
    (folder / "a.txt").write_bytes(b"changed")
    checks = Shown(folder, FolderCopies([store])).compare(key(subject), manifest)
    assert told(checks) == [("content a.txt", FAIL), ("executable", FAIL)]


def test_a_name_is_compared_from_its_end(folder: Path, store: Path, tmp_path: Path) -> None:
    """Two recorded files of one name: the path decides, and without it both are compared."""
    (folder / "other").mkdir()
    (folder / "other" / "c.csv").write_bytes(b"another")
    digest = digest_folder(folder)
    put(store, digest.listing, digest.sha256)
    files = [(entry.path, entry.sha256) for entry in digest.files]
    for name, like in (
        ("other/c.csv", ["other/c.csv"]), ("sub/c.csv", ["sub/c.csv"]),
        ("c.csv", ["other/c.csv", "sub/c.csv"]), ("deep/c.csv", ["other/c.csv", "sub/c.csv"]),
    ):  # fmt: skip
        path = tmp_path / "elsewhere" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"changed")
        checks = Shown(path, FolderCopies([store])).against_files(files)
        assert told(checks) == [(f"content {each}", FAIL) for each in like]
        path.write_bytes(b"another")
        [check] = Shown(path, FolderCopies([store])).against_files(files)[:1]
        # what lies in another's place has not that place's bytes
        assert check.verdict is (FAIL if name == "sub/c.csv" else PASS)


def test_what_is_not_here_is_named_with_the_place_that_its_manifest_gives(tmp_path: Path) -> None:
    digest = digest_bytes(b"data")
    content = ContentPredicate(subject_type="file", size=4, cid=digest.cid, cid_profile=digest.cid_profile)
    record = key(digest.sha256, SubjectType.FILE)
    for source, named in ((None, ""), ("https://lab.example/d.csv", "; its manifest names https://lab.example/d.csv")):
        manifest = Manifest.of(Kind.DATASET, content.model_copy(update={"source": source}), digest.sha256)
        [check] = check_subject(FolderCopies([tmp_path]), record, manifest)
        assert (check.verdict, check.detail) == (
            UNKNOWN,
            f"not here: {digest.sha256} ({tmp_path} does not have it){named}",
        )
    put(tmp_path, b"data", digest.sha256)
    [check] = check_subject(FolderCopies([tmp_path]), record, manifest)
    assert check.verdict is PASS
    assert "names" not in check.detail
