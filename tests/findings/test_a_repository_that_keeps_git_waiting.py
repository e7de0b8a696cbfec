"""git reads more than the files of `.git` itself: a FIFO that a setting names, in a folder of the working tree, or
among the objects kept it waiting for an hour, also in `verify` from a home inside such a repository."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from blockchaintracer.core.errors import InputError
from blockchaintracer.lab import git_command
from blockchaintracer.lab.capture.git import capture_git
from blockchaintracer.lab.trusted_homes import trust, why_not_trusted

pytestmark = pytest.mark.node


def setting(text: str) -> Callable[[Path], None]:
    def arm(top: Path) -> None:
        with (top / ".git" / "config").open("a") as config:
            config.write(text)
        os.mkfifo(top / "pipe")

    return arm


def at(place: str) -> Callable[[Path], None]:
    def arm(top: Path) -> None:
        (top / place).parent.mkdir(parents=True, exist_ok=True)
        (top / place).unlink(missing_ok=True)
        os.mkfifo(top / place)

    return arm


def included_twice(top: Path) -> None:
    (top / "one").write_text("[include]\n\tpath = sub/../two\n[core]\n\teditor = ./one\n")
    (top / "sub").mkdir()
    (top / "two").write_text("[include]\n\tpath = one\n\tpath = pipe\n")
    setting("[include]\n\tpath = ../one\n")(top)


def by_a_file(top: Path) -> None:
    """`.git` is a file that leads to a folder, and that one's `commondir` to another."""
    (top / ".git").rename(top / "common")
    (top / "own").mkdir()
    (top / "own" / "HEAD").write_text("ref: refs/heads/main\n")
    (top / "own" / "commondir").write_text("../common\n")
    (top / ".git").write_text("gitdir: own\n")
    at("common/config")(top)


def in_a_submodule(top: Path) -> None:
    inner = top / "folder" / "inner"
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", "init", "-q", inner], check=True, timeout=60)
    subprocess.run(["git", *identity, "commit", "-q", "--allow-empty", "-m", "it"], cwd=inner, check=True, timeout=60)
    subprocess.run(["git", "add", "folder/inner"], cwd=top, check=True, timeout=60, stderr=subprocess.DEVNULL)
    with (inner / ".git" / "config").open("a") as config:
        config.write("[include]\n\tpath = ../../../pipe\n")
    os.mkfifo(top / "pipe")


TRAPS = {
    "include": setting("[include]\n\tpath = ../pipe\n"),
    "include under a condition": setting('[includeIf "gitdir:**"]\n\tpath = "../pi\\\npe" ; no comment\n'),
    "include of an include": included_twice,
    "excludesFile": setting("[core]\n\texcludesFile = ../pipe\n"),
    "attributesFile": setting("[core]\n\tattributesFile = ../pipe\n"),
    "rules in a folder": at("sub/deeper/.gitignore"),
    "attributes in a folder": at("sub/.gitattributes"),
    "an object": at(".git/objects/ab/" + "cd" * 19),
    "by a file": by_a_file,
    "a repository inside": at("folder/inner/.git/HEAD"),
    "settings of a submodule": in_a_submodule,
}
OF_THE_TREE = (
    "a repository inside",
    "settings of a submodule",
    "excludesFile",
    "attributesFile",
    "rules in a folder",
    "attributes in a folder",
    "an object",
)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # where it is not refused, git waits no longer than this
    monkeypatch.setattr(git_command, "_SECONDS", 20)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    top = tmp_path / "code"
    subprocess.run(["git", "init", "-q", top], check=True, timeout=60)
    (top / "sub").mkdir()
    (top / "sub" / "file").write_text("content")
    (top / "sub").rename(top / "folder")
    return top


@pytest.mark.parametrize("name", TRAPS)
def test_it_is_refused_before_git_starts(repository: Path, name: str) -> None:
    assert capture_git(repository) is not None
    TRAPS[name](repository)
    with pytest.raises(InputError, match="got a FIFO or a device"):
        capture_git(repository / "folder")


@pytest.mark.parametrize("name", [name for name in TRAPS if name not in OF_THE_TREE])
def test_a_home_inside_it_does_not_wait(repository: Path, name: str) -> None:
    home = repository / ".blockchaintracer"
    home.mkdir()
    trust(home)
    assert why_not_trusted(home) is None
    TRAPS[name](repository)
    assert "tracked by git" in (why_not_trusted(home) or "")


def test_what_git_ignores_is_not_looked_through(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = ("git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "it")
    (repository / ".gitignore").write_text(".venv/\n/kept/\n/gone/\n")
    for name in ("kept", "gone"):
        (repository / name).mkdir()
        (repository / name / "file").write_text("content")
    subprocess.run(["git", "add", "-f", "folder", "kept", "gone"], cwd=repository, check=True, timeout=60)
    subprocess.run(commit, cwd=repository, check=True, timeout=60)
    subprocess.run(["git", "rm", "-q", "-r", "--cached", "gone"], cwd=repository, check=True, timeout=60)
    (repository / "folder" / ".gitignore").write_text("[i]nner\n")
    for place in (".venv", ".venv/lib/source", "folder/inner", "folder/:(top)", "folder/seen"):
        subprocess.run(["git", "init", "-q", repository / place], check=True, timeout=60)
    before = capture_git(repository)
    # a repository inside that git ignores is no more recorded than an ignored file
    assert before is not None
    assert sorted(name for name, _ in before.nested) == ["folder/:(top)", "folder/seen"]
    looked_at: list[str] = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: looked_at.append(str(path)) or scandir(path))
    at(".venv/lib/.gitignore")(repository)
    at("folder/inner/.git/HEAD")(repository)
    assert capture_git(repository) == before
    assert not [path for path in looked_at if ".venv" in path or "inner" in path]
    for place in ("kept", "gone"):
        # ignored by a rule, but git looks there
        at(f"{place}/.gitattributes")(repository)
        with pytest.raises(InputError, match="got a FIFO or a device"):
            capture_git(repository)
        (repository / place / ".gitattributes").unlink()


def test_settings_that_name_no_fifo_are_no_trap(repository: Path) -> None:
    setting("[include]\n\tpath = ../nothing\n[a]\n\tb = " + "x" * 5000 + "\n\tc = /dev/null\n\td = ~nobody/x\n")(
        repository
    )
    (repository / "pipe").unlink()
    assert capture_git(repository) is not None
