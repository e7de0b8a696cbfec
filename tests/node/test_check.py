"""Claims about records, checked in a lab."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress

import pytest
import yaml

from blockchaintracer import MLTracer
from blockchaintracer.core.record import Kind, Link, Relation
from blockchaintracer.extras.check.claims import check_claims, read_claims
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
    for name, relation in (("of_failed", Relation.DERIVED_FROM), ("about_failed", Relation.SUPERSEDES)):
        parents = [Link(found["failed"], relation)]
        found[name] = record_document(lab, Kind.RESULT, file, name=name, values={"a": 0.93}, parents=parents).id
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


def test_what_was_recorded_holds_in_every_way_of_stating_it(lab, runs, tmp_path):
    good, result = runs["good"], runs["result"]
    listed = results(tmp_path, (0.93, good, "accuracy"), ("93.5%", good, "accuracy"), (18.6, result, "snr"))
    marked = tmp_path / "README.md"
    marked.write_text(
        f"An accuracy of **93.5 %**<!-- recorded: {good} accuracy --> and a loss of\n"
        f"`1.25e-3` <!-- recorded: {good[2:]}\n loss_1 -->, {result} or 3<!-- recorded: {result} outcomes.passed -->.\n"
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
        ("of_failed", "a", "0.93", "which it comes from, is failed"),
        ("result", "note", "1", "no metric of this name"),
    ],
)
def test_what_does_not_hold_fails_and_says_why(lab, runs, tmp_path, record, metric, value, told):
    path = results(tmp_path, (0.93, runs["good"], "accuracy"), (f"'{value}'", runs[record], metric))
    good, other = check_claims(lab, read_claims(path))
    assert good.problem is None
    assert told in other.problem
    assert check_claims(lab, read_claims(results(tmp_path, (0.93, runs["about_failed"], "a"))))[0].problem is None


def test_an_uncertainty_is_checked_where_its_metric_is_named(lab, runs, tmp_path):
    file = tmp_path / "a.md"
    marks = ("acc", "acc \u00b1 acc_std", "acc +- acc_std", "acc +- none")
    record = record_document(lab, Kind.RESULT, results(tmp_path), name="r", values={"acc": 0.934, "acc_std": 0.02}).id
    file.write_text("".join(f"0.93 \u00b1 0.02<!-- recorded: {record} {mark} -->\n\n" for mark in marks))
    alone, both, also, none = check_claims(lab, read_claims(file))
    assert alone.problem is None
    assert "uncertainty is not checked" in alone.note
    assert both.problem is also.problem is both.note is None
    assert "no metric of this name (none)" in none.problem
    file.write_text(
        f"0.93 \u00b1 0.03<!-- recorded: {record} acc \u00b1 acc_std -->, 0.9<!-- recorded: {record} acc +- acc_std -->"
    )
    assert [one.problem for one in check_claims(lab, read_claims(file))] == ["the record says the uncertainty 0.02"] * 2
    file.write_text(f"0.93 \u00b1 0.02<!-- recorded: {record} acc -->")
    done = typed("check", str(file), home=lab.home.path)
    assert done.returncode == 0
    assert "its uncertainty is not checked" in done.stdout


def test_one_that_does_not_hold_fails_the_command(lab, runs, tmp_path):
    path = results(tmp_path, (0.93, runs["good"], "accuracy"), (0.94, runs["good"], "accuracy"))
    done = typed("check", str(path), home=lab.home.path)
    assert done.returncode == 1, done.stderr
    assert "the record says 0.9345" in done.stdout
    assert "1 of 2 results does not hold" in done.stdout


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
    stranger = ("--home", str(tmp_path / "stranger"), "--registry", lab.registry.address, "--chain-id", "77787")
    rpc = lab.devnet.start().url

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


def action_step(name):
    [step] = [one for one in yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"] if one["name"] == name]
    return step


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


def test_the_actions_command_sees_the_packages_of_the_jobs_environment(tmp_path):
    """Up to where it asks the package index: a job's python3 is mostly that of a virtual environment."""
    job, temp = tmp_path / "job", tmp_path / "temp"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", job], check=True, timeout=120)
    [packages] = job.glob("lib/python*/site-packages")
    (packages / "of_the_job.py").write_text("ANSWER = 42")
    script = action_step("Install")["run"].partition("sed -nE")[0]
    environment = os.environ | {"PATH": f"{job}/bin:{os.environ['PATH']}", "RUNNER_TEMP": str(temp), "COMMAND": "x"}
    subprocess.run([shutil.which("bash"), "-c", script], env=environment, check=True, timeout=120)
    python = [temp / "blockchaintracer" / "bin" / "python", "-c", "import of_the_job; print(of_the_job.ANSWER)"]
    assert subprocess.check_output(python, cwd=tmp_path, text=True, timeout=60) == "42\n"


def test_an_input_of_the_action_is_no_pattern(tmp_path):
    program = tmp_path / "blockchaintracer" / "bin" / "blockchaintracer"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(0o755)
    values = {"FILES": "*", "REGISTRY": "", "NETWORK": "", "GROUPS_THAT_COUNT": "* 2", "SOURCES": "", "AT_LEAST": "1"}
    environment = {"PATH": os.environ["PATH"], "RUNNER_TEMP": str(tmp_path), **values}
    told = subprocess.check_output(
        ["bash", "-c", action_step("Check")["run"]], cwd=tmp_path, env=environment, text=True, timeout=60
    )
    assert told.split() == ["check", "--at-least", "1", "--group", "*", "--group", "2", "--", "*"]
