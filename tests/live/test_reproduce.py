"""One lab publishes a run, another group repeats it: real chain, real git, real training, real processes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import sklearn

from blockchaintracer.core.errors import ContractRevert, InputError, NotVerified, StoreError
from blockchaintracer.core.manifest import Metric, Tolerance
from blockchaintracer.core.manifest.metric_comparison import compare_metrics
from blockchaintracer.core.record import Kind, Relation, Role, Verdict
from blockchaintracer.extras.reproduce.reproduce import Reproduction, reproduce
from blockchaintracer.extras.reproduce.rerun import Plan
from blockchaintracer.lab.capture.program import RUN_FILE
from blockchaintracer.lab.groups import invite, join
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.recording.content import record_path
from blockchaintracer.lab.recording.run import RunFacts, Used, finish_run, start_run
from blockchaintracer.lab.recording.run_document import load_run_document
from tests.live.ipfs.nodes import helia
from tests.support.labs import ROOT, run_predicate, second_lab

DATA = Path(sklearn.__file__).parent / "datasets" / "data" / "breast_cancer.csv"
TRAIN = '''
"""Logistic regression by gradient descent."""
import argparse, csv, json, os, time
from pathlib import Path
import numpy as np

began = time.monotonic()

parser = argparse.ArgumentParser()
parser.add_argument("--data", type=Path)
parser.add_argument("--out", type=Path)
parser.add_argument("--seed", type=int)
given = parser.parse_args()
RATE = 0.5

values = np.array(list(csv.reader(given.data.open()))[1:], dtype=float)
x, y = values[:, :-1], values[:, -1]
order = np.random.default_rng(given.seed).permutation(len(y))
train, test = order[:400], order[400:]
x = (x - x[train].mean(0)) / x[train].std(0)
weights, bias = np.zeros(x.shape[1]), 0.0
for _ in range(200):
    error = 1 / (1 + np.exp(-(x[train] @ weights + bias))) - y[train]
    weights -= RATE * x[train].T @ error / len(train)
    bias -= RATE * error.mean()
p = 1 / (1 + np.exp(-(x[test] @ weights + bias)))
given.out.mkdir(exist_ok=True)
(given.out / "model.json").write_text(json.dumps([bias, *weights.tolist()]))
(given.out / "environment.json").write_text(json.dumps(dict(os.environ)))
loss = -np.mean(y[test] * np.log(p) + (1 - y[test]) * np.log(1 - p))
Path(os.environ["BLOCKCHAINTRACER_RUN_FILE"]).write_text(json.dumps({
    "schema": 1,
    "name": "breast cancer",
    "seeds": {"split": given.seed},
    "metrics": {
        "accuracy": float(np.mean((p > 0.5) == y[test])),
        "log_loss": {"value": float(loss), "tolerance": {"relative": 1e-9}},
        "duration_s": {"value": time.monotonic() - began, "tolerance": None},
    },
    "outputs": [{"path": str(given.out.resolve() / "model.json"), "role": "model"}],
}))
'''


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=A", "-c", "user.email=a@lab.example")
    return subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


@dataclass
class Project:
    """A git repository with a training script and a lock file of numpy, and data beside it."""

    folder: Path
    data: Path
    out: Path

    def commit(self, message: str = "change") -> None:
        git(self.folder, "add", "-A")
        git(self.folder, "commit", "-qm", message)

    def edit(self, before: str, after: str) -> None:
        script = self.folder / "train.py"
        assert before in script.read_text()
        script.write_text(script.read_text().replace(before, after))

    def arguments(self, seed: int = 7) -> list[str]:
        return ["train.py", "--data", str(self.data), f"--out={self.out}", "--seed", str(seed)]

    def train(self, seed: int = 7) -> Path:
        """Trains for real; the run document."""
        file = self.folder.parent / "run.json"
        subprocess.run(
            [sys.executable, *self.arguments(seed)],
            cwd=self.folder,
            env=os.environ | {RUN_FILE: str(file)},
            check=True,
        )
        return file

    def record(self, lab: Lab, document: Path) -> str:
        """Records what stands in the repository now with the metrics of `document`; the run's id."""
        start = start_run(lab, self.folder)
        dataset = record_path(lab, Kind.DATASET, self.data, name="breast cancer")
        facts = RunFacts(
            document=load_run_document(document),
            inputs=[Used(dataset, Relation.TRAINED_ON, self.data)],
            outputs=[("model", self.out / "model.json")],
            command=[sys.executable, *self.arguments()],
            folder=self.folder,
        )
        return finish_run(lab, start, facts).id


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path / "project", tmp_path / "data" / "cells.csv", tmp_path / "out")
    made.folder.mkdir()
    made.data.parent.mkdir()
    shutil.copy(DATA, made.data)
    (made.folder / "train.py").write_text(TRAIN)
    pinned = (ROOT / "examples" / "quickstart" / "requirements.lock").read_text()
    numpy = re.search(r"^numpy==.*(?:\n    --hash.*)+", pinned, re.MULTILINE)
    assert numpy
    (made.folder / "requirements.lock").write_text(numpy[0] + "\n")
    git(made.folder, "init", "-q")
    made.commit("start")
    return made


@pytest.fixture(scope="module")
def other(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return second_lab(lab, tmp_path_factory.mktemp("other"))


def published(lab: Lab, run: str, tmp_path: Path, **options: bool) -> str:
    folder = tmp_path / "published"
    publish(lab, run, folder, **options)
    return str(folder)


def repeat(other: Lab, run: str, source: str, **options: Any) -> Reproduction:
    """Reproduces in this environment, which has the numpy of the lock."""
    options.setdefault("agree", lambda plan: True)
    return reproduce(other, run, [source], **{"python": sys.executable} | options)


def verdict_of(other: Lab, run: str) -> Verdict:
    return other.registry.verdict(other.group(), run).verdict


def verb(*arguments: str, folder: Path, home: Path, **more: str) -> tuple[int, dict[str, Any]]:
    environment = os.environ | {"BLOCKCHAINTRACER_HOME": str(home)} | more
    done = subprocess.run(
        [sys.executable, "-m", "blockchaintracer", arguments[0], "--json", *arguments[1:]],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


def test_another_group_in_another_process_reproduces_from_the_published_alone(
    lab: Lab, project: Project, tmp_path: Path
) -> None:
    home, folder = tmp_path / "second", tmp_path / "empty"
    folder.mkdir()
    code, made = verb(
        *("record", "--dataset", str(project.data), "--", sys.executable, *project.arguments()),
        folder=project.folder,
        home=lab.home.path,
    )
    run = made["id"]
    code, shown = verb("publish", run, "--to", str(tmp_path / "published"), folder=project.folder, home=lab.home.path)
    assert code == 0
    assert {one["what"] for one in shown["objects"]} == {"manifest", "group", "input", "model", "code", "lock", "proof"}
    # nothing of the lab's is left to read but what it published
    for path in (project.folder, project.data.parent, project.out):
        shutil.rmtree(path)
    other = second_lab(lab, home)
    where = ("--registry", lab.registry.address, "--rpc", lab.devnet.start().url)
    reproduce_it = ("reproduce", run, "--from", str(tmp_path / "published"), "--yes", *where)
    code, found = verb(*reproduce_it, folder=folder, home=home)
    assert (code, found["verdict"]) == (0, "reproduced")
    [environment] = (home / "environments").glob("*/complete.json")
    built = environment.stat().st_mtime_ns
    allowed = ("--allow-network", "--allow-build-network", "--memory", "4", "--processes", "500", "--timeout", "300")
    code, again = verb(*reproduce_it, "--no-attest", *allowed, folder=folder, home=home)
    assert (code, again["comparisons"][0]) == (0, found["comparisons"][0])
    # the environment was kept
    assert environment.stat().st_mtime_ns == built
    # keys stand in a manifest in alphabetical order; what a run tells without a tolerance is not compared
    assert [(row["metric"], row["within"]) for row in found["comparisons"]] == [
        ("accuracy", True),
        ("duration_s", None),
        ("log_loss", True),
    ]
    assert [row["same"] for row in found["outputs"]] == [True]
    assert not any(folder.iterdir())
    assert verdict_of(other, run) is Verdict.REPRODUCED

    original, repeated = run_predicate(lab, run), run_predicate(other, found["run"]["id"])
    event = other.registry.find_record(found["run"]["id"])
    assert event
    assert {(link.parent, link.relation) for link in event.key.parents} == {
        (run, Relation.REPRODUCES),
        (original.inputs[0].record, Relation.USES),
    }
    assert (repeated.code.commit, repeated.code.pack) == (original.code.commit, original.code.pack)
    assert (repeated.code.dirty, repeated.code.arguments) == (False, original.code.arguments)
    assert repeated.environment.lock == original.environment.lock
    # what it ran on is the rebuilt environment, not the one of this test
    assert set((repeated.environment.model_extra or {})["packages"]) == {"numpy"}
    confined = (repeated.environment.model_extra or {})["sandbox"]
    assert (confined["tool"].split()[0], confined["network"], confined["seconds"]) == ("bubblewrap", False, 3600)
    code, free = verb(*reproduce_it, "--no-attest", "--unsandboxed", folder=folder, home=home)
    assert (code, free["verdict"]) == (0, "reproduced")
    assert repeated.environment.observed == original.environment.observed == "program"
    assert repeated.experiment.additional_info
    told = repeated.experiment.additional_info["reproduction"]
    assert (told["record"], told["verdict"], len(told["metrics"])) == (run, "reproduced", 3)
    assert str(tmp_path) not in other.store.get_bytes(event.key.manifest).decode()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def test_published_on_a_web_server(lab: Lab, other: Lab, project: Project, tmp_path: Path) -> None:
    run = project.record(lab, project.train())
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=published(lab, run, tmp_path)))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        result = repeat(other, run, f"http://127.0.0.1:{server.server_port}", record=False)
    finally:
        server.shutdown()
        server.server_close()
    assert result.reproduced
    assert (result.run, result.attestation) == (None, None)
    assert verdict_of(other, run) is Verdict.NONE


def test_published_on_an_ipfs_node(lab: Lab, other: Lab, project: Project, tmp_path: Path) -> None:
    run = project.record(lab, project.train())
    with helia() as node:
        address = publish(lab, run, node).folder
        assert repeat(other, run, f"{node}/ipfs/{address.removeprefix('ipfs://')}", record=False).reproduced


def _other_seed(project: Project) -> Path:
    return project.train(seed=8)


def _other_row(project: Project) -> Path:
    rows = project.data.read_text().splitlines(keepends=True)
    project.data.write_text("".join([*rows[:300], rows[300].replace(rows[300][:3], "99.", 1), *rows[301:]]))
    document = project.train()
    project.data.write_text("".join(rows))
    return document


def _other_line(project: Project) -> Path:
    project.edit("RATE = 0.5", "RATE = 0.6")
    document = project.train()
    project.edit("RATE = 0.6", "RATE = 0.5")
    return document


@pytest.mark.parametrize("trained", [_other_seed, _other_row, _other_line])
def test_metrics_of_something_else_than_what_was_recorded(
    trained: Any, lab: Lab, other: Lab, project: Project, tmp_path: Path
) -> None:
    run = project.record(lab, trained(project))
    result = repeat(other, run, published(lab, run, tmp_path))
    assert not result.reproduced
    assert False in [row.within for row in result.comparisons]
    # this environment is not the recorded one
    assert (result.verdict, verdict_of(other, run)) == ("inconclusive", Verdict.NONE)
    result = repeat(other, run, published(lab, run, tmp_path), python=None)
    assert verdict_of(other, run) is Verdict.NOT_REPRODUCED
    assert result.run
    assert run_predicate(other, result.run.id).status == "completed"


def test_what_does_not_run_as_it_should_is_no_finding(lab: Lab, other: Lab, project: Project, tmp_path: Path) -> None:
    document = project.train()
    for before, line, words in (
        ("RATE = 0.5", "raise SystemExit(3)", "exit code 3"),
        ("RATE = 0.5", "os.kill(os.getpid(), 9)", "SIGKILL"),
        ("RATE = 0.5", "raise SystemExit(0)", "no run document"),
        ("RATE = 0.5", "__import__('time').sleep(60)", "within the 1 s"),
        ("float(loss)", "float('nan')", "no number for log_loss (nan)"),
    ):
        (project.folder / "train.py").write_text(TRAIN.replace(before, line))
        project.commit()
        run = project.record(lab, document)
        result = repeat(other, run, published(lab, run, tmp_path), timeout_s=1 if "sleep" in line else 120)
        assert result.verdict == "inconclusive"
        assert result.reason
        assert words in result.reason
        assert verdict_of(other, run) is Verdict.NONE


def test_a_missing_or_changed_object_is_no_finding(lab: Lab, other: Lab, project: Project, tmp_path: Path) -> None:
    # input and lock that the other lab has not fetched before
    project.data.write_text(project.data.read_text().replace("569,30", f"569,30,{tmp_path.name}", 1))
    lock = project.folder / "requirements.lock"
    lock.write_text(f"{lock.read_text()}# {tmp_path.name}\n")
    project.commit()
    run = project.record(lab, project.train())
    done = publish(lab, run, tmp_path / "published")
    # in the order they are fetched in: what was fetched once is not fetched again
    for what in ("manifest", "lock", "code", "input"):
        digest = next(one.sha256 for one in done.objects if one.what == what)
        path = tmp_path / "published" / "objects" / digest[:2] / digest[2:]
        whole = path.read_bytes()
        path.chmod(0o600)
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(NotVerified, match=f"{digest}.*damaged: gave {len(whole)} bytes with the SHA-256"):
            repeat(other, run, done.folder, python=None)
        path.unlink()
        with pytest.raises(StoreError, match=f"{digest}.*does not have it"):
            repeat(other, run, done.folder, python=None)
        path.write_bytes(whole)
    assert verdict_of(other, run) is Verdict.NONE


def test_refused_before_anything_is_run(lab: Lab, other: Lab, project: Project, tmp_path: Path) -> None:
    run = project.record(lab, project.train())
    source = published(lab, run, tmp_path)

    def never(plan: Plan) -> bool:
        raise AssertionError("asked for consent to something that can't be attested")

    with pytest.raises(ContractRevert, match="can't attest to its own record"):
        repeat(lab, run, source, agree=never)

    recorder = Lab(Home(tmp_path / "third"), rpc=other.rpc, registry_address=lab.registry.address)
    lab.devnet.fund(recorder.signer.address, 10**20)
    join(recorder, invite(other, other.group(), recorder.signer.address, Role.RECORDER))
    with pytest.raises(ContractRevert, match="is not a reviewer"):
        repeat(recorder, run, source, agree=never)

    dataset = run_predicate(lab, run).inputs[0].record
    with pytest.raises(InputError, match="expected a run to reproduce, got a dataset"):
        repeat(other, dataset, source, agree=never)
    with pytest.raises(InputError, match="takes your consent"):
        repeat(other, run, source, agree=lambda plan: False)


def test_without_consent_nothing_is_run(lab: Lab, other: Lab, project: Project, tmp_path: Path) -> None:
    run = project.record(lab, project.train())
    where = ("--registry", lab.registry.address, "--rpc", str(other.rpc), "--from", published(lab, run, tmp_path))
    code, error = verb("reproduce", run, *where, folder=tmp_path, home=other.home.path)
    assert code == 2
    assert "--yes" in error["hint"]
    assert verdict_of(other, run) is Verdict.NONE


def test_the_difference_is_published_on_request_and_restored(
    lab: Lab, other: Lab, project: Project, tmp_path: Path
) -> None:
    project.edit("RATE = 0.5", "RATE = 0.7")
    (project.folder / "notes.txt").write_text("a new file\n")
    run = project.record(lab, project.train())
    withheld = publish(lab, run, tmp_path / "without")
    assert "--with-diff" in withheld.left_out[0]
    with pytest.raises(StoreError, match="--with-diff"):
        repeat(other, run, withheld.folder)
    assert verdict_of(other, run) is Verdict.NONE

    result = repeat(other, run, published(lab, run, tmp_path, with_diff=True))
    assert result.reproduced
    assert result.run
    original, repeated = run_predicate(lab, run), run_predicate(other, result.run.id)
    assert original.code.diff
    assert repeated.code.diff == original.code.diff


def test_a_secret_in_the_difference_is_never_published(lab: Lab, project: Project, tmp_path: Path) -> None:
    token = "ghp" + "_0123456789abcdefghijklmnopqrstuvwxyz"
    project.edit("RATE = 0.5", f'RATE = 0.5\nAPI_TOKEN = "{token}"')
    run = project.record(lab, project.train())
    with pytest.raises(InputError, match=r"GitHub Token") as refused:
        publish(lab, run, tmp_path / "published", with_diff=True)
    assert "ghp_" not in str(refused.value)
    assert not (tmp_path / "published").exists()


def test_the_lab_s_own_folder_is_not_published_to(lab: Lab, project: Project) -> None:
    run = project.record(lab, project.train())
    for folder in (lab.home.path, lab.home.keys / "published", lab.home.store):
        with pytest.raises(InputError, match="the lab's own"):
            publish(lab, run, folder)


def test_the_recorded_input_is_used_where_the_code_has_another(
    lab: Lab, other: Lab, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.data = project.folder / "cells.csv"
    shutil.copy(DATA, project.data)
    project.commit()
    rows = project.data.read_text().splitlines(keepends=True)
    project.data.write_text("".join(rows[:-1]))
    document = project.train()
    run = project.record(lab, document)
    source = published(lab, run, tmp_path, with_diff=True)
    said: list[str] = []
    monkeypatch.setattr(other, "say", said.append)
    assert repeat(other, run, source).reproduced
    assert not any("used instead" in line for line in said)

    # the lab commits other data under the same name, but the run is recorded with what it read
    git(project.folder, "checkout", "cells.csv")
    start = start_run(lab, project.folder)
    project.data.write_text("".join(rows[:-1]))
    dataset = record_path(lab, Kind.DATASET, project.data)
    facts = RunFacts(
        document=load_run_document(document),
        inputs=[Used(dataset, Relation.TRAINED_ON, project.data)],
        outputs=[("model", project.out / "model.json")],
        command=[sys.executable, *project.arguments()],
        folder=project.folder,
    )
    run = finish_run(lab, start, facts).id
    assert repeat(other, run, published(lab, run, tmp_path)).reproduced
    assert any("cells.csv of the code is not the recorded input" in line for line in said)


def test_the_code_sees_nothing_of_whoever_runs_it(
    lab: Lab, other: Lab, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    run = project.record(lab, project.train())
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setenv("CLOUD_SECRET", "hidden-value")
    monkeypatch.setenv("BLOCKCHAINTRACER_PASSPHRASE_FILE", "/hidden-value")
    place = tmp_path / "place"
    result = repeat(other, run, published(lab, run, tmp_path), record=False, folder=place)
    assert result.workspace == str(place)
    seen = json.loads((place / "output" / "environment.json").read_text())
    assert "hidden-value" not in str(seen)
    # this project's environment tells Ape at every start of its Python where the compiler is
    own = {"SOLCX_BINARY_PATH"}
    assert set(seen) <= {
        "HOME",
        "LANG",
        "LC_CTYPE",
        "OMP_NUM_THREADS",
        "PATH",
        "PWD",
        "PYTHONNOUSERSITE",
        "TMPDIR",
        "TZ",
        RUN_FILE,
        *own,
    }
    assert seen["HOME"].startswith(str(place))
    # what can change a result is as it was recorded
    assert seen["OMP_NUM_THREADS"] == "1"


SUM = """
import json, os, sys
from pathlib import Path
folder, beside, out = map(Path, sys.argv[1:])
files = [*folder.rglob("*.txt"), beside / "c.txt", beside / "d.txt"]
(out / "parts").mkdir(parents=True)
(out / "parts" / "sum.txt").write_text(str(sum(float(file.read_text()) for file in files)))
LINK
total = float((out / "parts" / "sum.txt").read_text())
document = {"schema": 1, "name": "sum", "metrics": {"total": total}}
Path(os.environ["BLOCKCHAINTRACER_RUN_FILE"]).write_text(json.dumps(document))
"""


@pytest.mark.parametrize("link", [False, True])
def test_folders_are_restored_and_kept(link: bool, lab: Lab, other: Lab, project: Project, tmp_path: Path) -> None:
    folder, beside = tmp_path / "folder", tmp_path / "beside"
    (folder / "deep").mkdir(parents=True)
    beside.mkdir()
    files = {folder / "a.txt": 1, folder / "deep" / "b.txt": 2, beside / "c.txt": 4, beside / "d.txt": 8}
    for path, value in files.items():
        path.write_text(f"{value}.5")
    (project.folder / "sum.py").write_text(SUM.replace("LINK", ""))
    command = [sys.executable, str(project.folder / "sum.py"), str(folder), str(beside), str(project.out)]
    document = tmp_path / "run.json"
    subprocess.run(command, env=os.environ | {RUN_FILE: str(document)}, check=True)
    if link:
        script = SUM.replace("LINK", f"(out / 'parts' / 'link').symlink_to({str(beside / 'c.txt')!r})")
        (project.folder / "sum.py").write_text(script)
    project.commit()
    start = start_run(lab, project.folder)
    facts = RunFacts(
        document=load_run_document(document),
        inputs=[
            Used(record_path(lab, Kind.DATASET, path), Relation.USES, path)
            for path in (folder, beside / "c.txt", beside / "d.txt")
        ],
        outputs=[("parts", project.out / "parts")],
        command=command,
        folder=project.folder,
    )
    run = finish_run(lab, start, facts).id
    assert run_predicate(lab, run).code.arguments == ("./sum.py", "{input:0}", "{inputs}", "{output}")
    source = published(lab, run, tmp_path)
    shutil.rmtree(folder)
    result = repeat(other, run, source)
    assert result.reproduced
    assert [output.same for output in result.outputs] == [None if link else True]


def test_a_link_among_the_outputs_is_not_kept(lab: Lab, other: Lab, project: Project, tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.write_text("of whoever runs it")
    # as new as what the run writes
    os.utime(private, (time.time() + 3600,) * 2)
    document = project.train()
    project.edit(
        '(given.out / "model.json").write_text(json.dumps([bias, *weights.tolist()]))',
        f'(given.out / "model.json").symlink_to("{private}")',
    )
    project.commit()
    run = project.record(lab, document)
    result = repeat(other, run, published(lab, run, tmp_path))
    assert [output.same for output in result.outputs] == [None]
    assert result.run
    assert run_predicate(other, result.run.id).outputs == ()


@pytest.mark.parametrize(
    ("recorded", "found", "tolerance", "within"),
    [
        (1.0, 1.0, Tolerance(), True),
        (1.0, 1.0 + 2**-52, Tolerance(), False),
        (10.0, 10.5, Tolerance(absolute=0.5), True),
        (10.0, 10.6, Tolerance(absolute=0.5), False),
        (-10.0, -9.1, Tolerance(relative=0.1), True),
        (0.0, 1e-300, Tolerance(relative=0.1), False),
        (1.0, 2.0, None, None),
        (1.0, None, Tolerance(absolute=1e9), None),
        (1.0, float("nan"), Tolerance(absolute=1e9), False),
    ],
)
def test_tolerance(recorded: float, found: float | None, tolerance: Tolerance | None, within: bool | None) -> None:
    [row] = compare_metrics({"m": Metric(value=recorded, tolerance=tolerance)}, {"m": found, "n": recorded})
    assert row.within is within


def test_a_metric_that_is_missing_was_not_found() -> None:
    [row] = compare_metrics({"m": Metric(value=1.0, tolerance=Tolerance(absolute=1e9))}, {"n": 1.0})
    assert (row.found, row.within) == (None, None)


def test_a_manifest_that_is_not_of_the_record_is_refused(
    lab: Lab, other: Lab, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The input's record is looked up on the chain: a manifest can't pass other bytes off as it."""
    from blockchaintracer.lab.recording import run as operations

    honest = operations.RunInput
    monkeypatch.setattr(operations, "RunInput", lambda **given: honest(**given | {"sha256": "ab" * 32}))
    run = project.record(lab, project.train())
    monkeypatch.undo()
    with pytest.raises(NotVerified, match="contradicts the record of its input"):
        repeat(other, run, published(lab, run, tmp_path))
