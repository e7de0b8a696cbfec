"""What a record was made from and what was made from it, as the index knows it, and what a retraction reaches."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from blockchaintracer.core.chain import Registry
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.networks import when
from blockchaintracer.core.plain_json import as_json
from blockchaintracer.core.record import ABOUT, Domain, Kind, Relation, label, to_hex
from blockchaintracer.extras.lineage.lineage_svg import Box, draw
from blockchaintracer.extras.search.database import Index
from blockchaintracer.extras.search.rows import Row, records, required_number
from blockchaintracer.lab.plain_text import printable, titled

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

    from blockchaintracer.lab.store.hashcache import HashCache

_SHOWN_NAME = 60
MOST_RETRACTED = 20
"""Retracted ancestors that a record names: of a long chain each has all before it."""
_LEVELS = 16
"""Links that a tree follows: each takes four columns."""
_ABOUT = f"({', '.join(str(int(relation)) for relation in ABOUT)})"
_UNREAD = f"""l.relation IN {_ABOUT} AND EXISTS (
 SELECT 1 FROM records c JOIN documents d ON d.pk = c.document
 WHERE c.pk = l.child AND c.kind = {Kind.RUN:d} AND d.json IS NULL)"""  # noqa: S608
"""The links of runs of which only a manifest that is not here could say whether the run rests on that parent."""
_RESTS = f"""(l.relation NOT IN {_ABOUT} OR EXISTS (
 SELECT 1 FROM records c JOIN documents d ON d.pk = c.document JOIN records p ON p.pk = l.parent
 JOIN json_each(d.json, '$.predicate.inputs') i
 WHERE c.pk = l.child AND json_extract(d.json, i.fullkey || '.record') = '0x' || lower(hex(p.id))))"""  # noqa: S608
"""The links by which a child rests on its parent: by its relation, or because its manifest names that as an input."""
_RETRACTED, _AFFECTED, _FAILED = "RETRACTED", "stands on a retracted record", "the run failed"
_UNKNOWN = "may stand on a retracted record"
_COLOURS = {"retracted": "#cc0000", "affected": "#cc6600", "recorded": "#555555"}


@dataclass(frozen=True, slots=True)
class Edge:
    """`child` names `parent` in its key, in this relation (a name, or the lab's own number as text)."""

    child: str
    parent: str
    relation: str


@dataclass(frozen=True, slots=True)
class LineageNode:
    """A record in a lineage.

    Args:
        depth: links from the record asked for: negative to its ancestors, positive to its descendants.
        retracted_ancestors: ids of retracted records that it stands on, by whatever path, shown or not; the first that
            were recorded, `MOST_RETRACTED` at most.
        has_more_retracted: whether it stands on more of them; None if that is unknown: not all ancestors were followed,
            or the manifest of a run is not here, which could name more.
    """

    row: Row
    depth: int
    retracted_ancestors: tuple[str, ...]
    has_more_retracted: bool | None = False

    @property
    def is_affected(self) -> bool:
        """Whether a record that it stands on was retracted."""
        return bool(self.retracted_ancestors)

    @property
    def state(self) -> str:
        """``retracted``, ``affected`` by another's retraction, or ``recorded``."""
        return "retracted" if self.row.status == "retracted" else "affected" if self.is_affected else "recorded"

    def as_json(self) -> dict[str, Any]:
        """JSON-ready values."""
        retracted = {"retractedAncestors": list(self.retracted_ancestors), "moreRetracted": self.has_more_retracted}
        return {**self.row.as_json(), "depth": self.depth, **retracted}


@dataclass(frozen=True)
class LineageGraph:
    """A record with its ancestors and descendants.

    Args:
        nodes: by id; ancestors first, then the record, then descendants, nearest last or first.
        is_complete: whether `depth` left nothing out; of what stands on a record, also no missing manifest of a run.
    """

    root: str
    nodes: dict[str, LineageNode]
    edges: tuple[Edge, ...]
    is_complete: bool

    def as_json(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "root": self.root,
            "isComplete": self.is_complete,
            "nodes": as_json([*self.nodes.values()]),
            "edges": as_json(self.edges),
        }

    def tree(self) -> Tree:
        """Draw the lineage for a terminal: one branch of ancestors and one of descendants.

        A record that several paths lead to is unfolded where it first comes; elsewhere its line stands alone. Nothing
        is unfolded deeper than a terminal is wide.
        """
        from rich.tree import Tree

        tree = Tree(_text(self.nodes[self.root]))
        for title, up in (("made from", True), ("led to", False)):
            neighbours = self._neighbours(up)
            if not neighbours[self.root]:
                continue
            unfolded = {self.root}
            first = tree.add(title, style="dim")
            left = [(first, 1, *link) for link in reversed(neighbours[self.root])]
            while left:
                branch, level, relation, record = left.pop()
                line = _text(self.nodes[record], relation)
                if record in unfolded:
                    branch.add(line.append(" (see above)", "dim"))
                    continue
                under = branch.add(line)
                if level == _LEVELS and neighbours[record]:
                    under.add("… too deep to show here: ask for the lineage of this record", style="dim")
                    continue
                unfolded.add(record)
                left += [(under, level + 1, *link) for link in reversed(neighbours[record])]
        if not self.is_complete:
            tree.add("… there is more: ask for a greater depth", style="dim")
        return tree

    def named_here(self, hashes: HashCache) -> LineageGraph:
        """Return the same lineage with the names that a person at this machine knows."""
        names = {record: node.row.name or hashes.name_of(node.row.subject) for record, node in self.nodes.items()}
        nodes = {it: replace(node, row=replace(node.row, name=names[it])) for it, node in self.nodes.items()}
        return replace(self, nodes=nodes)

    def mermaid(self) -> str:
        """A Mermaid flowchart; arrows lead from a record to what it was made from."""
        numbers = {record: f"r{number}" for number, record in enumerate(self.nodes)}
        lines = ["flowchart BT"]
        for record, node in self.nodes.items():
            style = node.state if node.state != "recorded" else "asked" if record == self.root else ""
            lines.append(f'  {numbers[record]}["{_mermaid(_lines(node))}"]{":::" if style else ""}{style}')
        lines += [f'  {numbers[edge.child]} -->|"{edge.relation}"| {numbers[edge.parent]}' for edge in self.edges]
        lines += [
            "  classDef asked stroke-width:3px",
            "  classDef retracted stroke:#c00,stroke-dasharray:5",
            "  classDef affected stroke:#c60",
        ]
        return "\n".join(lines) + "\n"

    def dot(self) -> str:
        """A graph for Graphviz; arrows lead from a record to what it was made from."""
        numbers = {record: f"r{number}" for number, record in enumerate(self.nodes)}
        lines = ["digraph lineage {", "  rankdir=BT;", '  node [shape=box, fontname="sans-serif"];']
        for record, node in self.nodes.items():
            style = [f'label="{_dot(_lines(node))}"']
            style += [f'color="{_COLOURS[node.state]}"'] if node.state != "recorded" else []
            style += ["style=dashed"] if node.state == "retracted" else []
            style += ["penwidth=3"] if record == self.root else []
            lines.append(f"  {numbers[record]} [{', '.join(style)}];")
        lines += [
            f'  {numbers[edge.child]} -> {numbers[edge.parent]} [label="{edge.relation}"];' for edge in self.edges
        ]
        return "\n".join([*lines, "}"]) + "\n"

    def svg(self, most: int | None = None) -> str:
        """An SVG image; arrows lead up from a record to what it was made from. Of more than `most` records the nearest
        are drawn."""
        order = sorted(self.nodes.values(), key=lambda node: (abs(node.depth), node.row.time, node.row.id))
        near = {node.row.id for node in order[:most]}
        boxes = {
            record: Box(tuple(_lines(node)), _COLOURS[node.state], node.state == "retracted", record == self.root)
            for record, node in self.nodes.items()
            if record in near
        }
        edges = [(edge.child, edge.parent, edge.relation) for edge in self.edges if {edge.child, edge.parent} <= near]
        if left_out := len(order) - len(near):
            boxes[""] = Box((f"{left_out} more are not drawn",))
        return draw(boxes, edges)

    def _neighbours(self, up: bool) -> dict[str, list[tuple[str, str]]]:
        """By record: relation and id of its parents, or of its children."""
        neighbours = defaultdict(list)
        for edge in self.edges:
            near, far = (edge.child, edge.parent) if up else (edge.parent, edge.child)
            neighbours[near].append((edge.relation, far))
        return neighbours


def lineage(
    index: Index,
    record_id: str,
    depth: int | None = None,
    *,
    registry: Registry | Domain | None = None,
    most: int | None = None,
    followed: int | None = None,
) -> LineageGraph:
    """Find the ancestors and descendants of a record.

    Args:
        depth: links to follow at most in each direction; None for all.
        registry: where to look; None for all in the index.
        most: records to find at most in each direction, the nearest; None for all.
        followed: ancestors to ask at most whether they were retracted; None for all.
    """
    if depth is not None and depth < 0:
        raise InputError(f"expected a depth from 0, got {depth}")
    root = required_number(index, record_id, registry)
    up, all_up = _reach(index, [root], up=True, depth=depth, most=most)
    down, all_down = _reach(index, [root], up=False, depth=depth, most=most)
    depths = {number: -links for number, links in reversed(up.items())} | {root: 0} | down
    return _graph(index, root, depths, _links(index, depths), all_up and all_down, followed)


def downstream(index: Index, record_id: str, *, registry: Registry | Domain | None = None) -> LineageGraph:
    """Find a record and everything that stands on it: what its retraction reaches, or would reach.

    What only supersedes or reproduces a record does not stand on it, unless its manifest names it as an input.
    """
    root = required_number(index, record_id, registry)
    depths, _ = _reach(index, [root], up=False, links=_RESTS)
    unread, _ = _reach(index, [root, *depths], up=False, depth=1, links=_UNREAD)
    return _graph(index, root, {root: 0} | depths, _links(index, depths, _RESTS), unread.keys() <= depths.keys())


def _graph(
    index: Index,
    root: int,
    depths: dict[int, int],
    links: Iterable[tuple[int, int, int]],
    is_complete: bool,
    followed: int | None = None,
) -> LineageGraph:
    rows = dict(zip(depths, records(index, list(depths)), strict=True))
    retracted, unknown = _retracted_ancestors(index, list(depths), followed)
    edges = tuple(
        Edge(rows[child].id, rows[parent].id, label(relation, Relation))
        for child, parent, relation in links
        if parent in rows
    )
    nodes = {
        row.id: LineageNode(
            row, depths[number], above[:MOST_RETRACTED], len(above) > MOST_RETRACTED or (number in unknown and None)
        )
        for number, row in rows.items()
        for above in (retracted[number],)
    }
    return LineageGraph(rows[root].id, nodes, edges, is_complete)


def _reach(
    index: Index,
    roots: Iterable[int],
    *,
    up: bool,
    depth: int | None = None,
    links: str = "true",
    most: int | None = None,
) -> tuple[dict[int, int], bool]:
    """Records by their least distance from `roots`, nearest first, and whether that is all. Level by level, so that
    neither depth nor the number of paths matters."""
    near, far = ("child", "parent") if up else ("parent", "child")
    frontier, reached, distance = list(roots), dict[int, int](), 0
    while frontier:
        rows = index.rows(
            f"SELECT DISTINCT l.{far} FROM json_each(?) j CROSS JOIN links l ON l.{near} = j.value"  # noqa: S608
            f" WHERE {links} ORDER BY l.{far}",
            (json.dumps(frontier),),
        )
        frontier = [row[0] for row in rows if row[0] not in reached]
        if frontier and distance == depth:
            return reached, False
        distance += 1
        if most is not None and len(reached) + len(frontier) > most:
            return reached | dict.fromkeys(frontier[: most - len(reached)], distance), False
        reached |= dict.fromkeys(frontier, distance)
    return reached, True


def _links(index: Index, children: Iterable[int], links: str = "true") -> list[tuple[int, int, int]]:
    """The links (child, parent, relation) of the children given, ascending."""
    rows = index.rows(
        "SELECT l.child, l.parent, l.relation FROM json_each(?) j CROSS JOIN links l ON l.child = j.value"  # noqa: S608
        f" WHERE {links} ORDER BY l.child, l.parent, l.relation",
        (json.dumps(list(children)),),
    )
    return [(row[0], row[1], row[2]) for row in rows]


def _retracted_ancestors(
    index: Index, numbers: list[int], followed: int | None = None
) -> tuple[dict[int, tuple[str, ...]], set[int]]:
    """The first retracted records that each stands on: one more than are named, if there are; and of which this is not
    all known."""
    above, is_all = _reach(index, numbers, up=True, links=_RESTS, most=followed)
    everything = sorted({*numbers, *above})
    select = "SELECT r.pk, r.id FROM json_each(?) j CROSS JOIN records r ON r.pk = j.value WHERE r.retracted_at > 0"
    retracted = {row[0]: to_hex(row[1]) for row in index.rows(select, (json.dumps(everything),))}
    standing: dict[int, tuple[int, ...]] = dict.fromkeys(everything, ())
    # parents were recorded before their children, so their numbers are smaller
    unknown = {child for child, _, _ in _links(index, everything, _UNREAD)} if is_all else {*numbers}
    for child, parent, _ in _links(index, everything, _RESTS) if retracted or unknown else ():
        unknown |= {child} if parent in unknown else set()
        reached = {*standing[child], *standing.get(parent, ()), *({parent} & retracted.keys())}
        standing[child] = tuple(sorted(reached)[: MOST_RETRACTED + 1])
    return {number: tuple(retracted[ancestor] for ancestor in standing[number]) for number in numbers}, unknown


# -- for people


def _lines(node: LineageNode) -> list[str]:
    """The lines of a record in a picture. Names are their authors' choice: nothing in them may act on the medium."""
    row = node.row
    name = " ".join(printable(row.name or "").split())
    name = name if len(name) <= _SHOWN_NAME else name[: _SHOWN_NAME - 1] + "…"
    lines = [titled(row.kind, name), f"{row.id[:12]}… group {row.group}", when(row.time)]
    lines += [_RETRACTED] if row.status == "retracted" else []
    lines += [_AFFECTED] if node.is_affected else [_UNKNOWN] if node.has_more_retracted is None else []
    lines += [_FAILED] if "failed" in row.states else []
    counts = row.verdict_counts.items()
    return lines + [f"{verdict} by {count} group{'s' if count > 1 else ''}" for verdict, count in counts]


def _text(node: LineageNode, relation: str = "") -> Text:
    from rich.text import Text

    first, *rest = _lines(node)
    text = Text(f"{relation} " if relation else "", "cyan")
    text.append(first, "bold")
    for line in rest:
        # a time without blanks is not broken
        shown = re.sub(r"^(\S+) (\S+) UTC$", r"\1T\2Z", line)
        text.append(f"  {shown}", "bold red" if line in (_RETRACTED, _AFFECTED, _FAILED) else "dim")
    return text


def _mermaid(lines: list[str]) -> str:
    """A quoted label: whatever could end it or be taken for markup becomes a character code."""
    return "<br/>".join(re.sub(r"[^\w .,:…-]", lambda match: f"#{ord(match[0])};", line) for line in lines)


def _dot(lines: list[str]) -> str:
    return "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"') for line in lines)
