"""The model card's required fields: taken from the records where these hold them, and else declared by the caller."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import read_limited
from blockchaintracer.core.manifest import RunPredicate
from blockchaintracer.core.record import Relation
from blockchaintracer.lab.gather import GatheredInput, GatheredRecord
from blockchaintracer.lab.plain_text import text_of
from blockchaintracer.lab.recording.run_document import MAX_DOCUMENT, parse_yaml

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

_VALIDATION = ("validation", "cross_validation", "test_fraction", "folds", "cv_folds")
_NAMES = {
    "model_version": ("model_version", "version"),
    "model_type": ("model_type", "algorithm", "estimator", "architecture"),
    "preprocessing": ("preprocessing",),
    "validation": _VALIDATION,
    "limitations": ("limitations",),
    "intended_use": ("intended_use",),
    "language": ("language",),
}
"""Under which names a run's parameters and its experiment hold a field."""
_MAX = 10_000
_MEASURED_ON = (Relation.VALIDATED_ON, Relation.EVALUATED_ON)
_NAME_OF_RUN = "name of the run"


@dataclass(frozen=True)
class ReportField:
    """A field of the model card."""

    name: str
    text: str
    source: str | None


def fields_of(
    model: GatheredRecord | None,
    run: GatheredRecord | None,
    inputs: Sequence[GatheredInput],
    by_chain: Mapping[str, str],
    declared: Mapping[str, str],
) -> tuple[dict[str, ReportField], tuple[str, ...]]:
    """Return the fields by name, and the names of the required ones that are missing; without model and run no card."""
    known = {field.name: field for field in _recorded(model, run, inputs)}
    if run or model:
        known |= {name: ReportField(name, text, "the chain") for name, text in by_chain.items()}
    for name, text in declared.items():
        require_declarable(name)
        if not isinstance(text, str) or not text.strip() or len(text) > _MAX:
            raise InputError(f"{name}: expected text of 1 to {_MAX} characters", field=name)
        recorded = known.get(name)
        if recorded and recorded.text == text.strip():
            continue
        if recorded and recorded.source != _NAME_OF_RUN:
            raise InputError(
                f"{name} is recorded ({recorded.source}) as {recorded.text[:80]!r}, and another was declared",
                hint="Leave it out: what is recorded is shown. To change it, record it anew.",
                field=name,
            )
        known[name] = ReportField(name, text.strip(), None)
    fields = {name: known[name] for name in (*REQUIRED, *OPTIONAL) if name in known}
    return fields, tuple(name for name in REQUIRED if name not in fields)


def require_declarable(name: str) -> None:
    """Refuse a name that isn't a field of the card, or is one that only records can give."""
    if name not in (*REQUIRED, *OPTIONAL):
        raise InputError(
            f"expected a field of the model card, got {name!r}", hint=f"Known: {', '.join((*REQUIRED, *OPTIONAL))}."
        )
    if name in NEVER_DECLARED:
        raise InputError(f"{name} is taken from records and can't be declared", field=name)


def _recorded(
    model: GatheredRecord | None, run: GatheredRecord | None, inputs: Sequence[GatheredInput]
) -> Iterator[ReportField]:
    """The fields that the records hold. Of two with one name the later is shown."""
    predicate = run.run if run else None
    if run:
        yield ReportField("model_name", run.name, _NAME_OF_RUN)
    if predicate:
        yield from _of_run(predicate)
    measured = [entry for entry in inputs if entry.relation in _MEASURED_ON]
    if measured and not any(place.get(key) is not None for place in _places(predicate).values() for key in _VALIDATION):
        text = "; ".join(f"{entry.relation_name} {_name(entry)} (record {entry.read.id})" for entry in measured)
        yield ReportField("validation", text, "inputs of the run")
    if data := [entry for entry in inputs if entry.read.record.kind in ("dataset", "reference")]:
        text = "; ".join(f"{entry.relation_name} {_name(entry)} ({_digest(entry.read)})" for entry in data)
        yield ReportField("dataset", text, "inputs of the run")
    if content := model.content if model else None:
        own = {
            "model_name": content.name,
            "model_version": content.version,
            "model_type": content.framework,
            "license": content.license,
            "description": content.description,
        }
        yield from (ReportField(name, text, "the model's record") for name, text in own.items() if text)


def _of_run(run: RunPredicate) -> Iterator[ReportField]:
    if run.description:
        yield ReportField("description", run.description, "description of the run")
    for name, keys in _NAMES.items():
        values = [
            (place, key, value)
            for place, held in _places(run).items()
            for key in keys
            if (value := held.get(key)) is not None and value != "" and not isinstance(value, dict)
        ]
        if values and name == "validation":
            text = "; ".join(text_of(value) if key == name else f"{key} = {text_of(value)}" for _, key, value in values)
            yield ReportField(name, text, ", ".join(f"{place}.{key}" for place, key, _ in values))
        elif values:
            place, key, value = values[0]
            yield ReportField(name, text_of(value), f"{place}.{key}")
    if run.metrics:
        text = "; ".join(
            f"{name} = {metric.value!r}{' (declared)' if metric.is_declared else ''}"
            for name, metric in sorted(run.metrics.items())
        )
        yield ReportField("metrics", text, "metrics of the run")


def _name(entry: GatheredInput) -> str:
    return entry.name or entry.read.name


def _digest(gathered: GatheredRecord) -> str:
    if gathered.record.subject_type == "commitment":
        return f"{'encrypted, ' if gathered.encrypted else ''}salted commitment {gathered.record.subject}"
    return f"SHA-256 {gathered.record.subject}"


def _places(predicate: RunPredicate | None) -> dict[str, dict[str, Any]]:
    run = predicate.to_json() if predicate else {}
    experiment = run.get("experiment", {})
    return {
        "parameters": run.get("parameters", {}),
        **{f"experiment.{name}": experiment.get(name, {}) for name in ("modelConfig", "datasetInfo", "additionalInfo")},
    }


def declared_fields(texts: Sequence[str], file: Path | None = None) -> dict[str, str]:
    """Return the fields that texts, each ``name=value``, and a YAML file declare."""
    fields: dict[str, str] = {}
    if file is not None:
        values = parse_yaml(read_limited(file, MAX_DOCUMENT, "fields"))
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
