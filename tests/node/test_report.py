"""Reports of runs that are really recorded: cards, sheets, pages, and their own history."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import openpyxl
import pandas as pd
import pyarrow.parquet
import pytest
import yaml
from click.testing import CliRunner, Result
from huggingface_hub import DatasetCard, ModelCard

from blockchaintracer import DocumentationTracer, MLTracer, RecordingWarning
from blockchaintracer.cli import load, main
from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.core.record import Kind, Link, Relation
from blockchaintracer.extras.report import formats_for, gather, make, record_report, write
from blockchaintracer.extras.report.documents import FORMATS, history, restore
from blockchaintracer.extras.report.fields import REQUIRED
from blockchaintracer.extras.report.plain_values import plain_values
from blockchaintracer.extras.report.sheet import COLUMNS, csv, sheet
from blockchaintracer.lab.attest import retract
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.recording.content import record_content, record_document
from tests.support.labs import ROOT, again, second_lab, shared_lab, typed

DECLARED = {"limitations": "Tested at sea level only", "preprocessing": "none"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with shared_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


def train(
    lab: Lab,
    folder: Path,
    *,
    name: str = "slope",
    accuracy: float = 0.93,
    supersedes: str | None = None,
    **more: object,
) -> str:
    """Records a run with data and a model; its id."""
    folder.mkdir(exist_ok=True)
    with chdir(folder):
        Path("train.csv").write_text("x,y\n1,2\n2,4\n")
        Path("test.csv").write_text("x,y\n3,6\n")
        Path("model.json").write_bytes(os.urandom(8))
        tracer = MLTracer(home=lab.home.path, rpc=lab.rpc, registry=lab.registry.address)
        with tracer.start_run(name, supersedes=supersedes) as run:
            run.log_params({"algorithm": "least squares", "model_version": "1.2", "test_fraction": 0.4, **more})
            run.log_seed("numpy", 7)
            run.log_input("train.csv", relation="trained-on")
            run.log_input("test.csv", relation="evaluated-on")
            run.log_output("model.json", role="model")
            run.log_metric("accuracy", accuracy, tolerance=0.01)
    assert run.recorded is not None, run.problem
    return run.recorded.id


@pytest.fixture(scope="module")
def run(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> str:
    return train(lab, tmp_path_factory.mktemp("run"))


def called(*arguments: str, home: Path) -> Result:
    return CliRunner().invoke(main, ["report", *arguments], env={"BLOCKCHAINTRACER_HOME": str(home)})


def everything(lab: Lab, record: str, **more: object) -> dict[str, bytes]:
    facts = gather(lab, record, DECLARED, **more)  # type: ignore[arg-type]
    return make(facts, [name for name in FORMATS if name != "dataset-card"])


def few(lab: Lab, record: str) -> dict[str, bytes]:
    return make(gather(lab, record, DECLARED), ["model-card", "html", "csv"])


def test_documentation_from_python(lab: Lab, run: str, tmp_path: Path) -> None:
    made = DocumentationTracer(run, home=lab.home.path, **DECLARED).generate_documentation()
    assert set(made) == {"model_card", "experiment_sheet", "blockchain_verification"}
    assert made["model_card"] is made.model_card
    assert made["experiment_sheet"] is made.experiment_sheet
    made.model_card.save(tmp_path / "card.md")
    assert ModelCard.load(tmp_path / "card.md").data.model_name == "slope"
    frame = made.experiment_sheet
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == list(COLUMNS)
    [row] = frame.to_dict("records")
    assert row["metrics"] == {"accuracy": 0.93}
    assert row["parameters"]["test_fraction"] == 0.4
    assert row["blockchain_ref"] == f"eip155:{lab.chain_id}:{lab.registry.address.lower()}/{run}"
    event = lab.registry.find_record(run)
    block = lab.chain.block(event.block)
    # without a zone, which Excel does not know
    assert row["date"].tzinfo is None
    assert (row["date"].timestamp(), row["mlflow_run"]) == (block.timestamp, None)
    told = made.blockchain_verification
    assert (told["status"], told["transaction"], told["block"]) == ("verified", event.transaction, block.number)
    assert {check["check"] for check in told["checks"]} >= {"id", "author", "manifest", "subject"}
    assert run in made._repr_html_()
    with pytest.raises(KeyError):
        made["card"]


def test_the_newest_run_is_documented_if_none_is_named(lab: Lab, tmp_path: Path) -> None:
    newest = train(lab, tmp_path, accuracy=0.5, additional=1)
    tracer = DocumentationTracer(home=lab.home.path, fields=DECLARED)
    assert tracer.generate_documentation().blockchain_verification["record"] == newest


def test_an_mlflow_run_is_found(lab: Lab, tmp_path: Path) -> None:
    record = train(lab, tmp_path, mlflow_run_id="0a1b2c")
    made = DocumentationTracer(mlflow_run="0a1b2c", home=lab.home.path, **DECLARED).generate_documentation()
    assert made.blockchain_verification["record"] == record
    assert made.experiment_sheet["mlflow_run"][0] == "0a1b2c"
    with pytest.raises(InputError, match="MLflow run"):
        DocumentationTracer(mlflow_run="none", home=lab.home.path).generate_documentation()


def test_the_card_has_every_required_field_and_says_where_from(lab: Lab, run: str) -> None:
    facts = gather(lab, run, DECLARED)
    assert list(facts.fields)[: len(REQUIRED)] == list(REQUIRED)
    assert facts.fields["model_type"].source == "parameters.algorithm"
    assert facts.fields["limitations"].source is None
    text = make(facts, ["model-card"])["model-card.md"].decode()
    card = ModelCard(text)
    assert card.data.eval_results[0].metric_value == 0.93
    assert card.data.to_dict()["blockchaintracer"]["record"] == run
    assert "| Preprocessing | none | *declared, not recorded* |" in text
    assert "| Type | least squares | parameters.algorithm |" in text
    for value in (
        run,
        facts.verification.command,
        facts.asked.record.transaction,
        "1.2",
        "0.93",
        "Tested at sea level only",
    ):
        assert value in text


def test_missing_fields_are_refused_by_name(lab: Lab, run: str) -> None:
    with pytest.raises(InputError, match="got no preprocessing, limitations") as refused:
        make(gather(lab, run), ["model-card"])
    assert refused.value.values["missing"] == ["preprocessing", "limitations"]
    # the page shows that they are missing
    assert (
        b"Neither recorded nor declared: preprocessing, limitations" in make(gather(lab, run), ["html"])["report.html"]
    )


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ({"model_type": "a transformer"}, "model_type is recorded"),
        ({"metrics": "accuracy = 1"}, "can't be declared"),
        ({"transaction": "0x00"}, "can't be declared"),
        ({"verification": "fine"}, "can't be declared"),
        ({"quality": "high"}, "expected a field of the model card"),
        ({"limitations": " "}, "1 to 10000"),
    ],
)
def test_what_is_recorded_is_not_retyped(lab: Lab, run: str, field: dict[str, str], told: str) -> None:
    with pytest.raises(InputError, match=told):
        gather(lab, run, field)


def test_equal_bytes_each_time_and_for_anyone(lab: Lab, run: str, tmp_path: Path) -> None:
    first = everything(lab, run)
    lab.chain.ask("anvil_mine", "0x5")
    assert everything(again(lab), run) == first
    for record in (run, gather(lab, run).model.id):
        publish(lab, record, tmp_path / "published")
    other = Lab(Home(tmp_path / "other"), rpc=lab.devnet.start().url, registry_address=lab.registry.address)
    assert everything(other, run, sources=[str(tmp_path / "published")]) == first
    home = str(lab.home.path).encode()
    assert not [name for name, data in first.items() if home in data or b"127.0.0.1" in data]


def test_a_report_changes_with_what_it_tells(lab: Lab, tmp_path: Path) -> None:
    record = train(lab, tmp_path)
    before = everything(lab, record)
    retract(lab, record, "wrong data")
    after = everything(lab, record)
    assert b"retracted" in after["report.html"]
    assert {name for name in before if before[name] == after[name]} <= {
        "experiments.csv",
        "experiments.xlsx",
        "experiments.parquet",
    }


def test_the_sheet_in_each_format(lab: Lab, run: str) -> None:
    files = everything(lab, run)
    frame = pd.read_csv(io.BytesIO(files["experiments.csv"]))
    assert list(frame.columns) == list(COLUMNS)
    assert json.loads(frame["metrics"][0]) == {"accuracy": 0.93}
    book = openpyxl.load_workbook(io.BytesIO(files["experiments.xlsx"]))
    times = {f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in (book.properties.created, book.properties.modified)}
    assert times == {frame["date"][0]}
    rows = list(book.active.values)
    assert rows[0] == COLUMNS
    assert rows[1][0] == frame["date"][0]
    table = pyarrow.parquet.read_table(io.BytesIO(files["experiments.parquet"]))
    assert table.column_names == list(COLUMNS)
    assert table["parameters"][0].as_py() == frame["parameters"][0]
    assert table["date"][0].as_py().strftime("%Y-%m-%dT%H:%M:%SZ") == frame["date"][0]


def test_the_page_loads_nothing(lab: Lab, run: str) -> None:
    page = everything(lab, run)["report.html"].decode()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    assert "default-src 'none'" in policy[1]
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy[1]
    sources = re.findall(r'(?:src|href|action|data|srcset)="([^"]*)"', page)
    assert len(sources) == 1, "the lineage: of a metric that nobody found again there is nothing to draw"
    assert "<pre>pip install blockchaintracer\nblockchaintracer verify" in page
    found = dict(re.findall(r'<tr><td>([^<]*)</td><td class="pass">pass</td><td>([^<]*)</td></tr>', page))
    assert re.fullmatch(r"re-hashed: [0-9a-f]{64}, canonical", found["manifest"])
    assert found["subject"].startswith("it is the SHA-256 of the identifier ")
    assert found["agreement"] == "the manifest and the key say the same"
    assert str(lab.home.path) not in page
    for source in sources:
        assert source.startswith("data:image/svg+xml;base64,")
        svg = base64.b64decode(source.partition(",")[2]).decode()
        assert "<script" not in svg
        assert not re.search(r'href="(?!#)', svg)
    assert "<script" not in page


def test_the_pdf_has_pages_and_the_record(lab: Lab, run: str) -> None:
    data = everything(lab, run)["report.pdf"]
    assert data.startswith(b"%PDF-1.7")
    moment = lab.chain.block(lab.registry.find_record(run).block).timestamp
    from datetime import UTC, datetime

    assert datetime.fromtimestamp(moment, UTC).strftime("D:%Y%m%d%H%M%S").encode() in data


def test_a_dataset_has_a_card_and_its_runs(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "survey.csv"
    file.write_bytes(os.urandom(32))
    data = record_content(lab, Kind.DATASET, file, name="survey", license="CC-BY-4.0", source="https://lab.example/s")
    with chdir(tmp_path):
        tracer = MLTracer(home=lab.home.path)
        with tracer.start_run("on the survey") as one:
            one.log_input(record=data.id, relation="trained-on")
            one.log_metric("accuracy", 0.8)
    facts = gather(lab, data.id)
    assert formats_for(facts) == ["dataset-card", "html", "csv"]
    files = make(facts, formats_for(facts))
    card = DatasetCard(files["dataset-card.md"].decode())
    assert card.data.to_dict()["license"] == "cc-by-4.0"
    assert one.recorded.id in str(card)
    assert "accuracy = 0.8" in str(card)
    assert list(sheet(facts)["model_name"]) == ["on the survey"]
    with pytest.raises(InputError, match="expected a run, or a model"):
        make(facts, ["model-card"])


def test_a_model_leads_to_its_run(lab: Lab, run: str) -> None:
    model = next(
        entry.write.record_id
        for entry in lab.outbox.entries(lab.chain_id)
        if "key" in entry.write.fields and entry.write.key.kind == Kind.MODEL
    )
    facts = gather(lab, model, DECLARED)
    assert facts.run.record.kind == "run"
    assert facts.run.run.outputs[0].artifact.sha256 == facts.asked.record.subject
    assert make(facts, ["model-card", "html"])


def test_what_was_found_again_is_beside_the_metric(lab: Lab, run: str, tmp_path: Path) -> None:
    other = second_lab(lab, tmp_path / "other")
    tracer = MLTracer(home=other.home.path, rpc=other.rpc, registry=lab.registry.address)
    with chdir(tmp_path), tracer.start_run("again") as repeated:
        repeated.log_input(record=run, relation="reproduces")
        repeated.log_metric("accuracy", 0.96)
    publish(other, repeated.recorded.id, tmp_path / "published")
    facts = gather(lab, run, sources=[str(tmp_path / "published")])
    [metric] = plain_values(facts)["metrics"]
    used = pytest.approx(3)
    assert metric["again"] == [
        {"record": repeated.recorded.id, "group": 2, "value": 0.96, "agrees": False, "used": used}
    ]
    assert "group 2: 0.96" in make(facts, ["html"])["report.html"].decode()


def test_recorded_reports_have_a_history_and_come_back(lab: Lab, tmp_path: Path) -> None:
    record = train(lab, tmp_path / "run")
    first = few(lab, record)
    one = record_report(lab, gather(lab, record, DECLARED), first)
    # a recorded report is no part of the next: nothing new, nothing paid
    assert few(lab, record) == first
    repeated = record_report(lab, gather(lab, record, DECLARED), few(lab, record))
    assert (repeated.id, repeated.existing) == (one.id, True)

    changed = {**first, "report.html": first["report.html"] + b"\n"}
    two = record_report(lab, gather(lab, record, DECLARED), changed)
    found = history(lab, record)
    assert [(entry.id, entry.supersedes, entry.current) for entry in found] == [
        (one.id, None, False),
        (two.id, one.id, True),
    ]
    assert set(found[0].files) == set(first)
    key = lab.registry.find_record(two.id).key
    assert set(key.parents) == {Link(record, Relation.DERIVED_FROM), Link(one.id, Relation.SUPERSEDES)}

    assert restore(lab, one.id, tmp_path / "old") is None
    assert {file.name: file.read_bytes() for file in (tmp_path / "old").iterdir()} == first
    back = restore(lab, one.id, tmp_path / "older", record=True)
    assert back is not None
    assert [(entry.subject, entry.current) for entry in history(lab, record)][-1] == (one.subject, True)
    with pytest.raises(InputError, match="expected a recorded report"):
        restore(lab, record, tmp_path / "none")


def test_nothing_is_recorded_of_what_does_not_verify(lab: Lab, tmp_path: Path) -> None:
    record = train(lab, tmp_path)
    facts = gather(lab, record, DECLARED)
    output = lab.store.path_of(facts.asked.run.outputs[0].artifact.sha256)
    output.chmod(0o600)
    output.write_bytes(b"tampered")
    facts = gather(lab, record, DECLARED)
    assert facts.verification.status == "not verified"
    page = make(facts, ["html", "model-card"])
    assert b"not verified" in page["report.html"]
    assert b"is damaged" in page["report.html"]
    assert b"not verified" in page["model-card.md"]
    with pytest.raises(NotVerified):
        record_report(lab, facts, page)
    done = called(record, "--format", "html", "-o", str(tmp_path / "out"), home=lab.home.path)
    assert done.exit_code == 1, done.stderr
    output.unlink()


def test_a_result_has_a_page(lab: Lab, run: str, tmp_path: Path) -> None:
    (tmp_path / "result.txt").write_text("42")
    result = record_document(
        lab, Kind.RESULT, tmp_path / "result.txt", name="result", parents=[Link(run, Relation.DERIVED_FROM)]
    )
    facts = gather(lab, result.id, DECLARED)
    assert facts.run.record.id == run
    assert b"slope" in make(facts, ["html"])["report.html"]


def test_the_verb(lab: Lab, run: str, tmp_path: Path) -> None:
    fields = tmp_path / "fields.yaml"
    fields.write_text(yaml.safe_dump({"preprocessing": "none"}))
    out = tmp_path / "out"
    options = ("--fields", str(fields), "--field", "limitations=few points", "-o", str(out), "--record", "--json")
    done = typed("report", run, *options, home=lab.home.path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["status"] == "verified"
    assert {file.name for file in out.iterdir()} == {"model-card.md", "report.html", "experiments.csv"}
    listed = json.loads(called("history", run, "--json", home=lab.home.path).stdout)
    assert listed["reports"][-1]["id"] == told["recorded"]["id"]
    assert told["recorded"]["id"] in called("history", run, home=lab.home.path).stdout
    back = tmp_path / "back"
    assert called("restore", told["recorded"]["id"], "-o", str(back), home=lab.home.path).exit_code == 0
    assert (back / "report.html").read_bytes() == (out / "report.html").read_bytes()
    without = called(run, "-o", str(tmp_path / "without"), home=lab.home.path)
    assert without.exit_code == 0
    assert "Left out: the model card. It lacks preprocessing, limitations: give them by --field." in without.output
    assert {file.name for file in (tmp_path / "without").iterdir()} == {"report.html", "experiments.csv"}
    refused = called(run, "-o", str(tmp_path / "no"), "--format", "model-card", "--json", home=lab.home.path)
    assert refused.exit_code == 2
    assert json.loads(refused.stdout)["missing"] == ["preprocessing", "limitations"]
    assert not (tmp_path / "no").exists()
    with chdir(tmp_path):
        subprocess.run(["git", "init", "-q"], check=True)
        before = subprocess.check_output(["git", "status", "--porcelain", "--untracked-files=all"])
        assert called(run, home=lab.home.path).exit_code == 0
        assert (tmp_path / f"report-{run[:12]}" / "report.html").is_file()
        assert subprocess.check_output(["git", "status", "--porcelain", "--untracked-files=all"]) == before


def test_what_cannot_be_written_is_told(lab: Lab, run: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    from blockchaintracer.core.errors import StoreError

    with pytest.raises(StoreError, match="can't write the report"):
        write({"report.csv": csv(gather(lab, run))}, tmp_path / "file")


def test_every_run_gets_a_report_if_chosen(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = lab.home.path
    assert called("auto", "--field", "quality=high", home=home).exit_code == 2
    assert called("auto", "--off", "--format", "html", home=home).exit_code == 2
    assert called("auto", "--format", "html", home=home).exit_code == 0
    try:
        one = train(lab, tmp_path / "one")
        assert [report.files for report in history(lab, one)] == [("report.html",)]
        monkeypatch.setenv("BLOCKCHAINTRACER_HOME", str(home))
        done = CliRunner().invoke(main, ["record", "--name", "typed", "--metric", "accuracy=0.5"])
        assert done.exit_code == 0, done.output
        record = re.search(r"run typed: (0x[0-9a-f]{64})", done.output)
        assert record
        assert len(history(lab, record[1])) == 1
        # a report that can't be made costs a warning, never the run
        assert called("auto", "--format", "model-card", home=home).exit_code == 0
        with pytest.warns(RecordingWarning, match="no report of it was made"):
            two = train(lab, tmp_path / "two")
        assert lab.registry.find_record(two)
    finally:
        assert called("auto", "--off", home=home).exit_code == 0
    assert history(lab, train(lab, tmp_path / "three")) == []


def test_notebooks_show_records(lab: Lab, tmp_path: Path) -> None:
    with chdir(tmp_path), MLTracer(home=lab.home.path).start_run("<b>bold</b>") as traced:
        assert traced._repr_html_() == "<b>run &lt;b&gt;bold&lt;/b&gt;</b>, running"
    text = traced._repr_html_()
    assert traced.recorded.id in text
    assert "&lt;b&gt;bold" in text
    assert "<b>bold" not in text


def test_the_example(lab: Lab, tmp_path: Path) -> None:
    example = ROOT / "examples" / "report" / "document.py"
    assert len(example.read_text().splitlines()) < 31
    done = subprocess.run(
        [sys.executable, str(example)],
        cwd=tmp_path,
        env=os.environ | {"BLOCKCHAINTRACER_HOME": str(lab.home.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "verified"
    made = {file.name for file in (tmp_path / "report").iterdir()}
    assert made == {"model-card.md", "report.html", "report.pdf", "experiments.xlsx"}
    # what the report shows is what the chain holds: a changed file is seen
    (tmp_path / "wine.csv").write_text("changed")
    checked = CliRunner().invoke(main, ["verify", str(tmp_path / "wine.csv"), "--home", str(lab.home.path)])
    assert checked.exit_code == 1


def test_a_run_of_mlflow(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    from blockchaintracer import MLflowBlockchainTracer

    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    try:
        with MLflowBlockchainTracer(home=lab.home.path).start_run(run_name="of MLflow") as run:
            mlflow.log_param("algorithm", "least squares")
            for step in range(5):
                mlflow.log_metric("loss", 1 / (1 + step), step=step)
    finally:
        mlflow.set_tracking_uri(None)
    again(lab).flush()
    made = DocumentationTracer(
        mlflow_run=run.info.run_id,
        home=lab.home.path,
        **dict.fromkeys(("model_version", "preprocessing", "validation", "limitations"), "as declared"),
    )
    # MLflow logged no dataset, and none is made up
    assert made.generate_documentation().facts.missing == ("dataset",)
    facts = gather(lab, made._id())
    assert facts.histories["loss"] == [(step, 1 / (1 + step)) for step in range(5)]
    files = make(facts, ["html", "parquet"])
    assert b"metrics over the run" in files["report.html"]
    [row] = pyarrow.parquet.read_table(io.BytesIO(files["experiments.parquet"])).to_pylist()
    assert row["mlflow_run"] == run.info.run_id


def test_the_commands_of_the_pages(lab: Lab, run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command line of both pages is taken by its verb, and those of formats are run."""
    monkeypatch.setenv("BLOCKCHAINTRACER_HOME", str(lab.home.path))
    lines = [
        line.strip()
        for page in ("reports", "exports")
        for line in (ROOT / "docs" / f"{page}.md").read_text().splitlines()
        if re.match(r"    blockchaintracer (report|export-as|signature) ", line)
    ]
    assert len(lines) > 10
    for line in lines:
        words = shlex.split(re.split(r"\s{3,}", line)[0])[1:]
        verb_ = load(words[0])
        if words[0] == "report":
            verb_ = verb_.commands[words[1] if words[1] in verb_.commands else "make"]  # type: ignore[attr-defined]
            words = words[1 if verb_.name == "make" else 2 :]
        else:
            words = words[1:]
        for file in ("more.yaml", "key.pem", "key.pub", "model.sig"):
            (tmp_path / file).touch()
        with chdir(tmp_path):
            verb_.make_context("verb", words)
    text = (ROOT / "docs" / "reports.md").read_text()
    assert all(f"`{name}`" in text for name in FORMATS)
