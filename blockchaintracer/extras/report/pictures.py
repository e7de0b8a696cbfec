"""Pictures of a report as SVG by matplotlib, without a window, a clock or a font of this machine: equal facts give
equal bytes. Names in them are their authors' choice: nothing in them is read as markup or mathematics."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from blockchaintracer.extras.search import LineageGraph
from blockchaintracer.extras.search.rows import utc
from blockchaintracer.lab.optional import require
from blockchaintracer.lab.plain_text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from blockchaintracer.extras.report.report_facts import ReportFacts

MAX_METRICS = 24
MAX_NODES = 48
"""Records of a lineage that are drawn; the table beside the picture has them all."""
_SHORT = 22
_BLUE, _GREY, _RED, _GREEN, _AMBER = "#1f4e79", "#5b6672", "#a32020", "#1d6b3a", "#b26a00"


def data_uri(svg: bytes) -> str:
    """Write a picture as the address of an image: whatever is in it can't act on the page."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"


def metric_pictures(facts: ReportFacts, metrics: Sequence[dict[str, Any]]) -> list[tuple[str, bytes]]:
    """Draw the metrics; each picture with what it shows in words.

    One has a row for each metric with a tolerance: the recorded value, what it may be off, and what was found again.
    The others have the histories that the run recorded.
    """
    pictures = []
    compared = [metric for metric in metrics if metric["tolerance"] is not None][:MAX_METRICS]
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


def lineage_picture(lineage: LineageGraph) -> bytes:
    """Draw a lineage as SVG: what was recorded first at the left, arrows from a record to what was made of it."""
    nodes, left_out = _nearest(lineage)
    columns = _columns(lineage, nodes)
    height = max(len(column) for column in columns)
    text = {"ha": "center", "va": "center", "parse_math": False}
    with _drawing(lineage.root, max(7.6, 2.15 * len(columns)), max(1.6, 0.95 * height + 0.3)) as (figure, save):
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set_axis_off()
        axes.set(xlim=(-0.5, len(columns) - 0.5), ylim=(-0.55, height - 0.45))
        places = {
            record: (float(x), height - 1 - y - (height - len(column)) / 2)
            for x, column in enumerate(columns)
            for y, record in enumerate(column)
        }
        boxes = {}
        for record, place in places.items():
            row, is_root = lineage.nodes[record].row, record == lineage.root
            is_retracted = row.status == "retracted"
            lines = [f"{row.kind}, group {row.group}", _short(row.name or ""), f"{row.id[:12]}…", utc(row.time)]
            lines += ["RETRACTED"] if is_retracted else []
            box = {
                "boxstyle": "round,pad=0.45",
                "fc": "#eaf1f8" if is_root else "white",
                "ec": _RED if is_retracted else _AMBER if lineage.nodes[record].is_affected else _BLUE,
                "lw": 2.0 if is_root else 1.0,
            }
            boxes[record] = axes.text(*place, "\n".join(filter(None, lines)), fontsize=6.8, bbox=box, **text)
        for edge in lineage.edges:
            if edge.child not in boxes or edge.parent not in boxes:
                continue
            start, end = places[edge.parent], places[edge.child]
            arrow = {"arrowstyle": "-|>", "color": _GREY, "lw": 0.9}
            arrow |= {"patchA": boxes[edge.parent].get_bbox_patch(), "patchB": boxes[edge.child].get_bbox_patch()}
            axes.annotate("", end, start, zorder=0, arrowprops=arrow)
            middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
            box = {"boxstyle": "square,pad=0.1", "fc": "white", "ec": "none"}
            axes.text(*middle, _short(edge.relation), fontsize=6, color=_GREY, bbox=box, **text)
        if left_out:
            axes.text(-0.45, -0.5, f"{left_out} more are not drawn", fontsize=7, color=_GREY, va="bottom")
        return save()


def _nearest(lineage: LineageGraph) -> tuple[list[str], int]:
    order = sorted(lineage.nodes.values(), key=lambda node: (abs(node.depth), node.row.time, node.row.id))
    return [node.row.id for node in order[:MAX_NODES]], max(0, len(order) - MAX_NODES)


def _columns(lineage: LineageGraph, nodes: Sequence[str]) -> list[list[str]]:
    """Records by the longest path from what has no parent: every arrow leads to the right."""
    kept = set(nodes)
    parents: dict[str, list[str]] = {record: [] for record in nodes}
    for edge in lineage.edges:
        if edge.child in kept and edge.parent in kept:
            parents[edge.child].append(edge.parent)
    column = dict.fromkeys(nodes, 0)
    # a parent is recorded no later than its child, so one pass in the order of recording is enough
    order = sorted(nodes, key=lambda record: (lineage.nodes[record].row.block, lineage.nodes[record].row.time))
    for _ in range(len(order)):
        before = dict(column)
        for record in order:
            column[record] = max([column[parent] + 1 for parent in parents[record]], default=0)
        if column == before:
            break
    columns: list[list[str]] = [[] for _ in range(max(column.values()) + 1)]
    for record in sorted(nodes, key=lambda record: (lineage.nodes[record].row.time, record)):
        columns[column[record]].append(record)
    return columns


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
