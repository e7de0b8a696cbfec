"""Records in the formats of others, each read and validated by the tool that its community keeps."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any

import mlcroissant
import pytest
import rdflib.plugins.shared.jsonld.context as jsonld
import requests
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from prov.model import ProvDocument
from rocrate.rocrate import ROCrate
from rocrate_validator import services, utils
from rocrate_validator.models import Severity, ValidationSettings
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from blockchaintracer import MLTracer
from blockchaintracer.cli import main
from blockchaintracer.cli.verb_export_as import _FORMATS, _NEXT
from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.core.manifest import RunPredicate, parse_manifest
from blockchaintracer.core.record import Kind
from blockchaintracer.extras.exports import provenance
from blockchaintracer.extras.exports.export import FORMATS, export
from blockchaintracer.extras.exports.export_facts import gather_export
from blockchaintracer.extras.exports.exported_files import Content
from blockchaintracer.extras.report import make
from blockchaintracer.extras.report.documents import FORMATS as REPORTS
from blockchaintracer.extras.report.report_facts import gather
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.private.age import new_identity
from blockchaintracer.lab.recording.content import record_content, record_document, record_path
from blockchaintracer.lab.recording.keep import Keeping
from blockchaintracer.lab.recording.run import RunFacts, finish_run, start_run
from blockchaintracer.lab.recording.run_document import RunDocument
from tests.support.labs import run_predicate, shared_lab, typed

CONTEXT = "https://w3id.org/ro/crate/1.1/context"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with shared_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


def train(lab: Lab, folder: Path, name: str = "slope") -> str:
    with chdir(folder):
        Path("images").mkdir()
        Path("images", "a b.txt").write_text("1")
        Path("images", "c.txt").write_text("2")
        Path("train.csv").write_text("x,y\n1,2\n")
        Path("model.json").write_bytes(os.urandom(8))
        with MLTracer(home=lab.home.path).start_run(name) as run:
            run.log_params({"algorithm": "least squares", "nested": {"lr": 0.1}})
            run.log_input("train.csv", relation="trained-on")
            run.log_input("images", relation="trained-on")
            run.log_output("model.json", role="model")
            run.log_metric("accuracy", 0.93)
    assert run.recorded, run.problem
    return run.recorded.id


@pytest.fixture(scope="module")
def run(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> str:
    return train(lab, tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def dataset(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("data") / "survey"
    folder.mkdir()
    (folder / "a.csv").write_text("x\n1\n")
    (folder / "b.csv").write_text("x\n2\n")
    described = {"name": "survey", "license": "CC-BY-4.0", "version": "1.0.0", "description": "Two columns"}
    return record_content(lab, Kind.DATASET, folder, **described).id


def problems(crate: Path, profile: str, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What the validator finds. The profiles come with it; the JSON-LD context, which it would load from the network,
    is that of the `rocrate` package here."""
    text = (resources.files("rocrate") / "data" / "ro-crate.jsonld").read_text()

    def answer(self: object, address: str, **options: object) -> requests.Response:
        assert address == CONTEXT
        response = requests.Response()
        response.status_code, response._content = 200, text.encode()
        return response

    monkeypatch.setattr(utils.HttpRequester, "get", answer, raising=False)
    real = jsonld.source_to_json
    monkeypatch.setattr(
        jsonld,
        "source_to_json",
        lambda source, *a, **k: (json.loads(text), None) if source == CONTEXT else real(source),
    )
    settings = ValidationSettings(
        rocrate_uri=str(crate), profile_identifier=profile, requirement_severity=Severity.RECOMMENDED
    )
    found = services.validate(settings).get_issues()
    return [(issue.severity.name, issue.message) for issue in found]


def test_a_run_is_a_process_run_crate(lab: Lab, run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = export(lab, run, "ro-crate", tmp_path / "crate")
    assert done.notes == ()
    found = problems(tmp_path / "crate", "process-run-crate", monkeypatch)
    assert [message for severity, message in found if severity == "REQUIRED"] == []
    # nobody recorded a licence or an organisation's address, and none is made up
    assert len(found) <= 3, found
    crate = ROCrate(tmp_path / "crate")
    [action] = [entity for entity in crate.get_entities() if entity.type == "CreateAction"]
    names = {entity["name"] for entity in (*action["object"], *action["result"])}
    assert names >= {"train.csv", "a b.txt", "model.json", "algorithm", "nested.lr", "accuracy"}
    for entity in crate.data_entities:
        if entity.type == "File":
            data = (tmp_path / "crate" / entity.id.replace("%20", " ")).read_bytes()
            assert hashlib.sha256(data).hexdigest() == entity["sha256"]
    assert (
        parse_manifest((tmp_path / "crate" / "manifest.json").read_bytes()).digest()
        == lab.registry.find_record(run).key.manifest
    )
    # and the validator would see a crate that lacks its action's instrument
    file = tmp_path / "crate" / "ro-crate-metadata.json"
    data = json.loads(file.read_text())
    for entity in data["@graph"]:
        entity.pop("instrument", None)
    file.write_text(json.dumps(data))
    assert "REQUIRED" in {severity for severity, _ in problems(tmp_path / "crate", "process-run-crate", monkeypatch)}


def test_a_declared_metric_says_so_in_a_crate(lab: Lab, tmp_path: Path) -> None:
    metrics = {"accuracy": {"value": 0.99, "source": {"kind": "declared"}}, "loss": 0.5}
    document = RunDocument.model_validate({"schema_version": 1, "name": "told", "metrics": metrics})
    told = finish_run(lab, start_run(lab), RunFacts(document=document, folder=tmp_path)).id
    export(lab, told, "ro-crate", tmp_path / "crate")
    metadata = json.loads((tmp_path / "crate" / "ro-crate-metadata.json").read_text())
    said = {it["name"]: it.get("description") for it in metadata["@graph"] if it["@id"].startswith("#metric-")}
    assert said == {"accuracy": "declared by a person: no program told it", "loss": None}


def test_a_dataset_is_a_crate(lab: Lab, dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export(lab, dataset, "ro-crate", tmp_path / "crate")
    found = problems(tmp_path / "crate", "ro-crate", monkeypatch)
    assert [message for severity, message in found if severity == "REQUIRED"] == []


def test_prov(lab: Lab, run: str, tmp_path: Path) -> None:
    export(lab, run, "prov-json", tmp_path / "prov.json")
    document = ProvDocument.deserialize(tmp_path / "prov.json", format="json")
    kinds = {type(record).__name__ for record in document.get_records()}
    assert kinds >= {"ProvActivity", "ProvEntity", "ProvAgent", "ProvUsage", "ProvAssociation", "ProvGeneration"}
    export(lab, run, "prov-n", tmp_path / "prov.provn")
    again = gather_export(lab, run)
    assert document == provenance.document(again, Content.of(again))
    notation = (tmp_path / "prov.provn").read_text()
    assert f"activity(rec:{run}" in notation
    assert notation.count("used(") == 2
    activities = [
        str(record.identifier) for record in document.get_records() if type(record).__name__ == "ProvActivity"
    ]
    assert activities == [f"rec:{run}"]
    [activity] = [record for record in document.get_records() if type(record).__name__ == "ProvActivity"]
    declared = run_predicate(lab, run)
    times = (activity.get_startTime(), activity.get_endTime())
    assert times == tuple(datetime.fromisoformat(time or "") for time in (declared.started_at, declared.ended_at))


@pytest.mark.parametrize("key", [Ed25519PrivateKey.generate(), generate_private_key(SECP256R1())])
def test_dsse(lab: Lab, run: str, tmp_path: Path, key: object) -> None:
    pem = tmp_path / "key.pem"
    pem.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))  # type: ignore[attr-defined]
    assert export(lab, run, "dsse", tmp_path / "signed.json", sign_with=pem).notes == ()
    envelope = Envelope.from_dict(json.loads((tmp_path / "signed.json").read_text()))
    public = SSlibKey.from_crypto(key.public_key())  # type: ignore[attr-defined]
    envelope.verify([public], 1)
    assert envelope.payload_type == "application/vnd.in-toto+json"
    assert hashlib.sha256(envelope.payload).hexdigest() == lab.registry.find_record(run).key.manifest
    other = SSlibKey.from_crypto(Ed25519PrivateKey.generate().public_key(), keyid=public.keyid)
    with pytest.raises(VerificationError):
        envelope.verify([other], 1)
    envelope.payload = envelope.payload.replace(b"0.93", b"0.99")
    with pytest.raises(VerificationError):
        envelope.verify([public], 1)


def test_an_unsigned_envelope_says_so(lab: Lab, run: str, tmp_path: Path) -> None:
    done = export(lab, run, "dsse", tmp_path / "unsigned.json")
    assert "no signature" in done.notes[0]
    assert json.loads((tmp_path / "unsigned.json").read_text())["signatures"] == []
    export(lab, run, "in-toto", tmp_path / "statement.json")
    assert (
        hashlib.sha256((tmp_path / "statement.json").read_bytes()).hexdigest()
        == lab.registry.find_record(run).key.manifest
    )


def test_no_word_of_a_key_that_does_not_fit(lab: Lab, run: str, tmp_path: Path) -> None:
    pem = tmp_path / "key.pem"
    pem.write_text("-----BEGIN " + "PRIVATE KEY-----\nc2VjcmV0\n-----END " + "PRIVATE KEY-----\n")
    with pytest.raises(InputError) as refused:
        export(lab, run, "dsse", tmp_path / "out.json", sign_with=pem)
    assert "c2VjcmV0" not in f"{refused.value!r}{refused.value.__cause__!r}"
    assert not (tmp_path / "out.json").exists()


def test_croissant(lab: Lab, dataset: str, tmp_path: Path) -> None:
    export(lab, dataset, "croissant", tmp_path / "croissant.json")
    found = mlcroissant.Dataset(jsonld=tmp_path / "croissant.json")
    assert found.metadata.ctx.issues.errors == set()
    assert found.metadata.ctx.issues.warnings == set()
    sums = {file.name: file.sha256 for file in found.metadata.distribution}
    assert sums == {
        "survey/a.csv": hashlib.sha256(b"x\n1\n").hexdigest(),
        "survey/b.csv": hashlib.sha256(b"x\n2\n").hexdigest(),
    }
    assert dataset in found.metadata.description
    assert (tmp_path / "survey" / "a.csv").read_text() == "x\n1\n"
    rows = {each.name: [*found.records(each.id)] for each in found.metadata.record_sets}
    assert [[*row.values()] for row in rows["survey/b.csv"]] == [[2]]


def test_a_file_keeps_its_name_and_what_it_is(lab: Lab, tmp_path: Path) -> None:
    """The name that a person gives is another: of the file, and of what reads it by that name."""
    data = tmp_path / "measured.csv"
    data.write_text("time,signal,label\n0.5,1,a\n1.5,2,b\n")
    made = record_path(lab, Kind.DATASET, data, name="Survey of 2026")
    assert record_path(lab, Kind.DATASET, data, name="Survey of 2026").existing
    done = export(lab, made.id, "croissant", tmp_path / "out" / "croissant.json")
    assert done.notes == ()
    found = mlcroissant.Dataset(jsonld=tmp_path / "out" / "croissant.json")
    [file] = found.metadata.distribution
    assert (found.metadata.name, file.name, file.encoding_formats) == ("Survey of 2026", "measured.csv", ["text/csv"])
    assert (tmp_path / "out" / "measured.csv").read_bytes() == data.read_bytes()
    [table] = found.metadata.record_sets
    assert [[*row.values()] for row in found.records(table.id)] == [[0.5, 1, b"a"], [1.5, 2, b"b"]]
    # of what has no name, a run that read it knows one
    other = tmp_path / "other.tsv"
    other.write_text("a\tb\n1\t2\n")
    nameless = record_path(lab, Kind.DATASET, other)
    with MLTracer(home=lab.home.path).start_run("reads it") as traced:
        traced.log_input(str(other))
    assert traced.recorded, traced.problem
    export(lab, nameless.id, "sha256sums", tmp_path / "named" / "SHA256SUMS")
    assert (tmp_path / "named" / "SHA256SUMS").read_text().endswith("  other.tsv\n")


def test_what_a_run_keeps_beside_its_files_is_in_the_crate(lab: Lab, tmp_path: Path) -> None:
    """The history of a metric, the lock, and the commit's files are as much of the record as what it read."""
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "train.py").write_text("print()\n")
    me = ("-c", "user.name=a", "-c", "user.email=b")
    for command in (("init", "-q"), ("add", "train.py"), (*me, "commit", "-qm", "c")):
        subprocess.run(["git", *command], cwd=folder, check=True, timeout=60)
    with chdir(folder), MLTracer(home=lab.home.path).start_run("steps") as traced:
        for step in range(3):
            traced.log_metric("loss", 1 / (step + 1), step=step)
    assert traced.recorded, traced.problem
    said = run_predicate(lab, traced.recorded.id)
    kept = [it.sha256 for it in (said.metrics["loss"].history, said.code.pack, said.environment.lock) if it]
    assert len(kept) == 3
    export(lab, traced.recorded.id, "ro-crate", tmp_path / "crate")
    held = {hashlib.sha256(data).hexdigest(): path for path, data in contents(tmp_path / "crate").items()}
    assert {held[digest].partition("/")[0] for digest in kept} == {"run"}


def test_codemeta(lab: Lab, run: str, tmp_path: Path) -> None:
    export(lab, run, "codemeta", tmp_path / "codemeta.json")
    found = json.loads((tmp_path / "codemeta.json").read_text())
    assert (found["@context"], found["@type"]) == ("https://w3id.org/codemeta/3.0", "SoftwareSourceCode")
    names = {entry["name"] for entry in found["softwareRequirements"]}
    assert {"pytest", "web3"} <= names
    assert set(found) <= {
        *("@context", "@type", "name", "description", "author", "identifier", "codeRepository", "version", "license"),
        *("runtimePlatform", "programmingLanguage", "softwareRequirements"),
    }
    # models of somebody else, in an environment of their own
    uv, python = Path(sys.executable).with_name("uv"), tmp_path / "venv" / "bin" / "python"
    for command in (
        [uv, "venv", "-q", "--python", sys.executable, tmp_path / "venv"],
        [uv, "pip", "install", "-q", "--python", python, "pydantic-codemeta==0.1.0"],
        [python, "-c", CODEMETA, tmp_path / "codemeta.json"],
    ):
        subprocess.run(command, check=True, timeout=240)


CODEMETA = """
import json, sys
from pydantic_codemeta import CodeMetaV3
read = CodeMetaV3.model_validate(json.load(open(sys.argv[1])))
assert not read.model_extra, read.model_extra
"""


def test_sha256sums(lab: Lab, run: str, tmp_path: Path) -> None:
    file = tmp_path / "copy" / "SHA256SUMS"
    export(lab, run, "sha256sums", file, with_files=True)
    assert check(file).returncode == 0
    paths = [line.partition("  ")[2] for line in file.read_text().splitlines()]
    about = [path for path in paths if not path.startswith(("inputs/", "outputs/"))]
    assert [path for path in paths if path not in about] == [
        *("inputs/images/a b.txt", "inputs/images/c.txt", "inputs/train.csv", "outputs/model.json"),
    ]
    assert {path.partition("/")[0] for path in about} == {"run"}
    assert {it.sha256 for it in [run_predicate(lab, run).environment.lock] if it} <= {
        line.partition("  ")[0] for line in file.read_text().splitlines()
    }
    (file.parent / "inputs" / "train.csv").write_text("changed")
    assert check(file).returncode == 1


def check(file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sha256sum", "--strict", "-c", file.name], cwd=file.parent, capture_output=True, text=True, check=False
    )


def test_equal_bytes_each_time(lab: Lab, run: str, dataset: str, tmp_path: Path) -> None:
    for form in FORMATS:
        record = dataset if form == "croissant" else run
        for name in ("one", "two"):
            export(lab, record, form, tmp_path / f"{form}-{name}")
    for form in FORMATS:
        one, two = (contents(tmp_path / f"{form}-{name}") for name in ("one", "two"))
        assert one == two, form
        assert str(lab.home.path).encode() not in b"".join(one.values())


def test_a_folder_that_a_run_wrote_is_its_files(lab: Lab, tmp_path: Path) -> None:
    with chdir(tmp_path):
        for name in ("weights/a.bin", "weights/deep/b.bin", "SHA256SUMS"):
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text(f"{name} of the run")
        with MLTracer(home=lab.home.path).start_run("folder") as traced:
            traced.log_output("weights", role="model")
            traced.log_output("SHA256SUMS", role="log")
    assert traced.recorded, traced.problem
    record = traced.recorded.id
    names = ["outputs/SHA256SUMS", "outputs/weights/a.bin", "outputs/weights/deep/b.bin"]
    sums = tmp_path / "copy" / "SHA256SUMS"
    export(lab, record, "sha256sums", sums, with_files=True)
    listed = [line.partition("  ")[2] for line in sums.read_text().splitlines()]
    assert [name for name in listed if name.startswith("outputs/")] == names
    assert check(sums).returncode == 0
    assert (sums.parent / names[1]).read_text() == "weights/a.bin of the run"
    export(lab, record, "ro-crate", tmp_path / "crate")
    assert set(contents(tmp_path / "crate")) == {*listed, "manifest.json", "ro-crate-metadata.json"}
    export(lab, record, "prov-json", tmp_path / "prov.json")
    assert all(name in (tmp_path / "prov.json").read_text() for name in names)
    gone = hashlib.sha256(b"weights/deep/b.bin of the run").hexdigest()
    lab.store.path_of(gone).unlink()
    done = export(lab, record, "sha256sums", tmp_path / "less" / "SHA256SUMS", with_files=True)
    assert done.notes == ("no whole copy of outputs/weights/deep/b.bin was found: it is named by its SHA-256 alone",)
    assert f"{gone}  outputs/weights/deep/b.bin" in (tmp_path / "less" / "SHA256SUMS").read_text()
    [listing] = [digest for path, digest in outputs(lab, record) if path == "weights/SHA256SUMS"]
    lab.store.path_of(listing).unlink()
    done = export(lab, record, "sha256sums", tmp_path / "unlisted")
    assert f"{listing}  outputs/weights/SHA256SUMS" in (tmp_path / "unlisted").read_text()


def outputs(lab: Lab, record: str) -> list[tuple[str, str]]:
    manifest = parse_manifest(lab.store.get_bytes(lab.registry.find_record(record).key.manifest))
    assert isinstance(manifest.predicate, RunPredicate)
    return [(one.artifact.path, one.artifact.sha256) for one in manifest.predicate.outputs]


def test_inputs_of_one_name_have_places_of_their_own(lab: Lab, tmp_path: Path) -> None:
    with chdir(tmp_path):
        for name in ("one/data", "two/data/part", "three/data", "four/DATA/part"):
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text(name)
        with MLTracer(home=lab.home.path).start_run("namesakes") as traced:
            for name in ("one/data", "two/data", "three/data", "four/DATA"):
                traced.log_input(name)
    assert traced.recorded, traced.problem
    export(lab, traced.recorded.id, "sha256sums", tmp_path / "copy" / "SHA256SUMS", with_files=True)
    assert check(tmp_path / "copy" / "SHA256SUMS").returncode == 0
    copied = contents(tmp_path / "copy" / "inputs")
    assert sorted(copied.values()) == [b"four/DATA/part", b"one/data", b"three/data", b"two/data/part"]
    folded = [path.lower() for path in copied]
    assert len({*folded}) == 4
    assert not any(one.startswith(f"{other}/") for one in folded for other in folded)


WORDS = b"a ciphertext (age-encryption.org/v1)"


@pytest.fixture(scope="module")
def hidden(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Records of every sort with something encrypted, by their kind."""
    recipient = new_identity()[1]
    folder = tmp_path_factory.mktemp("hidden")
    (folder / "survey").mkdir()
    (folder / "survey" / "a.csv").write_text("x\n1\n")
    (folder / "tool.py").write_text("print(1)")
    (folder / "plan.md").write_text("what we will do")
    about: dict[str, Any] = {"keeping": Keeping([recipient]), "name": "of ours"}
    found = {
        "dataset": record_content(lab, Kind.DATASET, folder / "survey", **about).id,
        "software": record_content(lab, Kind.SOFTWARE, folder / "tool.py", **about).id,
        "document": record_document(lab, Kind.DOCUMENT, folder / "plan.md", **about).id,
    }
    with chdir(folder):
        Path("weights").mkdir()
        with MLTracer(home=lab.home.path).start_run("hidden", encrypt_to=[recipient]) as traced:
            Path("patients.csv").write_text("id,age\n1,41\n")
            traced.log_input("patients.csv", relation="trained-on")
            Path("weights", "a.bin").write_text("of the run")
            traced.log_output("weights", role="model")
            traced.log_param("dose", 9, private=True)
            traced.log_metric("accuracy", 0.93)
    assert traced.recorded, traced.problem
    found["run"] = traced.recorded.id
    found["model"] = record_content(lab, Kind.MODEL, folder / "weights", **about).id
    return found


@pytest.mark.parametrize("kind", ["dataset", "software", "document", "run", "model"])
def test_every_format_says_what_is_a_ciphertext(
    lab: Lab, hidden: dict[str, str], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, made = hidden[kind], {}
    for form in FORMATS:
        if kind not in {"croissant": ["dataset"], "codemeta": ["software", "run", "model"]}.get(form, [kind]):
            with pytest.raises(InputError):
                export(lab, record, form, tmp_path / form)
            continue
        done = export(lab, record, form, tmp_path / form, with_files=form == "sha256sums")
        names = [note.partition(" ")[0] for note in done.notes if WORDS.decode() in note]
        assert names, form
        made[form] = contents(tmp_path / form)
    base = "of_ours" if kind != "run" else "outputs/weights"
    if kind == "run":
        assert {"inputs/patients.csv.age", "inputs/patients.csv.opening.age", "outputs/private.age"} < {*names}
    assert {f"{base}.age", f"{base}.opening.age"} <= {*names}
    assert check(tmp_path / "sha256sums").returncode == 0
    for name in names:
        assert (tmp_path / name).read_bytes().startswith(b"age-encryption.org/v1\n")
        assert made["ro-crate"][name] == (tmp_path / name).read_bytes()
    for form in ("ro-crate", "prov-json", "prov-n", "croissant", *(["codemeta"] if kind == "software" else [])):
        assert form not in made or any(WORDS in data for data in made[form].values()), form
    assert b'"commitment"' in made["in-toto"]["."]
    found = problems(tmp_path / "ro-crate", "process-run-crate" if kind == "run" else "ro-crate", monkeypatch)
    assert [message for severity, message in found if severity == "REQUIRED"] == []
    if kind == "dataset":
        assert mlcroissant.Dataset(jsonld=tmp_path / "croissant").metadata.ctx.issues.errors == set()
    for data in made.values():
        assert not any(secret in one for one in data.values() for secret in (b"1,41", b"a.csv", b"of the run"))


@pytest.mark.parametrize("kind", ["dataset", "software", "document", "run", "model"])
def test_every_report_says_what_is_a_ciphertext(lab: Lab, hidden: dict[str, str], kind: str) -> None:
    declared = dict.fromkeys(("model_version", "model_type", "preprocessing", "validation", "limitations"), "none")
    facts = gather(lab, hidden[kind], declared)
    assert facts.verification.status == "verified"
    wanted = [form for form in REPORTS if form not in ("model-card", "dataset-card")]
    wanted += {"dataset": ["dataset-card"], "run": ["model-card"], "model": ["model-card"]}.get(kind, [])
    files = make(facts, wanted)
    assert len(files) == len(wanted)
    for name, data in files.items():
        if name.endswith((".html", ".json", ".md")):
            assert WORDS in data.replace(b"\\", b""), name
        if name.endswith((".html", ".md")):
            text = data.decode().lower()
            assert "salted commitment" in text, name
            if facts.inputs:
                assert f"(sha-256 {facts.inputs[0].read.record.subject}" not in text
                assert f"sha256:{facts.inputs[0].read.record.subject}" not in text
    if kind == "model":
        assert facts.run is not None
        assert facts.run.record.id == hidden["run"], "the run that wrote it is found by the commitment"


def contents(path: Path) -> dict[str, bytes]:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


def test_what_is_not_here_is_named_by_its_digest(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run").mkdir()
    record = train(lab, tmp_path / "run", "elsewhere")
    manifest = parse_manifest(lab.store.get_bytes(lab.registry.find_record(record).key.manifest))
    digest = manifest.predicate.outputs[0].artifact.sha256  # type: ignore[union-attr]
    lab.store.path_of(digest).unlink()
    done = export(lab, record, "ro-crate", tmp_path / "crate")
    assert done.notes == ("no whole copy of outputs/model.json was found: it is named by its SHA-256 alone",)
    assert digest in (tmp_path / "crate" / "ro-crate-metadata.json").read_text()
    lab.store.path_of(digest).write_bytes(b"another")
    with pytest.raises(NotVerified):
        export(lab, record, "sha256sums", tmp_path / "SHA256SUMS")


def test_what_does_not_fit_is_refused(lab: Lab, run: str, dataset: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a dataset"):
        export(lab, run, "croissant", tmp_path / "a")
    with pytest.raises(InputError, match="expected software or a run"):
        export(lab, dataset, "codemeta", tmp_path / "a")
    with pytest.raises(InputError, match="expected a format"):
        export(lab, run, "docx", tmp_path / "a")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    with pytest.raises(InputError, match="expected nothing at"):
        export(lab, run, "ro-crate", tmp_path / "full")
    assert [file.name for file in tmp_path.iterdir()] == ["full"]


def test_the_verb(lab: Lab, run: str, tmp_path: Path) -> None:
    assert set(_FORMATS) == set(FORMATS) == set(_NEXT)
    done = typed("export-as", "dsse", run, "-o", str(tmp_path / "out.json"), "--json", home=lab.home.path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["path"] == str(tmp_path / "out.json")
    assert "no signature" in done.stderr
    assert called("croissant", run, "-o", str(tmp_path / "no"), home=lab.home.path).exit_code == 2
    sums = called("sha256sums", run, "--with-files", "-o", str(tmp_path / "a copy" / "SHA256SUMS"), home=lab.home.path)
    check = re.search(r"Check it: `(cd '.*' && sha256sum --strict -c SHA256SUMS)`", sums.stdout)
    assert check is not None, sums.output
    assert subprocess.run(["sh", "-c", check[1]], check=False, capture_output=True).returncode == 0


def called(*arguments: str, home: Path) -> Result:
    return CliRunner().invoke(main, ["export-as", *arguments], env={"BLOCKCHAINTRACER_HOME": str(home)})
