"""What of a manifest can be searched for: names, text, parameters and metrics. The manifest is a stranger's: whatever
it holds, this reads on, and what it can't use it leaves out. Whether a manifest is right is for `verify` to say."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.plain_json import parse_json

if TYPE_CHECKING:
    from blockchaintracer.core.manifest import Metric

Value = float | int | str
MAX_FACTS = 2_000
"""Parameters and metrics of one record that are indexed."""
_MAX_TEXT = 200
_MAX_BODY = 20_000
_MAX_DEPTH = 16
_UNNAMED = "_"


RUN_STATUS = "run.status"
"""Name of the value that says how a run ended, if it did not complete."""
_NOT_COMPLETED = frozenset(("failed", "running"))


@dataclass(frozen=True, slots=True)
class SearchableFields:
    """The parts of a manifest that a search looks at.

    Args:
        body: names and values of parameters and metrics, file names, git commit: everything else in the full text.
        values: by ``params.lr`` and ``metrics.accuracy``; booleans as the texts ``true`` and ``false``. Of a run that
            did not complete also `RUN_STATUS`.
        cid: IPFS address of the subject where its digest does not give it: that of a large file.
    """

    name: str | None
    description: str
    body: str
    values: tuple[tuple[str, Value], ...]
    cid: str | None


def read_json(data: bytes) -> dict[str, Any] | None:
    """The bytes as a JSON object; None if the strict reader of manifests refuses them."""
    try:
        value = parse_json(data, "manifest")
    except InputError:
        return None
    return value if isinstance(value, dict) else None


def searchable_fields(statement: dict[str, Any]) -> SearchableFields:
    """The searchable fields of an in-toto statement, or of a group's description."""
    predicate = _object(statement.get("predicate"))
    subjects = _objects(statement.get("subject"))
    name = _text(predicate.get("name")) or next(
        (text for entry in subjects if (text := _text(entry.get("name"))) and text != _UNNAMED), None
    )
    spaces = (("params", "parameters"), ("metrics", "metrics"), ("metrics", "values"))
    leaves = (_leaves(_object(predicate.get(key)), space) for space, key in spaces)
    values = list(itertools.islice(itertools.chain.from_iterable(leaves), MAX_FACTS))
    if (ended := run_status(statement)) in _NOT_COMPLETED:
        values.insert(0, (RUN_STATUS, ended))
    code = _object(predicate.get("code"))
    words = [f"{path} {value}" for path, value in values]
    words += [text for key in ("commit", "branch", "entryPoint", "remote") if (text := _text(code.get(key)))]
    words += [text for key in ("version", "framework", "source", "license") if (text := _text(predicate.get(key)))]
    artifacts = _objects(predicate.get("inputs")) + _objects(predicate.get("attachments"))
    artifacts += [_object(entry.get("artifact")) for entry in _objects(predicate.get("outputs"))]
    words += [text for entry in artifacts for key in ("name", "path") if (text := _text(entry.get(key)))]
    return SearchableFields(
        name=name or _text(statement.get("name")),
        description=_clean(str(predicate.get("description") or statement.get("description") or ""))[:_MAX_BODY],
        body=" ".join(words)[:_MAX_BODY],
        values=tuple(dict(values).items()),
        cid=_text(predicate.get("cid")),
    )


def run_status(statement: dict[str, Any]) -> str | None:
    """How a run ended, by its in-toto statement: ``completed``, ``failed`` or ``running``; None if it is no run."""
    predicate = _object(statement.get("predicate"))
    return _text(predicate.get("status")) if "runId" in predicate else None


def metrics_of(statement: dict[str, Any]) -> dict[str, Metric]:
    """The metrics of a run by its in-toto statement, without those that no manifest can have."""
    stated = _object(_object(statement.get("predicate")).get("metrics"))
    if not stated:
        return {}
    from blockchaintracer.core.manifest import Metric

    metrics = {}
    for name, metric in stated.items():
        with suppress(InputError):
            metrics[name] = Metric.from_plain(metric)
    return metrics


def _leaves(content: dict[str, Any], space: str) -> Iterator[tuple[str, Value]]:
    """Numbers and short texts with their paths. A metric's value stands one level down, beside its tolerance."""
    left: list[tuple[str, Any, int]] = [(space, content, 0)]
    while left:
        path, value, depth = left.pop()
        if isinstance(value, dict):
            if space == "metrics" and depth == 1 and "value" in value:
                left.append((path, value["value"], depth + 1))
            elif depth < _MAX_DEPTH:
                left += [(f"{path}.{_clean(str(key))[:_MAX_TEXT]}", item, depth + 1) for key, item in value.items()]
        elif isinstance(value, bool):
            yield path, "true" if value else "false"
        elif isinstance(value, int | float):
            if (number := _number(value)) is not None:
                yield path, number
        elif isinstance(value, str) and len(value) <= _MAX_TEXT:
            yield path, _clean(value)


def _number(value: float) -> float | int | None:
    # SQLite keeps integers of 64 bits
    if isinstance(value, int) and abs(value) < 2**63:
        return value
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return _clean(value)[:_MAX_TEXT] or None if isinstance(value, str) else None


def _clean(text: str) -> str:
    """Without what neither SQLite nor UTF-8 keeps."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
