"""Run documents: a run described in a YAML or JSON file, for ``record --from run.yaml``."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, NonNegativeInt, ValidationInfo, field_validator

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import read_limited
from blockchaintracer.core.manifest.base import Part
from blockchaintracer.core.manifest.checkpoint_list import CheckpointList
from blockchaintracer.core.manifest.predicates import (
    CheckpointAnchor,
    Experiment,
    Line,
    Metric,
    Name,
    Names,
    Number,
    ParameterSources,
    Prose,
    SeedDerivation,
    Template,
    Tolerance,
    Utc,
)
from blockchaintracer.core.plain_json import number_text, parse_json, plain, refuse
from blockchaintracer.core.record import Kind, Relation, is_hash, label, parse_number, written_id
from blockchaintracer.lab.formats import RUN_DOCUMENT
from blockchaintracer.lab.recording.experiment import DEFAULT_TOLERANCE, GivenMetric

MAX_DOCUMENT = 1 << 20
"""The largest run document, in bytes."""
MAX_POINTS = 10_000
"""How many values the histories of a run document have together at most: it stays below `MAX_DOCUMENT`."""
MAX_HISTORIES = 200
"""How many metrics have a history at most: each is named in the manifest."""


def _label(text: str, vocabulary: type[Kind] | type[Relation]) -> str:
    try:
        number = parse_number(text, vocabulary)
    except InputError as error:
        raise ValueError(f"a {vocabulary.__name__.lower()}. {error.hint}") from None
    return label(vocabulary(number)) if number in list(vocabulary) else str(number)


class _Written(Part):
    """Part of a document that people write: names as in Python, and paths as the system has them."""

    model_config = ConfigDict(alias_generator=None)


Recipients = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=2000)], ...], Field(strict=False)]
"""``age1…``, lines of SSH public keys, names of the lab's encryption keys, or files that list such."""


def _record(text: str) -> str:
    if not is_hash(text):
        raise ValueError("a record id, 0x and 64 hex digits, or eip155:CHAIN:REGISTRY/ID")
    return written_id(text)


class DocumentInput(_Written):
    """Something that the run reads: a file or folder to record, a record that exists, or both.

    Args:
        path: relative to the document's folder, or absolute.
    """

    path: Annotated[str, Field(min_length=1)] | None = None
    record: Annotated[str, AfterValidator(_record)] | None = Field(default=None, validate_default=True)
    kind: Annotated[str, AfterValidator(partial(_label, vocabulary=Kind))] = "dataset"
    relation: Annotated[str, AfterValidator(partial(_label, vocabulary=Relation))] = "uses"
    name: Line | None = None
    encrypt_to: Recipients = ()

    @field_validator("record", mode="after")
    @classmethod
    def _something(cls, record: str | None, info: ValidationInfo) -> str | None:
        if record is None and "path" in info.data and info.data["path"] is None:
            raise ValueError("a record id, or else a path")
        return record


class DocumentOutput(_Written):
    """Something that the run writes; its role is ``model``, ``predictions`` or the like."""

    path: Annotated[str, Field(min_length=1)]
    role: Line = "output"
    encrypt_to: Recipients = ()


class DocumentHistory(_Written):
    """The values that a metric had over the run.

    Args:
        steps: not negative, strictly ascending.
        values: at each step.
        times: when each was logged by the machine's clock, in milliseconds since 1970.
    """

    steps: Annotated[tuple[NonNegativeInt, ...], Field(strict=False, min_length=1)]
    values: Annotated[tuple[Number, ...], Field(strict=False)]
    times: Annotated[tuple[NonNegativeInt, ...], Field(strict=False)]

    @field_validator("steps")
    @classmethod
    def _ascending(cls, steps: tuple[int, ...]) -> tuple[int, ...]:
        if any(step >= following for step, following in pairwise(steps)):
            raise ValueError("steps that ascend, each once")
        return steps

    @field_validator("values", "times")
    @classmethod
    def _one_each(cls, given: tuple[Any, ...], info: ValidationInfo) -> tuple[Any, ...]:
        if "steps" in info.data and len(given) != len(info.data["steps"]):
            raise ValueError(f"one for each of the {len(info.data['steps'])} steps, not {len(given)}")
        return given


class PrivateDocument(_Written):
    """Values that the run commits to and does not show. They stay in the lab's folder, and nothing compares them."""

    parameters: Names = Field(default_factory=dict)
    metrics: dict[Name, Number] = Field(default_factory=dict)
    encrypt_to: Recipients = ()

    def require_apart(self, parameters: Collection[str], metrics: Collection[str]) -> None:
        """Refuse a private value with the name of a value that is shown."""
        for what, shown in (("parameters", parameters), ("metrics", metrics)):
            for name in getattr(self, what):
                if name in shown:
                    refuse(f"private.{what}.{name}", f"a name that no value of the {what} has that is shown", name)

    def fields(self) -> dict[str, Any]:
        """Return all values by the names that a disclosure gives them: ``parameters.lr``, ``metrics.accuracy``."""
        parameters = {f"parameters.{name}": value for name, value in self.parameters.items()}
        return parameters | {f"metrics.{name}": number_text(value) for name, value in self.metrics.items()}


class RunDocument(_Written):
    """A run as its author writes it down; the tracer adds ``checkpoints``, ``checkpoint_anchors``, ``seed_derivation``.

    Args:
        metrics: numbers by name, or ``{value, tolerance}``; without a value if it's still to be measured.
        tolerance: of every metric that gives none of its own.
        declared_timestamp: a time that the author states; never a chain's.
    """

    schema_version: Literal[1] = Field(alias="schema")
    name: Line
    description: Prose | None = None
    template: Template | None = None
    parameters: Names = Field(default_factory=dict)
    parameter_sources: ParameterSources = None
    metrics: dict[Name, GivenMetric] = Field(default_factory=dict)
    histories: dict[Name, DocumentHistory] = Field(default_factory=dict)
    tolerance: Tolerance = DEFAULT_TOLERANCE
    seeds: Names = Field(default_factory=dict)
    private: PrivateDocument = Field(default_factory=PrivateDocument)
    inputs: Annotated[tuple[DocumentInput, ...], Field(strict=False)] = ()
    outputs: Annotated[tuple[DocumentOutput, ...], Field(strict=False)] = ()
    entry_point: Line | None = None
    arguments: Annotated[tuple[str, ...], Field(strict=False)] = ()
    experiment: Experiment | None = None
    declared_timestamp: Utc | None = None
    checkpoints: CheckpointList | None = None
    checkpoint_anchors: Annotated[tuple[CheckpointAnchor, ...], Field(strict=False)] = ()
    seed_derivation: SeedDerivation | None = None
    error: Prose | None = None

    @field_validator("histories")
    @classmethod
    def _of_metrics(cls, histories: dict[str, DocumentHistory], info: ValidationInfo) -> dict[str, DocumentHistory]:
        if len(histories) > MAX_HISTORIES or sum(len(history.steps) for history in histories.values()) > MAX_POINTS:
            raise ValueError(f"histories of at most {MAX_HISTORIES} metrics with {MAX_POINTS} values together")
        if "metrics" in info.data and (unknown := sorted({*histories} - {*info.data["metrics"]})):
            raise ValueError(f"histories of the document's metrics, which {unknown[0]!r} is none of")
        return histories

    @field_validator("private")
    @classmethod
    def _named_once(cls, private: PrivateDocument, info: ValidationInfo) -> PrivateDocument:
        private.require_apart(info.data.get("parameters", ()), info.data.get("metrics", ()))
        return private

    def encrypted(self) -> dict[str, tuple[str, ...]]:
        """Return the recipients of each input and output that is to be encrypted, by its path."""
        files = [(entry.path, entry.encrypt_to) for entry in self.inputs]
        files += [(entry.path, entry.encrypt_to) for entry in self.outputs]
        return {path: recipients for path, recipients in files if path and recipients}

    def recorded_metrics(self) -> dict[str, Metric]:
        """Return the metrics as the run records them."""
        metrics: dict[str, Metric] = {}
        for name, given in self.metrics.items():
            if given.value is None:
                refuse(f"metrics.{name}", "a number", None, "Fill it in once it's measured, or leave the metric out.")
            metrics[name] = given.recorded(given.value, self.tolerance)
        return metrics


def load_run_document(path: str | Path) -> RunDocument:
    """Load the run document in a file.

    YAML is read by its safe loader with the types of its core schema (YAML 1.2): ``1e-3`` is a number, ``no`` and dates
    are text. JSON is read strictly.

    Args:
        path: ends in ``.yaml``, ``.yml`` or ``.json``; at most `MAX_DOCUMENT` bytes.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in {".yaml", ".yml", ".json"}:
        raise InputError(f"expected a run document named *.yaml, *.yml or *.json, got {path.name!r}")
    data = read_limited(path, MAX_DOCUMENT, "a run document")
    try:
        fields = parse_json(data, "document", constant=str) if suffix == ".json" else parse_yaml(data)
        if not isinstance(fields, dict):
            refuse("document", "an object", fields)
        schema = fields.get("schema")
        if type(schema) is not int:
            refuse("schema", "1, the version of this format", schema, "Begin the document with `schema: 1`.")
        RUN_DOCUMENT.check_version(schema, "document")
        return RunDocument.from_plain(fields)
    except InputError as error:
        raise type(error)(f"{path.name}: {error.message}", hint=error.hint, **error.values) from None


def parse_yaml(data: bytes) -> Any:
    """Read YAML (UTF-8) as plain values."""
    # only a program that reads YAML waits for it
    import yaml

    from blockchaintracer.lab.recording.yaml_core import CoreLoader

    try:
        value = yaml.load(data.decode(), Loader=CoreLoader)  # noqa: S506 - a SafeLoader with fewer tags
    except (yaml.YAMLError, ValueError, LookupError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        reason = getattr(error, "problem", None) or "it can't be read"
        raise InputError(f"document: expected YAML in UTF-8, got something else: {reason}{where}") from None
    return plain(value)
