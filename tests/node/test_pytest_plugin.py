"""The pytest plugin in sessions of their own, as a project's CI starts them."""

import json
import os
import subprocess
import sys

import pytest

from blockchaintracer.core.manifest import parse_manifest
from blockchaintracer.core.record import Kind
from tests.support.labs import ROOT, verb

SUITE = """
import pytest

def test_passes(record_result):
    record_result("accuracy", 0.93)

def test_fails():
    assert False

@pytest.fixture
def broken():
    raise OSError("no disk")

def test_errors(broken):
    pass

@pytest.mark.skip
def test_skipped():
    pass

@pytest.mark.xfail
def test_expected():
    assert False

@pytest.mark.parametrize("n", [1, 2])
def test_many(n, record_result):
    record_result(f"loss_{n}", n / 8)
"""


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "test_suite.py").write_text(SUITE)
    (folder / "pytest.ini").write_text("[pytest]\n")
    return folder


def session(folder, home, *arguments, autoload=False, **more):
    """pytest with this plugin and pytest-xdist alone, by the names of their entry points; or with all there are."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {"BLOCKCHAINTRACER_HOME": str(home)} | more
    plugins = () if autoload else ("-p", "blockchaintracer", "-p", "xdist")
    if not autoload:
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugins, *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def recorded_id(done):
    [line] = [line for line in done.stdout.splitlines() if line.startswith("recorded as ")]
    return line.split()[2]


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_session_is_recorded_with_outcomes_and_metrics(lab, project, workers):
    done = session(project, lab.home.path, "--record", "--record-name", "nightly", *workers)
    assert done.returncode == 1, done.stderr
    record_id = recorded_id(done)
    key = lab.registry.find_record(record_id).key
    assert key.kind == Kind.RESULT
    said = parse_manifest(lab.store.get_bytes(key.manifest)).predicate
    assert said.name == "nightly"
    assert said.values["outcomes"] == {"passed": 3, "failed": 1, "error": 1, "skipped": 1, "xfailed": 1}
    assert said.values["metrics"] == {"accuracy": 0.93, "loss_1": 0.125, "loss_2": 0.25}
    assert said.values["exitStatus"] == 1
    assert said.not_before is not None
    told = json.loads(lab.store.get_bytes(key.subject))
    assert {test["id"]: test["outcome"] for test in told["tests"]}["test_suite.py::test_errors"] == "error"
    assert len(told["tests"]) == 7
    assert verb("verify", record_id, home=lab.home.path).returncode == 0

    claims = project / "results.yaml"
    for value, code in (("0.93", 0), ("0.94", 1)):
        claims.write_text(f"schema: 1\nresults:\n - {{value: {value}, record: {record_id}, metric: accuracy}}\n")
        assert verb("check", str(claims), home=lab.home.path).returncode == code


def test_a_number_of_a_teardown_and_a_test_that_is_run_again(lab, project):
    """The test is run again as pytest-rerunfailures does it: the item keeps the properties of the run before."""
    (project / "conftest.py").write_text(
        """
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item, nextitem):
    for last in (False, True):
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        again = not last and any(report.failed for report in reports)
        for report in reports:
            if again and report.failed:
                report.outcome = "rerun"
            item.ihook.pytest_runtest_logreport(report=report)
        if not again:
            return True
"""
    )
    (project / "test_suite.py").write_text(
        """
import pytest

RUNS = []

@pytest.fixture
def measured(record_result):
    yield
    record_result("seconds", 2.5)

def test_flaky(measured, record_result):
    RUNS.append(1)
    record_result("accuracy", len(RUNS) / 4)
    assert len(RUNS) == 2
"""
    )
    done = session(project, lab.home.path, "--record")
    assert done.returncode == 0, done.stdout
    key = lab.registry.find_record(recorded_id(done)).key
    values = parse_manifest(lab.store.get_bytes(key.manifest)).predicate.values
    assert (values["outcomes"], values["metrics"]) == ({"passed": 1}, {"accuracy": 0.5, "seconds": 2.5})
    [test] = json.loads(lab.store.get_bytes(key.subject))["tests"]
    assert (test["outcome"], test["reruns"]) == ("passed", 1)


def test_nothing_is_recorded_unless_asked_for(lab, project):
    before = len(lab.outbox.entries(lab.chain_id))
    done = session(project, lab.home.path)
    assert done.returncode == 1
    assert "BlockchainTracer" not in done.stdout
    assert session(project, lab.home.path, "--record", "--collect-only").returncode == 0
    assert len(lab.outbox.entries(lab.chain_id)) == before
    (project / "pytest.ini").write_text("[pytest]\nblockchaintracer_record = true\nblockchaintracer_name = by ini\n")
    asked = session(project, lab.home.path, BLOCKCHAINTRACER_RECORD="1")
    said = lab.registry.find_record(recorded_id(asked)).key
    assert parse_manifest(lab.store.get_bytes(said.manifest)).predicate.name == "by ini"


def test_what_cannot_be_recorded_changes_no_outcome(project, tmp_path):
    done = session(project, tmp_path / "empty", "--record", "-k", "passes", BLOCKCHAINTRACER_RPC="http://127.0.0.1:9")
    assert done.returncode == 0, done.stdout
    assert "NOT RECORDED" in done.stdout


def test_a_metric_named_twice_or_no_number_is_told(lab, project):
    (project / "test_suite.py").write_text(
        """
import pytest

@pytest.mark.parametrize("n", [1, 2])
def test_many(n, record_result):
    record_result("m", n)
    record_result(f"other_{n}", n)
"""
    )
    done = session(project, lab.home.path, "--record")
    assert done.returncode == 0
    named = "NOT RECORDED: the metric m, named more than once: test_suite.py::test_many[1], test_suite.py::test_many[2]"
    assert named in done.stdout
    values = parse_manifest(
        lab.store.get_bytes(lab.registry.find_record(recorded_id(done)).key.manifest)
    ).predicate.values
    assert (values["outcomes"], values["metrics"]) == ({"passed": 2}, {"other_1": 1, "other_2": 2})
    for value in ("'x'", "[float('nan')]", "True"):
        (project / "test_suite.py").write_text(f"def test_a(record_result):\n    record_result('m', {value})\n")
        done = session(project, lab.home.path)
        assert done.returncode == 1
        assert "metrics.m" in done.stdout


def test_a_session_without_it_loads_nothing_of_the_client(project):
    heavy = "{'web3', 'pydantic', 'blockchaintracer.lab.tracer'}"
    (project / "test_suite.py").write_text(f"import sys\n\ndef test_a():\n    assert {heavy}.isdisjoint(sys.modules)\n")
    done = session(project, project)
    assert done.returncode == 0, done.stdout


def test_the_example_records(lab, tmp_path):
    done = session(
        tmp_path, lab.home.path, "--record", str(ROOT / "examples" / "ci"), "--rootdir", str(tmp_path), autoload=True
    )
    assert done.returncode == 0, done.stdout
    key = lab.registry.find_record(recorded_id(done)).key
    values = parse_manifest(lab.store.get_bytes(key.manifest)).predicate.values
    assert 0.9 < values["metrics"]["accuracy"] < 1
