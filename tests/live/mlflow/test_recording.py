"""MLflow runs on real stores and a real chain: what is recorded, and what is named as changed since."""

import hashlib
import json
import math
import os
import re
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import mlflow
import pytest
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

import blockchaintracer.mlflow as sealed
from blockchaintracer import MLflowBlockchainTracer, RecordingWarning
from blockchaintracer.core import digest
from blockchaintracer.core.digest import NO_CID, parse_listing
from blockchaintracer.core.manifest import parse_manifest
from blockchaintracer.core.record import Relation
from blockchaintracer.extras.mlflow.mlflow_tracer import _recording
from blockchaintracer.extras.mlflow.recorder import Target, output, run_of
from blockchaintracer.extras.mlflow.run_facts import HISTORY, SNAPSHOT
from blockchaintracer.lab.lab import Lab, node_name
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.verify_here import verify
from tests.live.mlflow.conftest import data
from tests.support.labs import typed

TOKEN = "hunter2" * 2


@pytest.fixture(autouse=True)
def table(folder):
    data()


def predicate(lab, recorded):
    return run_of(lab, recorded.manifest)


def train(**named):
    """A run with something of everything."""
    with mlflow.start_run(**named) as run:
        mlflow.log_params({"lr": 0.1, "name": "small", "api_key": TOKEN})
        mlflow.log_metric("loss", 0.5, step=0)
        mlflow.log_metric("loss", 0.25, step=1)
        mlflow.log_metric("odd", math.nan)
        mlflow.set_tag("kind", "baseline")
        import pandas

        mlflow.log_input(mlflow.data.from_pandas(pandas.read_csv("data.csv"), source="data.csv"), context="training")
        Path("notes.txt").write_text("as it was\n")
        mlflow.log_artifact("notes.txt", "sub")
    return run.info.run_id


def where(run_id):
    """The folder of a run's artifacts."""
    return Path(urlsplit(mlflow.get_run(run_id).info.artifact_uri).path)


def failed(report):
    return {check.name for check in report.failed}


def test_large_artifacts_are_kept_while_the_run_goes_on(lab, home, store):
    tracer = MLflowBlockchainTracer(home=home, background=False)
    contents = {"changed.bin": os.urandom(1 << 20), "whole.bin": os.urandom(1 << 20)}
    with tracer.start_run() as run:
        for name, content in contents.items():
            Path(name).write_bytes(content)
            repository = get_artifact_repository(run.info.artifact_uri)
            repository.log_artifact(artifact_path=None, local_file=name)
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
        until = time.monotonic() + 60
        while not all(map(lab.store.has, digests.values())) and time.monotonic() < until:
            time.sleep(0.1)
        assert all(map(lab.store.has, digests.values()))
        # what is hashed beforehand is checked again at the end
        (where(run.info.run_id) / "changed.bin").write_bytes(b"changed")
    assert lab.hashes.find(where(run.info.run_id) / "whole.bin", NO_CID).sha256 == digests["whole.bin"]
    listing = output(predicate(lab, tracer.recorded), "artifacts/SHA256SUMS")
    digests["changed.bin"] = hashlib.sha256(b"changed").hexdigest()
    assert dict(parse_listing(lab.store.get_bytes(listing))) == digests
    tracer.flush()


def memory(name):
    """``VmRSS`` or ``VmHWM`` of this process, in MiB: what it has of memory, or had at most."""
    return int(re.search(rf"{name}:\s*(\d+)", Path("/proc/self/status").read_text())[1]) >> 10


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux forgets the peak of a process")
def test_a_gigabyte_of_artifacts_is_read_once_in_flat_memory(lab, home, store, monkeypatch):
    """Those that are kept while the run goes on, and the one that is logged just before its end."""
    names, size, read = [f"{number}.bin" for number in range(4)], 1 << 28, Counter()
    for number, name in enumerate(names):
        with open(name, "wb") as file:
            file.write(bytes([number]))
            file.truncate(size)

    def counted(descriptor, size, path):
        for block in read_blocks(descriptor, size, path):
            read[os.path.basename(path)] += len(block)
            yield block

    read_blocks = digest.read_blocks
    monkeypatch.setattr(digest, "read_blocks", counted)
    tracer = MLflowBlockchainTracer(home=home, background=False)
    with tracer.start_run():
        Path("/proc/self/clear_refs").write_text("5")
        before = memory("VmRSS")
        for name in names[:-1]:
            mlflow.log_artifact(name)
        until = time.monotonic() + 60
        while not all(read[name] == size for name in names[:-1]) and time.monotonic() < until:
            time.sleep(0.1)
        mlflow.log_artifact(names[-1])
    assert {name: read[name] for name in names} == dict.fromkeys(names, size)
    assert memory("VmHWM") - before < size >> 21
    listing = output(predicate(lab, tracer.recorded), "artifacts/SHA256SUMS")
    assert [name for name, _ in parse_listing(lab.store.get_bytes(listing))] == names
    tracer.flush()


def test_a_run_is_recorded_with_all_of_it(lab, home, store):
    import pandas

    tracer = MLflowBlockchainTracer(home=home, background=False)
    with tracer.start_run(run_name="fit") as run:
        run_id = run.info.run_id
        mlflow.log_params({"lr": 0.1, "api_key": TOKEN, "extra": f"--password {TOKEN}"})
        frame, signed = pandas.DataFrame({"a": [1]}), f"https://lab.blob.core.windows.net/x.csv?sv=1&sig={TOKEN}"
        mlflow.log_input(mlflow.data.from_pandas(frame, source=signed, name="signed"))
        mlflow.log_metric("loss", 0.5, step=0)
        mlflow.log_metric("loss", 0.25, step=1)
        mlflow.log_metric("odd", math.nan)
        mlflow.log_text("hello", "notes/hello.txt")
    assert tracer.recorded.state == "stored"
    tags = mlflow.get_run(run_id).data.tags
    assert tags["blockchaintracer.record_id"] == tracer.recorded.id
    assert (tags["blockchaintracer.status"], tags["blockchaintracer.transaction"]) == ("stored", "")
    [told] = tracer.flush()
    assert told["runId"] == run_id
    tags = mlflow.get_run(run_id).data.tags
    assert tags["blockchaintracer.status"] == "final"
    assert tags["blockchaintracer.transaction"].startswith("0x")
    found = lab.registry.find_record(tracer.recorded.id)
    assert tags["blockchaintracer.block"] == str(found.block)

    said = predicate(lab, tracer.recorded)
    assert said.run_id.replace("-", "") == run_id
    assert (said.name, said.status) == ("fit", "completed")
    assert said.parameters == {"lr": 0.1, "api_key": "***", "extra": "***"}
    assert said.metrics["loss"].value == 0.25
    assert math.isnan(said.metrics["odd"].value)
    assert said.environment.model_extra["packages"]["mlflow"] == mlflow.__version__
    assert said.environment.observed == "process"
    assert said.not_before is not None
    assert said.code.dirty is False or said.code.commit
    lines = [json.loads(line) for line in lab.store.get_bytes(output(said, HISTORY)).splitlines()]
    assert [(name, step, value) for name, step, _, value in lines] == [
        ("loss", 0, "0.5"),
        ("loss", 1, "0.25"),
        ("odd", 0, "nan"),
    ]
    assert output(said, "artifacts/SHA256SUMS")
    everything = lab.store.get_bytes(output(said, SNAPSHOT)) + lab.store.get_bytes(tracer.recorded.manifest)
    assert TOKEN.encode() not in everything
    assert os.fsencode(Path.cwd()) not in everything
    assert b'"mlflow.user":"hmac-sha256:' in everything
    report = sealed.verify_run(lab, run_id)
    assert report.verified, report.failed
    assert [check.name for check in report.unknown] == ["mlflow dataset signed"]


def test_what_was_changed_since_is_named(lab, home, store):
    sealed.autolog(home=home, background=False)
    run_id = train()
    sealed.flush(Target(home=str(home)))
    assert sealed.verify_run(lab, run_id).verified
    client = mlflow.MlflowClient()

    lines = Path("data.csv").read_text().split("\n")
    # its header is line 1: row 10,001 stands in line 10,002
    lines[10_001] += "0"
    Path("data.csv").write_text("\n".join(lines))
    report = sealed.verify_run(lab, run_id)
    assert failed(report) == {"mlflow dataset dataset"}
    assert report.failed[0].values["line"] == 10_002

    client.log_metric(run_id, "loss", 0.01, step=2)
    client.log_metric(run_id, "loss", 0.9, step=0)
    client.log_metric(run_id, "accuracy", 1.0)
    client.set_tag(run_id, "mlflow.user", "somebody else")
    client.set_tag(run_id, "kind", "final")
    client.log_param(run_id, "added", 1)
    (where(run_id) / "sub" / "notes.txt").write_text("as it is\n")
    client.log_text(run_id, "new", "new.txt")
    report = sealed.verify_run(lab, run_id)
    assert failed(report) == {
        "mlflow dataset dataset",
        "mlflow metric loss",
        "mlflow metric loss (latest)",
        "mlflow metric accuracy",
        "mlflow metric accuracy (latest)",
        "mlflow tag mlflow.user",
        "mlflow tag kind",
        "mlflow parameter added",
        "mlflow artifact sub/notes.txt",
        "mlflow artifact new.txt",
    }
    details = {check.detail for check in report.failed}
    assert "added since: 0.01 at step 2" in details
    assert "added since: 0.9 at step 0" in details
    assert "changed since: it was 'baseline', is 'final'" in details
    assert not any("somebody" in detail for detail in details)
    shown = typed("verify", f"mlflow:{run_id}", "--tracking-uri", store, "--json", home=home)
    assert shown.returncode == 1
    assert "mlflow metric accuracy" in shown.stdout
    # the record itself is whole: who committed to it, and when, is proven all the same
    assert any("committed to run" in sentence for sentence in json.loads(shown.stdout)["proves"])
    assert json.loads(shown.stdout)["proves"][-1] == "What MLflow shows now is not what was committed to."


def test_a_dataset_is_what_it_was_when_it_was_logged(lab, home, store):
    import pandas

    tracer = MLflowBlockchainTracer(home=home, background=False)
    logged = Path("data.csv").read_bytes()
    with tracer.start_run() as run:
        dataset = mlflow.data.from_pandas(pandas.read_csv("data.csv"), source="data.csv", name="table")
        mlflow.log_input(dataset, context="training")
        Path("data.csv").write_bytes(logged + b"0,0\n")
        with pytest.warns(RecordingWarning, match="the first counts"):
            mlflow.log_input(dataset, context="training")
        Path("data.csv").unlink()
    [read] = predicate(lab, tracer.recorded).inputs
    assert lab.store.get_bytes(read.sha256) == logged
    tracer.flush()
    [unknown] = tracer.verify().unknown
    assert unknown.detail == f"its source is not here any more: {read.sha256}"
    Path("data.csv").write_bytes(logged + b"0,0\n")
    assert failed(sealed.verify_run(lab, run.info.run_id)) == {"mlflow dataset table"}


def test_mlflows_own_digest_reads_ten_thousand_rows_only(folder):
    import pandas

    frame = pandas.DataFrame({"a": range(12_000)})
    before = mlflow.data.from_pandas(frame).digest
    frame.loc[10_001, "a"] = -1
    assert mlflow.data.from_pandas(frame).digest == before
    frame.loc[1, "a"] = -1
    assert mlflow.data.from_pandas(frame).digest != before


def test_a_failed_run_says_why_and_a_child_is_part_of_its_parent(lab, home, store):
    tracer = MLflowBlockchainTracer(home=home, background=False)
    with pytest.raises(ZeroDivisionError), tracer.start_run(run_name="outer"):  # noqa: PT012 -- one after the other
        with mlflow.start_run(nested=True, run_name="inner") as inner:
            mlflow.log_metric("loss", 1.0)
        child = _recording.recorded[inner.info.run_id]
        raise ZeroDivisionError(f"password={TOKEN}")
    said = predicate(lab, tracer.recorded)
    assert said.status == "failed"
    assert said.error.startswith("ZeroDivisionError")
    assert TOKEN not in said.error
    assert [(parent.record, parent.relation) for parent in said.parents] == [(child.id, Relation.USES)]
    about = predicate(lab, child).experiment.additional_info["mlflow"]["context"]
    assert about["parentRunId"]
    sealed.flush(Target(home=str(home)))
    assert verify(lab, tracer.recorded.id).verified


def test_recording_twice_costs_nothing_and_a_run_that_goes_on_supersedes(lab, home, store):
    sealed.autolog(home=home, background=False)
    sealed.autolog(home=home, background=False)
    run_id = train()
    first = _recording.recorded[run_id]
    mlflow.MlflowClient().set_terminated(run_id, end_time=mlflow.get_run(run_id).info.end_time)
    assert _recording.recorded[run_id].id == first.id
    assert _recording.recorded[run_id].existing
    with mlflow.start_run(run_id=run_id):
        mlflow.log_metric("loss", 0.1, step=2)
    second = _recording.recorded[run_id]
    assert second.id != first.id
    assert (first.id, Relation.SUPERSEDES) in [
        (parent.record, parent.relation) for parent in predicate(lab, second).parents
    ]
    sealed.flush(Target(home=str(home)))
    report = sealed.verify_run(lab, run_id)
    assert failed(report) == {"mlflow run endTime", "mlflow metric loss", "mlflow metric loss (latest)"}
    for check in report.failed:
        assert re.match(r"changed after the end, recorded on \d{4}-.+ by 0x", check.detail)
        assert (check.record, check.values["recordedIn"]) == (first.id, second.id)


def test_a_second_end_or_a_new_name_makes_no_new_record(lab, home, store):
    sealed.autolog(home=home, background=False)
    run_id = train()
    first = _recording.recorded[run_id]
    client = mlflow.MlflowClient()
    client.log_metric(run_id, "loss", 0.01, step=1)
    client.set_terminated(run_id)
    client.update_run(run_id, name="another")
    assert _recording.recorded[run_id].id == first.id
    sealed.flush(Target(home=str(home)))
    altered = {"mlflow run name", "mlflow tag mlflow.runName", "mlflow run endTime"}
    altered |= {"mlflow metric loss", "mlflow metric loss (latest)"}
    report = sealed.verify_run(lab, run_id)
    assert failed(report) == altered
    assert not any("recorded on" in check.detail for check in report.failed)
    # whoever has the key may record it again: that is a change with a date, and the process of the run stays known
    Path("data.csv").write_text("another file\n")
    [again] = sealed.import_runs(lab, run_ids=[run_id], batch=False)
    before, now = predicate(lab, first), predicate(lab, again.recorded)
    assert again.recorded.id != first.id
    for name in ("environment", "hardware", "code", "not_before", "inputs", "started_at"):
        assert getattr(now, name) == getattr(before, name)
    assert (
        now.experiment.additional_info["mlflow"]["datasets"] == before.experiment.additional_info["mlflow"]["datasets"]
    )
    sealed.flush(Target(home=str(home)))
    report = sealed.verify_run(lab, run_id)
    assert failed(report) == altered | {"mlflow dataset dataset"}
    dated = {check.name for check in report.failed if check.detail.startswith("changed after the end, recorded on")}
    assert dated == altered


def test_asynchronous_logging_and_system_metrics_have_settled(lab, home, store, monkeypatch):
    mlflow.set_system_metrics_sampling_interval(0.05)
    mlflow.set_system_metrics_samples_before_logging(1)
    tracer = MLflowBlockchainTracer(home=home, background=False)
    with tracer.start_run(log_system_metrics=True) as run:
        for step in range(200):
            mlflow.log_metric("loss", 1 / (step + 1), step=step, synchronous=False)
        time.sleep(0.5)
    said = predicate(lab, tracer.recorded)
    lines = [json.loads(line) for line in lab.store.get_bytes(output(said, HISTORY)).splitlines()]
    assert sum(1 for name, *_ in lines if name == "loss") == 200
    assert any(name.startswith("system/") for name, *_ in lines)
    assert all(metric.tolerance is None for name, metric in said.metrics.items() if name.startswith("system/"))
    sealed.flush(Target(home=str(home)))
    assert sealed.verify_run(lab, run.info.run_id).verified


def test_the_chain_being_away_costs_a_run_nothing(lab, home, store):
    """A node that takes calls and never answers: whoever waits for it, waits for good."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        rpc = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with lab.changed_settings() as settings:
            # the lab has written to it before
            settings["nodes"] = {**settings.get("nodes", {}), node_name(rpc): lab.chain_id}
        tracer = MLflowBlockchainTracer(home=home, rpc=rpc, background=False)
        with tracer.start_run():
            mlflow.log_metric("loss", 1.0)
        # whoever asked it still waits for an answer
        assert any(thread.name == "blockchaintracer" for thread in threading.enumerate())
    assert tracer.recorded.state == "stored"
    assert predicate(lab, tracer.recorded).not_before is None
    sealed.flush(Target(home=str(home)))
    assert verify(lab, tracer.recorded.id).verified


def test_no_lab_is_a_warning_and_no_more(store, tmp_path):
    tracer = MLflowBlockchainTracer(home=tmp_path / "nobody", rpc="http://127.0.0.1:9", background=False)
    told = "(?s)is not recorded: .*this lab has no registry yet.*`blockchaintracer deploy`.*mlflow import"
    with pytest.warns(RecordingWarning, match=told), tracer.start_run() as run:
        mlflow.log_metric("loss", 1.0)
    assert not tracer.recorded
    assert tracer.recorded.state == "not-recorded"
    assert mlflow.get_run(run.info.run_id).info.status == "FINISHED"


def test_a_new_lab_gets_a_registry_and_a_group_on_its_devnet(store, tmp_path):
    """As `record` makes them. What is deployed is told, and that the chain is a private one."""
    tracer, home = MLflowBlockchainTracer(home=tmp_path / "new", background=False), Home(tmp_path / "new")
    try:
        with pytest.warns(RecordingWarning) as warned, tracer.start_run() as run:
            mlflow.log_metric("loss", 1.0)
        told = [str(warning.message) for warning in warned]
        assert [text.split()[:3] for text in told] == [
            words.split() for words in ("made the key", "deployed the registry", "created the group")
        ]
        assert told[1].endswith("on this lab's devnet, a private test chain")
        assert tracer.recorded
        tracer.flush()
        assert tracer.verify().verified
        with warnings.catch_warnings(), tracer.start_run():
            warnings.simplefilter("error", RecordingWarning)
        assert tracer.recorded
        assert run.info.run_id != mlflow.last_active_run().info.run_id
    finally:
        Lab(home).devnet.stop()


PROGRAM = """
import mlflow
mlflow.start_run(run_name="left open")
mlflow.log_metric("loss", 0.5)
mlflow.log_text("hello", "hello.txt")
mlflow.start_run(run_name="inside", nested=True)
{last}
"""


def run_program(uri, home, last="", **more):
    environment = os.environ | {"MLFLOW_TRACKING_URI": uri, "BLOCKCHAINTRACER_HOME": str(home)} | more
    environment["MLFLOW_EXPERIMENT_NAME"] = Path.cwd().name
    Path("program.py").write_text(PROGRAM.format(last=last))
    return subprocess.run(
        [sys.executable, "program.py"], env=environment, capture_output=True, text=True, check=False, timeout=600
    )


def waited_for(client, name):
    """The newest run of a name, once its record is final."""
    [run] = client.search_runs(
        [client.get_experiment_by_name(Path.cwd().name).experiment_id],
        filter_string=f"attributes.run_name = '{name}'",
        max_results=1,
    )
    deadline = time.monotonic() + 900
    while run.data.tags.get("blockchaintracer.status") != "final" and time.monotonic() < deadline:
        time.sleep(0.3)
        run = client.get_run(run.info.run_id)
    return run


def test_a_program_of_no_changed_line_is_recorded_at_its_end(lab, home, store):
    done = run_program(f"anchor+{store}", home, "raise SystemExit('enough')")
    assert "not recorded" not in done.stderr, done.stderr
    client = mlflow.MlflowClient()
    run = waited_for(client, "left open")
    assert run.info.status == "FINISHED"
    assert run.data.tags["blockchaintracer.status"] == "final", done.stderr
    report = sealed.verify_run(lab, run.info.run_id)
    assert report.verified, report.failed
    assert waited_for(client, "inside").data.tags["blockchaintracer.status"] == "final"
    assert parse_manifest(lab.store.get_bytes(report.records[0].manifest)).predicate.code.entry_point == "python"


INTERRUPT = "import signal; signal.signal(2, signal.default_int_handler); signal.raise_signal(2)"


@pytest.mark.parametrize(
    ("last", "error"),
    [("raise ValueError('no such thing')", "ValueError: no such thing"), (INTERRUPT, "KeyboardInterrupt")],
)
def test_a_program_that_breaks_is_recorded_as_failed(lab, home, store, last, error):
    done = run_program(f"anchor+{store}", home, last)
    assert error in done.stderr
    run = waited_for(mlflow.MlflowClient(), "left open")
    assert run.info.status == "FAILED"
    said = run_of(lab, lab.registry.find_record(run.data.tags["blockchaintracer.record_id"]).key.manifest)
    assert (said.status, said.error) == ("failed", error)


SEVERAL = """
import multiprocessing, sys
import mlflow

def child(how, run_id):
    mlflow.log_metric(f"of {how}", 1, run_id=run_id)
    mlflow.log_text("hello", f"{how}.txt", run_id=run_id)

if __name__ == "__main__":
    with mlflow.start_run(run_name=sys.argv[1]) as run:
        for how in ("fork", "spawn"):
            process = multiprocessing.get_context(how).Process(target=child, args=(how, run.info.run_id))
            process.start()
            process.join(300)
            assert process.exitcode == 0
        mlflow.log_metric("after", 1)
"""


def test_several_processes_log_to_a_run_and_several_record(lab, home, store):
    Path("several.py").write_text(SEVERAL)
    environment = os.environ | {"MLFLOW_TRACKING_URI": f"anchor+{store}", "BLOCKCHAINTRACER_HOME": str(home)}
    environment |= {"MLFLOW_EXPERIMENT_NAME": Path.cwd().name}
    names = ("first", "second")
    programs = [subprocess.Popen([sys.executable, "several.py", name], env=environment) for name in names]
    assert [program.wait(900) for program in programs] == [0, 0]
    client = mlflow.MlflowClient()
    for name in names:
        run = waited_for(client, name)
        report = sealed.verify_run(lab, run.info.run_id)
        assert report.verified, report.failed
        assert len(report.records) == 1
        said = run_of(lab, lab.registry.find_record(run.data.tags["blockchaintracer.record_id"]).key.manifest)
        assert said.status == "completed"
        assert {*said.metrics} == {"of fork", "of spawn", "after"}
        listing = lab.store.get_bytes(output(said, "artifacts/SHA256SUMS"))
        assert [path for path, _ in parse_listing(listing)] == ["fork.txt", "spawn.txt"]


@pytest.mark.parametrize("signal", ["SIGTERM", "SIGKILL"])
def test_a_program_that_is_killed_leaves_a_run_that_is_recorded_as_unfinished(lab, home, store, signal):
    run_program(f"anchor+{store}", home, f"import os, signal; os.kill(os.getpid(), signal.{signal})")
    run = mlflow.search_runs(output_format="list", filter_string="attributes.run_name = 'left open'")[0]
    assert run.info.status == "RUNNING"
    assert sealed.import_runs(lab, run_ids=[run.info.run_id])[0].recorded is None
    done = typed("mlflow", "import", run.info.run_id, "--unfinished", "--each", "--tracking-uri", store, home=home)
    assert done.returncode == 0, done.stderr
    tagged = mlflow.get_run(run.info.run_id).data.tags["blockchaintracer.record_id"]
    said = run_of(lab, lab.registry.find_record(tagged).key.manifest)
    assert said.status == "running"
    assert sealed.verify_run(lab, run.info.run_id).verified
