"""A lab that sets ``publishTo`` publishes what it records; what can't be published is recorded all the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blockchaintracer import MLTracer
from blockchaintracer.core.verify.copies import object_name
from blockchaintracer.lab.lab import Lab
from tests.support.labs import typed

pytestmark = pytest.mark.node


def test_what_is_recorded_is_published_by_the_setting(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    public, home = tmp_path / "public", lab.home.path
    Path("data.csv").write_text("a,b")
    assert typed("record", "data.csv", home=home).returncode == 0
    assert not public.exists()
    with lab.changed_settings() as settings:
        settings["publishTo"] = str(public)
    try:
        done = typed("record", "data.csv", "--json", home=home)
        [record] = json.loads(done.stdout)["records"]
        assert (public / object_name(record["manifest"])).exists()
        assert (public / object_name(record["subject"])).exists()
        with MLTracer(home).start_run("published") as run:
            run.log_metric("accuracy", 0.9)
        assert run.recorded
        assert (public / object_name(run.recorded.manifest)).exists()
        with lab.changed_settings() as settings:
            settings["publishTo"] = str(Path("data.csv").absolute() / "below")
        Path("more.csv").write_text("c,d")
        done = typed("record", "more.csv", home=home)
        assert done.returncode == 0
        assert "is recorded, and not published" in done.stdout + done.stderr
    finally:
        with lab.changed_settings() as settings:
            del settings["publishTo"]
