"""Finds every small change to a contract that a test should notice, from the compiler's syntax tree.

A mutant is one replacement of a range of a source. Which changes are made stands in `_changes`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

Node = dict[str, Any]

OPERATORS = {
    "<": ("<=", ">="),
    "<=": ("<", ">"),
    ">": (">=", "<="),
    ">=": (">", "<"),
    "==": ("!=",),
    "!=": ("==",),
    "&&": ("||",),
    "||": ("&&",),
    "+": ("-",),
    "-": ("+",),
    "*": ("+",),
    "/": ("*",),
    "%": ("*",),
    "&": ("|",),
    "|": ("&",),
    "^": ("|",),
    "<<": (">>",),
    ">>": ("<<",),
    "++": ("--",),
    "--": ("++",),
    "+=": ("-=",),
    "-=": ("+=",),
    "lt": ("gt",),
    "add": ("sub",),
    "mul": ("add",),
}
REMOVABLE = {"ExpressionStatement", "EmitStatement", "RevertStatement", "Return", "Continue"}


class Mutant(NamedTuple):
    """One change: bytes `start` to `end` of the file at `path` become `text`.

    `name` says what is changed in which function, without line numbers, and is unique in its file.
    """

    path: str
    line: int
    start: int
    end: int
    text: str
    name: str

    def apply(self, source: bytes) -> bytes:
        return source[: self.start] + self.text.encode() + source[self.end :]


class Change(NamedTuple):
    """A replacement, and the part around it, `start` to `end`, that tells a reader what it is."""

    start: int
    end: int
    text: str
    around: tuple[int, int]


def mutants(path: str, sources: dict[str, bytes], trees: dict[str, Node]) -> list[Mutant]:
    """All mutants of a file, in the order of the source.

    Args:
        path: the file's name among the sources.
        sources: the contracts' sources by name.
        trees: the compiler's syntax tree of every source.
    """
    source, names = sources[path], _Names(trees)
    found: dict[tuple[int, int, str], tuple[str, Change]] = {}
    for node, parents in _walk(trees[path], ()):
        for change in _changes(node, parents, source, names):
            found.setdefault((change.start, change.end, change.text), (_scope(parents), change))
    seen: Counter[str] = Counter()
    result = []
    for (start, end, text), (scope, change) in sorted(found.items()):
        low, high = change.around
        before, after = source[low:high].decode(), (source[low:start] + text.encode() + source[end:high]).decode()
        name = f"{scope}: {_plain(before)} -> {_plain(after).removeprefix('{}') or 'nothing'}"
        seen[name] += 1
        name = name if seen[name] == 1 else f"{name} ({seen[name]})"
        result.append(Mutant(path, source[:start].count(b"\n") + 1, start, end, text, name))
    return result


def _changes(node: Node, parents: tuple[Node, ...], source: bytes, names: _Names) -> Iterator[Change]:
    kind = node["nodeType"]
    start, end = _range(node)
    parent = parents[-1] if parents else {}

    def whole(text: str) -> Change:
        return Change(start, end, text, (start, end))

    match kind:
        case "BinaryOperation" | "Assignment" if node["operator"] in OPERATORS:
            sides = ("Expression", "HandSide")[kind == "Assignment"]
            left, right = "left" + sides, "right" + sides
            at = source.index(node["operator"].encode(), _range(node[left])[1], _range(node[right])[0])
            for operator in OPERATORS[node["operator"]]:
                yield Change(at, at + len(node["operator"]), operator, (start, end))
            if node["operator"] in {"&&", "||"}:
                for side in (left, right):
                    yield whole(_text(node[side], source))
        case "UnaryOperation" if node["operator"] in {"!", "~", "-"}:
            yield whole(_text(node["subExpression"], source))
        case "UnaryOperation" if node["operator"] in OPERATORS:
            (operator,) = OPERATORS[node["operator"]]
            at = start if node["prefix"] else end - 2
            yield Change(at, at + 2, operator, (start, end))
        case "Literal" if node["kind"] == "number" and not node.get("subdenomination"):
            value = int(node["value"], 0)
            for other in {value + 1, max(value - 1, 0), 0} - {value}:
                yield Change(start, end, str(other), _range(parent))
        case "Literal" if node["kind"] == "bool":
            yield Change(start, end, "false" if node["value"] == "true" else "true", _range(parent))
        case "Literal" if node["kind"] == "string":
            yield Change(start + 1, start + 1, "~", (start, end))
        case "Identifier" | "MemberAccess":
            name = node.get("memberName") or node["name"]
            for other in names.instead_of(node.get("referencedDeclaration"), kind, source):
                yield Change(end - len(name), end, other, _range(parent))
        case "IfStatement" | "Conditional" | "ForStatement" | "WhileStatement" if node["condition"]:
            low, high = _range(node["condition"])
            values = ("true", "false") if kind in {"IfStatement", "Conditional"} else ("false",)
            for value in values:
                yield Change(low, high, value, (low, high))
        case "ModifierInvocation" if node.get("kind") == "modifierInvocation":
            yield whole("")
        case "FunctionCall" | "TupleExpression":
            arguments = node["arguments" if kind == "FunctionCall" else "components"]
            for one, other in pairwise(arguments):
                if one and other and _type(one) == _type(other) and _text(one, source) != _text(other, source):
                    (low, middle), (after, high) = _range(one), _range(other)
                    swapped = source[after:high] + source[middle:after] + source[low:middle]
                    yield Change(low, high, swapped.decode(), (start, end))
    if kind.startswith("Yul"):
        yield from _changes_in_assembly(node, parent)
    if kind in REMOVABLE and parent["nodeType"] != "ForStatement" and not _only_thing_done(node, parents):
        semicolon = re.compile(rb"\s*;").match(source, end)
        yield Change(start, semicolon.end() if semicolon else end, "{}", (start, end))


def _changes_in_assembly(node: Node, parent: Node) -> Iterator[Change]:
    start, end = _range(node)
    match node["nodeType"]:
        case "YulLiteral" if node["kind"] == "number":
            value = int(node["value"], 0)
            for other in {value + 1, max(value - 1, 0)} - {value}:
                yield Change(start, end, hex(other), _range(parent))
        case "YulFunctionCall" if node["functionName"]["name"] in OPERATORS:
            (operator,) = OPERATORS[node["functionName"]["name"]]
            yield Change(*_range(node["functionName"]), operator, (start, end))
        case "YulExpressionStatement" | "YulAssignment":
            yield Change(start, end, "", (start, end))


def _only_thing_done(node: Node, parents: tuple[Node, ...]) -> bool:
    """Whether without this statement an `if` does nothing: then a condition of `false` is the same mutant."""
    above = list(reversed(parents))
    if above[0]["nodeType"] == "Block" and len(above[0]["statements"]) == 1:
        node, above = above[0], above[1:]
    return above[0]["nodeType"] == "IfStatement" and above[0]["trueBody"] is node and not above[0].get("falseBody")


class _Names:
    """What may stand in the place of a constant or of a member of an enum: another of its kind."""

    def __init__(self, trees: dict[str, Node]) -> None:
        self._families: dict[int, list[tuple[int, str]]] = {}
        for tree in trees.values():
            for node, _ in _walk(tree, ()):
                if node["nodeType"] == "EnumDefinition":
                    self._add([(member["id"], member["name"]) for member in node["members"]])
                elif node["nodeType"] in {"SourceUnit", "ContractDefinition"}:
                    constants = [part for part in node["nodes"] if part.get("constant")]
                    for family in {_type(part) for part in constants}:
                        self._add([(part["id"], part["name"]) for part in constants if _type(part) == family])

    def _add(self, family: list[tuple[int, str]]) -> None:
        for declaration, _ in family:
            self._families[declaration] = family

    def instead_of(self, declaration: int | None, kind: str, source: bytes) -> list[str]:
        """The next of its kind, of those that the file knows."""
        family = self._families.get(declaration or 0, [])
        place = [index for index, (known, _) in enumerate(family) if known == declaration]
        if not place:
            return []
        others = [name for _, name in family[place[0] + 1 :] + family[: place[0]]]
        return [name for name in others if kind == "MemberAccess" or re.search(rb"\b%b\b" % name.encode(), source)][:1]


def _walk(node: Any, parents: tuple[Node, ...]) -> Iterator[tuple[Node, tuple[Node, ...]]]:
    if isinstance(node, list):
        for item in node:
            yield from _walk(item, parents)
    elif isinstance(node, dict):
        if node.get("nodeType") == "ImportDirective":
            return
        if "nodeType" in node:
            yield node, parents
            parents = (*parents, node)
        for name, value in node.items():
            if name not in {"documentation", "typeDescriptions", "nativeSrc"}:
                yield from _walk(value, parents)


def _range(node: Node) -> tuple[int, int]:
    start, length, _ = map(int, node["src"].split(":"))
    return start, start + length


def _text(node: Node, source: bytes) -> str:
    start, end = _range(node)
    return source[start:end].decode()


def _type(node: Node) -> str:
    return str(node["typeDescriptions"]["typeString"])


def _scope(parents: tuple[Node, ...]) -> str:
    """The function, modifier or constant that a change is in."""
    for node in reversed(parents):
        if node["nodeType"] in {"FunctionDefinition", "ModifierDefinition"}:
            return str(node["name"] or node["kind"])
        if node["nodeType"] == "VariableDeclaration" and (node.get("constant") or node.get("stateVariable")):
            return str(node["name"])
    return "file"


def _plain(code: str) -> str:
    return " ".join(code.split())
