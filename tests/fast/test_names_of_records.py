"""What records and runs are called where nobody named them, and what a name that is too short is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from blockchaintracer.core.manifest import ContentPredicate, Manifest
from blockchaintracer.core.record import Kind
from blockchaintracer.extras.compare.runs import compared
from blockchaintracer.lab.plain_text import called
from blockchaintracer.lab.recording.request import _name_of
from blockchaintracer.lab.recording.run import RunFacts, output_name
from blockchaintracer.lab.recording.run_document import RunDocument
from blockchaintracer.lab.store.hashcache import HashCache

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    ("program", "name"),
    [
        ("python fit.py --lr 0.1", "fit"),
        ("uv run python src/fit.py", "fit"),
        ("analysis.ipynb -p seed=10", "analysis"),
        ("Rscript model.R", "model"),
        ("./train 3", "train"),
        ("make figures", "make"),
        ("python3.11 -m package", "run"),
        ("python -c 1;x.py\n", "run"),
        ("", "run"),
    ],
)
def test_a_run_is_called_as_its_script(program: str, name: str) -> None:
    assert _name_of(program.split(" ") if program else ()) == name


def test_content_without_a_name_is_called_as_the_file_that_was_recorded_here(tmp_path: Path) -> None:
    (file := tmp_path / "soil.csv").write_text("1\n")
    hashes = HashCache(tmp_path / "hashes.sqlite")
    hashes.note_place(file, "12" * 32)
    assert hashes.name_of("12" * 32) == "soil.csv"
    assert hashes.name_of("34" * 32) is None


def test_outputs_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    paths = [tmp_path / "a" / "m.json", tmp_path / "b" / "m.json", tmp_path / "b" / "fit.png"]
    facts = RunFacts(
        document=RunDocument(schema_version=1, name="run"), outputs=[("artifact", it) for it in paths], folder=tmp_path
    )
    assert [output_name(path, facts) for path in paths] == ["a/m.json", "b/m.json", "fit.png"]


def test_a_record_is_called_the_same_wherever_people_read_it() -> None:
    record_id = "0x" + "3f8a22c1d4" * 6 + "3f8a"
    assert called("dataset", record_id, "survey", "soil.csv") == "survey"
    assert called("dataset", record_id, None, "soil.csv") == "soil.csv"
    assert called("dataset", record_id, None) == "dataset 0x3f8a22c1d4"
    manifest = Manifest.of(Kind.DATASET, ContentPredicate(subject_type="commitment", name=None), "01" * 32)
    assert compared(record_id, manifest, "soil.csv").name == "soil.csv"
    assert compared(record_id, manifest).name == "dataset 0x3f8a22c1d4"
