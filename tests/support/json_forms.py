"""The forms of docs/formats.md in what a verb prints with ``--json``: names in camelCase, ids with 0x, SHA-256 digests
without."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from blockchaintracer.core.record import GlobalId

SHA256 = {"subject", "manifest", "sha256", "digest", "reason", "listing", "missing", "fingerprint"}
"""Names of fields that are a SHA-256."""
_HEX = re.compile(r"(0x)?([0-9a-fA-F]{64}|[0-9a-fA-F]{40})")
_GIT = {"commit", "head", "tree", "blob"}
"""Names of fields that are a SHA-1 or SHA-256 of git."""
_COMPARED = {"expected", "actual"}
"""Two values of a check that differ: of ids or of digests."""
_VERBATIM = {"manifest", "says", "params", "parameters", "metrics", "fields", "differences", "equal"}
"""What authors wrote, as they wrote it, where it is an object; of the last three the values that were compared."""
_SNAKE_CASE = re.compile(r"[A-Za-z0-9]+(_[A-Za-z0-9]+)+")


def snake_names(value: Any, place: str = "") -> Iterator[str]:
    """Find the names of fields that are not in camelCase, besides those that users chose."""
    if isinstance(value, dict):
        for key, item in value.items():
            if _SNAKE_CASE.fullmatch(key):
                yield f"{place}.{key} is not in camelCase"
            if not (key in _VERBATIM and isinstance(item, dict)):
                yield from snake_names(item, f"{place}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from snake_names(item, f"{place}[{index}]")


def problems(value: Any, place: str = "", name: str = "") -> Iterator[str]:
    """Say what is not in its form."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not (key in _VERBATIM and isinstance(item, dict)):
                yield from problems(key, f"{place}.<key>", "")
                yield from problems(item, f"{place}.{key}", key)
        if name not in ("values", "arguments"):
            yield from _without_registry(value, place)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from problems(item, f"{place}[{index}]", name)
    elif isinstance(value, str) and name not in _COMPARED and (match := _HEX.fullmatch(value)):
        digest = _words(name)[-1] in SHA256
        if len(match[2]) == 40 and name not in _GIT and not match[1]:
            yield f"{place} is an address without 0x: {value}"
        elif len(match[2]) == 64 and bool(match[1]) is digest:
            yield f"{place} is {'a SHA-256 with' if digest else 'an id without'} 0x: {value}"
        elif len(match[2]) == 64 and value != value.lower():
            yield f"{place} is not in lower case: {value}"


def _words(name: str) -> list[str]:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower().split("_")


def _without_registry(value: dict[str, Any], place: str) -> Iterator[str]:
    """A record's id comes with its chain and registry."""
    record = next((value[key] for key in ("id", "recordId", "record") if key in value), None)
    if isinstance(record, str) and _HEX.fullmatch(record) and record != value.get("commitment"):
        if "globalId" not in value:
            yield f"{place} names record {record} without its registry"
        elif GlobalId.parse(value["globalId"]).record_id != record:
            yield f"{place} names record {record} and {value['globalId']}"


def check_forms(text: str) -> None:
    """Fail if an answer has a value that is not in its form."""
    try:
        answer = json.loads(text)
    except ValueError:
        return
    assert not (found := [*snake_names(answer), *problems(answer)][:5]), found
