"""Metric histories that a run recorded as files: read as numbers, or not at all. They are a stranger's files."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
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
                values = list(_rows(data.decode(), name))
            except (csv.Error, UnicodeDecodeError):
                return []
    if isinstance(values, dict):
        values = values.get(name, values.get("history"))
    if not isinstance(values, list):
        return []
    points = [point for number, value in enumerate(values) if (point := _point(number, value, name))]
    return points if len(points) <= MAX_POINTS else _thinned(points)


def _rows(text: str, name: str) -> Iterator[list[Any]]:
    """Yield step and value of each row. Of a row no more than its own cells is read, however many columns there are."""
    rows = csv.reader(text.splitlines())
    columns = {column: place for place, column in enumerate(next(rows, ()))}
    step, value = columns.get("step"), next((columns[key] for key in (*_VALUES, name) if key in columns), None)
    for number, row in enumerate(filter(None, rows)):
        if value is not None and max(value, step or 0) < len(row):
            yield [number if step is None else row[step], row[value]]


def _thinned(points: Points) -> Points:
    """Return the first and the last point, and the lowest and the highest of each part, so that no peak is lost."""
    size = -(-len(points) // (MAX_POINTS // 2 - 1))
    kept = {0, len(points) - 1}
    for start in range(0, len(points), size):
        part = range(start, min(start + size, len(points)))
        kept |= {choose(part, key=lambda place: points[place][1]) for choose in (min, max)}
    return [points[place] for place in sorted(kept)]


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
