"""Draws a comparison: a panel a metric, a column a group, a point a run, with means and their intervals."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.extras.compare.comparison import RunComparison
from blockchaintracer.extras.compare.runs import Compared, Scalar, is_number
from blockchaintracer.lab.optional import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLOT_FORMATS = ("png", "svg", "pdf")
_MOST_PANELS = 12
_COLUMNS = 3
_LABEL = 40


def draw(comparison: RunComparison, form: str, metrics: Sequence[str] = ()) -> bytes:
    """The picture as bytes; the same comparison gives the same ones.

    Args:
        form: one of `PLOT_FORMATS`.
        metrics: names of those to draw; the first twelve that there are if not said.
    """
    if form not in PLOT_FORMATS:
        raise InputError(f"expected a picture as {', '.join(PLOT_FORMATS)}, got {form!r}")
    measured = dict.fromkeys(summary.metric for summary in comparison.statistics.summaries)
    names = list(metrics) or list(measured)[:_MOST_PANELS]
    if not names:
        raise InputError("expected a metric to draw, and the runs share none", hint="`compare` lists what they have.")
    mpl, figures = require("matplotlib", "compare"), require("matplotlib.figure", "compare")
    columns = min(_COLUMNS, len(names))
    rows = math.ceil(len(names) / columns)
    figure = figures.Figure(figsize=(4.2 * columns, 3.4 * rows), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for panel, name in zip(panels, names, strict=False):
        _panel(panel, comparison, name)
    for panel in panels[len(names) :]:
        panel.set_axis_off()
    note = f"points: runs; bars: mean and its {comparison.statistics.confidence:.0%} interval; lines: runs of one seed"
    figure.supxlabel(note, fontsize=7)
    picture = io.BytesIO()
    # neither the time nor random names of elements: a picture is as repeatable as what it shows
    with mpl.rc_context({"svg.hashsalt": "blockchaintracer", "svg.fonttype": "none"}):
        figure.savefig(picture, format=form, dpi=150, metadata=_UNDATED[form])
    return picture.getvalue()


_UNDATED: Mapping[str, dict[str, Any]] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


def _panel(panel: Axes, comparison: RunComparison, metric: str) -> None:
    statistics = comparison.statistics
    runs = {run.id: run for run in comparison.runs if metric in run.metrics}
    points: dict[str, list[tuple[int, float]]] = {}
    groups = sorted(statistics.groups, key=lambda group: [_ascending(value) for value in group.values.values()])
    drawn = [[runs[run] for run in group.runs if run in runs] for group in groups]
    for place, members in enumerate(drawn):
        panel.plot([place] * len(members), [run.metrics[metric] for run in members], "o", color="C0", alpha=0.6, ms=4)
        for run in members:
            if seed := _seed(run, statistics.pairing):
                points.setdefault(seed, []).append((place, run.metrics[metric]))
    for line in points.values():
        if len({place for place, _ in line}) == len(line) > 1:
            panel.plot([place for place, _ in line], [value for _, value in line], "-", color="0.8", lw=0.7, zorder=0)
    places = {group.name: place for place, group in enumerate(groups)}
    for summary in statistics.summaries:
        if summary.metric == metric and None not in (summary.mean, summary.low, summary.high):
            mean, low, high = float(summary.mean or 0), float(summary.low or 0), float(summary.high or 0)
            reach = [[mean - low], [high - mean]]
            panel.errorbar(places[summary.group], mean, reach, fmt="_", color="C3", capsize=4, ms=14)
    declared = any(f"metrics.{metric}" in run.declared for run in runs.values())
    panel.set_title(f"{_plain(metric)} (declared)" if declared else _plain(metric), fontsize=9)
    panel.set_xticks(range(len(groups)))
    panel.set_xticklabels(
        [f"{_plain(group.name)}\nn={len(members)}" for group, members in zip(groups, drawn, strict=True)],
        rotation=20 if len(groups) > 1 else 0,
        fontsize=7,
        ha="right" if len(groups) > 1 else "center",
    )
    panel.set_xlim(-0.6, len(groups) - 0.4)
    panel.grid(axis="y", lw=0.3)


def _ascending(value: Scalar) -> tuple[bool, float, str]:
    """Numbers by their size, and before texts."""
    return (False, float(value), "") if is_number(value) else (True, 0.0, str(value))


def _seed(run: Compared, pairing: Sequence[str]) -> str:
    values = [run.fields.get(name) for name in pairing]
    return "" if all(value is None for value in values) else repr(values)


def _plain(text: str) -> str:
    """A name as its author wrote it: what matplotlib would take for mathematics, or a terminal for commands, is not."""
    shown = "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
    # cut in the middle: long names differ at their ends
    shown = shown if len(shown) <= _LABEL else f"{shown[: _LABEL // 2]}…{shown[-_LABEL // 2 :]}"
    return shown.replace("$", r"\$")
