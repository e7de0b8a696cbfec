"""Data whose time of modification lies ahead, as an archive or `touch` sets it, were taken for what the run had made:
the record did not name them among what was read. The time of change is the kernel's own."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from blockchaintracer.lab.capture import reads

pytestmark = pytest.mark.fast


def test_data_from_the_future_were_read(tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    data.write_text("a,b")
    os.utime(data, (time.time() + 10**8,) * 2)
    after = data.stat().st_ctime_ns

    def named(since_ns: int) -> tuple[str, ...]:
        read = frozenset({str(data)})
        none = frozenset[str]()
        seen = reads.Seen(1, read, none, (), none, none, frozenset(), since_ns=since_ns)
        return reads.undeclared(seen, tmp_path, None, []).reads.files

    assert named(after) == ("data.csv",)
    # made by a process that was not seen
    assert named(after - 1) == ()
