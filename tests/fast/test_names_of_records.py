"""What records and runs are called where nobody named them, and what a name that is too short is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.index import fill
from blockchaintracer.extras.search import Index, query
from blockchaintracer.extras.search.rows import named_here
from blockchaintracer.lab.recording.request import _name_of
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


def test_a_record_without_a_name_is_called_as_the_file_that_was_recorded_here(tmp_path: Path) -> None:
    (file := tmp_path / "soil.csv").write_text("1\n")
    with Index(tmp_path / "index.sqlite") as index:
        fill(index, 1)
        [row] = query(index)
    hashes = HashCache(tmp_path / "hashes.sqlite")
    hashes.note_place(file, row.subject)
    assert named_here(row, hashes).name == row.name, "what its manifest calls it goes first"
    assert named_here(replace(row, name=None), hashes).name == "soil.csv"
    assert named_here(replace(row, name=None, subject="12" * 32), hashes).name is None
