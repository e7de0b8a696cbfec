"""Results that a repository states, against records on a real chain: what holds, and every way in which one doesn't."""

import json
import os
import re
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from blockchaintracer import MLTracer
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import Kind
from blockchaintracer.extras.check.claims import check_claims, read_claims, stands_for
from blockchaintracer.lab.publish import publish
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


def results(folder, *entries):
    path = folder / "results.yaml"
    lines = "".join(
        f"  - {{value: {value}, record: {record}, metric: {metric}}}\n" for value, record, metric in entries
    )
    path.write_text(f"schema: 1\nresults:\n{lines}" if lines else "schema: 1\nresults: []\n")
    return path


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


def test_what_was_recorded_holds_in_every_way_of_stating_it(lab, runs, tmp_path):
    good, result = runs["good"], runs["result"]
    listed = results(tmp_path, (0.93, good, "accuracy"), ("93.5%", good, "accuracy"), (18.6, result, "snr"))
    marked = tmp_path / "README.md"
    marked.write_text(
        f"An accuracy of **93.5 %**<!-- recorded: {good} accuracy --> and a loss of\n"
        f"`1.25e-3` <!-- recorded: 0x{good}\n loss_1 -->, {result} and 3<!-- recorded: {result} outcomes.passed -->.\n"
    )
    paper = tmp_path / "paper.tex"
    paper.write_text(
        "\\newcommand{\\recorded}[3]{#1}\n"
        f"We find \\recorded{{$-2.5$}}{{{good}}}{{shift}} and \\recorded{{93\\%}}{{{good}}}{{accuracy}},\n"
        f"\\recorded{{0.0013}}{{{good}}}{{loss\\_1}}. % \\recorded{{7}}{{{good}}}{{old}}\n"
    )
    files = (str(listed), str(marked), str(paper))
    done = typed("check", *files, "--json", "--at-least", "9", home=lab.home.path)
    assert done.returncode == 0, done.stdout
    told = json.loads(done.stdout)
    assert told["verified"] is True
    assert [one["claim"]["value"] for one in told["results"]] == [
        "0.93", "93.5%", "18.6", "93.5%", "1.25e-3", "3", "-2.5", "93%", "0.0013"
    ]  # fmt: skip
    assert told["results"][4]["claim"]["where"] == f"{marked}:2"
    assert told["results"][7]["claim"]["where"] == f"{paper}:2"
    assert {one["group"] for one in told["results"]} == {1}
    assert typed("check", *files, "--at-least", "10", home=lab.home.path).returncode == 2


@pytest.mark.parametrize(
    ("record", "metric", "value", "told"),
    [
        ("good", "accuracy", "0.94", "the record says 0.9345"),
        ("good", "accuracy", "0.9350", "the record says 0.9345"),
        ("good", "precision", "0.9", "no metric of this name; it has accuracy, loss_1, shift"),
        ("retracted", "accuracy", "0.93", "retracted"),
        ("on_retracted", "accuracy", "0.93", "rests on what is retracted"),
        ("failed", "accuracy", "0.93", "its run is failed"),
        ("result", "note", "1", "no metric of this name"),
    ],
)
def test_what_does_not_hold_fails_and_says_why(lab, runs, tmp_path, record, metric, value, told):
    path = results(tmp_path, (0.93, runs["good"], "accuracy"), (f"'{value}'", runs[record], metric))
    good, other = check_claims(lab, read_claims(path))
    assert good.problem is None
    assert told in other.problem


def test_one_that_does_not_hold_fails_the_command(lab, runs, tmp_path):
    path = results(tmp_path, (0.93, runs["good"], "accuracy"), (0.94, runs["good"], "accuracy"))
    done = typed("check", str(path), home=lab.home.path)
    assert done.returncode == 1, done.stderr
    assert "the record says 0.9345" in done.stdout
    assert "1 of 2 results do not hold" in done.stdout


def test_a_record_of_nobody_or_of_another_group_or_no_record_fails(lab, runs, tmp_path):
    path = results(tmp_path, (0.93, "ab" * 32, "accuracy"))
    [checked] = check_claims(lab, read_claims(path))
    assert "does not verify: recorded" in checked.problem
    path = results(tmp_path, (0.93, runs["good"], "accuracy"))
    claims = read_claims(path)
    assert check_claims(lab, claims, groups=[1])[0].problem is None
    assert "group 1, and only 2, 3 count" in check_claims(lab, claims, groups=[2, 3])[0].problem
    transaction = lab.registry.find_record(runs["good"]).transaction
    [checked] = check_claims(lab, read_claims(results(tmp_path, (0.93, transaction, "accuracy"))))
    assert "expected a record's id" in checked.problem


def test_a_stranger_needs_the_published_manifest_and_a_damaged_one_fails(lab, runs, tmp_path):
    path = str(results(tmp_path, (0.93, runs["good"], "accuracy")))
    public = tmp_path / "public"
    publish(lab, runs["good"], public)
    stranger = ("--home", str(tmp_path / "stranger"), "--registry", lab.registry.address)
    rpc = lab.devnet.ensure().url

    def check(*more):
        return typed("check", path, *stranger, *more, home=tmp_path, BLOCKCHAINTRACER_RPC=rpc)

    assert check("--from", str(public)).returncode == 0
    alone = check()
    assert alone.returncode == 1
    assert "--from names where it's published" in alone.stdout
    [file] = [one for one in public.rglob("*") if one.is_file() and b'"accuracy"' in one.read_bytes()]
    file.chmod(0o644)
    file.write_bytes(file.read_bytes().replace(b"0.9345", b"0.9999"))
    assert check("--from", str(public)).returncode == 1


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


def action_step(name):
    [step] = [one for one in yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"] if one["name"] == name]
    return step


def test_the_action_uses_no_other_and_takes_inputs_as_data():
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    assert action["runs"]["using"] == "composite"
    for step in action["runs"]["steps"]:
        assert "uses" not in step
        assert "${{" not in step["run"]
    assert not [name for name in action["inputs"] if "key" in name or "secret" in name or "rpc" in name]
    named = {text.split("inputs.")[1].split()[0] for step in action["runs"]["steps"] for text in step["env"].values()}
    assert named == set(action["inputs"])


@pytest.mark.parametrize(("value", "code"), [("0.93", 0), ("0.94", 1)])
def test_the_actions_check(lab, runs, tmp_path, value, code):
    """Its script as it is, with inputs that would run code if they were pasted."""
    results(tmp_path, (value, runs["good"], "accuracy"))
    (tmp_path / "temp" / "blockchaintracer").mkdir(parents=True)
    (tmp_path / "temp" / "blockchaintracer" / "bin").symlink_to(ROOT / ".venv" / "bin")
    values = {
        "FILES": "results.yaml\n", "REGISTRY": lab.registry.address, "NETWORK": "", "GROUPS_THAT_COUNT": "1 2",
        "SOURCES": "$(touch pasted)\n", "AT_LEAST": "1",
    }  # fmt: skip
    step = action_step("Check")
    assert set(step["env"]) == set(values)
    environment = os.environ | values | {"RUNNER_TEMP": str(tmp_path / "temp")}
    environment |= {"BLOCKCHAINTRACER_HOME": str(lab.home.path)}
    done = subprocess.run(
        [shutil.which("bash"), "-c", step["run"]], cwd=tmp_path, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    assert not (tmp_path / "pasted").exists()


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
