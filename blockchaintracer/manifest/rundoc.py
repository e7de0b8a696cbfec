"""A run document: what an experimenter says of a run in YAML or JSON, before the rest is captured."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field

from blockchaintracer.errors import InputError
from blockchaintracer.manifest.base import Part, parse_json, plain
from blockchaintracer.manifest.predicates import Metric, Name, Template, Text, Tolerance

_MAX_BYTES = 16 << 20


def _metric(value: Any) -> Any:
    """A bare number is a metric without tolerance."""
    return {"value": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


class RunInput(Part):
    """A file or folder that the run read: by its path, by the id of its record, or both."""

    path: str | None = None
    record: str | None = None
    relation: str = "uses"
    kind: str = "dataset"
    name: Name | None = None


class RunOutput(Part):
    """A file that the run wrote, and what it is to the run."""

    path: str
    role: Name = "artifact"


class RunDocument(Part):
    """A run as its author tells it.

    Args:
        schema_: version of this format.
        tolerance: of every metric that names none.
        command: what was run, from the top of the repository: ``[python, train.py, --seed, "7"]``.
    """

    schema_: Annotated[Literal[1], Field(alias="schema")] = 1
    name: Name = "run"
    description: Text | None = None
    parameters: dict[str, Any] = {}
    metrics: dict[str, Annotated[Metric, BeforeValidator(_metric)]] = {}
    tolerance: Tolerance | None = None
    seeds: dict[str, Any] = {}
    inputs: list[RunInput] = []
    outputs: list[RunOutput] = []
    command: list[str] | None = None
    template: Template | None = None

    def metrics_with_tolerance(self) -> dict[str, Metric]:
        """The metrics, with the document's tolerance where they have none."""
        return {
            name: metric
            if metric.tolerance or not self.tolerance
            else metric.model_copy(update={"tolerance": self.tolerance})
            for name, metric in self.metrics.items()
        }


def load_run_document(path: FilePath) -> RunDocument:
    """Reads a run document.

    Raises:
        InputError: if the file can't be read, is neither YAML nor JSON, or breaks a rule; the field is named.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"expected a run document at {path}: {error.strerror}") from None
    if len(data) > _MAX_BYTES:
        raise InputError(f"expected a run document of at most {_MAX_BYTES} bytes, got {len(data)} in {path}")
    return parse_run_document(data, json=path.suffix.lower() == ".json", what=str(path))


def parse_run_document(data: bytes, *, json: bool, what: str = "run document") -> RunDocument:
    """Reads the bytes of a run document: JSON, or YAML.

    Raises:
        InputError: as `load_run_document`.
    """
    if json:
        return RunDocument.read(parse_json(data, what))
    try:
        values = yaml.safe_load(data)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InputError(f"{what}: expected YAML, got something else{where}") from None
    return RunDocument.read(plain(values))
