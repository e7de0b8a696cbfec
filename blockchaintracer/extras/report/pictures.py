"""Pictures of a report as SVG by matplotlib, without a window, a clock or a font of this machine: equal facts give
equal bytes. Names in them are their authors' choice: nothing in them is read as markup or mathematics."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from blockchaintracer.lab.optional import require
from blockchaintracer.lab.plain_text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from blockchaintracer.extras.report.report_facts import ReportFacts

MAX_METRICS = 24
_SHORT = 22
_BLUE, _GREY, _RED, _GREEN = "#1f4e79", "#5b6672", "#a32020", "#1d6b3a"


def data_uri(svg: bytes) -> str:
    """Write a picture as the address of an image: whatever is in it can't act on the page."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"


def metric_pictures(facts: ReportFacts, metrics: Sequence[dict[str, Any]]) -> list[tuple[str, bytes]]:
    """Draw the metrics; each picture with what it shows in words.

    One has a row for each metric that was found again: the recorded value, what it may be off, and what was found.
    The others have the histories that the run recorded.
    """
    pictures = []
    compared = [metric for metric in metrics if metric["tolerance"] is not None and metric["again"]][:MAX_METRICS]
    if compared:
        pictures.append(("recorded metrics, their tolerances, and what was found again", _compared(compared, facts)))
    histories = [(name, points) for name, points in facts.histories.items() if len(points) > 1][:MAX_METRICS]
    if histories:
        pictures.append(("metrics over the run", _histories(histories, facts)))
    return pictures


def _compared(metrics: Sequence[dict[str, Any]], facts: ReportFacts) -> bytes:
    height = 0.5 + 0.62 * len(metrics)
    with _drawing(facts.asked.id, 7.6, height) as (figure, save):
        figure.get_layout_engine().set(rect=(0, 0, 1, 1 - 0.25 / height))
        for number, metric in enumerate(metrics):
            axes = figure.add_subplot(len(metrics), 1, number + 1)
            value, allowed = metric["value"], metric["tolerance"]
            axes.axvspan(-allowed, allowed, color="#dbe6f1", lw=0)
            axes.plot([0], [0.5], "o", color=_BLUE, ms=7)
            off = [again["value"] - value for again in metric["again"]]
            for again, x in zip(metric["again"], off, strict=True):
                axes.plot([x], [0.5], "+", color=_GREEN if again["agrees"] else _RED, ms=8, mew=2)
            reach = 1.25 * max(allowed, *map(abs, off), 0.0) or abs(value) or 1.0
            axes.set(xlim=(-reach, reach), ylim=(0, 1), yticks=[])
            axes.xaxis.set_major_formatter("{x:+.3g}")
            title = f"{_short(metric['name'])}\n{value:.6g}"
            axes.set_ylabel(title, fontsize=8, rotation=0, ha="right", va="center", parse_math=False)
            axes.locator_params(axis="x", nbins=5)
            _plain_axes(axes, "x", ("top", "left", "right"))
        legend = "off the recorded value:  ● recorded   ▬ tolerance   + found again"
        figure.text(0.995, 0.995, legend, ha="right", va="top", fontsize=7.5, color=_GREY)
        return save()


def _histories(histories: Sequence[tuple[str, list[tuple[float, float]]]], facts: ReportFacts) -> bytes:
    rows = -(-len(histories) // 2)
    with _drawing(facts.asked.id, 7.6, 2.1 * rows) as (figure, save):
        for number, (name, points) in enumerate(histories):
            axes = figure.add_subplot(rows, min(2, len(histories)), number + 1)
            axes.plot([x for x, _ in points], [y for _, y in points], color=_BLUE, lw=1.2)
            axes.set_title(_short(name), fontsize=9, loc="left", parse_math=False)
            axes.set_xlabel("step", fontsize=8, color=_GREY)
            _plain_axes(axes, "both", ("top", "right"))
        return save()


def _plain_axes(axes: Any, ticks: str, hidden: tuple[str, ...]) -> None:
    axes.tick_params(axis=ticks, labelsize=7.5, colors=_GREY)
    axes.spines[list(hidden)].set_visible(False)


def _short(text: str) -> str:
    shown = " ".join(printable(text).split())
    return shown if len(shown) <= _SHORT else f"{shown[: _SHORT - 1]}…"


@contextmanager
def _drawing(salt: str, width: float, height: float) -> Iterator[tuple[Any, Callable[[], bytes]]]:
    matplotlib = require("matplotlib", "reports")
    figures = require("matplotlib.figure", "reports")
    require("matplotlib.backends.backend_svg", "reports")
    # the user's own style would change the bytes
    settings = {
        **{name: value for name, value in matplotlib.rcParamsDefault.items() if not name.startswith("backend")},
        "svg.hashsalt": salt,
        "svg.fonttype": "path",
        "font.family": "DejaVu Sans",
    }
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        matplotlib.rcParams.update(settings)
        figure = figures.Figure(figsize=(width, height), layout="constrained")

        def save() -> bytes:
            out = io.BytesIO()
            figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
            return out.getvalue()

        yield figure, save
