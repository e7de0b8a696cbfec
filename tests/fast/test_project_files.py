"""What strangers join by: each page has a place in the site, and CI runs make targets and pinned actions alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.fast
ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def pages_in(nav: Any) -> Iterator[str]:
    match nav:
        case str():
            yield nav
        case dict():
            for name, inner in nav.items():
                yield from () if name == "Decisions" else pages_in(inner)
        case list():
            for inner in nav:
                yield from pages_in(inner)


def test_every_page_has_one_place_in_the_site() -> None:
    text = (ROOT / "mkdocs.yml").read_text()
    listed = [page for page in pages_in(yaml.safe_load(text)["nav"]) if page != "index.md"]
    assert sorted(listed) == sorted(page.name for page in (ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_runs_pinned_actions_and_make(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.M)
    for step in steps:
        if "uses" in step:
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step["uses"]), step
        elif step["run"].startswith("make ") and "matrix" not in step["run"]:
            assert step["run"].split()[1] in targets
        else:
            # packing for the two indexes, in the job that may publish and checks nothing out
            assert "matrix" in step["run"] or path.name == "release.yml"
    matrix = [job.get("strategy", {}).get("matrix", {}).get("target", []) for job in workflow["jobs"].values()]
    assert {target for found in matrix for target in found} <= {*targets}
    assert all(job.get("timeout-minutes") for job in workflow["jobs"].values() if "make" in str(job["steps"]))
