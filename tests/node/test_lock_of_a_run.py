"""A run without a lock file gets one of what its interpreter had, from which another group rebuilds it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from blockchaintracer.lab.capture.locks import COMPLETE
from blockchaintracer.lab.capture.made_lock import make_lock
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.publish import publish
from tests.findings.test_a_lock_that_installs_a_folder import BACKEND, PROJECT
from tests.support.labs import run_predicate, second_lab
from tests.support.studies import LIMIT_S, TELL, Study, git, typed

pytestmark = pytest.mark.node

UV = str(Path(sys.executable).parent / "uv")


def test_a_run_is_repeated_from_the_lock_that_was_made(lab: Lab, tmp_path: Path) -> None:
    files = {"pyproject.toml": PROJECT, "backend.py": BACKEND, "src/study_code.py": "TOTAL = 5\n"}
    files |= {"run.py": TELL + "import study_code\ntell(total=study_code.TOTAL)\n", ".gitignore": ".venv\n"}
    study = Study.of(lab, tmp_path / "study", files)
    git(study.folder, "rm", "-q", "requirements.lock")
    study.commit()
    python = str(study.folder / ".venv" / "bin" / "python")
    for command in (
        ("venv", "--offline", str(study.folder / ".venv")),
        ("pip", "install", "--offline", "--python", python, "--editable", str(study.folder)),
    ):
        subprocess.run([UV, *command], cwd=tmp_path, check=True, capture_output=True, timeout=LIMIT_S)
    done = typed("record", "--json", "--", ".venv/bin/python", "run.py", home=lab.home.path, folder=study.folder)
    assert done.returncode == 0, done.stderr
    assert "a lock file is made, from 1 package of" in done.stderr
    run = str(json.loads(done.stdout)["id"])
    said = run_predicate(lab, run)
    assert said.environment.lock_from == "made"
    assert said.environment.lock
    text = lab.store.get_bytes(said.environment.lock.sha256).decode()
    # the packages are those of the interpreter that ran, and the work tree is as it was
    assert text.startswith(COMPLETE)
    assert text.splitlines()[1:] == ["-e ."]
    assert (said.environment.model_extra or {})["packages"] == {"study-code": "1.0"}
    assert (said.environment.model_extra or {})["sources"] == {"study-code": "-e ."}
    assert not said.code.dirty
    assert not (study.folder / "requirements.lock").exists()

    (study.folder / "src" / "study_code.py").write_text("TOTAL = 6\n")
    result = study.repeat(second_lab(lab, tmp_path / "other"), run)
    assert (result.verdict, result.reason) == ("reproduced", None)


def test_an_interpreter_that_can_not_be_read_lends_nothing_of_ours(lab: Lab, tmp_path: Path) -> None:
    study = Study.of(lab, tmp_path / "study", {"python": "#!/bin/sh\nexit 0\n"})
    (study.folder / "python").chmod(0o755)
    study.commit()
    done = typed("record", "--json", "--param", "a=1", "--", "./python", home=lab.home.path, folder=study.folder)
    assert done.returncode == 0, done.stderr
    assert "the Python of ./python is not known, nor are its packages" in done.stderr
    assert not run_predicate(lab, str(json.loads(done.stdout)["id"])).environment.model_extra


def test_an_editable_checkout_is_named_by_its_commit(tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "python").mkdir(parents=True)
    (other / "python" / "x.py").touch()
    git(other, "init", "-q")
    git(other, "add", "-A")
    git(other, "commit", "-qm", "x")
    git(other, "remote", "add", "origin", "git@host.example:lab/other.git")
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=other, capture_output=True, text=True, check=True, timeout=LIMIT_S
    )
    origin = {"url": (other / "python").as_uri(), "dir_info": {"editable": True}}
    environment = {"packages": {"x": "1.0"}, "direct": {"x": origin}}
    line = f"x @ git+https://host.example/lab/other.git@{head.stdout.strip()}#subdirectory=python"
    assert make_lock(environment, tmp_path / "study", sys.executable).sources == {"x": line}
    (other / "python" / "x.py").write_text("changed = True\n")
    changed = make_lock(environment, tmp_path / "study", sys.executable)
    assert changed.sources == {"x": f"a folder outside of the recorded code, changed since {line}"}
    assert changed.data.decode().count("\n") == 1


def test_what_is_open_is_resolved_and_of_several_one_is_chosen(lab: Lab, tmp_path: Path) -> None:
    study = Study.of(lab, tmp_path / "study", {"requirements.txt": "absent-here\n", "run.py": TELL + "tell(total=5)\n"})
    git(study.folder, "rm", "-q", "requirements.lock")
    study.commit()
    subprocess.run([UV, "venv", "--offline", str(tmp_path / "env")], check=True, capture_output=True, timeout=LIMIT_S)
    program = ("--", str(tmp_path / "env" / "bin" / "python"), "run.py")

    def record(*options: str) -> subprocess.CompletedProcess[str]:
        return typed("record", "--json", *options, *program, home=lab.home.path, folder=study.folder)

    done = record()
    assert "requirements.txt is recorded as resolved, from 0 packages" in done.stderr, done.stderr
    environment = run_predicate(lab, str(json.loads(done.stdout)["id"])).environment
    assert environment.lock_from == "resolved"
    assert environment.lock
    assert environment.requirements
    assert lab.store.get_bytes(environment.requirements.sha256) == b"absent-here\n"
    assert lab.store.get_bytes(environment.lock.sha256).decode().startswith(COMPLETE)
    published = publish(lab, json.loads(done.stdout)["id"], tmp_path / "published").objects
    assert environment.requirements.sha256 in {one.sha256 for one in published if one.what == "requirements"}

    for name in ("uv.lock", "requirements.lock"):
        (study.folder / name).touch()
    done = record()
    assert done.returncode == 2
    assert "got requirements.lock, uv.lock" in done.stderr + done.stdout
    assert record("--lock", "requirements.lock").returncode == 0


def test_a_python_that_is_not_here_is_named_before_anything_is_built(lab: Lab, tmp_path: Path) -> None:
    study = Study.of(lab, tmp_path / "study", {"run.py": TELL + "tell(total=5)\n"})
    python = tmp_path / "python3.99"
    change = """sed 's/"version": "3[0-9.]*"/"version": "3.99.1"/'"""
    real = sys.executable
    python.write_text(f'#!/bin/sh\nif [ "$1" = -c ]; then {real} "$@" | {change}; else exec {real} -I "$@"; fi\n')
    python.chmod(0o755)
    other = second_lab(lab, tmp_path / "other")
    result = study.repeat(other, study.record(program=(str(python), "run.py")), record=False)
    assert result.verdict == "inconclusive"
    assert "the run had Python 3.99.1, and no Python 3.99 is here" in str(result.reason)
    assert not list(other.home.environments.glob("*/venv"))


def test_a_lock_of_another_tool_is_recorded_and_undecided(lab: Lab, tmp_path: Path) -> None:
    study = Study.of(lab, tmp_path / "study", {"run.py": TELL + "tell(total=5)\n", "renv.lock": "{}"})
    other = second_lab(lab, tmp_path / "other")
    run = study.record("--lock", "renv.lock", program=(sys.executable, "run.py"))
    assert run_predicate(lab, run).environment.lock_from == "given"
    result = study.repeat(other, run, record=False)
    assert result.verdict == "inconclusive"
    assert "renv.lock is a lock file of Rscript, which is" in str(result.reason)
    image = f"host.example/lab/python@sha256:{'a' * 64}"
    run = study.record("--image", image, "--lock", "requirements.lock", program=(sys.executable, "run.py"))
    assert run_predicate(lab, run).environment.image == image
    result = study.repeat(other, run, record=False)
    assert result.verdict == "inconclusive"
    assert f"the run was in the container {image}" in str(result.reason)
