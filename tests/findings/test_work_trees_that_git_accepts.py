"""Every work tree that git accepts is recorded, byte for byte, whatever the user's settings say.

`core.safecrlf`, and a required filter that is not installed, stopped the record; `GIT_DIFF_OPTS` and
`diff.suppressBlankEmpty` changed it; files with `ident` came back as other bytes; and the difference of a binary of
40 MB had 103 MB.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.digest import digest_bytes
from blockchaintracer.core.manifest import Artifact, Code, WholeFile
from blockchaintracer.lab.capture import git as capture
from blockchaintracer.lab.capture.git import GitState, capture_git, pack_commit, restore_code
from blockchaintracer.lab.capture.secret_masking import public_remote

pytestmark = pytest.mark.node

USERS = """[user]
name = A
email = a@lab.example
[init]
defaultBranch = main
"""


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "settings"))
    (tmp_path / "settings").write_text(USERS)
    root = tmp_path / "repo"
    root.mkdir()
    git(root, "init", "-q")
    (root / "a.txt").write_text("one\n\ntwo\n")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "one")
    return root


def captured(root: Path) -> GitState:
    state = capture_git(root)
    assert state
    return state


def files(root: Path) -> dict[str, tuple[bytes, int]]:
    found = [path for path in root.rglob("*") if path.is_file() and ".git" not in path.relative_to(root).parts]
    return {str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mode & 0o100) for path in found}


def restored(state: GitState, target: Path) -> dict[str, tuple[bytes, int]]:
    kept: dict[str, Path] = {}

    def artifact(data: bytes) -> Artifact:
        made = Artifact.of("x", digest_bytes(data))
        (target.parent / made.sha256).write_bytes(data)
        kept[made.sha256] = target.parent / made.sha256
        return made

    whole = [
        WholeFile(path=name, executable=bool(it and it[1]), artifact=artifact(it[0]) if it else None)
        for name, it in state.whole.items()
    ]
    parts: dict[str, Any] = {"diff": artifact(state.diff)} if state.diff else {}
    pack = artifact(pack_commit(state.root, str(state.commit)))
    restore_code(Code(commit=state.commit, pack=pack, whole=tuple(whole), **parts), kept.__getitem__, target)
    return files(target)


def test_line_ends_come_back_whatever_is_safe_for_git(repo: Path, tmp_path: Path) -> None:
    with (tmp_path / "settings").open("a") as settings:
        settings.write("[core]\nsafecrlf = true\nautocrlf = input\n")
    (repo / ".gitattributes").write_text("*.txt text\n")
    (repo / "a.txt").write_bytes(b"one\r\n\r\ntwo\r\n")
    (repo / "new.txt").write_bytes(b"x\r\n")
    assert restored(captured(repo), tmp_path / "restored") == files(repo)


def test_a_required_filter_that_is_not_here_stops_nothing(repo: Path, tmp_path: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"
    (repo / ".gitattributes").write_text("*.bin filter=lfs -text\n")
    (repo / "old.bin").write_text(pointer)
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "two")
    with (tmp_path / "settings").open("a") as settings:
        settings.write('[filter "lfs"]\nclean = absent-lfs clean\nprocess = absent-lfs process\nrequired = true\n')
    (repo / "old.bin").write_bytes(b"content\0")
    (repo / "new.bin").write_bytes(b"new\0")
    state = captured(repo)
    assert state.dirty
    assert restored(state, tmp_path / "restored") == files(repo)


def test_files_that_git_writes_into_come_back_as_they_are(repo: Path, tmp_path: Path) -> None:
    (repo / ".gitattributes").write_text("*.txt ident\n")
    (repo / "a.txt").write_text("$Id$\n")
    (repo / "b.txt").write_text("$Id: of another time $\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "two")
    assert restored(captured(repo), tmp_path / "restored") == files(repo)
    git(repo, "rm", "-q", "--cached", "a.txt", "b.txt")
    git(repo, "reset", "-q", "--hard")
    assert not captured(repo).dirty


def test_large_files_are_kept_whole(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("grown.bin", "gone.bin", "shrunk.bin", "small.bin")
    for number, name in enumerate(names):
        (repo / name).write_bytes(bytes([number, 1, 0]) * (500 << 10))
    (repo / "small.bin").write_bytes(b"\0")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "two")
    (repo / "grown.bin").write_bytes(bytes(range(256)) * (8 << 10))
    (repo / "grown.bin").chmod(0o755)
    (repo / "gone.bin").unlink()
    (repo / "shrunk.bin").write_bytes(b"\0")
    (repo / "small.bin").write_bytes(b"\1\0")
    (repo / "new.bin").write_bytes(bytes(2 << 20))
    state = captured(repo)
    assert set(state.whole) == {"grown.bin", "gone.bin", "shrunk.bin", "new.bin"}
    assert (state.whole["gone.bin"], len(state.diff) < 1000) == (None, True)
    assert restored(state, tmp_path / "restored") == files(repo)
    monkeypatch.setattr(capture, "WHOLE_LIMIT", 1 << 20)
    limited = captured(repo)
    assert (limited.omitted, limited.dirty) == (("grown.bin", "new.bin"), True)


def test_a_difference_that_does_not_apply_is_not_what_is_recorded(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repo / "a.txt").write_text("three\n")
    monkeypatch.setattr(capture, "_applies", lambda run, base, diff: not diff)
    state = captured(repo)
    assert (state.diff, dict(state.whole)) == (b"", {"a.txt": (b"three\n", False)})
    assert restored(state, tmp_path / "restored") == files(repo)


def test_the_users_variables_and_settings_change_nothing(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repo / "a.txt").write_text("one\n\nthree\n")
    (repo / "b.csv").write_text("x\n")
    before = captured(repo)
    (tmp_path / "attributes").write_text("* binary -diff\n")
    with (tmp_path / "settings").open("a") as settings:
        settings.write(
            f"[core]\nattributesFile = {tmp_path}/attributes\nwhitespace = cr-at-eol\n"
            "[diff]\nsuppressBlankEmpty = true\nnoprefix = true\ncontext = 0\n"
            "algorithm = histogram\nexternal = false\nignoreSubmodules = all\n"
        )
    variables = {"DIFF_OPTS": "-u0", "EXTERNAL_DIFF": "false", "LITERAL_PATHSPECS": "1", "DEFAULT_HASH": "sha256"}
    variables |= {"NAMESPACE": "x", "CONFIG_PARAMETERS": "'core.bare'='true'", "OBJECT_DIRECTORY": str(tmp_path)}
    for name, value in variables.items():
        monkeypatch.setenv(f"GIT_{name}", value)
    assert captured(repo) == before


@pytest.mark.parametrize(
    "url", ["C:\\Users\\alice\\repo", "C:/Users/alice/repo", "me@host:\\Users\\alice", "\\\\nas\\alice"]
)
def test_a_place_on_windows_is_no_remote(url: str) -> None:
    assert public_remote(url) is None
