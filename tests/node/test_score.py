"""The score of runs that are really trained, recorded, published and repeated."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from contextlib import chdir
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from blockchaintracer.cli import main
from blockchaintracer.cli.verb_record import command as record
from blockchaintracer.core.errors import InputError, NotVerified, StoreError
from blockchaintracer.core.manifest import parse_manifest
from blockchaintracer.core.record import Kind, Link, Relation, Verdict
from blockchaintracer.extras.reproduce.reproduce import reproduce
from blockchaintracer.extras.score import Score
from blockchaintracer.extras.score.gather_evidence import record_score, score
from blockchaintracer.extras.score.score_report import load_rubric
from blockchaintracer.lab.attest import attest, retract
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.recording.content import record_content, record_document
from blockchaintracer.lab.recording.request import Request, record_request
from tests.support.labs import ROOT, run_predicate, second_lab, terminal, typed, verb

TRAIN = """
import argparse, json, os, random
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--train", type=Path)
parser.add_argument("--test", type=Path)
parser.add_argument("--out", type=Path)
parser.add_argument("--seed", type=int)
parser.add_argument("--more", default="{}")
given = parser.parse_args()
random.seed(given.seed)
rows = [list(map(float, line.split(","))) for line in given.train.read_text().splitlines()[1:]]
slope = sum(x * y for x, y in rows) / sum(x * x for x, _ in rows) + random.gauss(0, 0.01)
tests = [list(map(float, line.split(","))) for line in given.test.read_text().splitlines()[1:]]
given.out.mkdir(exist_ok=True)
(given.out / "model.json").write_text(json.dumps(slope))
(given.out / "predictions.csv").write_text("".join(f"{slope * x}\\n" for x, _ in tests))
error = sum(abs(y - slope * x) for x, y in tests)
document = {
    "schema": 1,
    "name": "slope",
    "parameters": {"algorithm": "least squares", "test_fraction": 0.4},
    "seeds": {"random": given.seed},
    "metrics": {"accuracy": {"value": 1 - error / 100, "tolerance": {"absolute": 1e-9}}},
    "inputs": [
        {"path": str(given.train.resolve()), "relation": "trained-on"},
        {"path": str(given.test.resolve()), "relation": "evaluated-on"},
    ],
    "outputs": [
        {"path": str((given.out / "model.json").resolve()), "role": "model"},
        {"path": str((given.out / "predictions.csv").resolve()), "role": "predictions"},
    ],
}
document.update(json.loads(given.more))
Path(os.environ["BLOCKCHAINTRACER_RUN_FILE"]).write_text(json.dumps(document))
"""
COMPLETE = {
    "template": {"name": "classification", "version": 1},
    "parameters": {
        "algorithm": "least squares",
        "test_fraction": 0.4,
        "trials": 1,
        "container_digest": f"sha256:{'ab' * 32}",
        "evaluation_entry_point": "train.py",
    },
}
IMAGE = COMPLETE["parameters"]


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=A", "-c", "user.email=a@lab.example")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@dataclass
class Project:
    """A repository with a program that trains, its data beside it, and a Python without packages."""

    folder: Path
    data: Path
    python: Path

    def commit(self) -> None:
        git(self.folder, "add", "-A")
        git(self.folder, "commit", "-qm", "change")

    def record(self, lab: Lab, *options: str, seed: int = 1, more: dict[str, Any] | None = None) -> str:
        """Trains in a process of its own and records it as the verb does; the run's id."""
        arguments = [
            *(*options, "--", str(self.python), "train.py"),
            *("--train", str(self.data / "train.csv"), "--test", str(self.data / "test.csv")),
            *("--out", str(self.folder.parent / "out"), "--seed", str(seed)),
            *(("--more", json.dumps(more)) if more else ()),
        ]
        with chdir(self.folder), pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONHASHSEED", "0")
            given = record.make_context("record", arguments).params
            request = Request(**{field.name: given[field.name] for field in fields(Request) if field.name in given})
            recorded, code = record_request(lab, request, lambda count: None)
        assert code == 0
        return recorded[-1].id

    def describe_data(self, lab: Lab) -> None:
        for file in self.data.iterdir():
            record_content(lab, Kind.DATASET, file, license="CC0-1.0", source="https://lab.example/data")

    def describe_model(self, lab: Lab) -> None:
        file = self.folder.parent / "out" / "model.json"
        record_content(lab, Kind.MODEL, file, name="slope", description="y by x, for 1 to 5", license="MIT")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("python")
    venv.create(folder, symlinks=True)
    return folder / "bin" / "python"


@pytest.fixture
def project(tmp_path: Path, python: Path) -> Project:
    made = Project(tmp_path / "project", tmp_path / "data", python)
    made.folder.mkdir()
    made.data.mkdir()
    # no other test's run has the same code and data
    own = int.from_bytes(os.urandom(4))
    (made.folder / "train.py").write_text(f"{TRAIN}\n# {own}\n")
    pinned = (ROOT / "examples" / "quickstart" / "requirements.lock").read_text()
    one = re.search(r"^threadpoolctl==.*(?:\n    --hash.*)+", pinned, re.MULTILINE)
    assert one
    (made.folder / "requirements.lock").write_text(one[0] + "\n")
    (made.folder / "LICENSE").write_text("MIT License\n")
    (made.folder / "CITATION.cff").write_text("cff-version: 1.2.0\n")
    (made.data / "train.csv").write_text(f"x,y\n1,2\n2,4\n3,6.{own}\n")
    (made.data / "test.csv").write_text(f"x,y\n4,8.{own}\n5,10\n")
    git(made.folder, "init", "-q")
    made.commit()
    return made


@pytest.fixture(scope="module")
def other(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return second_lab(lab, tmp_path_factory.mktemp("other"))


def statuses(found: Score) -> dict[str, str]:
    return {item.id: item.status for item in found.items}


def evidence_of(found: Score, item_id: str) -> str:
    return next(item.evidence for item in found.items if item.id == item_id)


def other_than_pass(found: Score) -> dict[str, str]:
    return {name: status for name, status in statuses(found).items() if status != "pass"}


def complete(lab: Lab, project: Project, published: Path) -> str:
    """A run of which everything is documented, published to a folder."""
    project.describe_data(lab)
    for seed in (1, 2):
        project.record(lab, seed=seed, more=COMPLETE)
    run = project.record(lab, seed=3, more=COMPLETE)
    project.describe_model(lab)
    publish(lab, run, published)
    return run


def told(lab: Lab, *arguments: str) -> tuple[int, str]:
    """Exit code and output of the verb."""
    done = CliRunner().invoke(main, ["score", *arguments, "--home", str(lab.home.path)])
    return done.exit_code, done.stdout


def level(found: Score) -> str:
    assert found.evidence
    return found.evidence.level


def test_everything_documented_scores_100_and_is_no_evidence_by_itself(
    lab: Lab, project: Project, tmp_path: Path
) -> None:
    run = complete(lab, project, tmp_path / "published")
    found = score(lab, run, sources=[str(tmp_path / "published")], rebuild=True)
    assert other_than_pass(found) == {}
    assert (found.documentation, level(found), found.caps, found.withheld) == (100, "E1", (), ())
    assert "3 runs" in evidence_of(found, "runs")
    assert all(item.remedy is None for item in found.items)

    # the same record in the same state: the same bytes, which name no place of this machine
    again = score(lab, run, sources=[str(tmp_path / "published")], rebuild=True)
    assert again.to_bytes() == found.to_bytes()
    assert str(tmp_path) not in found.to_bytes().decode()
    assert str(lab.home.path) not in found.to_bytes().decode()

    recorded = record_score(lab, found)
    assert record_score(lab, again).existing
    event = lab.registry.find_record(recorded.id)
    assert event
    assert (event.key.kind, event.key.parents) == (Kind.DOCUMENT, (Link(run, Relation.DERIVED_FROM),))
    assert lab.store.get_bytes(event.key.subject) == found.to_bytes()
    values = parse_manifest(lab.store.get_bytes(event.key.manifest)).predicate.values  # type: ignore[union-attr]
    assert values["rubric"] == {"version": 1, "sha256": load_rubric().digest}
    assert (values["documentation"], values["evidence"]) == (100, "E1")

    # without a published copy: what cannot be seen from here is unknown and counts nothing
    alone = score(lab, run)
    assert other_than_pass(alone) == {"rebuild": "unknown", "weights": "unknown", "second-copy": "unknown"}
    assert (alone.documentation, alone.counted("unknown")) == (92, (3, 8))


def test_a_run_that_says_little(lab: Lab, tmp_path: Path) -> None:
    done = subprocess.run(
        [*(sys.executable, "-m", "blockchaintracer", "record", "--json"), *("--param", "a=1", "--name", "little")],
        cwd=tmp_path,
        env=os.environ | {"BLOCKCHAINTRACER_HOME": str(lab.home.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    found = score(lab, json.loads(done.stdout)["id"])
    passing = {name for name, status in statuses(found).items() if status == "pass"}
    assert passing == {"signed", "anchored", "fetched"}
    unknown = {name for name, status in statuses(found).items() if status == "unknown"}
    assert unknown == {"rows-apart", "parameters", "second-copy"}
    assert (found.documentation, level(found)) == (12, "E0")
    assert all(item.points == 0 and item.remedy for item in found.items if item.status != "pass")


def _no_git(project: Project) -> None:
    shutil.rmtree(project.folder / ".git")


def _uncommitted(project: Project) -> None:
    (project.folder / "train.py").write_text((project.folder / "train.py").read_text() + "# changed\n")


def _shared_row(project: Project) -> None:
    first = (project.data / "train.csv").read_text().splitlines()[1]
    (project.data / "test.csv").write_text((project.data / "test.csv").read_text() + first + "\n")


def _no_licence(project: Project) -> None:
    (project.folder / "LICENSE").unlink()
    project.commit()


def _unhashed_lock(project: Project) -> None:
    (project.folder / "requirements.lock").write_text("threadpoolctl==3.6.0\n")
    project.commit()


def _another_generator(project: Project) -> None:
    (project.folder / "helper.py").write_text("def noise():\n    from numpy import random\n")
    (project.folder / "train.py").write_text("import helper\n" + (project.folder / "train.py").read_text())
    project.commit()


@pytest.mark.parametrize(
    ("change", "more", "expected"),
    [
        (_uncommitted, COMPLETE, {}),
        (_shared_row, COMPLETE, {"rows-apart": "fail"}),
        (_no_licence, COMPLETE, {"code-licence": "fail"}),
        (_unhashed_lock, COMPLETE, {"lock": "fail"}),
        (_another_generator, COMPLETE, {"seeds": "unknown"}),
        (
            None,
            {"parameters": {**IMAGE, "evaluation_entry_point": "elsewhere.py", "container_digest": "latest"}},
            {"evaluation-entry": "fail", "container": "fail", "parameters": "unknown"},
        ),
        (
            None,
            {"parameters": {**IMAGE, "trials": 20}, "seeds": {}, "outputs": []},
            {
                "parameters": "unknown",
                "search": "fail",
                "predictions": "fail",
                "weights": "fail",
                "model-card": "fail",
            },
        ),
        (
            None,
            {**COMPLETE, "parameters": {**IMAGE, "trials": 20, "search_space": {"algorithm": ["least squares", "L1"]}}},
            {},
        ),
    ],
)
def test_each_item_fails_for_what_is_missing_and_for_nothing_else(
    lab: Lab,
    project: Project,
    change: Callable[[Project], None] | None,
    more: dict[str, Any],
    expected: dict[str, str],
) -> None:
    if change:
        change(project)
    project.describe_data(lab)
    run = project.record(lab, more=more)
    project.describe_model(lab)
    # one run, and nothing published
    usual = {"rebuild": "unknown", "runs": "fail", "weights": "unknown", "second-copy": "unknown"}
    assert other_than_pass(score(lab, run)) == usual | expected


def test_without_a_commit_or_data_the_score_has_a_cap(lab: Lab, project: Project, tmp_path: Path) -> None:
    project.describe_data(lab)
    unread = {**COMPLETE, "template": None, "inputs": []}
    without_data = project.record(lab, more={key: value for key, value in unread.items() if value is not None})
    project.describe_model(lab)
    publish(lab, without_data, tmp_path / "published")
    found = score(lab, without_data, sources=[str(tmp_path / "published")])
    assert {name for name, status in statuses(found).items() if status != "pass"} == {
        *("inputs-hashed", "data-described", "split-hashed", "rows-apart", "rebuild", "parameters", "runs"),
    }
    points = sum(item.points for item in found.items)
    assert points == 66
    assert (found.documentation, [cap.limit for cap in found.caps]) == (60, [60])

    _no_git(project)
    without_commit = project.record(lab, more=COMPLETE)
    found = score(lab, without_commit, rebuild=True)
    assert {name for name, status in statuses(found).items() if status == "fail"} == {
        *("commit", "training-entry", "evaluation-entry", "code-licence", "runs"),
    }
    assert sum(item.points for item in found.items) > 50
    assert (found.documentation, [cap.limit for cap in found.caps], level(found)) == (50, [50], "E0")


def test_one_changed_byte_withholds_the_score(lab: Lab, project: Project, tmp_path: Path) -> None:
    run = project.record(lab)
    manifest = run_predicate(lab, run)
    event = lab.registry.find_record(run)
    assert event
    assert manifest.code.pack
    publish(lab, run, tmp_path / "published")
    before = score(lab, run)
    assert before.documentation
    for digest in (
        manifest.outputs[0].artifact.sha256,
        manifest.inputs[0].sha256,
        event.key.manifest,
        manifest.code.pack.sha256,
    ):
        path = lab.store.path_of(digest)
        whole = path.read_bytes()
        path.chmod(0o600)
        path.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
        code, text = told(lab, run, "--from", str(tmp_path / "published"), "--record", "--json")
        found = json.loads(text)
        assert (code, found["documentation"], found["evidence"], found["recorded"]) == (1, None, None, None)
        assert any(digest in wrong for wrong in found["withheld"])
        with pytest.raises(NotVerified, match="no score to record"):
            record_score(lab, score(lab, run, sources=[str(tmp_path / "published")]))
        code, text = told(lab, run, "--from", str(tmp_path / "published"))
        assert (code, "Withheld" in text, "of 100" in text) == (1, True, False)
        path.write_bytes(whole)
    assert score(lab, run).to_bytes() == before.to_bytes()


def test_a_damaged_published_copy_withholds_it_too(lab: Lab, project: Project, tmp_path: Path) -> None:
    run = project.record(lab)
    published = publish(lab, run, tmp_path / "published")
    [model] = [one for one in published.objects if one.what == "model"]
    path = tmp_path / "published" / "objects" / model.sha256[:2] / model.sha256[2:]
    path.chmod(0o600)
    path.write_bytes(b"{}")
    assert score(lab, run).documentation
    assert score(lab, run, sources=[str(tmp_path / "published")]).documentation is None
    path.unlink()
    found = score(lab, run, sources=[str(tmp_path / "published")])
    assert (statuses(found)["second-copy"], statuses(found)["weights"]) == ("fail", "fail")
    assert found.documentation


def test_the_lab_itself_is_no_second_place(lab: Lab, project: Project, tmp_path: Path) -> None:
    run = project.record(lab)
    (tmp_path / "link").symlink_to(lab.home.store)
    for place in (lab.home.store, tmp_path / "link", lab.home.path / "published"):
        found = score(lab, run, sources=[str(place)])
        assert (statuses(found)["second-copy"], statuses(found)["weights"]) == ("unknown", "unknown")


def test_a_stranger_scores_from_what_was_published_alone(
    lab: Lab, other: Lab, project: Project, tmp_path: Path
) -> None:
    _uncommitted(project)
    run = project.record(lab)
    publish(lab, run, tmp_path / "published")
    with pytest.raises(StoreError, match="can't be read"):
        score(other, run)
    found = score(other, run, sources=[str(tmp_path / "published")])
    # the difference to the commit was not published
    assert (statuses(found)["commit"], statuses(found)["fetched"]) == ("unknown", "fail")
    assert statuses(found)["weights"] == "pass"
    publish(lab, run, tmp_path / "published", with_diff=True)
    found = score(other, run, sources=[str(tmp_path / "published")])
    assert (statuses(found)["commit"], statuses(found)["fetched"], statuses(found)["second-copy"]) == (
        "pass",
        "pass",
        "fail",
    )
    away = score(other, run, sources=[str(tmp_path / "nowhere"), "http://127.0.0.1:1", str(tmp_path / "published")])
    assert statuses(away)["second-copy"] == "unknown"


def test_evidence_rises_with_what_was_done(lab: Lab, other: Lab, project: Project, tmp_path: Path) -> None:
    run = project.record(lab)
    assert level(score(lab, run)) == "E1"

    # a re-run of the own group counts if its metrics agree
    project.record(lab, "--parent", f"{run}:reproduces", seed=2)
    assert level(score(lab, run)) == "E1"
    own = project.record(lab, "--parent", f"{run}:reproduces")
    assert level(score(lab, run)) == "E2"
    retract(lab, own, "a test")
    assert level(score(lab, run)) == "E1"

    # another group's word without a run of its own is no reproduction
    attest(other, run, Verdict.REVIEWED)
    assert level(score(lab, run)) == "E1"
    publish(lab, run, tmp_path / "published")
    result = reproduce(other, run, [str(tmp_path / "published")], agree=lambda plan: True, python=str(project.python))
    assert result.run
    assert result.reproduced
    found = score(lab, run)
    assert (level(found), statuses(found)["rebuild"]) == ("E3", "unknown")
    # its manifest, in the other lab's store, shows that the recorded command measures
    seen = score(lab, run, sources=[str(other.home.store)])
    assert (statuses(found)["evaluation-entry"], statuses(seen)["evaluation-entry"]) == ("unknown", "pass")
    assert found.notes == ("1 other runs could not be looked at: their manifests are not here",)

    # an environment that was rebuilt for it
    rebuilt = reproduce(other, run, [str(tmp_path / "published")], agree=lambda plan: True)
    assert rebuilt.run
    seen = score(lab, run, sources=[str(other.home.store)])
    assert (level(seen), statuses(seen)["rebuild"]) == ("E3", "pass")

    # other code that finds the same
    (project.folder / "train.py").write_text("# written anew\n" + (project.folder / "train.py").read_text())
    project.commit()
    independent = project.record(other, "--parent", f"{run}:reproduces")
    attest(other, run, Verdict.REPRODUCED, evidence=independent)
    assert level(score(lab, run)) == "E3"
    seen = score(lab, run, sources=[str(other.home.store)])
    assert level(seen) == "E4"
    assert seen.evidence
    assert independent in seen.evidence.shown_by

    # evidence that was retracted is none
    retract(other, independent, "a test")
    assert level(score(lab, run, sources=[str(other.home.store)])) == "E1"


def test_a_verdict_that_its_own_evidence_contradicts_is_no_evidence(lab: Lab, other: Lab, project: Project) -> None:
    run = project.record(lab)
    wrong = project.record(other, "--parent", f"{run}:reproduces", seed=2)
    # a lab that only uses the chain doesn't make its blocks final
    assert statuses(score(other, wrong))["anchored"] == "unknown"
    lab.devnet.finalize()
    assert statuses(score(other, wrong))["anchored"] == "pass"
    attest(other, run, Verdict.REPRODUCED, evidence=wrong)
    # from here the manifest is not seen: the verdict stands on the chain
    assert level(score(lab, run)) == "E3"
    assert level(score(lab, run, sources=[str(other.home.store)])) == "E1"
    attest(other, run, Verdict.NOT_REPRODUCED, evidence=wrong)
    found = score(lab, run)
    assert level(found) == "E1"
    assert f"group {other.group()} says: not-reproduced" in found.notes


def test_a_model_and_a_result_lead_to_their_run(lab: Lab, project: Project, tmp_path: Path) -> None:
    run = project.record(lab)
    [model] = [
        one
        for one in lab.registry.find_subject(run_predicate(lab, run).outputs[0].artifact.sha256)
        if one.key.group == 1
    ]
    assert (score(lab, model.id).run, score(lab, model.id).record) == (run, model.id)
    (tmp_path / "result.txt").write_text("a result")
    result = record_document(
        lab, Kind.RESULT, tmp_path / "result.txt", name="result", parents=[Link(run, Relation.DERIVED_FROM)]
    )
    assert score(lab, result.id).run == run
    [data] = {entry.record for entry in run_predicate(lab, run).inputs if entry.name == "train.csv"}
    with pytest.raises(InputError, match="a record that came from one"):
        score(lab, data)
    with pytest.raises(InputError, match="is not stored"):
        score(lab, "ab" * 32)
    # the same model of another run is another record
    second = project.record(lab)
    assert score(lab, model.id).run == run
    parents = [Link(one, Relation.DERIVED_FROM) for one in (run, second)]
    both = record_document(lab, Kind.RESULT, tmp_path / "result.txt", name="of both", parents=parents)
    with pytest.raises(InputError, match="leads to 2 runs"):
        score(lab, both.id)


def test_a_retracted_run_says_so(lab: Lab, project: Project) -> None:
    run = project.record(lab)
    retract(lab, run, "a mistake")
    assert score(lab, run).notes == ("the run was retracted: its author does not uphold it",)


def test_a_lock_that_cannot_be_installed_is_no_rebuild(lab: Lab, project: Project) -> None:
    lock = project.folder / "requirements.lock"
    lock.write_text(re.sub(r"sha256:[0-9a-f]{64}", f"sha256:{'0' * 64}", lock.read_text()))
    project.commit()
    run = project.record(lab)
    found = score(lab, run, rebuild=True)
    assert (statuses(found)["lock"], statuses(found)["rebuild"]) == ("pass", "fail")


def test_what_a_person_is_told(lab: Lab, project: Project) -> None:
    run = project.record(lab)
    code, text = told(lab, run)
    assert code == 0
    for item in load_rubric().items:
        assert item.title in text
    found = score(lab, run)
    assert f"Documentation  {found.documentation} of 100; {found.counted('unknown')[0]} items" in text
    assert "Evidence       E1, machine-captured" in text
    assert load_rubric().digest in text
    values = json.loads(told(lab, run, "--json")[1])
    assert values.pop("recorded") is None
    assert values == {**json.loads(found.to_bytes()), "globalId": lab.domain.global_id(run)}


def test_an_empty_home_scores_from_id_chain_and_published_copy(lab: Lab, project: Project, tmp_path: Path) -> None:
    run = project.record(lab)
    publish(lab, run, tmp_path / "published")
    fresh = Lab(Home(tmp_path / "fresh"), rpc=lab.devnet.start().url, registry_address=lab.registry.address)
    found = score(fresh, run, sources=[str(tmp_path / "published")])
    assert (statuses(found)["fetched"], statuses(found)["second-copy"], level(found)) == ("pass", "fail", "E1")


def test_what_costs_most_stands_first_with_its_remedy_under_it(lab: Lab, tmp_path: Path) -> None:
    done = typed("record", "--param", "a=1", "--name", "[bold]odd[/]", "--json", home=lab.home.path)
    run = json.loads(done.stdout)["id"]
    found = score(lab, run)
    piped = typed("score", run, home=lab.home.path).stdout
    assert "\\[" not in piped
    listed = re.findall(r"^(fail|unknown|pass) +(\d+) of (\d+) ", piped, re.MULTILINE)
    order = ["fail", "unknown", "pass"]
    places = [(order.index(status), -int(weight)) for status, _, weight in listed]
    assert places == sorted(places)
    assert len(listed) == len(found.items)
    assert piped.index("Documentation  ") < piped.index(listed[0][0])
    narrow = terminal(80, "score", run, home=lab.home.path)
    assert max(map(len, narrow.splitlines())) <= 80 + len("SHA-256 ") + 64
    for text in (piped, narrow):
        told = "".join(text.split())
        for item in found.items:
            assert "".join(f"{item.title}:{item.evidence if text is piped else ''}".split()) in told
            assert item.remedy is None or "".join(f"->{item.remedy}".split()) in told


def test_what_was_only_described_is_no_more_than_declared(lab: Lab, project: Project, tmp_path: Path) -> None:
    """A commit and this machine are at hand for whoever runs `record`: that is no run."""
    (project.folder / "run.yaml").write_text(
        "schema: 1\nname: typed\nentry_point: train.py\nmetrics: {accuracy: {value: 0.9, tolerance: {absolute: 0.1}}}\n"
    )

    def typed(*arguments: str) -> str:
        with chdir(project.folder):
            done = verb("record", "--json", *arguments, home=lab.home.path)
        return str(json.loads(done.stdout)["id"])

    said = score(lab, typed("--metric", "accuracy=0.9"))
    assert said.evidence
    assert (level(said), "not seen to run" in said.evidence.shown_by) == ("E0", True)
    run = typed("--from", "run.yaml")
    assert level(score(lab, run)) == "E0"
    again = typed("--parent", f"{run}:reproduces", "--from", "run.yaml")
    assert (level(score(lab, run)), level(score(lab, again))) == ("E0", "E0")

    # the same words from a program that runs
    (project.folder / "say.py").write_text(
        "import os, shutil\nshutil.copy('run.json', os.environ['BLOCKCHAINTRACER_RUN_FILE'])\n"
    )
    (project.folder / "run.json").write_text(
        json.dumps(
            {"schema": 1, "name": "ran", "metrics": {"accuracy": {"value": 0.9, "tolerance": {"absolute": 0.1}}}}
        )
    )
    ran = typed("--parent", f"{run}:reproduces", "--", str(project.python), "say.py")
    assert (level(score(lab, ran)), level(score(lab, run))) == ("E1", "E2")


def test_a_document_is_no_data_whatever_relation_names_it(lab: Lab, project: Project, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text(f"notes {os.urandom(8).hex()}")
    document = record_document(lab, Kind.DOCUMENT, tmp_path / "notes.txt", name="notes")
    result = record_document(lab, Kind.RESULT, tmp_path / "notes.txt", name="result")
    own = record_document(lab, 200, tmp_path / "notes.txt", name="own")

    def found(*parents: str) -> dict[str, str]:
        given = [part for parent in parents for part in ("--parent", parent)]
        return statuses(score(lab, project.record(lab, *given, more={"inputs": []})))

    for parents in (
        (f"{document.id}:uses",),
        (f"{document.id}:trained-on",),
        (f"{result.id}:uses", f"{own.id}:uses"),
    ):
        assert {found(*parents)[name] for name in ("inputs-hashed", "data-described", "split-hashed")} == {"fail"}
    both = found(f"{result.id}:trained-on", f"{own.id}:evaluated-on")
    # the program reads data that no record holds
    assert (both["inputs-hashed"], both["split-hashed"]) == ("fail", "pass")


def test_without_data_a_hashed_document_lifts_no_cap(lab: Lab, project: Project, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text(f"notes {os.urandom(8).hex()}")
    document = record_document(lab, Kind.DOCUMENT, tmp_path / "notes.txt", name="notes")
    run = project.record(lab, "--parent", f"{document.id}:uses", more={"parameters": IMAGE, "inputs": []})
    project.describe_model(lab)
    publish(lab, run, tmp_path / "published")
    found = score(lab, run, sources=[str(tmp_path / "published")])
    assert sum(item.points for item in found.items) > 60
    assert (found.documentation, [cap.limit for cap in found.caps]) == (60, [60])
