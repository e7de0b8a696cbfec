"""A lock file that installs the project itself installs the recorded commit, never a live folder of its author.

`uv pip freeze` writes `-e file:///home/author/project` for an editable install: on the author's machine the verdict was
about whatever lay there, and on any other machine nothing could be installed.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from blockchaintracer.core.errors import InputError
from blockchaintracer.lab.capture.environment import rebuild_environment, requirements_from
from blockchaintracer.lab.capture.local_packages import local_package, portable_lock
from blockchaintracer.lab.capture.locks import find_lock
from blockchaintracer.lab.lab import Lab
from tests.support.labs import run_predicate, second_lab
from tests.support.studies import LIMIT_S, TELL, Study

pytestmark = pytest.mark.node

PROJECT = """
[project]
name = "study-code"
version = "1.0"
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
BACKEND = """
import os, zipfile
def build_editable(folder, config_settings=None, metadata_directory=None):
    name, info = "study_code-1.0-py3-none-any.whl", "study_code-1.0.dist-info"
    files = {
        "study_code.pth": os.path.join(os.getcwd(), "src") + "\\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\\nName: study-code\\nVersion: 1.0\\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nGenerator: study\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    record = "".join(f"{one},,\\n" for one in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            wheel.writestr(path, text)
    return name
"""


@pytest.mark.parametrize("lock", ["requirements.lock", "uv.lock"])
def test_the_project_is_installed_from_the_commit(lock: str, lab: Lab, tmp_path: Path) -> None:
    files = {"pyproject.toml": PROJECT, "backend.py": BACKEND, "src/study_code.py": "TOTAL = 5\n"}
    files["run.py"] = TELL + "import study_code\ntell(total=study_code.TOTAL)\n"
    study = Study.of(lab, tmp_path / "study", files)
    uv = str(Path(sys.executable).parent / "uv")
    python = str(tmp_path / "env" / "bin" / "python")
    for command in (
        ("venv", "--offline", str(tmp_path / "env")),
        ("pip", "install", "--offline", "--python", python, "--editable", str(study.folder)),
        ("lock", "--offline", "--project", str(study.folder)),
    ):
        subprocess.run([uv, *command], cwd=tmp_path, check=True, capture_output=True, timeout=LIMIT_S)
    frozen = subprocess.run(
        [uv, "pip", "freeze", "--python", python],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert frozen.stdout.strip() == f"-e file://{study.folder}"
    (study.folder / "requirements.lock").write_text(frozen.stdout)
    study.commit()
    run = study.record("--lock", lock, program=(python, "run.py"))
    artifact = run_predicate(lab, run).environment.lock
    assert artifact
    assert str(tmp_path) not in lab.store.get_bytes(artifact.sha256).decode()

    # what the author goes on with is nothing of this run's
    (study.folder / "src" / "study_code.py").write_text("TOTAL = 6\n")
    result = study.repeat(second_lab(lab, tmp_path / "other"), run)
    assert (result.verdict, result.reason) == ("reproduced", None)


@pytest.mark.parametrize(
    ("line", "mapped"),
    [
        ("-e file:///lab/project", "-e ."),
        ("-e file:///lab/project/sub%20folder", "-e file:./sub%20folder"),
        ("-e /lab/project/sub", "-e ./sub"),
        ("--editable=..", "-e ."),
        ("-e .", "-e ./inner"),
        ("study @ file:///lab/project/sub", "./sub"),
        ("-e .[extra]", "-e ./inner"),
        ("-e file:///lab/another", None),
        ("-e git+https://host.example/lab/project@0123abc#egg=project", None),
        ("study==1.0", None),
        ("study @ https://host.example/study.whl", None),
    ],
)
def test_folders_are_named_from_the_root_of_the_repository(line: str, mapped: str | None) -> None:
    text = f"# made by a tool\n{line}\nother==2.0\n"
    portable = portable_lock(text, Path("/lab/project/inner"), Path("/lab/project"))
    assert portable == text.replace(line, line if mapped is None else mapped)


@pytest.mark.parametrize(
    "line", ["-e file:///home/author/project", "-e ../beside", "/home/author/project", "-e ./link"]
)
def test_no_other_folder_is_installed(line: str, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "link").symlink_to("..")
    lock = tmp_path / "requirements.lock"
    lock.write_text(f"{line}\n")
    assert local_package(line)
    with pytest.raises(InputError, match="packages of a version each"):
        rebuild_environment(lock, tmp_path / "env", project=tmp_path / "code")


@pytest.mark.parametrize("place", ['path = "here.whl"', 'url = "file:///home/author/here.whl"'])
def test_a_pylock_names_no_file_of_its_author(place: str, tmp_path: Path) -> None:
    lock = tmp_path / "pylock.toml"
    wheels = f'wheels = [{{{place}, hashes = {{md5 = "0"}}}}]'
    lock.write_text(f'lock-version = "1.0"\n[[packages]]\nname = "evil"\nversion = "1"\n{wheels}\n')
    with pytest.raises(InputError, match="evil"):
        requirements_from(lock)


def test_a_requirements_file_with_the_project_in_it_is_a_lock(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("-e .\nother==2.0\n")
    assert find_lock(tmp_path) == tmp_path / "requirements.txt"
