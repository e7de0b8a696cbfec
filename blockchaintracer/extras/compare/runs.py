"""What of a record is compared: everything that its manifest declares, flat, under the names that `query` uses."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from blockchaintracer.core.manifest import Manifest, RecordPredicate, RunPredicate
from blockchaintracer.core.plain_json import number_text
from blockchaintracer.core.record import Kind, Relation, label
from blockchaintracer.lab.plain_text import called

Scalar = bool | int | float | str | None

SECTIONS = ("params", "metrics", "seeds", "data", "code", "environment", "hardware", "outputs", "about")
"""The first part of every field's name, in the order in which people look at them."""

_ABOUT = ("description", "status", "error", "version", "license", "source", "framework", "template", "experiment")
"""Parts of a predicate that are compared as they are. Names and times differ always, and say nothing."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One side of a comparison.

    Args:
        id: what it is found by: a record's id (64 hex digits), or another system's with a prefix (``mlflow:…``).
        fields: values by ``params.lr``, ``metrics.accuracy``, ``data.trained-on``, …: the first part is one of
            `SECTIONS`.
        declared: names of those fields that are metrics which a person declares and no program told.
        group, author, time: of the record; None where there is none. Time in Unix seconds.
        status: ``recorded``, ``retracted``, or whatever the source says.
    """

    id: str
    name: str
    fields: Mapping[str, Scalar]
    kind: str = "run"
    group: int | None = None
    author: str | None = None
    time: int | None = None
    status: str = "recorded"
    declared: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether it is a run that did not complete."""
        return self.fields.get("about.status", "completed") != "completed"

    @property
    def metrics(self) -> dict[str, float]:
        """The finite numbers among its metrics, by name without ``metrics.``. None of a run that did not complete."""
        if self.failed:
            return {}
        return {
            name.removeprefix("metrics."): float(value)
            for name, value in self.fields.items()
            if name.startswith("metrics.") and is_number(value)
        }


def compared(record_id: str, manifest: Manifest, known_here: str | None = None, **about: Any) -> Compared:
    """A record by its manifest; `about` has group, author, time and status, as `Compared` has them; `known_here` is as
    in `called`."""
    predicate = manifest.predicate
    fields: dict[str, Scalar] = {}
    plain = predicate.model_dump(mode="json", by_alias=True, exclude_none=True)
    if isinstance(predicate, RunPredicate):
        fields |= flat(plain.get("parameters", {}), "params")
        fields |= flat({name: number_text(it.value) for name, it in predicate.metrics.items()}, "metrics")
        fields |= flat(plain.get("seeds", {}), "seeds")
        relations = Counter(entry.relation for entry in predicate.inputs)
        for entry in predicate.inputs:
            relation = label(entry.relation, Relation)
            # a run's only training data are held against another's, whatever their files are called
            alone = relations[entry.relation] == 1
            _add_once(
                fields,
                f"data.{relation}" if alone else f"data.{relation} {entry.name or entry.path or ''}".rstrip(),
                entry.sha256,
            )
        fields |= flat(_digests(plain.get("code", {})), "code")
        fields |= flat(_digests(plain.get("environment", {})), "environment")
        fields |= flat(plain.get("hardware", {}), "hardware")
        for output in predicate.outputs:
            _add_once(fields, f"outputs.{output.role} {output.artifact.path}", output.artifact.sha256)
    else:
        for subject in manifest.subject:
            _add_once(fields, "data.subject", subject.digest.sha256)
        if isinstance(predicate, RecordPredicate):
            for name, value in flat(plain.get("values", {}), "").items():
                fields[f"{'metrics' if is_number(value) else 'params'}{name}"] = value
            for attachment in predicate.attachments:
                _add_once(fields, f"outputs.{attachment.path}", attachment.sha256)
        fields |= flat({name: plain[name] for name in ("size", "fileCount", "schema") if name in plain}, "data")
    fields |= flat({name: plain[name] for name in _ABOUT if name in plain}, "about")
    return Compared(
        id=record_id,
        name=called(label(manifest.kind, Kind), record_id, getattr(predicate, "name", None), known_here),
        fields=fields,
        kind=label(manifest.kind, Kind),
        declared=tuple(
            f"metrics.{it}" for it, metric in getattr(predicate, "metrics", {}).items() if metric.is_declared
        ),
        **about,
    )


def _add_once(fields: dict[str, Scalar], name: str, value: Scalar) -> None:
    """Add a value under a name that may be taken: then a number is added to it."""
    number, free = 1, name
    while free in fields:
        number += 1
        free = f"{name} ({number})"
    fields[free] = value


def flat(content: Any, prefix: str) -> dict[str, Scalar]:
    """Nested content as one level: names joined by dots, lists of plain values as JSON, other entries by number.

    >>> flat({"model": {"depth": 3}, "layers": [8, 8]}, "params")
    {'params.model.depth': 3, 'params.layers': '[8, 8]'}
    """
    flattened: dict[str, Scalar] = {}
    left: list[tuple[str, Any]] = [(prefix, content)]
    while left:
        name, value = left.pop()
        if isinstance(value, Mapping):
            left += [(f"{name}.{key}", item) for key, item in reversed(list(value.items()))]
        elif isinstance(value, list | tuple):
            if any(isinstance(item, Mapping | list | tuple) for item in value):
                left += [(f"{name}.{number}", item) for number, item in reversed(list(enumerate(value)))]
            else:
                flattened[name] = json.dumps(list(value), ensure_ascii=False)
        elif value is None or isinstance(value, bool | int | float | str):
            flattened[name] = value
        else:
            flattened[name] = str(value)
    return flattened


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value counts as a number: finite, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def section_of(name: str) -> int:
    """Where a field's section stands among `SECTIONS`; another one comes last."""
    first = name.partition(".")[0]
    return SECTIONS.index(first) if first in SECTIONS else len(SECTIONS)


def _digests(content: dict[str, Any]) -> dict[str, Any]:
    """The content with each artifact as its digest: where it lies and how large it is follow from that."""
    return {
        name: value["sha256"] if isinstance(value, dict) and "sha256" in value else value
        for name, value in content.items()
    }
