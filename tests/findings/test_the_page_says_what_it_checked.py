"""The page that verifies said more than it had checked: of a folder with files that it left out, of a proof that nobody
asked for, of a proof that another one hid, of a history whose peak it skipped."""

from __future__ import annotations

import json
import platform
import sys
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

import pytest
import rfc8785

from blockchaintracer.core.digest import digest_bytes, digest_folder
from blockchaintracer.core.manifest import ContentPredicate, Manifest
from blockchaintracer.core.record import Kind, SubjectType
from blockchaintracer.lab.published_pages import PAGE
from tests.live.browser.chromium import drive
from tests.live.browser.test_check_page import run_of
from tests.support import forged_bundles
from tests.support.bundle_evidence import AUTHOR, with_evidence
from tests.support.forged_bundles import Forged, blocks_of

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(
        (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="the Chromium of npm is for Linux on x86-64"
    ),
]
LISTED = {"a.csv": b"1,2\n", "b/c.csv": b"3\n"}
ADDED = {"proofs/x.json": b"{}", "config.json": b"{}", "objects/new.py": b"new", "index.html": b"new"}
"""Files whose names look published."""
KEY_FILE = b'{"type":"urn:blockchaintracer:key:v1"}'
RETRACTED = 1_438_270_006 << 40


def of_content(content: bytes, subject_type: SubjectType, **measured: Any) -> bytes:
    """A proof of a file, or of a folder by its listing."""
    digest = digest_bytes(content)
    shared = {"cid": digest.cid, "cid_profile": digest.cid_profile, "size": digest.size, "name": "it"} | measured
    predicate = ContentPredicate(subject_type=subject_type.name.lower(), **shared)  # type: ignore[arg-type]

    def of_manifest(_: Any) -> Any:
        return json.loads(Manifest.of(Kind.DATASET, predicate, sha256(content).hexdigest()).to_bytes())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forged_bundles, "SubjectType", SimpleNamespace(IDENTIFIER=subject_type))
        return Forged(of_manifest=of_manifest, identifier=content.decode()).data()


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("visits")

    def put(name: str, data: bytes) -> str:
        (path := folder / name).parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return str(path)

    for name, data in LISTED.items():
        put(f"same/data/{name}", data)
    for name, data in (LISTED | ADDED).items():
        put(f"more/data/{name}", data)
    whole = digest_folder(folder / "same/data")
    of_folder = of_content(whole.listing, SubjectType.FOLDER, size=whole.size, file_count=len(LISTED))
    listing = sha256(whole.listing).hexdigest()
    for name, data in (LISTED | {"it.proof": of_folder}).items():
        put(f"beside/data/{name}", data)
        put(f"inside/all/{name if name == 'it.proof' else f'raw/{name}'}", data)
    put("inside/all/other.txt", b"other")
    handed, of_file = {"check.html": PAGE.read_bytes()}, of_content(LISTED["a.csv"], SubjectType.FILE, name=None)
    for name, data in (handed | {"a.csv": LISTED["a.csv"], "it.proof": of_file, "key.json": KEY_FILE}).items():
        put(f"good/{name}", data)
    for name, data in (LISTED | handed | {"a.csv": b"1,3\n", "it.proof": of_folder}).items():
        put(f"bad/{name}", data)
    for name, data in (LISTED | {f"objects/aa/{'bb' * 31}": b"not of this digest"}).items():
        put(f"forged/data/{name}", data)
    for name, data in {"a.csv": b"1,3\n", "c.csv": b"", f"objects/{listing[:2]}/{listing[2:]}": whole.listing}.items():
        put(f"changed/data/{name}", data)
    honest, retracted = Forged().data(), Forged(word=RETRACTED).data()
    [record] = json.loads(of_folder)["records"]
    evident = rfc8785.dumps(with_evidence(Forged(author=AUTHOR).plain()))
    history = json.dumps([0.5] * 20_002 + [99.0] + [0.5] * 20_000 + ["NaN"]).encode()
    wide = ("value," + ",".join(f"c{i}" for i in range(200_000)) + "".join(f"\n{i}" for i in range(20_000))).encode()
    good, trusted = put("good.proof", honest), {"block": " ".join(blocks_of(honest))}
    checked = {"files": [good], "fields": trusted, "press": True, "expects": "Every check passed"}
    file = b"of a stranger\n"
    paste = {"fill": {"paste": record["id"]}, "click": "form button >> nth=0", "expects": "To look this up"}
    wrong = {"fill": {"block": "none"}, "click": "button.main", "expects": "expected a hash"}
    visits: dict[str, dict[str, Any]] = {
        name: {
            "files": [put("folder.proof", of_folder)],
            "fields": {"block": " ".join(blocks_of(of_folder))},
            "press": True,
            "expects": "Every check passed",
            "then": [{"folder": str(folder / name / "data"), "expects": "Your files"}],
        }
        for name in ("same", "more", "beside", "changed", "forged")
    }
    visits["inside"] = {**visits["same"], "then": [{"folder": str(folder / "inside/all"), "expects": "Your files"}]}
    visits |= {
        "handed": {"folder": str(folder / "good"), "expects": "Your files"},
        "handed and changed": {"folder": str(folder / "bad"), "expects": "Your files"},
        "unreachable": {**checked, "fields": {"network": "1", "node": "http://127.0.0.1:1024"}, "expects": "Its life"},
        "pasted": {**checked, "then": [paste]},
        "linked": {**checked, "then": [{"link": f"#id={record['id']}", "expects": "To look this up"}]},
        "another record": {**checked, "fragment": f"#id={record['id']}", "expects": "No proof here is of"},
        "its record": {**checked, "fragment": f"#id={json.loads(honest)['records'][0]['id']}"},
        "one name": {
            **checked,
            "files": [put("x/one.proof", retracted), put("y/one.proof", honest)],
            "fields": {"block": " ".join([*blocks_of(honest), *blocks_of(retracted)])},
        },
        "stale": {**checked, "then": [wrong]},
        "beside another": {
            **checked,
            "files": [good, put("fake.proof", of_content(file, SubjectType.FILE)), put("file.txt", file)],
            "then": [{"expects": "fake.proof: It fits together"}],
        },
        "forged retraction": {"files": [put("retracted.proof", retracted)], "expects": "It fits together"},
        "edited": {**checked, "then": [{"fill": {"block": "0x"}, "expects": "press Check"}]},
        "again": {**checked, "then": [{"click": "text=Start again", "expects": "Check a record"}]},
        "evidence": {
            "files": [put("evidence.proof", evident)],
            "fields": {"block": " ".join(blocks_of(evident))},
            "press": True,
            "expects": "Its life",
        },
        "peak": {"files": [put("a.json", history), put("a.proof", run_of(1, history))], "expects": "step by step"},
        "of its name": {
            "files": [put("of/0.json", b"[0.6]"), put("of/1.json", b"[0.7]"), put("of.proof", run_of(1, b"[0.5]"))],
            "expects": "Your files",
        },
        "wide": {"files": [put("wide.csv", wide), put("wide.proof", run_of(2, wide))], "expects": "step by step"},
    }  # fmt: skip
    for visit in visits.values():
        visit["seconds"] = 20
    told = drive("visit.mjs", {"page": PAGE.as_uri(), "visits": [*visits.values()]}, folder)
    return dict(zip(visits, told, strict=True))


APART = "A proof is checked by itself, and a file that calls itself a page like this one is not compared."


def lines_of(visit: dict[str, Any]) -> set[str]:
    return set(visit["text"].splitlines())


def test_every_file_of_a_folder_counts(seen: dict[str, Any]) -> None:
    assert "passed: the folder data of 2 files is exactly what the record is about." in lines_of(seen["same"])
    assert "the folder data of 6 files is not what the record is about" in seen["more"]["text"]
    assert "Not verified" in lines_of(seen["more"])
    assert "the folder data of 3 files is not what the record is about" in seen["forged"]["text"]


def test_what_lies_beside_recorded_files_is_named(seen: dict[str, Any]) -> None:
    whole = "without the proof or published copy in it, is exactly what the record is about."
    assert f"passed: the folder data of 2 files, {whole}" in lines_of(seen["beside"])
    assert f"No data: data/it.proof. {APART}" in lines_of(seen["beside"])
    assert "passed: the folder all/raw of 2 files is exactly what the record is about." in lines_of(seen["inside"])
    assert "failed: Not part of the record: all/other.txt." in lines_of(seen["inside"])
    assert "Not verified" in lines_of(seen["inside"])


def test_page_and_proof_beside_the_data_raise_no_doubt(seen: dict[str, Any]) -> None:
    lines = lines_of(seen["handed"])
    assert "passed: good/a.csv is exactly what the record is about." in lines
    assert {f"No data: good/check.html, good/it.proof. {APART}", "Not part of the record: good/key.json."} <= lines
    assert not [line for line in lines if line.startswith("unknown: N")]
    text = seen["handed and changed"]["text"]
    assert "failed: the folder bad of 2 files is not what the record is about" in text
    assert "Not verified" in text
    assert "Not part of the record" not in text


def test_a_reader_without_python_is_told_what_to_do(seen: dict[str, Any]) -> None:
    text = seen["unreachable"]["text"]
    # whole, to its end
    assert "Or trust the hash of a block: then a proof needs no node. " in text
    assert "With Python: `blockchaintracer page --serve`." in text
    assert "Each public chain has public nodes: its own documentation lists them" in text


def test_a_record_without_a_name_is_called_by_the_file_that_is_it(seen: dict[str, Any]) -> None:
    assert "A dataset without a name: the file a.csv" in lines_of(seen["handed"])
    assert any(line.startswith("the file a.csv, 0x") for line in lines_of(seen["handed"]))
    assert "names what it came from only if its lab wrote that." in seen["handed"]["text"]


def test_what_a_changed_folder_lacks_is_named(seen: dict[str, Any]) -> None:
    assert "Not verified" in lines_of(seen["changed"])
    assert "Changed: a.csv. Missing: b/c.csv. Not part of the record: c.csv, objects/" in seen["changed"]["text"]


@pytest.mark.parametrize("name", ["pasted", "linked", "stale"])
def test_what_was_asked_before_is_no_answer(seen: dict[str, Any], name: str) -> None:
    assert not seen[name]["messages"]
    assert "Verified" not in lines_of(seen[name])


def test_a_proof_of_another_record_is_no_answer(seen: dict[str, Any]) -> None:
    assert "Not verified" in lines_of(seen["another record"])
    assert "Verified" not in lines_of(seen["another record"])
    assert "Verified" in lines_of(seen["its record"])


def test_an_answer_of_before_is_marked(seen: dict[str, Any]) -> None:
    assert "You changed what you rely on. What stands below is of before: press Check." in lines_of(seen["edited"])
    assert "erified" not in seen["again"]["text"]


def test_a_forged_file_retracts_nothing(seen: dict[str, Any]) -> None:
    assert "Retracted on" not in seen["forged retraction"]["text"]
    assert "Unknown. The file says yes, on 2" in seen["forged retraction"]["text"]


def test_a_file_that_says_it_was_retracted_is_not_read_over(seen: dict[str, Any]) -> None:
    card = seen["forged retraction"]["text"].split("In plain words")[0]
    assert "The file says that a record in it was retracted: see below." in card
    assert "The file says that" not in seen["pasted"]["text"] + seen["of its name"]["text"].split("In plain words")[0]


def test_a_changed_file_is_told_from_a_strange_one(seen: dict[str, Any]) -> None:
    said = " is not what the record is about, and no file of it. One changed byte is enough for that."
    lines = lines_of(seen["of its name"])
    assert f"failed: 0.json{said} The record names other bytes as 0.json." in lines
    assert f"failed: 1.json{said}" in lines


def test_no_proof_hides_another(seen: dict[str, Any]) -> None:
    assert "Retracted on" in seen["one name"]["text"]
    assert "Every check passed" in seen["one name"]["text"]


def test_a_file_is_not_verified_by_the_proof_of_another(seen: dict[str, Any]) -> None:
    assert "passed: file.txt" not in seen["beside another"]["text"]
    assert "fake.proof: It fits together, and no more." in seen["beside another"]["text"]


def test_what_was_checked_is_not_called_unchecked(seen: dict[str, Any]) -> None:
    assert "not checked here" not in seen["evidence"]["text"]
    assert (
        "ORCID 0000-0002-1825-0097, not confirmed\nThe account signed that it is this. Neither"
        in seen["evidence"]["text"]
    )


def test_a_retraction_is_asked_as_far_as_it_is_known(seen: dict[str, Any]) -> None:
    answers = {
        name: it["text"].split("Was it retracted?\n")[1].splitlines()[0]
        for name, it in seen.items()
        if "Was it retracted?" in it["text"]
    }
    assert answers["its record"].startswith("Not until 2015-07-30")
    assert answers["peak"].startswith("Unknown. The file says no")
    assert answers["one name"].startswith("Yes, on ")


def test_figures_are_of_every_value(seen: dict[str, Any]) -> None:
    assert "40,003" not in seen["peak"]["text"]
    assert "40003, and 1 that is no number\t0.5\t0.5\t0.5\t99" in seen["peak"]["text"]


def test_a_table_of_many_columns_is_read(seen: dict[str, Any]) -> None:
    assert seen["wide"]["seconds"] < 60
