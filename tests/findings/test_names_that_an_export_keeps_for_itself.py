"""A dataset called ro-crate-metadata.json was the metadata of its own crate, and said of the record what it liked; one
called manifest.json was lost. Text in a report kept characters that nobody sees."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from blockchaintracer.core.record import Kind
from blockchaintracer.extras.exports import croissant
from blockchaintracer.extras.exports.export import export
from blockchaintracer.extras.exports.exported_files import ExportedFile
from blockchaintracer.lab.plain_text import no_formula, printable
from blockchaintracer.lab.recording.content import record_content
from tests.support.memory_node import answering
from tests.support.registry_life import Life, live

pytestmark = pytest.mark.evm


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Any:
    life = live(tmp_path_factory.mktemp("life") / "life")
    with answering(full=life.node.answer):
        yield life


def recorded(life: Life, folder: Path, name: str, content: str) -> str:
    (folder / "file").write_text(content)
    return record_content(life.lab, Kind.DATASET, folder / "file", name=name).id


@pytest.mark.parametrize("name", ["ro-crate-metadata.json", "RO-Crate-Metadata.JSON", "manifest.json", "a.csv"])
def test_a_crate_has_its_own_files_and_the_record_s(life: Life, tmp_path: Path, name: str) -> None:
    content = f'{{"@graph": [], "{name}": 1}}'
    export(life.lab, recorded(life, tmp_path, name, content), "ro-crate", tmp_path / "crate")
    described = json.loads((tmp_path / "crate" / "ro-crate-metadata.json").read_text())["@graph"]
    held = {
        entity["sha256"]: hashlib.sha256((tmp_path / "crate" / unquote(entity["@id"])).read_bytes()).hexdigest()
        for entity in described
        if entity["@type"] == "File"
    }
    assert hashlib.sha256(content.encode()).hexdigest() in held
    assert len(held) == 2
    assert all(stated == found for stated, found in held.items())


def test_a_folder_of_such_a_name(life: Life, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.csv").write_text("folder")
    made = record_content(life.lab, Kind.DATASET, tmp_path / "data", name="manifest.json")
    export(life.lab, made.id, "ro-crate", tmp_path / "crate")
    assert (tmp_path / "crate" / "content" / "manifest.json" / "x.csv").read_text() == "folder"


def test_a_table_of_columns_without_end_is_not_read(
    life: Life, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for content in ("," * (1 << 16), "x,y\n" + "1,2\n" * 100):
        monkeypatch.setattr(croissant, "_MAX_TABLE_BYTES", 1 << 20 if content[0] == "," else 100)
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / "x.csv").write_text(content)
        # a file of a folder, of which the record tells no size
        made = record_content(life.lab, Kind.DATASET, tmp_path / "data", name="data")
        target = tmp_path / made.id / "croissant.json"
        export(life.lab, made.id, "croissant", target)
        assert "recordSet" not in json.loads(target.read_text())


@pytest.mark.parametrize("start", ["," * 9000 + "\n", "a\n" + "," * 9000 + "\n", "\n \n" + ',"\n"' * 9000 + "\n"])
def test_rows_that_would_be_filled_up_are_not_read(tmp_path: Path, start: str) -> None:
    """160 kB took over a minute."""
    (tmp_path / "x.csv").write_text(start + "1\n" * 10_000)
    assert not croissant._is_small(tmp_path / "x.csv", ",")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    "rows", [["a,b"], ["a", "1"], [",".join("xyz" * 300)] * 500, ["", "a,b", *[","] * 50], ["x", "a,1"]]
)
def test_tables_are_read(tmp_path: Path, rows: list[str], end: str) -> None:
    (tmp_path / "x.csv").write_bytes("".join(f"{row}{end}" for row in rows).encode())
    assert croissant._is_small(tmp_path / "x.csv", ",")


def test_a_packed_table_is_no_table() -> None:
    formats = {name: ExportedFile(name, "", "content", "").format for name in ("a.csv", "a.csv.gz", "a.tar.xz")}
    assert formats == {"a.csv": "text/csv", "a.csv.gz": "application/gzip", "a.tar.xz": "application/octet-stream"}


@pytest.mark.parametrize("hidden", "\u00ad\u034f\u061c\u115f\u180e\u200b\u202e\u2066\u206a\u3164\ufe00\ufff9\U000e0041")
def test_what_nobody_sees_is_shown(hidden: str) -> None:
    assert printable(f"a{hidden}b") == "a\ufffdb"


@pytest.mark.parametrize("sign", "\uff1d\uff0b\uff0d\uff20=")
def test_a_wide_sign_begins_no_formula(sign: str) -> None:
    """OWASP names them: spreadsheets in Chinese and Japanese take them for the narrow ones."""
    assert no_formula(f" {sign}1+1") == f"' {sign}1+1"
