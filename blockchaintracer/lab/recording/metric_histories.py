"""The values that a run's metrics had step by step: noted while it goes on, and kept as one file a metric."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field

from blockchaintracer.core.manifest import Artifact
from blockchaintracer.core.plain_json import number_text
from blockchaintracer.lab.recording.keep import keep_attachment
from blockchaintracer.lab.recording.run_document import MAX_HISTORIES, MAX_POINTS, DocumentHistory
from blockchaintracer.lab.store.store import Store


@dataclass
class _History:
    points: dict[int, tuple[float, int]] = field(default_factory=dict)
    last: int = 0
    latest: tuple[float, int] = (0.0, 0)
    every: int = 1
    count: int = 0


class Histories:
    """The histories of one run, within what a run document holds. If there are too many values, the longest history is
    thinned to every second of its values, again and again, so that it goes on to the end.
    """

    def __init__(self) -> None:
        self._histories: dict[str, _History] = {}
        self._size = 0
        self.thinned: set[str] = set()

    def note(self, metric: str, step: int, value: float) -> bool:
        """Note a value; of a step that comes again, the last. Whether the metric has a history: only so many have."""
        if metric not in self._histories and len(self._histories) == MAX_HISTORIES:
            return False
        history = self._histories.setdefault(metric, _History())
        history.last, history.latest = step, (value, time.time_ns() // 1_000_000)
        if step in history.points:
            history.points[step] = history.latest
            return True
        if history.count % history.every == 0:
            history.points[step] = history.latest
            self._size += 1
        history.count += 1
        # beside each history there is room for its last value
        while self._size > MAX_POINTS - MAX_HISTORIES:
            metric, longest = max(self._histories.items(), key=lambda item: len(item[1].points))
            before = len(longest.points)
            longest.points = dict(list(longest.points.items())[::2])
            longest.every *= 2
            self._size -= before - len(longest.points)
            self.thinned.add(metric)
        return True

    def documents(self) -> dict[str, DocumentHistory]:
        """Return each metric's history, in the order of its steps and with the value that was logged last."""
        documents = {}
        for metric, history in self._histories.items():
            points = sorted({**history.points, history.last: history.latest}.items())
            documents[metric] = DocumentHistory(
                steps=tuple(step for step, _ in points),
                values=tuple(value for _, (value, _) in points),
                times=tuple(at for _, (_, at) in points),
            )
        return documents


def keep_histories(store: Store, histories: dict[str, DocumentHistory]) -> dict[str, Artifact]:
    """Store each history as a JSON list of ``step``, ``value`` and ``time`` (Unix time in ms)."""
    artifacts = {}
    for number, (metric, history) in enumerate(sorted(histories.items())):
        points = zip(history.steps, history.values, history.times, strict=True)
        data = json.dumps(
            [{"step": step, "value": number_text(value), "time": at} for step, value, at in points]
        ).encode()
        artifacts[metric] = keep_attachment(store, f"metrics/{number}.json", data)
    return artifacts
