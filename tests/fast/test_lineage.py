"""Lineage of graphs made by hand: what is shown, what a retraction reaches, and how it is drawn."""

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from blockchaintracer.core.chain import Block
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import Kind, Relation, from_hex, to_hex
from blockchaintracer.extras.lineage import Edge, LineageGraph, downstream, lineage
from blockchaintracer.extras.lineage.lineage_graph import MOST_RETRACTED
from blockchaintracer.extras.search import Index, query, retraction
from blockchaintracer.extras.search.database import Describer, Writer
from blockchaintracer.lab.chain.logs import Log, Span

BLOCK = b"\x01" * 32
Parents = Sequence[str | tuple[str, int]]


def id_of(name: str) -> str:
    return "0x" + sha256(name.encode()).hexdigest()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index(tmp_path / "index.sqlite") as index:
        yield index


def made(
    index: Index,
    graph: dict[str, Parents],
    retracted: Sequence[str] = (),
    names: dict[str, str] | None = None,
    inputs: dict[str, Any] | None = None,
) -> None:
    """Records by name with their parents (by default `Uses`), in this order, in one block."""
    logs = []
    manifests = {}
    for name, parents in graph.items():
        links = [(parent, Relation.USES) if isinstance(parent, str) else parent for parent in parents]
        predicate = {"name": (names or {}).get(name, name), "inputs": (inputs or {}).get(name)}
        manifests[name] = json.dumps({"predicate": predicate}).encode()
        digest = sha256(manifests[name]).digest()
        links_bytes = [(from_hex(id_of(parent)), int(relation)) for parent, relation in links]
        values = (from_hex(id_of(name)), bytes(32), 1, b"a" * 20, 4, int(Kind.RUN), digest, links_bytes)
        logs.append(Log("Recorded", values, 1, BLOCK, b"t" * 32, len(logs)))
    for name in retracted:
        values = (1, b"a" * 20, from_hex(id_of(name)), bytes(32))
        logs.append(Log("Retracted", values, 1, BLOCK, b"t" * 32, len(logs)))
    index._db.execute("INSERT INTO registries (pk, chain_id, address, first_block) VALUES (1, 1, '0x00', 0)")
    with index._transaction():
        Writer(index._db, 1, "a test").write(Span(1, Block(1, to_hex(BLOCK), 1_700_000_000), logs, {1: 1_700_000_000}))
        describer = Describer(index._db)
        for manifest in manifests.values():
            describer.take_up(sha256(manifest).digest(), manifest)


def named(nodes: Any) -> list[str | None]:
    return [node.row.name for node in nodes]


def depths(found: LineageGraph) -> dict[str | None, int]:
    return {node.row.name: node.depth for node in found.nodes.values()}


DIAMOND: dict[str, Parents] = {
    "data": [],
    "left": [("data", Relation.TRAINED_ON)],
    "right": ["data"],
    "joined": ["left", "right"],
    "short": ["joined", "data"],
    "apart": [],
}


def test_a_lineage_has_ancestors_descendants_and_the_links_between_them(index):
    made(index, DIAMOND)
    found = lineage(index, id_of("left"))
    assert depths(found) == {"data": -1, "left": 0, "joined": 1, "short": 2}
    assert found.root == id_of("left")
    assert found.is_complete
    edges = {(edge.child, edge.relation, edge.parent) for edge in found.edges}
    assert edges == {
        (id_of("left"), "trained-on", id_of("data")),
        (id_of("joined"), "uses", id_of("left")),
        (id_of("short"), "uses", id_of("joined")),
        (id_of("short"), "uses", id_of("data")),
    }
    assert depths(lineage(index, id_of("data").upper())) == {
        "data": 0,
        "left": 1,
        "right": 1,
        "joined": 2,
        "short": 1,
    }
    assert depths(lineage(index, id_of("apart"))) == {"apart": 0}
    assert json.loads(json.dumps(found.as_json()))["edges"][0].keys() == {"child", "parent", "relation"}


def test_depth_cuts_and_says_so(index):
    made(index, DIAMOND)
    near = lineage(index, id_of("joined"), depth=1)
    assert depths(near) == {"left": -1, "right": -1, "joined": 0, "short": 1}
    assert not near.is_complete
    assert lineage(index, id_of("joined"), depth=2).is_complete
    assert list(lineage(index, id_of("joined"), depth=0).nodes) == [id_of("joined")]
    with pytest.raises(InputError, match="depth"):
        lineage(index, id_of("joined"), depth=-1)


def test_what_a_retraction_reaches_is_flagged_even_by_paths_that_are_not_shown(index):
    graph = {**DIAMOND, "fixed": [("data", Relation.SUPERSEDES)], "on fixed": ["fixed"]}
    made(index, graph, retracted=["right", "data"])
    found = lineage(index, id_of("left"))
    assert named(node for node in found.nodes.values() if node.row.status == "retracted") == ["data"]
    by_name = {node.row.name: node.retracted_ancestors for node in found.nodes.values()}
    # joined stands on right too, which is no ancestor or descendant of left
    assert by_name == {
        "data": (),
        "left": (id_of("data"),),
        "joined": (id_of("data"), id_of("right")),
        "short": (id_of("data"), id_of("right")),
    }
    assert not any(node.is_affected for node in lineage(index, id_of("on fixed")).nodes.values())
    assert named(downstream(index, id_of("left")).nodes.values()) == ["left", "joined", "short"]
    assert named(downstream(index, id_of("short")).nodes.values()) == ["short"]
    cut = lineage(index, id_of("short"), depth=0)
    assert cut.nodes[cut.root].retracted_ancestors == (id_of("data"), id_of("right"))


def test_neither_length_nor_the_number_of_paths_is_a_limit(index):
    """A chain longer than Python's recursion limit, each link doubled: 2^1200 paths."""
    length = 1200
    graph: dict[str, Parents] = {"0": [], "0'": []}
    for number in range(1, length):
        graph[str(number)] = graph[f"{number}'"] = [str(number - 1), f"{number - 1}'"]
    made(index, graph, retracted=["0"])
    found = lineage(index, id_of(str(length - 1)))
    assert len(found.nodes) == 2 * (length - 1) + 1
    assert found.nodes[found.root].retracted_ancestors == (id_of("0"),)
    assert len(downstream(index, id_of("0")).nodes) == 2 * (length - 1) + 1
    assert len(query(index, ancestors_of=found.root, limit=None)) == 2 * (length - 1)
    assert found.mermaid().count("-->") == found.dot().count("->") == len(found.edges)
    assert "too deep" in shown(found)
    assert len(shown(found).splitlines()) < 100


def shown(found: LineageGraph) -> str:
    text = StringIO()
    Console(file=text, width=160).print(found.tree())
    return text.getvalue()


def test_a_tree_shows_every_record_and_unfolds_each_once(index):
    made(index, DIAMOND, retracted=["data"])
    lines = shown(lineage(index, id_of("short"))).splitlines()
    assert "run short" in lines[0]
    assert "stands on a retracted record" in lines[0]
    assert lines[1].strip().endswith("made from")
    assert sum("run data" in line for line in lines) >= 2
    assert sum("RETRACTED" in line and "(see above)" not in line for line in lines) == 1
    assert sum("run joined" in line for line in lines) == 1
    assert not any("led to" in line for line in lines)
    assert any("trained-on run data" in line for line in lines)
    assert "led to" in shown(lineage(index, id_of("data")))
    assert "greater depth" in shown(lineage(index, id_of("data"), depth=1))


def test_a_name_that_begins_with_its_kind_is_said_once_and_times_are_readable(index):
    made(index, {"a": []}, names={"a": "dataset of 2 files"})
    assert "dataset dataset" not in shown(lineage(index, id_of("a")))
    assert re.search(
        r"dataset of 2 files  0x\w+…  *group \d+  \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", shown(lineage(index, id_of("a")))
    )


HOSTILE = 'x"]; click r0 "javascript:alert(1)" <img src=x> [bold red]\\ #quot; | \n%% \x1b[31m\u202e end'


def test_names_can_not_act_on_what_shows_them(index):
    made(index, {"a": [], "b": ["a"]}, names={"a": HOSTILE})
    found = lineage(index, id_of("b"))
    mermaid = found.mermaid().splitlines()
    assert len(mermaid) == 7
    label = re.fullmatch(r'  r0\["(.*)"\]', mermaid[1])
    assert label is not None
    without_breaks = label[1].replace("<br/>", "")
    assert not set(without_breaks) & set('"<>[]|\\\n\x1b')
    assert "#34;" in without_breaks
    dot = found.dot().splitlines()
    assert len(dot) == 7
    assert re.fullmatch(r'  r0 \[label="([^"\\]|\\.)*"\];', dot[3])
    text = shown(found)
    assert "[bold red]" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert found.nodes[id_of("a")].row.name == HOSTILE


SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]


def test_an_svg_shows_every_record_and_link_above_one_another(index):
    made(index, DIAMOND, retracted=["right"])
    found = lineage(index, id_of("joined"))
    svg = found.svg()
    assert svg == found.svg()
    root = ET.fromstring(svg)
    boxes = [box for box in root.iter(f"{SVG}rect") if box.get("rx")]
    assert len(boxes) == len(found.nodes) == 5
    arrows = [path for path in root.iter(f"{SVG}path") if path.get("marker-end")]
    assert len(arrows) == len(found.edges) == 6
    assert texts(svg).count("trained-on") == 1
    # in the order of the nodes: every box lies in the picture, none on another, and parents above their children
    place = dict(zip(found.nodes, boxes, strict=True))
    width, height = float(root.get("width")), float(root.get("height"))
    spans = []
    for box in boxes:
        x, y, w, h = (float(box.get(name)) for name in ("x", "y", "width", "height"))
        assert 0 <= x < x + w <= width
        assert 0 <= y < y + h <= height
        assert not any(x < b and a < x + w and y < d and c < y + h for a, b, c, d in spans)
        spans.append((x, x + w, y, y + h))
    for edge in found.edges:
        assert float(place[edge.parent].get("y")) < float(place[edge.child].get("y"))
    assert place[id_of("right")].get("stroke-dasharray")
    assert [record for record, box in place.items() if box.get("stroke-width") == "3"] == [id_of("joined")]
    few = found.svg(most=3)
    assert len([box for box in ET.fromstring(few).iter(f"{SVG}rect") if box.get("rx")]) == 3 + 1
    assert "2 more are not drawn" in texts(few)


def test_an_svg_holds_whatever_people_call_things(index):
    names = {"a": HOSTILE, "b": "漢字" * 40, "c": "<script/>&\x1b\ufffe"}
    made(index, {"a": [], "b": ["a"], "c": ["b"]}, names=names)
    svg = lineage(index, id_of("b")).svg()
    tags = {element.tag.removeprefix(SVG) for element in ET.fromstring(svg).iter()}
    assert tags == {"svg", "defs", "marker", "path", "rect", "text"}
    assert "run <script/>&\ufffd\ufffd" in texts(svg)
    assert any('"]; click' in text for text in texts(svg))
    wide = next(text for text in texts(svg) if "漢" in text)
    assert len(wide) < 20
    assert wide.endswith("…")


def test_what_stands_on_a_record_is_shown_with_the_links(index):
    graph = {**DIAMOND, "fixed": [("data", Relation.SUPERSEDES)], "on fixed": ["fixed", "left"]}
    made(index, graph, retracted=["data", "joined"])
    found = downstream(index, id_of("data"))
    assert [node.row.name for node in found.nodes.values()] == ["data", "left", "right", "short", "joined", "on fixed"]
    assert all(edge.relation != "supersedes" and {edge.child, edge.parent} <= set(found.nodes) for edge in found.edges)
    text = shown(found)
    assert "made from" not in text
    assert text.count("RETRACTED") >= 2
    assert "fixed" not in text.replace("on fixed", "")
    retracted = retraction(index, id_of("data"))
    assert retracted is not None
    assert (retracted.account, retracted.reason, retracted.block) == ("0x" + (b"a" * 20).hex(), None, 1)
    assert retraction(index, id_of("left")) is None
    with pytest.raises(InputError, match="ab" * 32):
        downstream(index, "ab" * 32)


def test_a_record_that_is_not_there_is_said_to_be_missing(index):
    made(index, DIAMOND)
    for ask in (lineage, downstream):
        with pytest.raises(InputError, match="ab" * 32):
            ask(index, "ab" * 32)
        with pytest.raises(InputError, match="64 hex"):
            ask(index, "abc")


def test_edges_are_plain_values(index):
    made(index, {"a": [], "b": [("a", 200)]})
    assert lineage(index, id_of("a")).edges == (Edge(id_of("b"), id_of("a"), "200"),)


def test_a_chain_that_is_all_retracted_names_the_first_and_says_that_there_are_more(index):
    """Each record stands on all before it: named in full, they grow with the square of the chain."""
    length = 300
    graph: dict[str, Parents] = {str(number): [str(number - 1)] if number else [] for number in range(length)}
    made(index, graph, retracted=[*graph])
    found = lineage(index, id_of("0"))
    assert len(found.nodes) == length
    assert sum(len(node.retracted_ancestors) for node in found.nodes.values()) <= MOST_RETRACTED * length
    last = found.nodes[id_of(str(length - 1))]
    assert last.retracted_ancestors == tuple(id_of(str(number)) for number in range(MOST_RETRACTED))
    assert last.as_json()["moreRetracted"]
    assert not found.nodes[id_of(str(MOST_RETRACTED))].has_more_retracted


def test_a_record_is_unfolded_where_it_first_stands_and_the_others_say_above(index):
    # the parents of "last" are told with the nearer first, and the farther stands below it, too
    made(index, {"data": [], "model": [("data", 1)], "last": [("model", 1), ("data", 1)]})
    for asked in ("data", "last"):
        lines = shown(lineage(index, id_of(asked))).splitlines()
        above = [number for number, line in enumerate(lines) if "(see above)" in line]
        for number in above:
            name = lines[number].split("run ")[1].split()[0]
            assert any(f"run {name} " in line for line in lines[:number]), "\n".join(lines)
        assert len(above) == 1


def test_a_name_that_says_no_more_than_the_kind_is_not_repeated(index):
    made(index, {"run": []})
    assert "run run" not in shown(lineage(index, id_of("run")))
