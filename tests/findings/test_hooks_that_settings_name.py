"""git 2.54 starts hooks that settings name, whatever `core.hooksPath` says: recording a run in a stranger's repository
started them."""

from __future__ import annotations

import re
import subprocess
from itertools import product
from pathlib import Path

import pytest

from blockchaintracer.core.errors import InputError
from blockchaintracer.lab.capture.git import capture_git
from blockchaintracer.lab.git_command import no_programs, run_git, without_programs

pytestmark = pytest.mark.node
EVENTS = ("post-index-change", "reference-transaction", "post-checkout", "pre-commit")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    (tmp_path / "marks").mkdir()
    return tmp_path / "marks"


@pytest.fixture
def armed(tmp_path: Path, marks: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "theirs"
    root.mkdir()
    git(root, "init", "-q")
    (root / "a.py").write_text("1\n")
    git(root, "add", "a.py")
    git(root, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first")
    (root / "a.py").write_text("2\n")
    trap = '[hook "{0}.trap"]\n' + "".join(f"\tevent = {event}\n" for event in EVENTS) + "\tcommand = touch {1}/{0}\n"
    with (root / ".git" / "config").open("a") as config:
        config.write(trap.format("own", marks))
    (tmp_path / "settings").write_text(trap.format("user", marks))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "settings"))
    return root


def test_the_traps_are_live(armed: Path, marks: Path) -> None:
    if tuple(map(int, re.findall(r"\d+", git(armed, "--version"))[:2])) < (2, 54):
        pytest.skip("this git starts no hook of settings")
    git(armed, "-c", "core.hooksPath=/dev/null", "update-index", "--add", "a.py")
    assert {path.name for path in marks.iterdir()} == {"own", "user"}


def test_no_hook_of_settings_is_started(armed: Path, marks: Path) -> None:
    settings, filters = without_programs(armed)
    for given, name in product((settings, no_programs(armed)), ("own", "user")):
        told = run_git(armed, "config", "--get", f"hook.{name}.trap.enabled", settings=given).stdout
        assert told.strip() == b"false"
    assert not filters
    state = capture_git(armed)
    assert state is not None
    assert state.dirty
    assert not state.unused
    assert [*marks.iterdir()] == []


def test_a_hook_with_a_name_that_cannot_be_left_out(armed: Path, marks: Path) -> None:
    git(armed, "config", "hook.a=b.command", f"touch {marks}/strange")
    with pytest.raises(InputError, match="plain names of filters and hooks"):
        capture_git(armed)
    assert [*marks.iterdir()] == []
