"""A key file is read in its one form alone, whoever wrote it, and names the record by itself."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.core.record import Domain, Kind, Link, RecordKey, Relation, SubjectType
from blockchaintracer.core.record_key_file import MAX_KEY_FILE_BYTES, KeyFile

pytestmark = pytest.mark.fast

DOMAIN = Domain(1, "0x" + "12" * 20)
PARENTS = (Link("cc" * 32, Relation.TRAINED_ON),)
KEY = RecordKey(1, "0x" + "11" * 20, SubjectType.FILE, "aa" * 32, Kind.MODEL, "bb" * 32, PARENTS)
FILE = KeyFile(DOMAIN.chain_id, DOMAIN.registry, KEY)


def changed(path: str, value: Any) -> bytes:
    data = json.loads(FILE.to_bytes())
    *above, last = path.split(".")
    place = data
    for name in above:
        place = place[name]
    place[last] = value
    return json.dumps(data).encode()


def test_it_comes_back_and_names_its_record(tmp_path: Path) -> None:
    path = tmp_path / "a.key.json"
    path.write_bytes(FILE.to_bytes())
    assert KeyFile.read_file(path) == FILE
    assert FILE.id == DOMAIN.record_id(KEY)
    assert FILE.require(DOMAIN) is FILE


def test_the_page_of_formats_shows_one_that_is_read() -> None:
    page = (Path(__file__).parents[2] / "docs/formats.md").read_text()
    [example] = [text for text in re.findall(r"```json\n(.*?)```", page, re.DOTALL) if "record-key" in text]
    assert KeyFile.parse(example.encode(), "docs/formats.md") == FILE


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("chainId", 1),
        ("chainId", "01"),
        ("chainId", "-1"),
        ("chainId", str(2**256)),
        ("chainId", "9" * 5000),
        ("registry", "0x12"),
        ("registry", "0x" + "12" * 20 + " "),
        ("more", 1),
        ("key", []),
        ("key", None),
        ("key.group", "1"),
        ("key.group", True),
        ("key.group", 1.0),
        ("key.group", -1),
        ("key.group", 2**32),
        ("key.kind", 256),
        ("key.subjectType", None),
        ("key.author", "0x" + "1A" * 20),
        ("key.author", ["0x"]),
        ("key.subject", "0x" + "aa" * 32),
        ("key.manifest", "BB" * 32),
        ("key.manifest", 7),
        ("key.later", 1),
        ("key.parents", None),
        ("key.parents", PARENTS[0].parent),
        ("key.parents", [{"parent": PARENTS[0].parent, "relation": 1}] * 2),
        ("key.parents", [{"parent": f"0x{n:064x}", "relation": 1} for n in (2, 1)]),
        ("key.parents", [{"parent": f"0x{n:064x}", "relation": 1} for n in range(1025)]),
        ("key.parents", [1]),
    ],
)
def test_another_form_is_refused(path: str, value: Any) -> None:
    with pytest.raises(InputError, match="it: expected urn:blockchaintracer:record-key:v1"):
        KeyFile.parse(changed(path, value), "it")


def test_one_of_another_registry_or_chain_is_refused_with_both() -> None:
    for other in (Domain(2, DOMAIN.registry), Domain(1, "0x" + "13" * 20)):
        with pytest.raises(NotVerified, match=rf"on chain 1, not for {other.registry} on chain {other.chain_id}"):
            FILE.require(other)


def test_a_long_one_is_not_taken_into_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.json"
    path.write_bytes(FILE.to_bytes() + b" " * MAX_KEY_FILE_BYTES)
    with pytest.raises(InputError, match="at most"):
        KeyFile.read_file(path)
