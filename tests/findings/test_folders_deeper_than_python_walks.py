"""A program that was repeated made folders inside each other, 1,100 deep. The verdict was on the chain by then, but the
command ended with a RecursionError instead of telling it, and left the folders. A repository could do the same."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from blockchaintracer.core.digest import digest_bytes
from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.core.manifest import Artifact, Code, WholeFile
from blockchaintracer.extras.reproduce import rerun
from blockchaintracer.lab import git_command
from blockchaintracer.lab.capture.git import capture_git, pack_commit, restore_code
from blockchaintracer.lab.files import bytes_in, remove

pytestmark = pytest.mark.node
LEVELS = 1100
NAMED = ("-c", "user.name=A", "-c", "user.email=a@lab.example")


@pytest.fixture(autouse=True)
def _leave_nothing(tmp_path: Path) -> Iterator[None]:
    yield
    # pytest itself can't remove it
    remove(tmp_path)


def dig(folder: Path, levels: int = LEVELS) -> None:
    """Make folders inside each other, with a file of 3 bytes in the deepest."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        with suppress(FileExistsError):
            os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    file = os.open("file", os.O_WRONLY | os.O_CREAT, mode=0o600, dir_fd=here)
    os.write(file, b"abc")
    os.close(file)
    os.close(here)


def test_a_workspace_is_removed() -> None:
    with rerun.workspace(None, False, 0) as place:
        # the path of the deepest is longer than the system takes
        dig(place.output, 2100)
    assert not place.root.exists()


def test_a_link_is_removed_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("kept")
    (tmp_path / "theirs" / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "alone").symlink_to(tmp_path / "kept")
    for path in (tmp_path / "theirs", tmp_path / "alone", tmp_path / "no such thing"):
        remove(path)
    assert [*tmp_path.iterdir()] == [tmp_path / "kept"]
    assert (tmp_path / "kept" / "file").read_text() == "kept"


def test_a_link_put_in_the_place_of_a_folder_leads_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that still runs may do so while its folder is removed."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("kept")
    (tmp_path / "theirs" / "folder").mkdir(parents=True)

    def swap(*names: str, **folders: int) -> None:
        really(*names, **folders)
        os.rmdir(names[1], dir_fd=folders["dst_dir_fd"])
        os.symlink(tmp_path / "kept", names[1], dir_fd=folders["dst_dir_fd"])

    really = os.rename
    monkeypatch.setattr(os, "rename", swap)
    remove(tmp_path / "theirs")
    assert (tmp_path / "kept" / "file").read_text() == "kept"


def test_sizes_are_told(tmp_path: Path) -> None:
    dig(tmp_path)
    assert bytes_in([tmp_path]) == 3
    assert rerun._disk(tmp_path) == (3, 0)


def test_a_repository_with_deep_folders_is_captured(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    dig(tmp_path / ".git" / "refs")
    assert capture_git(tmp_path) is not None


@pytest.mark.parametrize("inside", [True, False], ids=["a repository inside", "a folder"])
def test_git_is_not_asked_about_folders_without_end(
    inside: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was, once for each of 1,500 levels: recording there took five minutes."""
    monkeypatch.setattr(git_command, "DEEPEST", 8)
    for folder in (tmp_path, *([tmp_path / "inner"] if inside else [])):
        subprocess.run(["git", "init", "-q", folder], check=True)
    dig(tmp_path / "inner" if inside else tmp_path, 6 if inside else 8)
    assert capture_git(tmp_path) is not None
    dig(tmp_path / "inner" if inside else tmp_path / "d", 9)
    with pytest.raises(InputError, match="at most 8 levels"):
        capture_git(tmp_path)


@pytest.mark.parametrize("way", ["commit", "whole file"])
@pytest.mark.parametrize("levels", [200, 201, 1100])
def test_code_of_a_stranger_is_restored_to_some_depth(way: str, levels: int, tmp_path: Path) -> None:
    """Deep files in recorded code broke what walks it, and one of 1,000 levels what makes their folders."""
    (file := tmp_path / "file").write_bytes(b"abc")
    of = Artifact.of("file", digest_bytes(b"abc"))
    code = Code(whole=(WholeFile(path="d/" * (levels - 1) + "file", executable=False, artifact=of),))
    if way == "commit":
        subprocess.run(["git", "init", "-q", theirs := tmp_path / "theirs"], check=True)
        dig(theirs, levels - 1)
        subprocess.run(["git", "add", "-A"], cwd=theirs, check=True)
        subprocess.run(["git", *NAMED, "commit", "-qm", "deep"], cwd=theirs, check=True)
        commit = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=theirs, text=True).strip()
        file.write_bytes(pack_commit(theirs, commit))
        code = Code(commit=commit, pack=Artifact.of("pack", digest_bytes(file.read_bytes())))
    if levels == 200:
        restore_code(code, lambda _: file, tmp_path / "code")
        assert (tmp_path / "code" / ("d/" * 199) / "file").read_bytes() == b"abc"
    else:
        with pytest.raises(NotVerified, match="at most 200 levels"):
            restore_code(code, lambda _: file, tmp_path / "code")
