"""Results that a repository states, against records on a real chain: what holds, and every way in which one doesn't."""

import re
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from blockchaintracer import MLTracer
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import Kind
from blockchaintracer.extras.check.claims import read_claims, stands_for
from blockchaintracer.lab.recording.content import record_document
from tests.support.labs import ROOT, typed


@pytest.fixture(scope="module")
def runs(lab, tmp_path_factory):
    """Ids by name: a good run, one that was retracted, one that rests on it, one that failed, a result, a dataset."""
    folder = tmp_path_factory.mktemp("runs")
    tracer = MLTracer(lab.home.path)
    found = {}
    for name, inputs in (("good", None), ("retracted", None), ("on_retracted", "retracted")):
        with tracer.start_run(name) as run:
            run.log_metrics({"accuracy": 0.9345, "loss_1": 1.25e-3, "shift": -2.5})
            if inputs:
                run.log_input(record=found[inputs], relation="derived-from")
        found[name] = run.recorded.id
    with suppress(ValueError), tracer.start_run("failed") as run:
        run.log_metric("accuracy", 0.9345)
        raise ValueError("diverged")
    found["failed"] = run.recorded.id
    file = folder / "result.json"
    file.write_text("{}")
    values = {"metrics": {"snr": 18.56}, "outcomes": {"passed": 3}, "note": "text"}
    found["result"] = record_document(lab, Kind.RESULT, file, name="result", values=values).id
    done = typed("retract", found["retracted"], "--reason", "wrong labels", "--yes", home=lab.home.path)
    assert done.returncode == 0, done.stderr
    return found


@pytest.mark.parametrize(
    ("stated", "recorded", "holds"),
    [
        ("0.93", 0.9345, True), ("0.935", 0.9345, True), ("0.934", 0.9345, True), ("0.936", 0.9345, False),
        ("0.9345", 0.9345, True), ("0.93450", 0.9345, True), ("0.94", 0.9345, False), ("93.5%", 0.9345, True),
        ("93 %", 0.9345, True), ("94%", 0.9345, False), ("93.45", 0.9345, False), ("1", 0.9345, True),
        ("1.3e-3", 1.25e-3, True), ("1.25e-3", 1.25e-3, True), ("1.24e-3", 1.25e-3, False), ("-2.5", -2.5, True),
        ("\u22122.5", -2.5, True), ("2.5", -2.5, False), ("1200", 1234.0, False), ("1.2e3", 1234.0, True),
        ("0.1", 0.1, True), ("0.30", 0.1 + 0.2, True), ("nan", 0.1, False), ("", 0.1, False), ("0.93x", 0.93, False),
    ],
)  # fmt: skip
def test_a_stated_number_is_as_exact_as_its_last_digit(stated, recorded, holds):
    assert stands_for(stated, recorded) is holds


@given(st.floats(-1e6, 1e6), st.integers(0, 6))
def test_what_is_rounded_holds_and_the_next_digit_up_does_not(value, digits):
    assert stands_for(f"{value:.{digits}f}", value)
    assert not stands_for(f"{value + 1.01 * 10.0**-digits:.{digits}f}", value)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("results.yaml", "results: []", "schema"),
        ("results.yaml", "schema: 1\nresults: {}", "list of `results`"),
        ("results.yaml", "schema: 1\nresults:\n - {value: 1, record: x, metric: m}", "result 1"),
        ("results.yaml", "schema: 1\nresults:\n - {value: one, record: " + "a" * 64 + ", metric: m}", "'one'"),
        ("results.yaml", "schema: 1\nresults:\n - {value: 1, record: " + "a" * 64 + "}", "metric"),
        ("results.yaml", "schema: 1\nresults:\n - {value: 1, value: 2}", "comes twice"),
        ("results.yaml", "schema: 1\nresults:\n - {value: [1], record: a, metric: m}", "text or a number"),
        ("a.md", "a text <!-- recorded: " + "a" * 64 + " m -->", "a.md:1"),
        ("a.md", "\n0.9<!-- recorded: m -->", "a.md:2"),
        ("a.md", "0.9<!-- recorded: 12 m -->", "record id"),
        ("a.md", "0.9<!-- recorded: " + "a" * 64 + " m", "end in"),
        ("a.tex", "\\recorded{0.9}{" + "a" * 64 + "}", "a.tex:1"),
        ("a.tex", "\\recorded{about 0.9}{" + "a" * 64 + "}{m}", "'about 0.9'"),
        ("a.txt", "", "a.txt"),
    ],
)
def test_what_is_marked_and_cannot_be_read_is_never_passed_over(tmp_path, name, text, told):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError) as refused:
        read_claims(path)
    assert told in str(refused.value)


def test_files_that_are_not_there_or_no_text_are_refused(tmp_path):
    (tmp_path / "results.yaml").write_bytes(b"\xff")
    for name in ("results.yaml", "nothing.yaml"):
        with pytest.raises(InputError, match=name):
            read_claims(tmp_path / name)


def test_the_action_uses_no_other_and_takes_inputs_as_data():
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    assert action["runs"]["using"] == "composite"
    for step in action["runs"]["steps"]:
        assert "uses" not in step
        assert "${{" not in step["run"]
    assert not [name for name in action["inputs"] if "key" in name or "secret" in name or "rpc" in name]
    named = {text.split("inputs.")[1].split()[0] for step in action["runs"]["steps"] for text in step["env"].values()}
    assert named == set(action["inputs"])


def test_the_hook_calls_the_verb_on_files_that_state_results():
    [hook] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert hook["entry"] == "blockchaintracer check"
    for name, taken in (("results.yaml", 1), ("a/results.yml", 1), ("a/README.md", 1), ("x.tex", 1), ("other.yaml", 0)):
        assert bool(re.search(hook["files"], name)) == bool(taken)


def test_the_documented_example_reads(tmp_path):
    text = (Path(ROOT) / "docs" / "ci.md").read_text()
    [block] = [part.split("```")[0] for part in text.split("```yaml\n")[1:] if part.startswith("# results.yaml")]
    path = tmp_path / "results.yaml"
    path.write_text(block)
    assert [claim.value for claim in read_claims(path)] == ["0.934", "93.4%"]
