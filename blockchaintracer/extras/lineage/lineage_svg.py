"""Draws a directed acyclic graph as SVG: layers by the longest path, boxes with lines of text, arrows upwards.

After Sugiyama, Tagawa and Toda (1981), doi:10.1109/TSMC.1981.4308636, without what a lineage of some hundred records
doesn't need. The same graph gives the same picture.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from html import escape

_WIDTH, _LINE, _PADDING = 250, 16, 10
_GAP_X, _GAP_Y = 30, 64
_SWEEPS = 8
_LETTER = 7
"""Pixels that a letter of the text takes at most, as a rule."""
_ARROW_HEAD = (
    '<defs><marker id="arrow" viewBox="0 0 10 10" refX="10" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M 0 0 L 10 5 L 0 10 z" fill="#888888"/></marker></defs>'
)


@dataclass(frozen=True, slots=True)
class Box:
    """What stands in a box: the first line in bold; `colour` and `dashed` of its edge, `thick` if it's the one asked
    for."""

    lines: tuple[str, ...]
    colour: str = "#555555"
    dashed: bool = False
    thick: bool = False


def draw(boxes: Mapping[str, Box], edges: Sequence[tuple[str, str, str]]) -> str:
    """The picture; of each edge, without cycles: lower box, upper box, and the label of the arrow between them."""
    layers = _layers(list(boxes), edges)
    height = {name: 2 * _PADDING + _LINE * len(box.lines) for name, box in boxes.items()}
    width = max(map(len, layers)) * (_WIDTH + _GAP_X) + _GAP_X
    at: dict[str, tuple[int, int]] = {}
    top = _GAP_X
    for layer in layers:
        left = (width - len(layer) * (_WIDTH + _GAP_X) + _GAP_X) // 2
        for place, name in enumerate(layer):
            at[name] = (left + place * (_WIDTH + _GAP_X), top)
        top += max(height[name] for name in layer) + _GAP_Y
    bottom = top - _GAP_Y + _GAP_X
    elements = [
        f'<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" font-size="12" width="{width}"'
        f' height="{bottom}" viewBox="0 0 {width} {bottom}">',
        _ARROW_HEAD,
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    for lower, upper, label in edges:
        x1, y1 = at[lower][0] + _WIDTH // 2, at[lower][1]
        x2, y2 = at[upper][0] + _WIDTH // 2, at[upper][1] + height[upper]
        bend = (y1 - y2) // 2
        curve = f"M {x1} {y1} C {x1} {y1 - bend}, {x2} {y2 + bend}, {x2} {y2}"
        elements.append(f'<path d="{curve}" fill="none" stroke="#888888" marker-end="url(#arrow)"/>')
        where = f'x="{(x1 + x2) // 2 + 4}" y="{(y1 + y2) // 2}"'
        elements.append(f'<text {where} fill="#666666" font-size="10">{escape(_fitting(label))}</text>')
    for name, box in boxes.items():
        x, y = at[name]
        frame = f'stroke="{box.colour}" stroke-width="{3 if box.thick else 1.2}" rx="4"'
        frame += ' stroke-dasharray="5"' if box.dashed else ""
        size = f'width="{_WIDTH}" height="{height[name]}"'
        elements.append(f'<rect x="{x}" y="{y}" {size} fill="#fafafa" {frame}/>')
        for number, line in enumerate(box.lines):
            where = f'x="{x + _PADDING}" y="{y + _PADDING + _LINE * number + 12}"'
            style = 'fill="#444444"' if number else 'font-weight="bold"'
            elements.append(f"<text {where} {style}>{escape(_fitting(line))}</text>")
    return "\n".join([*elements, "</svg>"]) + "\n"


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


def _fitting(line: str) -> str:
    """The line as far as a box is wide, and without what XML can't hold."""
    from rich.cells import cell_len, set_cell_size

    line = "".join(letter if letter.isprintable() else "\ufffd" for letter in line)
    most = (_WIDTH - 2 * _PADDING) // _LETTER
    return line if cell_len(line) <= most else set_cell_size(line, most - 1).rstrip() + "…"
