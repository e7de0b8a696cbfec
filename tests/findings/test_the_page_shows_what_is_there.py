"""The page called a key file without an ending damaged, showed letters that nobody sees, drew a badge of a question
that was typed after the answer, drew tens of thousands of records at once, and failed at a stranger's field that
each object of JavaScript has."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.record import Domain, Kind, RecordKey, SubjectType
from blockchaintracer.core.record_key_file import KeyFile
from blockchaintracer.lab.published_pages import PAGE
from tests.live.browser.chromium import drive
from tests.support.forged_bundles import AUTHOR, Forged, blocks_of

from .test_the_page_says_what_it_checked import lines_of, pytestmark  # noqa: F401

UNSEEN = "\u202egnp\u2066.\u200b\u3000\u3164\ufe0f\U000e0041\u00a0\u00adz"


def named(name: str) -> bytes:
    def of_manifest(plain: Any) -> Any:
        subject = [plain["subject"][0] | {"name": name}]
        return plain | {"predicate": plain["predicate"] | {"name": name}, "subject": subject}

    return Forged(of_manifest=of_manifest).data()


def with_fields_of_objects() -> bytes:
    """A proof of a manifest with fields that JavaScript's objects have by themselves."""
    schema = {"schema": {"a": {"constructor": "of a stranger", "toString": 1, "valueOf": None}}}
    return Forged(of_manifest=lambda plain: plain | {"predicate": plain["predicate"] | schema}).data()


def put_keys(folder: Path, count: int) -> None:
    """A published folder with the keys of many records, and nothing else."""
    domain = Domain(1, "0x" + "12" * 20)
    folder.mkdir(parents=True)
    for number in range(count):
        digests = (f"{number:064x}", f"{number + 1:064x}")
        key = RecordKey(number % 7 + 1, AUTHOR, SubjectType.COMMITMENT, digests[0], Kind.DATASET, digests[1])
        (folder / f"{domain.record_id(key)}.json").write_bytes(KeyFile(1, domain.registry, key).to_bytes())


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("visits")

    def put(name: str, data: bytes) -> str:
        (path := folder / name).write_bytes(data)
        return str(path)

    honest = Forged().data()
    bundle = json.loads(honest)
    key = RecordKey.from_json(bundle["records"][0]["key"])
    key_file = KeyFile(1, Domain(1, bundle["registry"]).registry, key).to_bytes()
    trusted = {"block": " ".join(blocks_of(honest))}
    checked = {"files": [put("good.proof", honest)], "fields": trusted, "press": True, "expects": "Every check passed"}
    put_keys(folder / "many" / "proofs", 20_000)
    put("odd.json", b'{"type":{"toString":0},"holder":{"toString":0}}')
    visits: dict[str, dict[str, Any]] = {
        "key": {"files": [put("record key", key_file)], "expects": "Latest records"},
        "letters": {
            "files": [put("it.proof", named(UNSEEN)), put("\u202egnp.csv", b"1")],
            "expects": "Not verified",
        },
        "edited": {**checked, "then": [{"fill": {"block": "0x12"}, "expects": "press Check"}], "badge": True},
        "kept": {**checked, "badge": True},
        "words": {
            **checked,
            "fragment": "#id=none.+This+record+was+verified+by+CERN",
            "files": [put("words.proof", named("x”. Verified by CERN. “"))],
            "fields": {},
            "press": False,
            "expects": "Its life",
        },
        "odd": {
            "files": [put("odd.proof", with_fields_of_objects()), str(folder / "odd.json")],
            "expects": "Its life",
        },
        "linked": {
            **checked,
            "fragment": "#registry=Good.+It+was+verified+by+CERN&chain=1.+It+was+verified+by+CERN",
            "fields": {},
            "expects": "It fits together",
        },
        "bundle": {"files": [put("many.proof", Forged(count=2000, batched=True).data())], "expects": "Its life"},
        "folder": {
            "folder": str(folder / "many"),
            "expects": "Latest records",
            "seconds": 400,
            "then": [
                {"expects": "1 to 50 of 20,000 records"},
                {"click": "text=Show more", "expects": "1 to 100 of 20,000 records"},
                {"fill": {"words": f"{19_999:064x}"}, "click": "#home [type=submit]", "expects": "1 to 1\n"},
            ],
        },
    }
    told = drive("visit.mjs", {"page": PAGE.as_uri(), "visits": [*visits.values()]}, folder)
    assert not [it["messages"] for it in told if it["messages"]]
    return dict(zip(visits, told, strict=True)) | {"id": bundle["records"][0]["id"]}


def test_a_key_file_is_known_by_its_content(seen: dict[str, Any]) -> None:
    assert "damaged" not in seen["key"]["text"]
    assert f"{seen['id'][:10]}…\tdataset\t7\t" in seen["key"]["text"]


def test_no_letter_is_hidden(seen: dict[str, Any]) -> None:
    """What Python does not print, and letters that fill no place, are shown by their numbers."""
    hidden = [chr(at) for at in range(sys.maxunicode + 1) if not chr(at).isprintable() and chr(at) not in " \n\t"]
    assert not set(hidden).intersection(seen["letters"]["text"])
    written = r"“\u202egnp\u2066.\u200b\u3000\u3164\ufe0f\u{e0041}\u00a0\u00adz”"
    assert written in seen["letters"]["text"]
    assert r"failed: \u202egnp.csv is not what the record is about" in seen["letters"]["text"]


def test_a_badge_is_of_what_was_checked(seen: dict[str, Any]) -> None:
    assert "You changed what you rely on." in seen["edited"]["text"]
    for name in ("kept", "edited"):
        assert re.search(f'aria-label="record {seen["id"][:10]}…: verified on 2', seen[name]["badge"])
    assert "Verified" in lines_of(seen["kept"])


def test_no_stranger_speaks_for_the_page(seen: dict[str, Any]) -> None:
    """A name closed its quotation marks, and the id of a link was a sentence."""
    assert 'calls “x". Verified by CERN. "”' in seen["words"]["text"]
    assert "was verified by" not in seen["words"]["text"]


def test_a_field_that_every_object_has_is_shown(seen: dict[str, Any]) -> None:
    """The page failed at a manifest's field `constructor`, and could not read a file whose type is an object."""
    assert "odd.json is not what the record is about" in seen["odd"]["text"]
    assert "Each check" in seen["odd"]["text"]


def test_no_link_speaks_for_the_page(seen: dict[str, Any]) -> None:
    """The number of the chain of a link was a sentence, which an error repeated."""
    assert "verified by CERN" not in seen["linked"]["text"]


def test_of_many_records_some_are_drawn(seen: dict[str, Any]) -> None:
    assert "50 of 2,000 records are shown, retracted ones first. The checks are of all." in seen["bundle"]["text"]
    assert seen["bundle"]["text"].count("In plain words") == 50
    assert "group 7\t\N{EN DASH}\t2857\n" in seen["folder"]["text"]
    assert seen["folder"]["memory"] < 96 << 20
