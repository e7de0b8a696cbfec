"""Only the first 50,000 steps of a run's metrics were compared with MLflow: a value that was changed later passed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from blockchaintracer.extras.mlflow.run_checks import _Comparison
from blockchaintracer.extras.mlflow_reader.snapshot import Point, Snapshot

pytestmark = pytest.mark.fast

LAST = 60_000


def snapshot(points: list[Point]) -> Snapshot:
    return Snapshot({}, points, {}, [], [], "", "")


def test_a_change_of_the_last_of_many_values_is_named() -> None:
    points = [Point("loss", step, 0, "0.5") for step in range(LAST + 1)]
    recorded = snapshot(points).history()
    copies: Any = SimpleNamespace(read_bytes=lambda digest, limit: (recorded, SimpleNamespace(told=[])))
    comparison = _Comparison(None, "", None, {}, copies)
    [same] = comparison._metrics("0" * 64, snapshot(points))
    assert same.verdict.value == "pass"
    [check] = comparison._metrics("0" * 64, snapshot([*points[:-1], Point("loss", LAST, 0, "0.9")]))
    assert check.detail == f"changed at step {LAST}: it was 0.5, is 0.9"


def test_a_point_of_which_the_time_alone_changed_is_told_with_its_time() -> None:
    recorded = snapshot([Point("loss", 1, 1_700_000_000_000, "0.5")]).history()
    copies: Any = SimpleNamespace(read_bytes=lambda digest, limit: (recorded, SimpleNamespace(told=[])))
    [check] = _Comparison(None, "", None, {}, copies)._metrics("0" * 64, snapshot([Point("loss", 1, 7, "0.5")]))
    was, now = "2023-11-14T22:13:20+00:00", "1970-01-01T00:00:00.007000+00:00"
    assert check.detail == f"changed at step 1: the time of 0.5 was {was}, is {now}"
    assert check.values["times"] == [1_700_000_000_000, 7]
