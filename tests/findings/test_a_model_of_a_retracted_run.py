"""A model names the run that trained it: a retraction of the run reaches the model."""

import json
from pathlib import Path

import pytest

from blockchaintracer import MLTracer
from blockchaintracer.core.record import Kind, Relation
from blockchaintracer.lab.batches import anchor, batching, materialize
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.content import record_path
from blockchaintracer.lab.recording.run import RunFacts, finish_run, start_run
from blockchaintracer.lab.recording.run_document import RunDocument
from blockchaintracer.lab.seals import reveal, sealing
from tests.support.labs import typed

pytestmark = pytest.mark.node


def test_a_retraction_of_the_training_reaches_its_model(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    home = lab.home.path
    Path("data.csv").write_text("1\n")
    Path("model.bin").write_text("weights")
    done = typed(
        "record", "--dataset", "data.csv", "--model", "model.bin", "--metric", "accuracy=0.9", "--json", home=home
    )
    assert done.returncode == 0, done.stderr
    records = {one["kind"]: one["id"] for one in json.loads(done.stdout)["records"]}
    with MLTracer(home).start_run("python") as run:
        Path("other.bin").write_text("other weights")
        run.log_output("other.bin", role="model")
    python = json.loads(typed("verify", "other.bin", "--json", home=home).stdout)["records"][0]["id"]
    for made, model in ((records["run"], records["model"]), (run.recorded.id, python)):
        assert model[:10] in typed("impact", made, home=home).stdout
        told = typed("verify", model, home=home)
        assert (told.returncode, f"made by the run {made}" in told.stdout) == (0, True)
        names = f"{made[2:10]}.provn", f"{made[2:10]}-report"
        assert typed("export-as", "prov-n", model, "-o", names[0], home=home).returncode == 0
        assert f"wasGeneratedBy(rec:{model}, rec:{made}" in Path(names[0]).read_text()
        assert typed("report", model, "--format", "html", "-o", names[1], home=home).returncode == 0
        assert made in Path(names[1], "report.html").read_text()
        assert typed("retract", made, "--reason", "wrong labels", "--yes", home=home).returncode == 0
        told = typed("verify", model, "--json", home=home)
        assert made in told.stdout
        lineage = typed("lineage", model, home=home).stdout
        assert "generated-by run" in lineage
        assert "stands on a retracted record" in lineage or "RETRACTED" in lineage.upper()


def test_what_a_run_wrote_names_it_when_it_is_recorded_by_itself(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    home = lab.home.path
    for name in ("early.csv", "table.csv", "figure.txt"):
        Path(name).write_text(name)
    early = record_path(lab, Kind.DATASET, Path("early.csv"))
    with MLTracer(home).start_run("outputs") as run:
        for name in ("early.csv", "table.csv", "figure.txt"):
            run.log_output(name, role="output")
    made = run.recorded
    assert made
    for options in (("--dataset", "table.csv"), ("--artifact", "figure.txt", "--kind", "result")):
        done = json.loads(typed("record", *options, "--json", home=home).stdout)["records"]
        again = json.loads(typed("record", *options, "--json", home=home).stdout)["records"]
        assert [one["id"] for one in again] == [one["id"] for one in done]
        [key] = [record.key for record in lab.registry.find_records([done[0]["id"]]).values()]
        assert [(link.parent, link.relation) for link in key.parents] == [(made.id, Relation.GENERATED_BY)]
    assert done[0]["id"][:10] in typed("impact", made.id, home=home).stdout
    assert f"was made by the run {made.id}" in typed("verify", done[0]["id"], "-v", home=home).stdout
    # what was recorded before is the same record, for nothing
    assert record_path(lab, Kind.DATASET, Path("early.csv")).id == early.id


def test_what_a_batched_or_sealed_run_wrote_names_it_too(lab: Lab, tmp_path: Path) -> None:
    said: list[str] = []
    lab.say = said.append
    made: dict[str, str] = {}
    for name, putting in (("batched", batching), ("sealed", sealing)):
        table, shown = tmp_path / f"{name}.csv", tmp_path / f"{name}.txt"
        for file in (table, shown):
            file.write_text(file.name)
        document = RunDocument(schema_version=1, name=name, metrics={"accuracy": 1.0})
        facts = RunFacts(document=document, outputs=[("output", table), ("output", shown)], folder=tmp_path)
        with putting(lab):
            made[name] = finish_run(lab, start_run(lab), facts).id
            same = record_path(lab, Kind.DATASET, table)
        outside = record_path(lab, Kind.RESULT, shown)
        assert runs_of(lab, outside.id) == [], "a parent has to be stored"
        assert f"The run {made[name]} wrote it, and this record cannot name the run yet." in said[-1]
        if name == "batched":
            assert "batch anchor" in said[-1]
            anchor(lab)
            materialize(lab, same.id)
        else:
            assert f"reveal {made[name]}" in said[-1]
            reveal(lab, same.id)
        # what it rests on was stored before it
        assert lab.registry.status(made[name]).exists
        assert runs_of(lab, same.id) == [made[name]]


def test_what_is_in_a_batch_before_its_run_is_the_same_again(lab: Lab, tmp_path: Path) -> None:
    for name, putting in (("batched again", batching), ("sealed again", sealing)):
        (table := tmp_path / f"{name}.csv").write_text(name)
        (shown := tmp_path / f"{name}.txt").write_text(name)
        document = RunDocument(schema_version=1, name=name, metrics={"accuracy": 1.0})
        facts = RunFacts(document=document, outputs=[("output", table), ("output", shown)], folder=tmp_path)
        kinds = ((Kind.DATASET, table), (Kind.RESULT, shown))
        with putting(lab):
            before = [record_path(lab, kind, file).id for kind, file in kinds]
            finish_run(lab, start_run(lab), facts)
            assert [record_path(lab, kind, file).id for kind, file in kinds] == before


def runs_of(lab: Lab, record: str) -> list[str]:
    [found] = lab.registry.find_records([record]).values()
    return [link.parent for link in found.key.parents if link.relation == Relation.GENERATED_BY]
