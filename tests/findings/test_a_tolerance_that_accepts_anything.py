"""A tolerance that accepts nearly anything is called so by every verb, and finding the metric again is no evidence.

A tolerance of 10,000 on a value of 349 gave the same `reproduced`, and the same level of evidence, as an exact match.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from blockchaintracer.core.manifest import Metric, Tolerance
from blockchaintracer.core.manifest.metric_comparison import NEARLY_ANYTHING, are_decisive, compare_metrics
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.experiment import GivenMetric
from blockchaintracer.lab.recording.run_document import RunDocument
from tests.support.labs import second_lab
from tests.support.studies import TELL, Study, typed

pytestmark = pytest.mark.node

UNSEEDED = (
    TELL
    + """
import random
tell(score={"value": 349 + random.random(), "tolerance": {"absolute": 10000}})
"""
)


def test_every_verb_says_so_and_it_counts_for_nothing(lab: Lab, tmp_path: Path) -> None:
    study = Study.of(lab, tmp_path / "study", {"guess.py": UNSEEDED, "data.csv": "1\n"})
    other = second_lab(lab, tmp_path / "other")
    run = study.record("--dataset", "data.csv", program=(sys.executable, "guess.py"))
    result = study.repeat(other, run)
    assert result.reproduced
    [row] = result.comparisons
    assert row.wide
    assert 0 < (row.used or 0) < 1e-3
    assert NEARLY_ANYTHING in str(row)

    where = ("--rpc", lab.devnet.start().url, "--registry", lab.registry.address)

    def told(*arguments: str) -> str:
        done = typed(*arguments, *where, home=other.home.path, folder=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    verified = told("verify", run)
    assert f"within 10000 absolute, which {NEARLY_ANYTHING}" in verified
    assert f"found {row.found!r}" in verified
    assert f"{row.used:.3g} of it used" in verified
    assert NEARLY_ANYTHING in told("query", "--kind", "run", "--status", "reproduced", "--ascending")
    scored = json.loads(told("score", run, "--json"))
    assert scored["evidence"]["level"] == "E1"
    assert any(NEARLY_ANYTHING in note for note in scored["notes"])
    needed = ("model_version", "model_type", "preprocessing", "validation", "limitations")
    fields = [word for name in needed for word in ("--field", f"{name}=none")]
    told("report", run, *fields, "-o", "report")
    page = "".join(file.read_text() for file in (tmp_path / "report").rglob("*.html"))
    assert NEARLY_ANYTHING in page
    assert f"{row.used:.3g} used" in page


@pytest.mark.parametrize(
    ("value", "tolerance", "wide"),
    [
        (349.0, Tolerance(absolute=10_000), True),
        (349.0, Tolerance(absolute=349), False),
        (-349.0, Tolerance(absolute=349.1), True),
        (-349.0, Tolerance(absolute=1, relative=1), True),
        (0.0, Tolerance(absolute=1e-6), False),
        (0.0, Tolerance(absolute=2e-6), True),
        (0.0, Tolerance(relative=5), False),
        (5.0, None, False),
    ],
)
def test_what_accepts_nearly_anything(value: float, tolerance: Tolerance | None, wide: bool) -> None:
    metric = Metric(value=value, tolerance=tolerance)
    assert metric.accepts_nearly_anything is wide
    assert are_decisive([metric]) is (not wide and tolerance is not None)
    assert are_decisive([metric, Metric(value=1.0, tolerance=Tolerance())])


def test_the_part_of_a_tolerance_that_is_used() -> None:
    recorded = {"m": Metric(value=10.0, tolerance=Tolerance(absolute=1, relative=0.1))}
    used = {found: compare_metrics(recorded, {"m": found})[0].used for found in (10.0, 11.0, 8.0, 14.0)}
    assert used == {10.0: 0.0, 11.0: 0.5, 8.0: 1.0, 14.0: 2.0}
    exact = {"m": Metric(value=10.0, tolerance=Tolerance())}
    assert [compare_metrics(exact, {"m": found})[0].used for found in (10.0, 11.0)] == [0.0, None]


def test_a_count_is_compared_exactly() -> None:
    metrics = {
        "cells": {"value": 349, "count": True},
        "area": 1.5,
        "spots": {"value": 3, "count": True, "tolerance": {"absolute": 1}},
    }
    recorded = RunDocument.from_plain({"schema": 1, "name": "count", "metrics": metrics}).recorded_metrics()
    assert recorded["cells"].tolerance == Tolerance()
    assert recorded["area"].tolerance == Tolerance(relative=1e-6)
    assert recorded["spots"].tolerance == Tolerance(absolute=1)
    assert GivenMetric.from_plain({"value": 349, "count": True}).recorded(349).tolerance == Tolerance()
