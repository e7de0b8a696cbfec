"""The values that a run's metrics had step by step: noted while it goes on, and kept as one file a metric."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field

from blockchaintracer.core.digest import digest_bytes
from blockchaintracer.core.manifest import Artifact
from blockchaintracer.lab.recording.run_document import MAX_HISTORIES, MAX_POINTS, DocumentHistory
from blockchaintracer.lab.store.store import Store


@dataclass
class _Noted:
    points: dict[int, tuple[float, int]] = field(default_factory=dict)
    last: int = 0
    latest: tuple[float, int] = (0.0, 0)
    every: int = 1
    count: int = 0


class Histories:
    """The histories of one run, within what a run document holds: if there are too many values, the longest history is
    thinned to every second of its values, again and again, so that it goes on to the end.

    Attributes:
        thinned: the metrics whose histories have not all values.
    """

    def __init__(self) -> None:
        self._noted: dict[str, _Noted] = {}
        self._size = 0
        self.thinned: set[str] = set()

    def add(self, metric: str, step: int, value: float) -> bool:
        """Notes a value; of a step that comes again, the last. Whether the metric has a history: only so many have."""
        if metric not in self._noted and len(self._noted) == MAX_HISTORIES:
            return False
        noted = self._noted.setdefault(metric, _Noted())
        noted.last, noted.latest = step, (value, time.time_ns() // 1_000_000)
        if step in noted.points:
            noted.points[step] = noted.latest
            return True
        if noted.count % noted.every == 0:
            noted.points[step] = noted.latest
            self._size += 1
        noted.count += 1
        # beside each history there is room for its last value
        while self._size > MAX_POINTS - MAX_HISTORIES:
            self._thin()
        return True

    def _thin(self) -> None:
        metric, noted = max(self._noted.items(), key=lambda one: len(one[1].points))
        before = len(noted.points)
        noted.points = dict(list(noted.points.items())[::2])
        noted.every *= 2
        self._size -= before - len(noted.points)
        self.thinned.add(metric)

    def told(self) -> dict[str, DocumentHistory]:
        """What was noted, by metric, each in the order of its steps and with the value that was logged last."""
        found = {}
        for metric, noted in self._noted.items():
            points = sorted({**noted.points, noted.last: noted.latest}.items())
            found[metric] = DocumentHistory(
                steps=tuple(step for step, _ in points),
                values=tuple(value for _, (value, _) in points),
                times=tuple(at for _, (_, at) in points),
            )
        return found


def keep_histories(store: Store, histories: dict[str, DocumentHistory]) -> dict[str, Artifact]:
    """Keeps each history as a JSON list of ``step``, ``value`` and ``time`` (Unix time in ms)."""
    kept = {}
    for number, (metric, history) in enumerate(sorted(histories.items())):
        points = zip(history.steps, history.values, history.times, strict=True)
        data = json.dumps([{"step": step, "value": value, "time": at} for step, value, at in points]).encode()
        store.put_bytes(data)
        kept[metric] = Artifact.of(f"metrics/{number}.json", digest_bytes(data))
    return kept
