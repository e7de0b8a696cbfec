"""Experiment templates: what they ask for, and the run documents that start from them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import Kind, Relation, parse_number
from blockchaintracer.lab.recording import templates
from blockchaintracer.lab.recording.run_document import RunDocument, load_run_document
from blockchaintracer.lab.recording.templates import (
    ExperimentTemplate,
    list_templates,
    load_template,
    render_template,
    validate_against_template,
)

ALL = list_templates()
NAMES = [f"{template.name}-{template.version}" for template in ALL]


def filled(template: ExperimentTemplate, folder: Path) -> RunDocument:
    """The rendered document with every metric measured, as its author would fill it in."""
    document = yaml.safe_load(render_template(template.name, template.version))
    for name, metric in document["metrics"].items():
        rule = template.metrics[name]
        metric["value"] = rule.maximum if rule.maximum is not None else (rule.minimum or 0.0) + 1
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(document))
    return load_run_document(path)


def test_the_templates_that_there_are() -> None:
    assert {"classification", "regression", "fine-tuning", "gw-search", "benchmark"} <= {one.name for one in ALL}
    assert sorted(NAMES) == NAMES


@pytest.mark.parametrize("template", ALL, ids=NAMES)
def test_a_template_is_what_its_file_is_called_and_makes_sense(template: ExperimentTemplate) -> None:
    file = Path(templates.__file__).parent / "templates" / f"{template.name}-{template.version}.json"
    assert ExperimentTemplate.from_plain(json.loads(file.read_text())) == template
    assert any(rule.required for rule in template.metrics.values())
    assert any(rule.required and rule.tolerance for rule in template.metrics.values()) or template.name == "benchmark"
    for name, rule in template.parameters.items():
        assert rule.allows(rule.example), name
    for entry in template.inputs:
        parse_number(entry.relation, Relation)
        parse_number(entry.kind, Kind)


@pytest.mark.parametrize("template", ALL, ids=NAMES)
def test_a_rendered_document_lacks_only_its_metrics(template: ExperimentTemplate, tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(render_template(template.name))
    fresh = load_run_document(path)
    required = {name for name, rule in template.metrics.items() if rule.required}
    with pytest.raises(InputError) as caught:
        validate_against_template(fresh, template.name, template.version)
    assert {entry["field"] for entry in caught.value.values["fields"]} == {f"metrics.{name}" for name in required}
    document = filled(template, tmp_path)
    assert document.template is not None
    validate_against_template(document, document.template.name, document.template.version)
    assert document.recorded_metrics().keys() == required
    for name in required:
        assert document.recorded_metrics()[name].tolerance == template.metrics[name].tolerance


@pytest.mark.parametrize("template", ALL, ids=NAMES)
def test_the_optional_lines_of_a_rendered_document_are_good_too(template: ExperimentTemplate, tmp_path: Path) -> None:
    commented_out = r"(?m)^( *)# (?=(- \{|[a-z0-9_]+:( |$)))"
    (tmp_path / "run.yaml").write_text(re.sub(commented_out, r"\1", render_template(template.name)))
    document = load_run_document(tmp_path / "run.yaml")
    assert document.parameters.keys() == template.parameters.keys()
    assert document.metrics.keys() == template.metrics.keys()
    assert len(document.inputs) == len(template.inputs)
    assert len(document.outputs) == len(template.outputs)


def gw(**changed: Any) -> RunDocument:
    said: dict[str, Any] = {
        "schema": 1,
        "name": "GW150914",
        "parameters": {name: rule.example for name, rule in load_template("gw-search").parameters.items()},
        "metrics": {"network_snr": 22.8, "of_my_own": 1},
        "seeds": {"numpy": 1},
        "inputs": [{"path": "h1.hdf5", "relation": "uses"}],
    }
    return RunDocument.from_plain({**said, **changed})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"parameters": {}}, "parameters.detectors: expected a list (detectors searched"),
        ({"metrics": {}}, "metrics.network_snr: expected a number of at least 0"),
        ({"metrics": {"network_snr": -1}}, "metrics.network_snr: expected a number of at least 0"),
        (
            {"metrics": {"network_snr": 1, "classifier_roc_auc": 1.5}},
            "metrics.classifier_roc_auc: expected a number from 0",
        ),
        ({"metrics": {"network_snr": 1, "snr_h1": None}}, "metrics.snr_h1: expected a number of at least 0"),
        ({"seeds": {}}, "seeds: expected at least one seed"),
        ({"inputs": []}, "inputs: expected an input of relation uses"),
        ({"inputs": [{"path": "x", "relation": "trained-on"}]}, "inputs: expected an input of relation uses"),
    ],
)
def test_what_a_run_lacks_is_named(changed: dict[str, Any], message: str) -> None:
    validate_against_template(gw(), "gw-search")
    with pytest.raises(InputError) as caught:
        validate_against_template(gw(**changed), "gw-search", 1)
    assert message in caught.value.message
    assert "new --template gw-search" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("detectors", "H1"),
        ("duration", "32"),
        ("duration", True),
        ("duration", -1),
        ("sample_rate", 0),
        ("whitened", 1),
        ("psd", []),
        ("approximant", 3),
    ],
)
def test_a_parameter_of_another_type_or_range(name: str, value: Any) -> None:
    with pytest.raises(InputError, match=rf"parameters\.{name}: expected"):
        validate_against_template(gw(parameters={**gw().parameters, name: value}), "gw-search")


def test_choices_and_whole_numbers() -> None:
    rules = load_template("benchmark").parameters
    assert rules["statistic"].allows("median")
    assert not rules["statistic"].allows("best")
    assert rules["repeats"].allows(3.0)
    assert not rules["repeats"].allows(2.5)


def test_a_failed_run_may_lack_what_it_did_not_come_to() -> None:
    validate_against_template(gw(metrics={}, parameters={}, seeds={}, inputs=[]), "gw-search", complete=False)
    with pytest.raises(InputError, match=r"parameters\.duration"):
        validate_against_template(gw(parameters={"duration": "x"}), "gw-search", complete=False)


def test_a_template_that_there_is_not() -> None:
    with pytest.raises(InputError, match=r"template\.name: expected one of benchmark, classification.*got 'gw'"):
        load_template("gw")
    with pytest.raises(InputError, match=r"template\.version: expected a version of gw-search among 1, got 9"):
        load_template("gw-search", 9)


def test_versions_stand_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_template("regression", 1).to_json()
    folder = tmp_path / "templates"
    folder.mkdir()
    for version in (1, 2, 10):
        (folder / f"regression-{version}.json").write_text(json.dumps({**first, "version": version}))
    monkeypatch.setattr(templates, "files", lambda package: tmp_path)
    assert [one.version for one in list_templates()] == [1, 2, 10]
    assert load_template("regression").version == 10
    assert load_template("regression", 2).version == 2
