"""What a file of the commit says is found again by everybody, whatever the program computes: it tells nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.lab.capture.metric_files import answer

pytestmark = pytest.mark.fast

CASES = {
    "m.jsonl": ('{"acc": 0.99}\n', '{"loss": 1}\n', {"loss": 1.0}),
    "half.jsonl": ('{"acc": 0.99}', '\n{"loss": 1}\n', {"loss": 1.0}),
    "m.yaml": ("acc: 0.99\n", "loss: 1\n", {"loss": 1.0}),
    "rows.csv": ("epoch,acc\n1,0.99\n", "2,\n", {"epoch": 2.0}),
    "named.tsv": ("acc\t0.99\n", "loss\t1\n", {"loss": 1.0}),
    "half.csv": ("epoch,acc\n1,0.9", "9\n2,0.5\n", {"epoch": 2.0, "acc": 0.5}),
    "open.json": ('[{"acc": 0.99}', "]", None),
    "blank.yaml": ("acc: 0.99\n", "\n", {}),
    # written whole: the same document with another end, or another one
    "same.json": ('{"acc": 0.99}', "\n", {"acc": 0.99}),
    "touched.json": ('{"acc": 0.99}', "", {"acc": 0.99}),
}


def test_a_file_that_is_added_to(tmp_path: Path) -> None:
    """The committed part of a log was read as if the program had written it."""
    (tmp_path / "log.txt").write_text("acc=0.99\n")
    for name, (committed, _, _) in CASES.items():
        (tmp_path / name).write_text(committed)
    question: dict[str, Any] = {
        "root": str(tmp_path),
        "folder": str(tmp_path),
        "files": [*CASES],
        "streams": {},
        "began": 0,
    }
    question |= {"texts": [("log.txt", r"acc=(\S+)"), ("log.txt", r"end (\d)")]}
    before = answer(question | {"before": None})["state"]
    with (tmp_path / "log.txt").open("a") as file:
        file.write("end 3\n")
    for name, (committed, added, _) in CASES.items():
        (tmp_path / name).unlink()
        (tmp_path / name).write_text(committed + added)
    told = answer(question | {"before": before})
    assert told["numbers"] == ["nothing in what was added to log.txt matches 'acc=(\\\\S+)'", 3.0]
    for [[path, found]], (_, _, expected) in zip(told["tables"], CASES.values(), strict=True):
        assert found == expected if expected is not None else "can't be read as json" in found, path


def test_a_file_that_is_written_again(tmp_path: Path) -> None:
    """A committed file that a program writes whole, shorter or otherwise, is what the program told."""
    log = tmp_path / "log.txt"
    log.write_text("acc=0.99\nacc=0.98\n")
    question: dict[str, Any] = {"root": str(tmp_path), "folder": str(tmp_path), "files": [], "streams": {}, "began": 0}
    question["texts"] = [("log.txt", "acc=(.*)")]
    before = answer(question | {"before": None})["state"]
    log.write_text("acc=0.99\n")
    assert answer(question | {"before": before})["numbers"] == [0.99]
