"""What people open in a browser, opened in one: reports, lineages and a notebook's cell of a run whose author named
everything with an attack. Chromium comes by npm, locked beside this file."""

from __future__ import annotations

import platform
import sys
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer import MLTracer
from blockchaintracer.extras.report import gather, make
from blockchaintracer.extras.report.documentation import Documentation
from blockchaintracer.lab.lab import Lab
from tests.findings.test_reports_of_hostile_records import FIELDS, HOSTILE
from tests.live.browser.chromium import drive
from tests.support.labs import shared_lab, typed

PHONE, DESKTOP = 390, 1280
ATTACK = """<!doctype html><p style="width: 2000px"><img src="http://127.0.0.1:9/seen.png"><script>alert(1)</script>"""
"""What the others would be if anything in them worked."""

pytestmark = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="the Chromium of npm is for Linux on x86-64"
)


@dataclass(frozen=True)
class Opened:
    """A page as `open.mjs` tells of it.

    Args:
        images: alternative text, and whether it was drawn.
        overflowing: widths in pixels at which the page is wider than the window.
        messages: of the console, errors and dialogs.
        asked: addresses that were asked for, besides the file itself and what it holds.
        stayed: whether the window still shows the file.
        printed: bytes of the page as a PDF.
    """

    title: str
    text: str
    images: list[dict[str, Any]]
    overflowing: list[int]
    messages: list[str]
    asked: list[str]
    stayed: bool
    printed: int


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Opened]:
    folder = tmp_path_factory.mktemp("pages")
    with shared_lab(tmp_path_factory.mktemp("lab")) as lab:
        files = written(lab, folder)
    told = drive("open.mjs", {"files": [str(file) for file in files], "widths": [PHONE, DESKTOP]}, folder)
    return {file.name: Opened(**each) for file, each in zip(files, told, strict=True)}


def written(lab: Lab, folder: Path) -> list[Path]:
    """The pages of one run."""
    with chdir(folder):
        Path("data.csv").write_text("1,2\n")
        with MLTracer(home=lab.home.path).start_run(HOSTILE[0]) as run:
            run.set_description("\n".join(HOSTILE))
            run.log_params({"algorithm": HOSTILE[1], HOSTILE[4]: HOSTILE[14], "test_fraction": 0.5})
            run.log_input("data.csv", relation="trained-on", name=HOSTILE[1])
            for step in range(5):
                run.log_metric('<img src="http://evil.example/m.png">', 1 / (step + 1), step=step)
    assert run.recorded, run.problem
    facts = gather(lab, run.recorded.id, FIELDS)
    pages = {
        "report.html": make(facts, ["html"])["report.html"],
        "cell.html": Documentation(lab, facts)._repr_html_().encode(),
        "attack.html": ATTACK.encode(),
    }
    for name, content in pages.items():
        (folder / name).write_bytes(content)
    picture = folder / "lineage.svg"
    drawn = typed("lineage", run.recorded.id, "-o", str(picture), home=lab.home.path)
    assert drawn.returncode == 0, drawn.stderr
    return [*(folder / name for name in pages), picture]


@pytest.mark.parametrize("page", ["report.html", "cell.html", "lineage.svg"])
def test_nothing_runs_loads_or_leaves(opened: dict[str, Opened], page: str) -> None:
    seen = opened[page]
    assert seen.asked == []
    assert seen.messages == []
    assert seen.stayed


def test_an_attack_that_works_is_seen(opened: dict[str, Opened]) -> None:
    attack = opened["attack.html"]
    assert attack.asked == ["http://127.0.0.1:9/seen.png"]
    assert "dialog: 1" in attack.messages
    assert attack.overflowing == [PHONE, DESKTOP]


def test_a_report_is_read_on_any_screen_and_on_paper(opened: dict[str, Opened]) -> None:
    report = opened["report.html"]
    assert report.title.startswith(HOSTILE[0])
    assert HOSTILE[1] in report.text
    assert "blockchaintracer verify" in report.text
    assert len(report.images) == 2  # nobody has found the metric again, and a picture of one point says nothing
    assert all(image["drawn"] and image["alt"] for image in report.images)
    assert report.overflowing == []
    assert report.printed > 10_000


def test_a_lineage_is_a_picture_with_its_names(opened: dict[str, Opened]) -> None:
    assert HOSTILE[0] in opened["lineage.svg"].text
