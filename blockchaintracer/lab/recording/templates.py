"""Experiment templates: what a kind of experiment must state, in numbered versions that stay side by side.

They are package data, one ``templates/NAME-VERSION.json`` each; a version that was published is never edited.
"""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest.base import Part
from blockchaintracer.core.manifest.predicates import Line, Prose, RunPredicate, Tolerance
from blockchaintracer.core.plain_json import parse_json, shown
from blockchaintracer.core.record import Relation, label
from blockchaintracer.lab.recording.experiment import DEFAULT_TOLERANCE
from blockchaintracer.lab.recording.run_document import RunDocument

_FILE = re.compile(r"([a-z0-9-]+)-([1-9][0-9]*)\.json")


class ParameterRule(Part):
    """What a template says of a parameter; `minimum` and `maximum` are inclusive; a run starts from `example`."""

    type: Literal["number", "integer", "text", "boolean", "list", "object"]
    required: bool = True
    minimum: float | None = None
    maximum: float | None = None
    choices: Annotated[tuple[str, ...], Field(strict=False)] = ()
    description: Line
    example: Any

    def expected(self) -> str:
        """Return what a value must be, in words."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        return f"{'an' if self.type[0] in 'aeiou' else 'a'} {self.type}{_range(self.minimum, self.maximum)}"

    def allows(self, value: Any) -> bool:
        """Whether a plain value fits."""
        match self.type:
            case "number" | "integer":
                number = isinstance(value, int | float) and not isinstance(value, bool)
                whole = self.type == "number" or (number and float(value).is_integer())
                return number and whole and _within(value, self.minimum, self.maximum)
            case "text":
                return isinstance(value, str) and (not self.choices or value in self.choices)
            case "boolean":
                return isinstance(value, bool)
            case "list":
                return isinstance(value, list)
            case "object":
                return isinstance(value, dict)


class MetricRule(Part):
    """What a template says of a metric. `tolerance` is one to start from; None if the metric is never compared."""

    required: bool = True
    minimum: float | None = None
    maximum: float | None = None
    tolerance: Tolerance | None = None
    description: Line

    def expected(self) -> str:
        """Return what a value must be, in words."""
        return f"a number{_range(self.minimum, self.maximum)}"


class InputRule(Part):
    """An input that a run names: how the run stands to it, its kind, and a path to start from."""

    relation: Line
    kind: Line
    required: bool = True
    description: Line
    example: Line


class OutputRule(Part):
    """An output that a run names: its role, and a path to start from."""

    role: Line
    required: bool = False
    description: Line
    example: Line


class ExperimentTemplate(Part):
    """A versioned description of what a kind of experiment states. What it does not name is allowed."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    version: PositiveInt
    description: Prose
    seeded: bool = True
    parameters: dict[Line, ParameterRule]
    metrics: dict[Line, MetricRule]
    inputs: Annotated[tuple[InputRule, ...], Field(strict=False)] = ()
    outputs: Annotated[tuple[OutputRule, ...], Field(strict=False)] = ()


def list_templates() -> tuple[ExperimentTemplate, ...]:
    """Return all templates in all versions, by name and version."""
    templates = {}
    for file in (files("blockchaintracer.lab.recording") / "templates").iterdir():
        if match := _FILE.fullmatch(file.name):
            templates[match[1], int(match[2])] = ExperimentTemplate.from_plain(
                parse_json(file.read_bytes(), file.name), file.name
            )
    return tuple(template for _, template in sorted(templates.items()))


def load_template(name: str, version: int | None = None) -> ExperimentTemplate:
    """Load a template; the newest version unless one is given."""
    versions = {template.version: template for template in list_templates() if template.name == name}
    if not versions:
        names = ", ".join(dict.fromkeys(template.name for template in list_templates()))
        raise InputError(f"template.name: expected one of {names}, got {shown(name)}", field="template.name")
    number = max(versions) if version is None else version
    if number not in versions:
        known = ", ".join(map(str, sorted(versions)))
        raise InputError(
            f"template.version: expected a version of {name} among {known}, got {number}",
            hint="A newer blockchaintracer may have it.",
            field="template.version",
        )
    return versions[number]


def validate_against_template(
    run: RunPredicate | RunDocument, name: str, version: int | None = None, *, complete: bool = True
) -> None:
    """Check that a run states what a template asks for. More than that is allowed.

    Args:
        run: to be checked; of a document, metrics must have their values.
        complete: False for a run that failed: what it didn't come to may be missing.
    """
    template = load_template(name, version)
    fields: list[dict[str, str]] = []

    def wrong(field: str, expected: str, got: Any) -> None:
        fields.append({"field": field, "expected": expected, "got": shown(got)})

    for key, rule in template.parameters.items():
        value = run.parameters.get(key)
        if ((rule.required and complete) or value is not None) and not rule.allows(value):
            wrong(f"parameters.{key}", f"{rule.expected()} ({rule.description})", value)
    for key, metric_rule in template.metrics.items():
        metric = run.metrics.get(key)
        value = metric.value if metric else None
        if (metric or (metric_rule.required and complete)) and not (
            value is not None and _within(value, metric_rule.minimum, metric_rule.maximum)
        ):
            wrong(f"metrics.{key}", f"{metric_rule.expected()} ({metric_rule.description})", value)
    if complete:
        if template.seeded and not run.seeds:
            wrong("seeds", "at least one seed, by name", None)
        relations = {
            entry.relation if isinstance(entry.relation, str) else label(entry.relation, Relation)
            for entry in run.inputs
        }
        for input_rule in template.inputs:
            if input_rule.required and input_rule.relation not in relations:
                wrong("inputs", f"an input of relation {input_rule.relation} ({input_rule.description})", None)
        roles = {output.role for output in run.outputs}
        for output_rule in template.outputs:
            if output_rule.required and output_rule.role not in roles:
                wrong("outputs", f"an output of role {output_rule.role} ({output_rule.description})", None)
    if fields:
        lines = [f"{entry['field']}: expected {entry['expected']}, got {entry['got']}" for entry in fields]
        raise InputError(
            f"the run does not fit the template {name} {template.version}: " + "; ".join(lines),
            hint=f"`blockchaintracer new --template {name}` prints a run document to start from.",
            field=fields[0]["field"],
            fields=fields,
        )


def render_template(name: str, version: int | None = None) -> str:
    """Write a commented ``run.yaml`` to start from; required metrics are left to be filled in."""
    template = load_template(name, version)
    parameters = [
        f"  {_optional(rule)}{key}: {json.dumps(rule.example)}  # {rule.expected()}: {rule.description}"
        for key, rule in template.parameters.items()
    ]
    metrics = [
        line
        for key, metric in template.metrics.items()
        for line in (
            f"  # {metric.expected()}: {metric.description}",
            f"  {_optional(metric)}{key}: {{value: null, tolerance: {_tolerance(metric.tolerance)}}}",
        )
    ]
    inputs = [
        f"  {_optional(rule)}- {{path: {json.dumps(rule.example)}, kind: {rule.kind}, relation: {rule.relation}}}"
        f"  # {rule.description}"
        for rule in template.inputs
    ]
    outputs = [
        f"  {_optional(rule)}- {{path: {json.dumps(rule.example)}, role: {rule.role}}}  # {rule.description}"
        for rule in template.outputs
    ]
    return "\n".join(
        [
            f"# {template.description}",
            "# Lines that are commented out are optional. Fill in the metrics once they are measured.",
            "schema: 1",
            f"name: my {template.name} run",
            f"template: {{name: {template.name}, version: {template.version}}}",
            "",
            "# what is started, relative to this file; `reproduce` starts it again",
            "entry_point: run.py",
            "arguments: []",
            "",
            *_section("parameters", parameters),
            "# of every metric that gives no tolerance of its own; `tolerance: null` is reported and never compared",
            f"tolerance: {_tolerance(DEFAULT_TOLERANCE)}",
            *_section("metrics", metrics),
            "# by the name of what is seeded; a seed beyond 2^53 as text",
            *_section("seeds", ["  main: 0" if template.seeded else "  # main: 0"]),
            *_section("inputs", inputs),
            *_section("outputs", outputs),
        ]
    )


def _section(title: str, lines: list[str]) -> list[str]:
    active = any(not line.startswith("  #") for line in lines)
    return [f"{'' if active else '# '}{title}:", *lines, ""]


def _optional(rule: ParameterRule | MetricRule | InputRule | OutputRule) -> str:
    return "" if rule.required else "# "


def _tolerance(tolerance: Tolerance | None) -> str:
    return f"{{absolute: {tolerance.absolute:g}, relative: {tolerance.relative:g}}}" if tolerance else "null"


def _within(value: float, minimum: float | None, maximum: float | None) -> bool:
    return (minimum is None or value >= minimum) and (maximum is None or value <= maximum)


def _range(minimum: float | None, maximum: float | None) -> str:
    match minimum, maximum:
        case None, None:
            return ""
        case None, _:
            return f" of at most {maximum:g}"
        case _, None:
            return f" of at least {minimum:g}"
    return f" from {minimum:g} to {maximum:g}"
