"""The list of what a lab publishes: every name in it is a stranger's."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from blockchaintracer.core.manifest import ContentPredicate, Manifest
from blockchaintracer.core.record import Kind, RecordKey
from blockchaintracer.core.record_key_file import KeyFile
from blockchaintracer.core.verify.copies import object_name
from blockchaintracer.lab.published_pages import PAGE, write_pages

pytestmark = pytest.mark.fast
HOSTILE = '<script>alert("1")</script><img src=x>'


def publish(folder: Path, name: str | None, number: int) -> str:
    manifest = Manifest.of(Kind.DATASET, ContentPredicate(subject_type="commitment", name=name), f"{number:064x}")
    key = RecordKey(1, "0x" + "11" * 20, 3, f"{number:064x}", Kind.DATASET, manifest.digest())
    file = KeyFile(1, "0x" + "12" * 20, key)
    place = folder / object_name(manifest.digest())
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(manifest.to_bytes())
    (folder / "proofs").mkdir(exist_ok=True)
    (folder / "proofs" / f"{file.id}.json").write_bytes(file.to_bytes())
    return file.id


def test_each_record_is_listed_with_a_link_to_the_page(tmp_path: Path) -> None:
    ids = [publish(tmp_path, name, number) for number, name in enumerate(["strain", None, HOSTILE], 1)]
    (tmp_path / "proofs" / f"0x{'ab' * 32}.json").write_text("{}")
    write_pages(tmp_path)
    text = (tmp_path / "records.html").read_text()
    for record_id in ids:
        assert f'href="index.html#id={record_id}&amp;chain=1&amp;registry=0x{"12" * 20}"' in text
    assert "strain</a>, dataset, group 1" in text
    assert f">dataset {ids[1][:12]}</a>, group 1" in text, "the kind is said once"
    assert "<script" not in text
    assert "<img" not in text
    assert "ab" * 32 not in text
    assert (tmp_path / "index.html").read_bytes() == PAGE.read_bytes()
    before = text
    write_pages(tmp_path)
    assert (tmp_path / "records.html").read_text() == before


def test_the_page_holds_its_own_policy_and_loads_nothing() -> None:
    page = PAGE.read_text()
    script = page.split('<script type="module">')[1].split("</script>")[0]
    style = page.split("<style>")[1].split("</style>")[0]
    policy = page.split('http-equiv="Content-Security-Policy" content="')[1].split('"')[0]
    for text in (script, style):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert "src=" not in page.split("<script")[0]


def test_the_page_goes_along_with_the_licences_of_what_is_in_it() -> None:
    notices = PAGE.read_text().split("This page holds code of:")[1].splitlines()
    assert {"@dagrejs/dagre", "@noble/hashes", "hash-wasm", "uplot", "viem"} <= {*notices}
