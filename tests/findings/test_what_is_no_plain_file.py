"""A FIFO that a script left, a device at the place of recorded data and a script of blank lines held `record` up.

A program leaves its pipes behind, and what was recorded in place can be another thing by now. Texts of scripts are read
by expressions, which took hours for a run of blanks.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.errors import StoreError
from blockchaintracer.lab.capture.unseen import first_line, told_of
from blockchaintracer.lab.store.hashcache import HashCache
from blockchaintracer.lab.store.store import Store

pytestmark = pytest.mark.fast


@pytest.fixture(autouse=True)
def ends() -> Iterator[None]:
    """Whoever waits for a FIFO, or tries for hours, is stopped."""

    def stop(*given: Any) -> None:
        pytest.fail("it does not end")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def test_a_fifo_that_a_script_left_is_named_and_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "run.sh").write_text("#!/bin/sh\nmkfifo pipe\nseq 3 > pipe & cat pipe\n")
    assert str(tmp_path / "pipe") in told_of([("sh", "run.sh")], tmp_path, tmp_path, {"run.sh"}).paths
    assert first_line(tmp_path / "pipe") == ""


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("\n" * 500_000 + "Rscript-of-nobody fit.R\n", set()),
        ("1=x  " * 60 + ")\neval x\n", {"eval"}),
        ("1=x \\\n\\\n" * 60 + ")\neval x\n", {"eval"}),
        ("1=; " * 100_000 + ")\n", {"run.sh"}),
        ("PYTHONPATH=" * 50_000 + "$PYTHONPATH\n", {"run.sh", "python"}),
        ("A=1 " * 20 + "eval x\n", {"eval"}),
    ],
)
def test_a_text_made_to_be_read_for_hours_is_read(tmp_path: Path, text: str, unknown: set[str]) -> None:
    (tmp_path / "run.sh").write_text(text)
    assert told_of([("sh", "run.sh")], tmp_path, tmp_path, {"run.sh"}).unknown == unknown


def test_a_device_where_data_lay_is_not_read(tmp_path: Path) -> None:
    store, data = Store(tmp_path / "store", cache=HashCache(tmp_path / "hashes.sqlite")), tmp_path / "data"
    data.write_bytes(b"1\n")
    digest = store.put_file(data, in_place=True).sha256
    data.unlink()
    for make in (os.mkfifo, lambda path: os.symlink("/dev/null", path)):
        make(data)
        for read in (store.get_bytes, store.verify, lambda it: store.published(tmp_path / "shown").take(it, store)):
            with pytest.raises(StoreError, match="device, FIFO or socket"):
                read(digest)
        data.unlink()
    assert not [*(tmp_path / "shown").glob("objects/??/*")]
