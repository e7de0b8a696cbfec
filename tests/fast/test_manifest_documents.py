"""What people write: arguments of `update_experiment` and run documents."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import UnknownVersion
from blockchaintracer.core.manifest import Tolerance
from blockchaintracer.lab.recording.experiment import DEFAULT_TOLERANCE, ExperimentData
from blockchaintracer.lab.recording.run_document import load_run_document

DOCUMENT = """
schema: 1
name: iris
parameters: {lr: 1e-3, eps: 1.0e-8, layers: [64, 32], country: no, day: 2026-03-01, half: 0.5, code: 010, wide: 0x1F}
metrics:
  accuracy: 0.97
  loss: {value: 0.1, tolerance: {absolute: 0.01}}
  seconds: {value: 4, tolerance: null}
tolerance: {relative: 0.001}
seeds: {numpy: 7}
inputs:
  - {path: data.csv, relation: Trained_On}
  - {record: "0xABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABAB", relation: "130"}
outputs: [{path: model.joblib, role: model}]
entry_point: train.py
arguments: [--seed, "7"]
"""


def written(folder: Path, text: str | bytes, name: str = "run.yaml") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


# --- run documents ---------------------------------------------------------------------------------------------------


def test_a_run_document(tmp_path: Path) -> None:
    document = load_run_document(written(tmp_path, DOCUMENT))
    assert document.parameters == {
        "lr": 0.001,
        "eps": 1e-8,
        "layers": [64, 32],
        "country": "no",
        "day": "2026-03-01",
        "half": 0.5,
        "code": "010",
        "wide": 31,
    }
    assert [entry.relation for entry in document.inputs] == ["trained-on", "130"]
    assert document.inputs[1].record == "0x" + "ab" * 32
    assert (document.entry_point, document.arguments) == ("train.py", ("--seed", "7"))
    measured = {**document.metrics, "accuracy": document.metrics["accuracy"].model_copy(update={"value": 0.98})}
    metrics = document.model_copy(update={"metrics": measured}).recorded_metrics()
    assert {name: metric.value for name, metric in metrics.items()} == {"accuracy": 0.98, "loss": 0.1, "seconds": 4}
    assert {name: metric.tolerance for name, metric in metrics.items()} == {
        "accuracy": Tolerance(relative=0.001),
        "loss": Tolerance(absolute=0.01),
        "seconds": None,
    }


def test_json_says_the_same_as_yaml(tmp_path: Path) -> None:
    document = load_run_document(written(tmp_path, DOCUMENT))
    again = load_run_document(written(tmp_path, json.dumps(document.to_json()), "run.json"))
    assert {**again.to_json(), "metrics": 0} == {**document.to_json(), "metrics": 0}


def test_a_metric_that_was_not_measured(tmp_path: Path) -> None:
    document = load_run_document(written(tmp_path, "schema: 1\nname: x\nmetrics: {accuracy: null}"))
    with pytest.raises(InputError, match=r"metrics\.accuracy: expected a number, got nothing"):
        document.recorded_metrics()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("metrics: {a: {value: 1, tolerance: {absolute: .inf}}}", "absolute: expected a valid number, got 'Infinity'"),
        ("metrics: {accuracy: high}", "metrics.accuracy.value: expected a valid number, got 'high'"),
        ("parameters: {1: 2}", "parameters: expected text as keys, got 1"),
        ("parameters: [1]", "parameters: expected an object, got a list of 1 values"),
        ("seeds: {numpy: 9007199254740993}", "seeds.numpy: expected an integer within"),
        ("inputs: [{path: x, relation: likes}]", "inputs[0].relation: expected a relation"),
        ("inputs: [{path: x, kind: thing}]", "inputs[0].kind: expected a kind"),
        ("inputs: [{relation: uses}]", "inputs[0].record: expected a record id, or else a path"),
        ("outputs: [{role: model}]", "outputs[0].path: expected a value, got nothing"),
        ("tolerance: {relative: -1}", "tolerance.relative: expected greater than or equal to 0, got -1"),
        ("surprise: 1", "surprise: expected no field of this name"),
        ("name: y", "a key comes twice in one object"),
        ("arguments: !!python/object/apply:os.system [id]", "could not determine a constructor"),
        ("arguments: [", "expected YAML in UTF-8, got something else"),
    ],
)
def test_what_is_wrong_with_a_document_is_named(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        load_run_document(written(tmp_path, f"schema: 1\nname: x\n{line}\n"))
    assert caught.value.message.startswith("run.yaml: ")
    assert message in caught.value.message


@pytest.mark.parametrize(
    "text", ["", "[]", "name: x", 'schema: "1"\nname: x', 'schema: "2"\nname: x', "schema: true\nname: x"]
)
def test_a_document_names_the_version_of_its_format(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"schema|an object"):
        load_run_document(written(tmp_path, text))


def test_a_document_of_a_later_version_asks_for_a_later_program(tmp_path: Path) -> None:
    with pytest.raises(UnknownVersion, match="version 2 of run-document; this program reads version 1") as caught:
        load_run_document(written(tmp_path, "schema: 2\nname: x"))
    assert "Upgrade" in str(caught.value.hint)


def test_what_is_no_document(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"named \*\.yaml"):
        load_run_document(written(tmp_path, DOCUMENT, "run.txt"))
    with pytest.raises(InputError, match="expected a run document in"):
        load_run_document(tmp_path / "none.yaml")
    with pytest.raises(InputError, match="at most"):
        load_run_document(written(tmp_path, b"#" * (1 << 20) + b"#"))
    bomb = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
    with pytest.raises(InputError, match="values in all"):
        load_run_document(written(tmp_path, "schema: 1\nname: x\n" + bomb))
    with pytest.raises(InputError, match="levels"):
        load_run_document(written(tmp_path, "schema: 1\nname: x\nparameters: &a {p: *a}"))


@given(
    st.sampled_from([".yaml", ".json"]), st.binary(max_size=80) | st.text(max_size=80).map(lambda text: text.encode())
)
@example(".yaml", b"? [a]\n: b")
@example(".yaml", b"a: !!bool x")
@example(".yaml", b"a: !!int ''")
@example(".yaml", b"a: !!float [1]")
@example(".yaml", b"a: !!timestamp x")
@example(".yaml", b"<<: 1")
@example(".yaml", b"[" * 1000)
@example(".yaml", b"\xff\xfea\x00")
@example(".yaml", b"a: " + b"9" * 5000)
@example(".json", b"[" * 100_000)
@settings(max_examples=100, deadline=None)
def test_no_document_ends_in_anything_but_a_typed_error(tmp_path_factory: Any, suffix: str, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_bytes(data)
    with pytest.raises(InputError, match="any"):
        load_run_document(path)


SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e300, 1e300) | st.text("abn:-.1e~ ")
)


@given(st.dictionaries(st.text("abc", min_size=1), SCALARS | st.lists(SCALARS, max_size=3), max_size=4))
@settings(max_examples=80, deadline=None)
def test_yaml_and_json_give_the_parameters_they_say(tmp_path_factory: Any, parameters: dict[str, Any]) -> None:
    folder = tmp_path_factory.getbasetemp()
    document = {"schema": 1, "name": "x", "parameters": parameters}
    for name, text in (("p.json", json.dumps(document)), ("p.yaml", json.dumps(document))):
        assert load_run_document(written(folder, text, name)).parameters == parameters
    block = yaml.safe_dump(document, default_style='"' if not parameters else None)
    if not any(isinstance(value, float) for value in parameters.values()):
        assert load_run_document(written(folder, block, "q.yaml")).name == "x"


# --- update_experiment -----------------------------------------------------------------------------------------------


def test_values_of_numpy_become_plain() -> None:
    data = ExperimentData(
        model_config={"lr": np.float32(0.5), "layers": np.array([[1, 2]]), "on": np.bool_(True), "n": np.int64(3)},
        metrics={"accuracy": np.float64(0.97), "loss": np.float16(0.5)},
        dataset_info={"shape": (3, 4), "when": datetime(2026, 3, 1, tzinfo=UTC)},
        model_path="out/model.bin",
        git_commit="abc123",
        timestamp=0,
        additional_info={"note": np.str_("x")},
    )
    assert data.to_json() == {
        "model_config": {"lr": 0.5, "layers": [[1, 2]], "on": True, "n": 3},
        "metrics": {"accuracy": {"value": 0.97}, "loss": {"value": 0.5}},
        "dataset_info": {"shape": [3, 4], "when": "2026-03-01T00:00:00Z"},
        "model_path": "out/model.bin",
        "git_commit": "abc123",
        "timestamp": "1970-01-01T00:00:00Z",
        "additional_info": {"note": "x"},
    }
    assert json.loads(json.dumps(data.to_json())) == data.to_json()
    assert data.experiment().to_json()["modelConfig"]["layers"] == [[1, 2]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metrics": {"accuracy": "0.9"}}, "metrics.accuracy.value: expected a valid number, got '0.9'"),
        ({"metrics": {"accuracy": True}}, "metrics.accuracy.value: expected a valid number, got True"),
        ({"metrics": {"accuracy": None}}, "metrics: expected a number for 'accuracy'"),
        ({"metrics": [1]}, "metrics: expected an object, got a list of 1 values"),
        ({"model_config": {"f": len}}, "model_config.f: expected a number, text, list or object, got a value of type"),
        ({"model_config": {"z": np.complex64(1j)}}, "model_config.z: expected a number, text, list or object"),
        (
            {"model_config": {"t": np.datetime64("2026-01-01")}},
            "model_config.t: expected a number, text, list or object",
        ),
        ({"model_config": {"big": np.zeros(2**19)}}, "model_config.big: expected at most"),
        ({"model_config": {"n": np.uint64(2**63)}}, "model_config.n: expected an integer within"),
        ({"dataset_info": 3}, "dataset_info: expected an object, got 3"),
        ({"git_commit": "main"}, "git_commit: expected a git commit"),
        ({"timestamp": "yesterday"}, "timestamp: expected a time"),
        ({"timestamp": 1e18}, "timestamp: expected a time"),
        ({"timestamp": True}, "timestamp: expected"),
        ({"learning_rate": 1}, "learning_rate: expected no field of this name"),
    ],
)
def test_what_is_wrong_with_an_argument_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        ExperimentData(**arguments)
    assert caught.value.message.startswith(message)


def test_a_time_without_a_zone_is_local() -> None:
    moment = datetime(2026, 3, 1, 12, 0, 0, 500000)
    expected = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.5Z")
    assert ExperimentData(timestamp=moment).timestamp == expected
    assert ExperimentData(timestamp=moment.isoformat()).timestamp == expected
    assert ExperimentData(timestamp="2026-03-01T12:00:00+02:00").timestamp == "2026-03-01T10:00:00Z"


def test_later_calls_add_and_replace() -> None:
    first = ExperimentData(metrics={"a": 1, "b": {"value": 2, "tolerance": None}}, git_commit="abcd")
    both = first.merge(ExperimentData(metrics={"a": 3}, model_config={"x": 1}))
    assert {name: metric.value for name, metric in (both.metrics or {}).items()} == {"a": 3, "b": 2}
    assert both.metrics["b"].recorded(2).tolerance is None
    assert both.metrics["a"].recorded(3).tolerance == DEFAULT_TOLERANCE
    assert both.git_commit == "abcd"
    assert both.model_configuration == {"x": 1}
    assert first.metrics is not None
    assert first.metrics["a"].value == 1


VALUES = st.recursive(
    st.none() | st.floats() | st.integers() | st.text() | st.binary() | st.datetimes() | st.complex_numbers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from([*ExperimentData().to_json(), "metrics", "model_config", "timestamp", "x"]), VALUES)
)
@settings(max_examples=150, deadline=None)
def test_arguments_are_taken_whole_or_refused_by_a_typed_error(arguments: dict[str, Any]) -> None:
    try:
        data = ExperimentData(**arguments)
    except InputError:
        return
    json.dumps(data.to_json(), allow_nan=False)
