"""What a stranger's program leaves behind is read outside of its sandbox: it must lead to no file of this user's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blockchaintracer.core.manifest.predicates import MetricSource
from blockchaintracer.lab.recording.metric_sources import MetricReader

pytestmark = pytest.mark.node


def test_a_link_in_the_place_of_the_code(tmp_path: Path) -> None:
    """Metrics were read in whatever folder a link led to that the program put where its code had been."""
    code, private = tmp_path / "work" / "code", tmp_path / "private"
    code.mkdir(parents=True)
    private.mkdir()
    (private / "m.json").write_text(json.dumps({"pin": 1234}))
    (private / "token").write_text("PASSWORD=hunter2\n")
    sources = {
        "pin": MetricSource(kind="file", path="m.json", key="pin", pattern=None),
        "word": MetricSource(kind="file", path="token", pattern="PASSWORD=(.*)"),
    }
    reader = MetricReader(code, code, sources)
    reader.begin({})
    code.rename(code.with_name("away"))
    code.symlink_to(private)
    assert reader.read() == {}
    assert set(reader.missing) == {"pin", "word"}
    assert "hunter2" not in str(reader.missing)
