"""Every way to change one field of a JSON document: for files that a stranger made."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from random import Random
from typing import Any

OTHERS: list[Any] = [None, True, 0, -1, 2**64, 1.5, "", "0", "0x", "zz", [], {}, [[]], "\u202e", "9" * 80]


def changes(plain: Any) -> Iterator[tuple[str, Any]]:
    """Yield the path of a field and the document after one change there: another value, a twin, nothing."""
    for path, value in _fields(plain, ()):
        name = ".".join(map(str, path)) or "the whole"
        others = [*_other_values(value), *([[*value, value[-1]]] if isinstance(value, list) and value else [])]
        for number, other in enumerate(others):
            if other != value or type(other) is not type(value):
                yield f"{name} = {number}", _with(plain, path, lambda parent, key, v=other: parent.update({key: v}))
        if path:
            yield f"{name} left out", _with(plain, path, lambda parent, key: parent.pop(key))
        if isinstance(value, dict):
            yield f"{name} and more", _with(plain, (*path, "more"), lambda parent, key: parent.update({key: 1}))


def random_change(plain: Any, random: Random) -> Any:
    """The document after one change at a random place."""
    path, value = random.choice([*_fields(plain, ())])
    if isinstance(value, dict) and random.random() < 0.2:
        return _with(plain, (*path, "more"), lambda parent, key: parent.update({key: 1}))
    if path and random.random() < 0.2:
        return _with(plain, path, lambda parent, key: parent.pop(key))
    other = random.choice([*_other_values(value)])
    return _with(plain, path, lambda parent, key: parent.update({key: other}))


def _other_values(value: Any) -> Iterator[Any]:
    yield from OTHERS
    if isinstance(value, int) and not isinstance(value, bool):
        yield from (value + 1, value - 1, value + 2**32, float(value) + 0.5, str(value))
    if isinstance(value, str) and value:
        digit = "1" if value[-1] != "1" else "2"
        first = "1" if value[0] != "1" else "2"
        yield from (value[:-1] + digit, first + value[1:], value[:-1], value + "0", value + "00", "00" + value)
        yield from (value.upper(), value.lower(), f" {value}", f"{value}\n", value[:-2] + "zz", "0x" + value)
        half = len(value) // 2
        yield value[:half] + ("1" if value[half] != "1" else "2") + value[half + 1 :]
    if isinstance(value, list) and len(value) > 1:
        yield from (value[::-1], value[1:], value[:-1])


def _fields(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    yield path, value
    if isinstance(value, dict):
        for key in value:
            yield from _fields(value[key], (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _fields(item, (*path, index))


class _Place(dict[str, Any]):
    """A list's place as a dict of one field, so that both are changed in the same way."""

    def __init__(self, items: list[Any]) -> None:
        self._items = items

    def update(self, change: Any) -> None:  # type: ignore[override]
        for key, value in change.items():
            self._items[key] = value

    def pop(self, key: Any) -> None:  # type: ignore[override]
        self._items.pop(key)


def _with(plain: Any, path: tuple[Any, ...], change: Any) -> Any:
    if not path:
        holder = {"": copy.deepcopy(plain)}
        change(holder, "")
        return holder.get("")
    whole = copy.deepcopy(plain)
    parent = whole
    for part in path[:-1]:
        parent = parent[part]
    change(_Place(parent) if isinstance(parent, list) else parent, path[-1])
    return whole
