"""The code of submodules and nested clones is recorded and comes back; what a run wrote over makes it not dirty.

A changed submodule counted as clean and was lost, a clone inside stopped the record, and the file that a redirect or
the last run had left made a run that nobody could repeat without the difference.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import pytest

from blockchaintracer.lab.capture.git import capture_git, held_by_git, restore_code, without_new_files
from blockchaintracer.lab.capture.reads import Observation, leftovers
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.recording.request import Request, record_request
from tests.support.labs import run_predicate, shared_lab

pytestmark = pytest.mark.node


def git(folder: Path, *arguments: str) -> None:
    settings = ["user.name=A", "user.email=a@lab.example", "protocol.file.allow=always", "init.defaultBranch=main"]
    command = ["git", *(part for setting in settings for part in ("-c", setting)), *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def repository(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True)
    git(folder, "init", "-q")
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "one")
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    library = repository(tmp_path / "library", lib="X = 1\n")
    root = repository(tmp_path / "project", train="import lib\n")
    git(root, "submodule", "--quiet", "add", str(library), "lib")
    git(root, "commit", "-qm", "with a submodule")
    return root


def files(root: Path) -> dict[str, bytes]:
    found = [path for path in root.rglob("*") if path.is_file() and ".git" not in path.parts]
    return {str(path.relative_to(root)): path.read_bytes() for path in found if "__pycache__" not in path.parts}


def test_changed_submodules_and_clones_are_recorded_and_restored(project: Path, tmp_path: Path) -> None:
    clean = capture_git(project)
    assert clean
    assert (clean.diff, [(at, state.diff) for at, state in clean.nested]) == (b"", [("lib", b"")])
    (project / "lib" / "lib.py").write_text("X = 2\n")
    repository(project / "deep" / "clone", other="Y = 1\n")
    (project / "deep" / "clone" / "new.py").write_text("Y = 2\n")
    (project / "begun").mkdir()
    git(project / "begun", "init", "-q")
    (project / "begun" / "note.py").write_text("Z = 1\n")
    state = capture_git(project)
    assert state
    assert [at for at, _ in state.nested] == ["begun", "deep/clone", "lib"]
    assert held_by_git(state, [project / "deep" / "clone" / "new.py"]) == ["deep/clone/new.py"]
    with shared_lab(tmp_path) as lab, chdir(project):
        program = [sys.executable, "-c", "print(1)"]
        recorded, _ = record_request(lab, Request(metrics=["a=1"], program=program), lambda count: None)
        code = run_predicate(lab, recorded[-1].id).code
        assert [nested.dirty for nested in code.nested or ()] == [True, True, True]
        restore_code(code, lab.store.path_of, tmp_path / "restored")
        # a difference may hold what is not for others
        published = publish(lab, recorded[-1].id, tmp_path / "published")
        assert not {diff.sha256 for diff in code.diffs} & {entry.sha256 for entry in published.objects}
    assert files(tmp_path / "restored") == files(project)


def test_a_repository_inside_that_leads_elsewhere_is_named(project: Path, tmp_path: Path) -> None:
    private = repository(tmp_path / "private", secret="x = 1\n")
    (project / "clone").mkdir()
    (project / "clone" / ".git").write_text(f"gitdir: {private}/.git\n")
    state = capture_git(project)
    assert state
    assert state.dirty
    assert ("clone" in state.omitted, [at for at, _ in state.nested]) == (True, ["lib"])


def test_what_the_last_run_left_is_named_and_no_part_of_the_code(project: Path, tmp_path: Path) -> None:
    (project / "train.py").write_text("open('state.txt').read(); open('state.txt', 'w'); open('result ü.txt', 'w')\n")
    git(project, "commit", "-qam", "two")
    for name in ("state.txt", "result ü.txt", "notes.txt"):
        (project / name).write_text("of the last run\n")
    state = capture_git(project)
    assert state
    observation = Observation(tmp_path / "reads")
    with (project / "shown.txt").open("w") as out:
        subprocess.run([sys.executable, "train.py"], cwd=project, env=observation.variables({}), stdout=out, check=True)
    left = leftovers(state, observation.seen())
    assert left == ("result ü.txt",)
    diff = without_new_files(state.diff, left)
    assert diff
    assert b"notes.txt" in diff
    assert b"state.txt" in diff
    assert b"result" not in diff
    assert without_new_files(diff, ("notes.txt", "state.txt")) == b""


def test_a_redirect_leaves_a_clean_tree(project: Path) -> None:
    script = (
        "from blockchaintracer.lab.capture.git import capture_git; "
        "from blockchaintracer.lab.capture.reads import leftovers; print(leftovers(capture_git('.'), None))"
    )
    with (project / "result.txt").open("w") as out:
        subprocess.run([sys.executable, "-c", script], cwd=project, stdout=out, check=True)
    assert (project / "result.txt").read_text() == "('result.txt',)\n"
