"""A repository that was unpacked from an archive had filters and hooks of its own, and recording a run started them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from blockchaintracer.core.digest import sha256_file
from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.lab.capture import git as capture
from blockchaintracer.lab.capture.git import apply_diff, capture_git, held_by_git, pack_commit, restore_commit
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.trusted_homes import why_not_trusted
from tests.support.labs import ROOT, verb

pytestmark = pytest.mark.node
HOOKS = ("post-index-change", "pre-commit", "post-checkout", "reference-transaction", "fsmonitor-watchman")


def git(folder: Path, *arguments: str) -> str:
    quiet = (
        "-c",
        "core.hooksPath=/dev/null",
        "-c",
        "core.fsmonitor=false",
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
    )
    command = ["git", *quiet, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def arm(repository: Path, marks: Path, name: str) -> None:
    """Give a repository everything of git's settings that starts a program."""
    hooks = repository / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for hook in HOOKS:
        (hooks / hook).write_text(f"#!/bin/sh\ntouch {marks}/{name}-{hook}\n")
        (hooks / hook).chmod(0o755)
    touch = f"touch {marks}/{name}"
    settings = f"""
[filter "{name}"]
    clean = {touch}-clean; cat
    smudge = {touch}-smudge; cat
    required = true
[filter "{name}-process"]
    process = {touch}-process
[diff "{name}"]
    textconv = {touch}-textconv; cat
    command = {touch}-diff
[diff]
    external = {touch}-external
[merge "{name}"]
    driver = {touch}-merge
[core]
    fsmonitor = {touch}-fsmonitor
    pager = {touch}-pager
    sshCommand = {touch}-ssh
    gitProxy = {touch}-proxy
    editor = {touch}-editor
    askPass = {touch}-ask
    alternateRefsCommand = {touch}-refs
[pager]
    config = {touch}-pager
    diff-index = {touch}-pager
[alias]
    rev-parse = !{touch}-alias
    pack-objects = !{touch}-alias
[credential]
    helper = !{touch}-credential
[gpg]
    program = {touch}-gpg
[log]
    showSignature = true
[remote "origin"]
    url = ext::{touch}-transport
    uploadpack = {touch}-uploadpack
[protocol "ext"]
    allow = always
"""
    with (repository / ".git" / "config").open("a") as config:
        config.write(settings)
    (repository / ".gitattributes").write_text(f"*.csv filter={name} diff={name}\n*.bin filter={name}-process\n")


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    (tmp_path / "marks").mkdir()
    return tmp_path / "marks"


@pytest.fixture
def armed(tmp_path: Path, marks: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "theirs"
    for folder in (root, root / "sub"):
        folder.mkdir()
        git(folder, "init", "-q")
        (folder / "a.csv").write_text("1\n")
        (folder / "a.bin").write_bytes(b"\0")
        git(folder, "add", "-A")
        git(folder, "commit", "-qm", "first")
    git(root, "update-index", "--add", "--cacheinfo", f"160000,{git(root / 'sub', 'rev-parse', 'HEAD')},sub")
    git(root, "commit", "-qm", "with a submodule")
    for folder in (root, root / "sub"):
        (folder / "a.csv").write_text("2\n")
        (folder / "a.bin").write_bytes(b"\1")
        (folder / "new.csv").write_text("3\n")
    arm(root, marks, "root")
    arm(root / "sub", marks, "sub")
    monkeypatch.chdir(root)
    return root


def test_the_traps_are_live(armed: Path, marks: Path) -> None:
    """git by itself starts what the repository says."""
    subprocess.run(["git", "add", "-A"], cwd=armed, check=False, capture_output=True)
    # of one file: the submodule may end the one above before it comes to the root's filters
    subprocess.run(["git", "add", "a.bin"], cwd=armed, check=False, capture_output=True)
    subprocess.run(["git", "add", "-A"], cwd=armed / "sub", check=False, capture_output=True)
    started = {path.name for path in marks.iterdir()}
    assert {"root-fsmonitor", "root-process", "sub-fsmonitor", "sub-process"} <= started


def test_no_command_on_a_repository_starts_a_program_of_it(armed: Path, marks: Path, tmp_path: Path) -> None:
    state = capture_git(armed)
    assert state is not None
    assert state.commit is not None
    assert state.unused == ("root", "root-process")
    assert b"+2\n" in state.diff
    assert held_by_git(state, [armed / "a.csv"]) == ["a.csv"]
    (tmp_path / "pack").write_bytes(pack_commit(armed, state.commit))
    restored = restore_commit(tmp_path / "pack", state.commit, tmp_path / "restored")
    apply_diff(state.diff, restored)
    assert sha256_file(restored / "new.csv") == sha256_file(armed / "new.csv")
    assert why_not_trusted(Home(armed / ".blockchaintracer").keys.parent) is None
    assert list(marks.iterdir()) == []


def test_what_a_partial_clone_lacks_is_not_fetched(armed: Path, marks: Path) -> None:
    """Its promised objects would come by a transport that the repository names."""
    for name, value in {"extensions.partialClone": "origin", "remote.origin.promisor": "true"}.items():
        git(armed, "config", name, value)
    blob = git(armed, "rev-parse", "HEAD:a.csv")
    (armed / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(InputError):
        pack_commit(armed, "HEAD")
    assert list(marks.iterdir()) == []


def test_recording_in_it_starts_nothing(armed: Path, marks: Path, tmp_path: Path) -> None:
    for command in (["deploy", "--open"], ["group", "create", "A lab"]):
        assert verb(*command, home=tmp_path / "home").returncode == 0
    done = verb("record", "--metric", "accuracy=0.9", home=tmp_path / "home")
    assert done.returncode == 0, done.stderr
    assert "filters root, root-process" in done.stderr
    verb("verify", "a.csv", home=tmp_path / "home")
    assert list(marks.iterdir()) == []


def test_a_filter_of_the_user_is_used(armed: Path, marks: Path, tmp_path: Path, monkeypatch) -> None:
    """As Git LFS has it: its settings are the user's own, and a repository may repeat them."""
    (tmp_path / "settings").write_text('[filter "root"]\n\tclean = sed s/2/two/\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "settings"))
    state = capture_git(armed)
    assert state is not None
    assert b"+two\n" in state.diff
    assert state.unused == ("root-process",)
    assert list(marks.iterdir()) == []


def test_a_filter_with_a_name_that_cannot_be_left_out(armed: Path, marks: Path) -> None:
    git(armed, "config", "filter.a=b.clean", f"touch {marks}/strange; cat")
    (armed / ".gitattributes").write_text("*.csv filter=a=b\n")
    with pytest.raises(InputError, match="plain names of filters"):
        capture_git(armed)
    assert list(marks.iterdir()) == []


def test_a_repository_does_not_take_files_from_elsewhere(armed: Path, tmp_path: Path) -> None:
    """Its settings named the folder above as its files: all of them were recorded as changes of it."""
    (tmp_path / "private.txt").write_text("private\n")
    git(armed, "config", "core.worktree", str(tmp_path))
    with pytest.raises(InputError, match=r"core\.worktree"):
        capture_git(armed)


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """Another repository of this user."""
    root = tmp_path / "private"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    (root / "private.txt").write_text("private\n")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "private")
    return root


def _by_a_file(theirs: Path, private: Path) -> None:
    shutil.rmtree(theirs / ".git")
    (theirs / ".git").write_text(f"gitdir: {private}/.git\n")


def _by_a_link(theirs: Path, private: Path) -> None:
    shutil.rmtree(theirs / ".git")
    (theirs / ".git").symlink_to(private / ".git")


def _by_commondir(theirs: Path, private: Path) -> None:
    (theirs / ".git" / "commondir").write_text(f"{private}/.git\n")
    (theirs / ".git" / "HEAD").write_text("ref: refs/heads/main\n")


def _by_a_worktree_of_their_own(theirs: Path, private: Path) -> None:
    own = theirs / "git" / "worktrees" / "a"
    own.mkdir(parents=True)
    shutil.rmtree(theirs / ".git")
    (theirs / ".git").write_text(f"gitdir: {own}\n")
    (own / "gitdir").write_text(f"{theirs}/.git\n")
    (own / "commondir").write_text(f"{private}/.git\n")
    (own / "HEAD").write_text("ref: refs/heads/main\n")


def _by_links_inside(theirs: Path, private: Path) -> None:
    for name in ("objects", "refs"):
        shutil.rmtree(theirs / ".git" / name)
        (theirs / ".git" / name).symlink_to(private / ".git" / name)
    (theirs / ".git" / "HEAD").write_text("ref: refs/heads/main\n")


def _by_alternates(theirs: Path, private: Path) -> None:
    (theirs / ".git" / "objects" / "info" / "alternates").write_text(f"{private}/.git/objects\n")
    (theirs / ".git" / "HEAD").write_text(git(private, "rev-parse", "HEAD") + "\n")


@pytest.mark.parametrize(
    "lead",
    [_by_a_file, _by_a_link, _by_commondir, _by_a_worktree_of_their_own, _by_links_inside, _by_alternates],
)
def test_a_repository_does_not_lead_to_another(lead, armed: Path, private: Path) -> None:
    """Its `.git` led to a private repository, whose commit was packed as the code of a run in it."""
    lead(armed, private)
    with pytest.raises(InputError, match="holds its own content"):
        capture_git(armed)


def test_worktrees_and_submodules_of_the_user(private: Path, tmp_path: Path) -> None:
    git(private, "worktree", "add", "-q", str(tmp_path / "linked"))
    whole = tmp_path / "whole"
    git(tmp_path, "init", "-q", str(whole))
    git(whole, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(private), "sub")
    git(whole, "commit", "-qm", "with a submodule")
    git(
        tmp_path,
        "clone",
        "-q",
        "--separate-git-dir",
        str(tmp_path / "apart.git"),
        str(private),
        str(tmp_path / "apart"),
    )
    git(tmp_path / "apart", "config", "core.worktree", str(tmp_path / "apart"))
    commits = {name: capture_git(tmp_path / name).commit for name in ("linked", "whole/sub", "apart")}
    assert set(commits.values()) == {git(private, "rev-parse", "HEAD")}


def test_settings_that_are_included_start_nothing(armed: Path, marks: Path, tmp_path: Path) -> None:
    """A filter of a file that the repository's settings include is the repository's."""
    config = armed / ".git" / "config"
    (tmp_path / "included").write_text(config.read_text().replace("marks/root", "marks/included"))
    config.write_text(
        f'[include]\n\tpath = {tmp_path}/included\n[includeIf "gitdir:**"]\n\tpath = {tmp_path}/included\n'
    )
    assert capture_git(armed).unused == ("root", "root-process")
    assert not [*marks.iterdir()]


def test_a_small_pack_does_not_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "bomb"
    root.mkdir()
    git(root, "init", "-q")
    blob = git(root, "hash-object", "-w", "--stdin")
    entry = f"100644 blob {blob}"
    for _ in range(12):
        listed = "".join(f"{entry}\t{number}\n" for number in range(10))
        tree = subprocess.run(["git", "mktree"], cwd=root, input=listed, capture_output=True, text=True, check=True)
        entry = f"040000 tree {tree.stdout.strip()}"
    commit = git(root, "commit-tree", "-m", "a billion files", entry.split()[2])
    (tmp_path / "pack").write_bytes(pack_commit(root, commit))
    assert (tmp_path / "pack").stat().st_size < 2000
    monkeypatch.setattr(capture, "MAX_FILES", 10_000)
    with pytest.raises(NotVerified, match="at most 10,000 files"):
        restore_commit(tmp_path / "pack", commit, tmp_path / "restored")
    assert not (tmp_path / "restored").exists()


def test_git_is_started_in_one_place() -> None:
    """No other file of the package looks for git or names it as a command."""
    starts = re.compile(r"""(which|find_program|run|Popen)\(\s*\[?\s*["']git["']""")
    found = {path for path in (ROOT / "blockchaintracer").rglob("*.py") if starts.search(path.read_text())}
    assert {path.name for path in found} == {"git_command.py"}
    assert os.environ.get("GIT_DIR") is None
