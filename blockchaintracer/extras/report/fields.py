"""The model card's required fields: taken from the records where these hold them, and else declared by the caller."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.lab.recording.run_document import MAX_DOCUMENT, parse_yaml

if TYPE_CHECKING:
    from blockchaintracer.extras.report.seen import Read, Seen

REQUIRED = (
    "model_name",
    "model_version",
    "model_type",
    "dataset",
    "preprocessing",
    "validation",
    "metrics",
    "limitations",
    "transaction",
    "timestamp",
    "verification",
)
OPTIONAL = ("description", "intended_use", "license", "language", "contact", "citation")
NEVER_DECLARED = ("dataset", "metrics", "transaction", "timestamp", "verification")
"""What only records can say."""

_NAMES = {
    "model_version": ("model_version", "version"),
    "model_type": ("model_type", "algorithm", "estimator", "architecture"),
    "preprocessing": ("preprocessing",),
    "validation": ("validation", "cross_validation", "test_fraction", "folds", "cv_folds"),
    "limitations": ("limitations",),
    "intended_use": ("intended_use",),
    "language": ("language",),
}
"""Under which names a run's parameters and its experiment hold a field."""
_MAX = 10_000
_MEASURED_ON = ("validated-on", "evaluated-on")


@dataclass(frozen=True)
class Field:
    """A field of the card.

    Args:
        source: where a record holds it; None if the caller declared it.
    """

    name: str
    text: str
    source: str | None


def fields_of(
    model: Seen | None,
    run: Seen | None,
    inputs: Sequence[Read],
    standing: Mapping[str, str],
    declared: Mapping[str, str],
) -> tuple[dict[str, Field], tuple[str, ...]]:
    """The fields by name, and the names of the required ones that are missing.

    Raises:
        InputError: if a declared field is unknown, can't be declared, or differs from what a record says.
    """
    found = {one.name: one for one in (*_recorded(model, run, inputs), *_standing(run or model, standing))}
    for name, text in declared.items():
        require_declarable(name)
        if not isinstance(text, str) or not text.strip() or len(text) > _MAX:
            raise InputError(f"{name}: expected text of 1 to {_MAX} characters", field=name)
        known = found.get(name)
        if known and known.source != _NAME_OF_RUN and known.text != text.strip():
            raise InputError(
                f"{name} is recorded ({known.source}) as {known.text[:80]!r}, and another was declared",
                hint="Leave it out: what is recorded is shown. To change it, record it anew.",
                field=name,
            )
        if known is None or known.text != text.strip():
            found[name] = Field(name, text.strip(), None)
    order = {name: number for number, name in enumerate((*REQUIRED, *OPTIONAL))}
    fields = {name: found[name] for name in sorted(found, key=order.__getitem__)}
    return fields, tuple(name for name in REQUIRED if name not in fields)


def require_declarable(name: str) -> None:
    """Refuses a name that isn't a field of the card, or is one that only records can give.

    Raises:
        InputError: saying which.
    """
    if name not in (*REQUIRED, *OPTIONAL):
        raise InputError(
            f"expected a field of the model card, got {name!r}", hint=f"Known: {', '.join((*REQUIRED, *OPTIONAL))}."
        )
    if name in NEVER_DECLARED:
        raise InputError(f"{name} is taken from records and can't be declared", field=name)


_NAME_OF_RUN = "name of the run"


def _recorded(model: Seen | None, run: Seen | None, inputs: Sequence[Read]) -> Iterable[Field]:
    content = model.content if model else None
    predicate = run.run if run else None
    if content and content.name:
        yield Field("model_name", content.name, "the model's record")
    elif run:
        yield Field("model_name", run.name, _NAME_OF_RUN)
    places = _places(predicate.to_json() if predicate else {})
    if content:
        own = {"model_version": content.version, "model_type": content.framework, "license": content.license}
        own["description"] = content.description
        taken = {name: text for name, text in own.items() if text}
        yield from (Field(name, text, "the model's record") for name, text in taken.items())
    else:
        taken = {}
    if predicate and predicate.description and "description" not in taken:
        yield Field("description", predicate.description, "description of the run")
    for name, keys in _NAMES.items():
        said = [(place, key, values[key]) for place, values in places for key in keys if values.get(key) is not None]
        said = [(place, key, value) for place, key, value in said if value != "" and not isinstance(value, dict)]
        if name in taken or (name == "validation" and not said):
            continue
        if name == "validation":
            text = "; ".join(f"{_text(value)}" if key == name else f"{key} = {_text(value)}" for _, key, value in said)
            yield Field(name, text, ", ".join(f"{place}.{key}" for place, key, _ in said))
        elif said:
            place, key, value = said[0]
            yield Field(name, _text(value), f"{place}.{key}")
    measured = [one for one in inputs if one.relation in _MEASURED_ON]
    if measured and not any(values.get(key) is not None for _, values in places for key in _NAMES["validation"]):
        text = "; ".join(f"{one.relation} {one.name} (record {one.seen.row.id})" for one in measured)
        yield Field("validation", text, "inputs of the run")
    data = [one for one in inputs if one.seen.row.kind in ("dataset", "reference")]
    if data:
        text = "; ".join(f"{one.relation} {one.name} ({_digest(one.seen)})" for one in data)
        yield Field("dataset", text, "inputs of the run")
    if predicate and predicate.metrics:
        text = "; ".join(f"{name} = {metric.value!r}" for name, metric in sorted(predicate.metrics.items()))
        yield Field("metrics", text, "metrics of the run")


def _digest(seen: Seen) -> str:
    if seen.row.subject_type == "commitment":
        return f"{'encrypted, ' if seen.encrypted else ''}salted commitment {seen.row.subject}"
    return f"SHA-256 {seen.row.subject}"


def _standing(record: Seen | None, standing: Mapping[str, str]) -> Iterable[Field]:
    if record is not None:
        yield from (Field(name, text, "the chain") for name, text in standing.items())


def _places(run: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    experiment = run.get("experiment", {})
    return [
        ("parameters", run.get("parameters", {})),
        ("experiment.modelConfig", experiment.get("modelConfig", {})),
        ("experiment.datasetInfo", experiment.get("datasetInfo", {})),
        ("experiment.additionalInfo", experiment.get("additionalInfo", {})),
    ]


def _text(value: Any) -> str:
    from blockchaintracer.extras.report.seen import text_of

    return text_of(value)


def declared_fields(texts: Sequence[str], file: Path | None = None) -> dict[str, str]:
    """Return the fields that texts, each ``name=value``, and a YAML file declare.

    Raises:
        InputError: if a text is no ``name=value``, or the file is no YAML object of text.
    """
    fields: dict[str, str] = {}
    if file is not None:
        with file.open("rb") as opened:
            data = opened.read(MAX_DOCUMENT + 1)
        if len(data) > MAX_DOCUMENT:
            raise InputError(f"{file.name}: expected at most {MAX_DOCUMENT} bytes, got more")
        values = parse_yaml(data)
        if not isinstance(values, dict):
            raise InputError(f"{file.name}: expected names with values, got something else")
        for name, value in values.items():
            if isinstance(value, dict | list) or value is None:
                raise InputError(f"{file.name}: expected text for {name}, got something else", field=name)
            fields[name] = str(value)
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"expected a field as NAME=VALUE, got {text[:80]!r}")
        fields[name.strip()] = value
    return fields
