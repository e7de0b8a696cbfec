"""Histories in reports."""

from __future__ import annotations

import pytest

from blockchaintracer.extras.report.report_history import parse_history


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
