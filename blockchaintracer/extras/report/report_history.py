"""Metric histories that a run recorded as files: read as numbers, or not at all. They are a stranger's files."""

from __future__ import annotations

import csv
import math
from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import RunPredicate
from blockchaintracer.core.plain_json import parse_json
from blockchaintracer.lab.store.stored_copies import StoredCopies

MAX_FILE = 16 << 20
MAX_POINTS = 20_000
# a NaN of Python's writer is no point, and takes no other point along
_no_point = dict[str, None]().get
_VALUES = ("value", "y")

Points = list[tuple[float, float]]


def read_histories(copies: StoredCopies, run: RunPredicate) -> dict[str, Points]:
    """Read steps and values by metric; what is no history is left out."""
    histories = {}
    for name, metric in sorted(run.metrics.items()):
        if metric.history is not None:
            data, _ = copies.read_bytes(metric.history.sha256, MAX_FILE)
            points = parse_history(data, name) if data is not None else []
            if points:
                histories[name] = points
    return histories


def parse_history(data: bytes, name: str = "value") -> Points:
    """Read a history: CSV with a column ``value`` (or of the metric's name), JSON (numbers, pairs, or copies with
    ``step`` and ``value``) or one JSON object a line; empty if it is none of these."""
    try:
        values = parse_json(data, "history", MAX_FILE, _no_point)
    except InputError:
        try:
            values = [parse_json(line, "history", constant=_no_point) for line in data.splitlines() if line.strip()]
        except InputError:
            try:
                values = list(csv.DictReader(data.decode().splitlines()))
            except (csv.Error, UnicodeDecodeError):
                return []
    if isinstance(values, dict):
        values = values.get(name, values.get("history"))
    if not isinstance(values, list):
        return []
    points = [point for number, value in enumerate(values) if (point := _point(number, value, name))]
    every = -(-len(points) // MAX_POINTS) or 1
    return points[::every]


def _point(number: int, value: Any, name: str) -> tuple[float, float] | None:
    if isinstance(value, list) and len(value) == 2:
        step, value = value
    elif isinstance(value, dict):
        step = value.get("step", number)
        value = next((value[key] for key in (*_VALUES, name) if key in value), None)
    else:
        step = number
    try:
        x, y = float(step), float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return (x, y) if math.isfinite(x) and math.isfinite(y) else None
