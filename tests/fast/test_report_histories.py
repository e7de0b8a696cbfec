"""Histories in reports, and what the checks found that passed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blockchaintracer.core.verify import Check, Outcome
from blockchaintracer.extras.report.report_facts import _stable
from blockchaintracer.extras.report.report_history import MAX_POINTS, parse_history
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home

VERDICT = f"reproduced, says 0x{'aB' * 20}, on evidence 0x{'12' * 32}, 2026-12-17 19:12:22 UTC"


@pytest.mark.parametrize(
    ("check", "detail", "shown"),
    [
        ("verdict of group 2", f"{VERDICT} (left since), sealed before; of 3 seals, 1 is unrevealed", VERDICT),
        ("verdict of group 2", "disputed, 2026-12-17 19:12:22 UTC (state)", "disputed, 2026-12-17 19:12:22 UTC"),
        ("verdict of group 2", "withdrawn; it was not-reproduced", "withdrawn; it was not-reproduced"),
        ("subject", "it is the SHA-256 of the identifier f66bff10", "it is the SHA-256 of the identifier f66bff10"),
        ("somewhere", "at a place of this machine", ""),
    ],
)
def test_what_a_check_found_is_shown_without_what_changes(tmp_path: Path, check: str, detail: str, shown: str) -> None:
    assert _stable(Lab(Home(tmp_path)), Check(check, Outcome.PASS, detail)).detail == shown


@pytest.mark.parametrize(
    ("data", "points"),
    [
        (b"step,value\n1,0.5\n2,0.25\n", [(1, 0.5), (2, 0.25)]),
        (b"[3, 2, 1]", [(0, 3), (1, 2), (2, 1)]),
        (b"[[10, 3], [20, 2]]", [(10, 3), (20, 2)]),
        (b'{"step": 0, "value": 1}\n{"step": 1, "value": 0.5}\n', [(0, 1), (1, 0.5)]),
        (b"[NaN, -Infinity, 2]", [(2, 2)]),
        (b"[1e999, 2]", []),
        (b'[{"value": 1, "value": 2}]', []),
        (b"\xff\xfe", []),
        (b"[" * 10_000, []),
        (b"nothing of it", []),
    ],
)
def test_histories(data: bytes, points: list[tuple[float, float]]) -> None:
    assert parse_history(data) == points


def test_a_peak_is_kept_of_many_points() -> None:
    """Every second point was taken: a peak between two of them was lost."""
    values = [0.0] * 40_001
    values[20_001], values[-1] = 9.0, 1.0
    points = parse_history(json.dumps(values).encode())
    assert len(points) <= MAX_POINTS
    assert {(20_001.0, 9.0), (40_000.0, 1.0)} <= {*points}
    assert points == sorted(points)


def test_of_a_row_no_more_than_its_cells_is_read() -> None:
    """Each row was filled up to the header: a few megabytes took hours."""
    data = b"value," + b"x," * 30_000 + b"\n" + b"1\n" * 30_000
    assert len(parse_history(data)) <= MAX_POINTS
