"""Draws a directed acyclic graph as SVG: layers by the longest path, boxes with lines of text, arrows upwards.

After Sugiyama, Tagawa and Toda (1981), doi:10.1109/TSMC.1981.4308636, without what a lineage of some hundred records
doesn't need. The same graph gives the same picture.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

_WIDTH, _LINE, _PADDING = 250, 16, 10
_GAP_X, _GAP_Y = 30, 64
_SWEEPS = 8
_LETTER = 7
"""Pixels that a letter of the text takes at most, as a rule."""
_NAMESPACE = "http://www.w3.org/2000/svg"


@dataclass(frozen=True, slots=True)
class Box:
    """What stands in a box: the first line in bold; `colour` and `dashed` of its edge, `thick` if it's the one asked
    for."""

    lines: tuple[str, ...]
    colour: str = "#555555"
    dashed: bool = False
    thick: bool = False


def draw(boxes: Mapping[str, Box], edges: Sequence[tuple[str, str, str]]) -> str:
    """The picture.

    Args:
        boxes: by name.
        edges: lower box, upper box, and the label of the arrow from the one to the other. Without cycles.
    """
    layers = _layers(list(boxes), edges)
    height = {name: 2 * _PADDING + _LINE * len(box.lines) for name, box in boxes.items()}
    widest = max(map(len, layers))
    total_width = widest * (_WIDTH + _GAP_X) + _GAP_X
    at: dict[str, tuple[float, float]] = {}
    top: float = _GAP_X
    for layer in layers:
        left = (total_width - len(layer) * (_WIDTH + _GAP_X) + _GAP_X) / 2
        for place, name in enumerate(layer):
            at[name] = (left + place * (_WIDTH + _GAP_X), top)
        top += max(height[name] for name in layer) + _GAP_Y
    total_height = top - _GAP_Y + _GAP_X
    svg = ET.Element("svg", {"xmlns": _NAMESPACE, "font-family": "sans-serif", "font-size": "12"})
    svg.attrib |= {"width": _number(total_width), "height": _number(total_height)}
    svg.attrib |= {"viewBox": f"0 0 {_number(total_width)} {_number(total_height)}"}
    arrow: dict[str, Any] = {
        "id": "arrow",
        "viewBox": "0 0 10 10",
        "refX": 10,
        "refY": 5,
        "markerWidth": 7,
        "markerHeight": 7,
    }
    marker = _add(_add(svg, "defs"), "marker", **arrow, orient="auto")
    _add(marker, "path", d="M 0 0 L 10 5 L 0 10 z", fill="#888888")
    _add(svg, "rect", width="100%", height="100%", fill="#ffffff")
    for lower, upper, label in edges:
        _arrow(svg, at[lower], at[upper], height[upper], label)
    for name, box in boxes.items():
        _box(svg, box, at[name], height[name])
    ET.indent(svg)
    return ET.tostring(svg, encoding="unicode") + "\n"


def _layers(names: Sequence[str], edges: Sequence[tuple[str, str, str]]) -> list[list[str]]:
    """The names by layers from the top: each below everything that it points to, in an order with few crossings."""
    above, below = defaultdict(list), defaultdict(list)
    for lower, upper, _ in edges:
        above[lower].append(upper)
        below[upper].append(lower)
    order = TopologicalSorter({name: above[name] for name in names})
    order.prepare()
    layers: list[list[str]] = []
    while order.is_active():
        ready = set(order.get_ready())
        layers.append([name for name in names if name in ready])
        order.done(*ready)
    for sweep in range(_SWEEPS):
        place = {name: index - len(layer) / 2 for layer in layers for index, name in enumerate(layer)}
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            beside = above if sweep % 2 == 0 else below
            weight = {
                name: sum(place[other] for other in beside[name]) / len(beside[name]) if beside[name] else place[name]
                for name in layer
            }
            layer.sort(key=weight.__getitem__)
            place |= {name: index - len(layer) / 2 for index, name in enumerate(layer)}
    return layers


def _arrow(
    svg: ET.Element, lower: tuple[float, float], upper: tuple[float, float], upper_height: float, label: str
) -> None:
    x1, y1 = lower[0] + _WIDTH / 2, lower[1]
    x2, y2 = upper[0] + _WIDTH / 2, upper[1] + upper_height
    bend = (y1 - y2) / 2
    points = map(_number, [x1, y1, x1, y1 - bend, x2, y2 + bend, x2, y2])
    path = "M {} {} C {} {}, {} {}, {} {}".format(*points)
    _add(svg, "path", d=path, fill="none", stroke="#888888", marker_end="url(#arrow)")
    _add(svg, "text", label, x=(x1 + x2) / 2 + 4, y=(y1 + y2) / 2, fill="#666666", font_size=10)


def _box(svg: ET.Element, box: Box, at: tuple[float, float], height: float) -> None:
    x, y = at
    dashes: dict[str, Any] = {"stroke_dasharray": 5} if box.dashed else {}
    frame: dict[str, Any] = {
        "fill": "#fafafa",
        "stroke": box.colour,
        "stroke_width": 3 if box.thick else 1.2,
        "rx": 4,
        **dashes,
    }
    _add(svg, "rect", x=x, y=y, width=_WIDTH, height=height, **frame)
    for number, line in enumerate(box.lines):
        style: dict[str, Any] = {"font_weight": "bold"} if number == 0 else {"fill": "#444444"}
        _add(svg, "text", _fitting(line), x=x + _PADDING, y=y + _PADDING + _LINE * (number + 0.75), **style)


def _add(parent: ET.Element, tag: str, text: str | None = None, **attributes: Any) -> ET.Element:
    """Add an element; an underscore in an attribute's name stands for a hyphen."""
    values = {name.replace("_", "-"): _number(value) for name, value in attributes.items()}
    element = ET.SubElement(parent, tag, values)
    element.text = text
    return element


def _fitting(line: str) -> str:
    """The line as far as a box is wide, and without what XML can't hold."""
    from rich.cells import cell_len, set_cell_size

    line = "".join(letter if letter.isprintable() else "\ufffd" for letter in line)
    most = (_WIDTH - 2 * _PADDING) // _LETTER
    return line if cell_len(line) <= most else set_cell_size(line, most - 1).rstrip() + "…"


def _number(value: Any) -> str:
    if isinstance(value, str):
        return value
    return f"{value:g}" if abs(value) < 10**5 else str(round(value))
