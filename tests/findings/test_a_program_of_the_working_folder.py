"""A cloned repository brought a `node_modules` with an anvil of its own, and `verify` started it."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from blockchaintracer.core.errors import InputError
from blockchaintracer.lab.devnet.install import find_anvil, package
from blockchaintracer.lab.programs import find_program
from tests.support.labs import shared_lab, verb

pytestmark = pytest.mark.node


def planted(path: Path, marker: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\ntouch {marker}\nexit 1\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "clone"
    folder.mkdir()
    subprocess.run(["git", "init", "-q", folder], check=True)
    monkeypatch.chdir(folder)
    return folder


def test_verify_starts_no_program_of_a_repository(clone: Path, tmp_path: Path) -> None:
    started = tmp_path / "started"
    planted(clone / package() / "bin" / "anvil", started)
    for name in ("anvil", "git", "uv", "node"):
        planted(clone / name, started)
    (clone / "data.csv").write_text("1\n")
    path = os.pathsep.join([".", "", str(clone), os.environ["PATH"]])
    verb("verify", "data.csv", home=tmp_path / "home", PATH=path)
    verb("record", "--dataset", "data.csv", home=tmp_path / "home", PATH=path)
    assert not started.exists()


@pytest.mark.parametrize("entry", ["clone", "clone/bin", ".", "", "bin", "../clone/bin", "link"])
def test_no_entry_of_path_leads_into_the_working_tree(clone: Path, tmp_path: Path, monkeypatch, entry: str) -> None:
    for folder in (clone, clone / "bin"):
        planted(folder / "tool", tmp_path / "started")
    (tmp_path / "link").symlink_to(clone / "bin")
    absolute = entry.startswith("clone") or entry == "link"
    monkeypatch.setenv("PATH", str(tmp_path / entry) if absolute else entry)
    assert find_program("tool") is None
    # from a folder inside the repository, too
    (clone / "src").mkdir()
    monkeypatch.chdir(clone / "src")
    assert find_program("tool") is None


def test_a_name_with_a_folder_in_it_is_no_program(clone: Path, tmp_path: Path) -> None:
    """What a run document of a clone calls its entry point is not started to ask it for its environment."""
    tool = planted(clone / "python-env", tmp_path / "started")
    assert find_program("./python-env") is None
    assert find_program(str(tool)) is None
    document = {"schema": 1, "name": "run", "entry_point": "./python-env", "metrics": {"m": {"value": 1}}}
    (clone / "run.json").write_text(json.dumps(document))
    with shared_lab(tmp_path) as lab:
        done = verb("record", "--from", "run.json", home=lab.home.path)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "started").exists()


def test_a_bare_repository_among_the_files_starts_nothing(clone: Path, tmp_path: Path, monkeypatch) -> None:
    from blockchaintracer.lab.capture.git import capture_git

    inner = clone / "experiment"
    subprocess.run(["git", "init", "-q", "--bare", inner], check=True)
    (inner / "config").write_text(
        f"[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = .\n"
        f'[filter "x"]\n\tclean = touch {tmp_path}/started; cat\n[core]\n\tfsmonitor = touch {tmp_path}/started\n'
    )
    (inner / ".gitattributes").write_text("*.csv filter=x\n")
    (inner / "data.csv").write_text("1\n")
    with suppress(InputError):
        capture_git(inner)
    assert not (tmp_path / "started").exists()


def test_what_the_user_installed_is_found(clone: Path, tmp_path: Path, monkeypatch) -> None:
    tool = planted(tmp_path / "bin" / "tool", tmp_path / "started")
    monkeypatch.setenv("PATH", f"relative:{clone}:{tool.parent}")
    assert find_program("tool") == str(tool)
    found = find_anvil()
    assert found is not None
    assert not found.is_relative_to(clone)


def test_a_home_folder_is_the_users_own(tmp_path: Path, monkeypatch) -> None:
    """Also where it is under git, as a folder of settings may be."""
    tool = planted(tmp_path / ".local" / "bin" / "tool", tmp_path / "started")
    (tmp_path / ".git").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tool.parent))
    monkeypatch.chdir(tmp_path)
    assert find_program("tool") == str(tool)
    # where nothing is a stranger's tree, a relative entry still is no place that somebody chose
    monkeypatch.setenv("PATH", ".local/bin")
    assert find_program("tool") is None
    # a project unpacked below it is a stranger's all the same
    project = tmp_path / "project"
    monkeypatch.setenv("PATH", str(planted(project / "bin" / "tool", tmp_path / "started").parent))
    monkeypatch.chdir(project)
    assert find_program("tool") is None
