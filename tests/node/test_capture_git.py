"""Capturing and restoring code, with real repositories."""

import os
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.core.manifest import Artifact, Code, NestedCode
from blockchaintracer.lab.capture import git
from blockchaintracer.lab.capture.git import apply_diff, capture_git, changed_files, pack_commit, restore_commit
from blockchaintracer.lab.capture.secret_masking import scan_secrets
from blockchaintracer.lab.plain_text import named
from blockchaintracer.lab.recording.repeatable import not_committed
from blockchaintracer.lab.store.store import Store


@pytest.fixture(autouse=True)
def _plain_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "A Person")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "person@lab.example")
        monkeypatch.setenv(f"GIT_{who}_DATE", "2026-01-02T03:04:05Z")
    return


def run(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    root.mkdir()
    run(root, "init", "-q")
    (root / "train.py").write_text("print('one')\n")
    (root / "pkg").mkdir()
    (root / "pkg/data.bin").write_bytes(bytes(range(256)))
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / ".gitignore").write_text("*.log\n")
    run(root, "add", "-A")
    run(root, "commit", "-q", "-m", "first")
    (root / "train.py").write_text("print('two')\n")
    run(root, "commit", "-q", "-am", "second")
    return root


def test_what_was_not_committed_is_named(repo: Path, tmp_path: Path) -> None:
    for name in ("train.py", "größe 1.py", "pkg/new.py"):
        (repo / name).write_text("print('three')\n")
    (repo / "run.sh").unlink()
    state = capture_git(repo)
    assert state is not None
    names = [name for name, _ in changed_files(state.diff)]
    assert names == ["größe 1.py", "pkg/new.py", "run.sh", "train.py"]
    assert named(names, 2) == "größe 1.py, pkg/new.py and 2 more"
    store = Store(tmp_path / "store")
    about = {"size": len(state.diff), "cid": "b" + "a" * 58, "cid_profile": "unixfs-v1-2025"}
    diff = Artifact(path="diff", sha256=store.put_bytes(state.diff), **about)
    inner = NestedCode(path="inner", diff=diff)
    assert not_committed(store, Code(diff=diff, nested=(inner,))) == [*names, *(f"inner/{name}" for name in names)]


def snapshot(root: Path) -> dict[str, tuple[bytes, int, int]]:
    """Every file's content, mode and time; no times of objects, which git renews when it meets them again."""
    found = {}
    for path in sorted(root.rglob("*")):
        told, name = path.lstat(), str(path.relative_to(root))
        time = 0 if "/objects/" in name else told.st_mtime_ns
        found[name] = (path.read_bytes() if path.is_file() else b"", told.st_mode, time)
    return found


def tree(root: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(root)): (
            os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes(),
            path.lstat().st_mode & 0o100,
        )
        for path in sorted(root.rglob("*"))
        if (path.is_file() or path.is_symlink()) and ".git" not in path.relative_to(root).parts
    }


def restore(repo: Path, target: Path) -> Path:
    state = capture_git(repo)
    assert state is not None
    assert state.commit is not None
    pack = target.with_suffix(".pack")
    pack.write_bytes(pack_commit(repo, state.commit))
    restore_commit(pack, state.commit, target)
    apply_diff(state.diff, target)
    return target


def test_a_clean_commit_is_told(repo: Path):
    run(repo, "remote", "add", "origin", "https://me:hunter2@git.example/lab/code.git?access_token=abc")
    state = capture_git(repo / "pkg/data.bin")
    assert state is not None
    assert (state.root, state.commit, state.branch) == (repo, run(repo, "rev-parse", "HEAD"), "main")
    assert (state.dirty, state.diff, state.untracked, state.shallow) == (False, b"", (), False)
    assert state.remote == "https://git.example/lab/code.git"


def change_everything(repo: Path) -> None:
    (repo / "train.py").write_text("print('three')\n")
    (repo / "pkg/data.bin").write_bytes(bytes(range(255, -1, -1)))
    (repo / "run.sh").unlink()
    (repo / "new folder").mkdir()
    (repo / "new folder/ünew.py").write_text("new = 1\n")
    (repo / "staged.py").write_text("staged = 1\n")
    run(repo, "add", "staged.py")
    (repo / "staged.py").write_text("staged = 2\n")
    (repo / "link").symlink_to("train.py")
    (repo / "tool").write_text("#!/bin/sh\n")
    (repo / "tool").chmod(0o755)
    (repo / "no-newline").write_text("end")
    (repo / "empty").write_text("")
    (repo / "*").write_text("a name that git could take for a pattern\n")
    (repo / "debug.log").write_text("ignored\n")


def test_what_differs_comes_back_and_the_repository_is_untouched(repo: Path, tmp_path: Path):
    change_everything(repo)
    for setting in ("diff.noprefix", "diff.mnemonicPrefix", "core.splitIndex", "color.ui"):
        run(repo, "config", setting, "always" if setting == "color.ui" else "true")
    before = snapshot(repo)
    state = capture_git(repo)
    assert snapshot(repo) == before
    assert state is not None
    assert state.dirty
    assert state.untracked == ("*", "empty", "link", "new folder/ünew.py", "no-newline", "staged.py", "tool")
    assert b"ignored" not in state.diff
    restored = restore(repo, tmp_path / "restored")
    (repo / "debug.log").unlink()
    assert tree(restored) == tree(repo)


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_a_change_hidden_from_git_status_is_found(repo: Path, flag: str):
    run(repo, "update-index", flag, "train.py")
    (repo / "train.py").write_text("print('hidden')\n")
    assert run(repo, "status", "--porcelain") == ""
    state = capture_git(repo)
    assert state is not None
    assert b"+print('hidden')" in state.diff


def test_a_sparse_checkout_is_clean(repo: Path):
    run(repo, "sparse-checkout", "set", "--no-cone", "/train.py")
    assert not (repo / "pkg").exists()
    state = capture_git(repo)
    assert state is not None
    assert not state.dirty


def test_a_change_of_equal_size_and_time_as_the_index_is_found(repo: Path):
    """Where times are coarse, a change right after a commit leaves nothing to see but the content."""
    run(repo, "config", "core.trustctime", "false")
    (repo / "train.py").write_text("print('abc')\n")
    run(repo, "commit", "-qam", "third")
    time = (repo / "train.py").stat().st_mtime_ns
    (repo / "train.py").write_text("print('abd')\n")
    for file in ("train.py", ".git/index"):
        os.utime(repo / file, ns=(time, time))
    state = capture_git(repo)
    assert state is not None
    assert b"+print('abd')" in state.diff


def test_large_new_files_are_named_but_left_out(repo: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(git, "UNTRACKED_LIMIT", 1000)
    (repo / "weights").write_bytes(bytes(1001))
    (repo / "small").write_bytes(bytes(1000))
    (repo / "*").write_text("a name that git could take for a pattern\n")
    state = capture_git(repo)
    assert state is not None
    assert state.omitted == ("weights",)
    assert state.untracked == ("*", "small", "weights")
    assert b"weights" not in state.diff
    (repo / "small").unlink()
    (repo / "*").unlink()
    assert capture_git(repo).dirty  # type: ignore[union-attr]


def test_the_labs_own_folder_and_what_is_excluded_stay_out(repo: Path):
    for folder in (".blockchaintracer", "sub/.blockchaintracer", "lab home"):
        (repo / folder).mkdir(parents=True)
        (repo / folder / "key.json").write_text("{}")
    state = capture_git(repo, exclude=[repo / "lab home"])
    assert state is not None
    assert not state.dirty


def test_no_repository_is_none(tmp_path: Path, repo: Path):
    assert capture_git(tmp_path) is None
    run(tmp_path, "clone", "-q", "--bare", str(repo), "bare")
    assert capture_git(tmp_path / "bare") is None


def test_before_the_first_commit_everything_is_new(tmp_path: Path):
    root = tmp_path / "fresh"
    root.mkdir()
    run(root, "init", "-q")
    (root / "a.py").write_text("a = 1\n")
    state = capture_git(root)
    assert state is not None
    assert (state.commit, state.branch, state.dirty, state.untracked) == (None, "main", True, ("a.py",))
    target = tmp_path / "restored"
    target.mkdir()
    apply_diff(state.diff, target)
    assert tree(target) == tree(root)


def test_a_detached_head_has_no_branch(repo: Path):
    run(repo, "checkout", "-q", "--detach", "HEAD~1")
    state = capture_git(repo)
    assert state is not None
    assert (state.branch, state.commit) == (None, run(repo, "rev-parse", "HEAD"))


def test_a_shallow_clone_is_told_and_packed(repo: Path, tmp_path: Path):
    run(tmp_path, "clone", "-q", "--depth=1", repo.as_uri(), "shallow")
    state = capture_git(tmp_path / "shallow")
    assert state is not None
    assert state.shallow
    assert state.commit is not None
    assert pack_commit(tmp_path / "shallow", state.commit) == pack_commit(repo, state.commit)


def test_a_linked_worktree_is_captured(repo: Path, tmp_path: Path):
    run(repo, "worktree", "add", "-q", "-b", "other", str(tmp_path / "linked"))
    (tmp_path / "linked/train.py").write_text("print('linked')\n")
    state = capture_git(tmp_path / "linked")
    assert state is not None
    assert (state.root, state.branch) == (tmp_path / "linked", "other")
    assert b"+print('linked')" in state.diff
    assert capture_git(repo).diff == b""  # type: ignore[union-attr]


def test_variables_of_a_calling_git_do_not_mislead(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    other = tmp_path / "other"
    other.mkdir()
    run(other, "init", "-q")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git/index"))
    state = capture_git(repo)
    assert state is not None
    assert state.root == repo
    assert not state.dirty


def test_a_repository_of_another_user_says_what_to_do(repo: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(InputError) as caught:
        capture_git(repo)
    assert "belongs to another user" in str(caught.value)
    assert f"safe.directory {repo}" in str(caught.value.hint)


def test_without_git_a_repository_is_not_taken_for_none(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="git is not installed"):
        capture_git(repo / "pkg")
    (tmp_path / "plain").mkdir()
    assert capture_git(tmp_path / "plain") is None
    with pytest.raises(InputError, match="git is not installed"):
        pack_commit(repo, "HEAD")


def test_a_damaged_repository_is_an_error_in_words(repo: Path):
    (repo / ".git/index").write_bytes(b"DIRC nonsense")
    with pytest.raises(InputError, match="can't tell the state"):
        capture_git(repo)


def test_a_pack_holds_one_commit_and_is_the_same_in_every_clone(repo: Path, tmp_path: Path):
    commit = run(repo, "rev-parse", "HEAD")
    first = pack_commit(repo, "HEAD")
    run(repo, "-c", "pack.compression=0", "repack", "-q", "-a", "-d", "-F")
    assert pack_commit(repo, commit) == first
    (tmp_path / "p.pack").write_bytes(first)
    restored = restore_commit(tmp_path / "p.pack", commit, tmp_path / "restored")
    assert run(restored, "rev-parse", "HEAD") == commit
    assert run(restored, "log", "--format=%s") == "second"
    assert run(restored, "status", "--porcelain") == ""
    run(restored, "fsck", "--strict")
    assert tree(restored) == tree(repo)
    old = run(repo, "rev-parse", "HEAD~1:train.py")
    with pytest.raises(subprocess.CalledProcessError):
        run(restored, "cat-file", "-e", old)


def test_a_commit_with_a_submodule_and_a_link_is_restored(repo: Path, tmp_path: Path):
    (repo / "link").symlink_to("train.py")
    run(repo, "add", "link")
    run(repo, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub")
    run(repo, "commit", "-qm", "third")
    (repo / "sub").mkdir()
    restored = restore(repo, tmp_path / "restored")
    assert os.readlink(restored / "link") == "train.py"


def test_a_sha256_repository_is_restored(tmp_path: Path):
    root = tmp_path / "modern"
    root.mkdir()
    run(root, "init", "-q", "--object-format=sha256")
    (root / "a").write_text("a\n")
    assert b"+a" in capture_git(root).diff  # type: ignore[union-attr]
    run(root, "add", "-A")
    run(root, "commit", "-qm", "first")
    (root / "a").write_text("b\n")
    assert tree(restore(root, tmp_path / "restored")) == tree(root)


def test_only_commits_are_packed(repo: Path):
    for name in ("nothing", "HEAD:train.py", "--all", ""):
        with pytest.raises(InputError, match="expected a commit"):
            pack_commit(repo, name)


@pytest.mark.parametrize("where", [20, -30])
def test_a_changed_pack_is_refused_and_leaves_nothing(repo: Path, tmp_path: Path, where: int):
    pack = bytearray(pack_commit(repo, "HEAD"))
    pack[where] ^= 1
    (tmp_path / "bad.pack").write_bytes(pack)
    with pytest.raises(NotVerified):
        restore_commit(tmp_path / "bad.pack", run(repo, "rev-parse", "HEAD"), tmp_path / "restored")
    assert not (tmp_path / "restored").exists()


def test_a_pack_of_another_or_part_of_a_commit_is_refused(repo: Path, tmp_path: Path):
    commit = run(repo, "rev-parse", "HEAD")
    (tmp_path / "other.pack").write_bytes(pack_commit(repo, "HEAD~1"))
    # the commit alone, without its files
    alone = subprocess.run(
        ["git", "pack-objects", "--stdout", "-q"],
        input=f"{commit}\n".encode(),
        cwd=repo,
        capture_output=True,
        check=True,
    )
    (tmp_path / "part.pack").write_bytes(alone.stdout)
    for name in ("other.pack", "part.pack"):
        with pytest.raises(NotVerified):
            restore_commit(tmp_path / name, commit, tmp_path / "restored")
        assert not (tmp_path / "restored").exists()


def test_restoring_runs_nothing_of_the_user(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ran = tmp_path / "ran"
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for hook in ("post-checkout", "reference-transaction", "post-index-change"):
        (hooks / hook).write_text(f"#!/bin/sh\ntouch {ran}\n")
        (hooks / hook).chmod(0o755)
    (repo / ".gitattributes").write_text("*.py filter=evil\n")
    run(repo, "add", "-A")
    run(repo, "commit", "-qm", "attributes")
    commit = run(repo, "rev-parse", "HEAD")
    pack = tmp_path / "p.pack"
    pack.write_bytes(pack_commit(repo, commit))
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        f'[core]\nhooksPath = {hooks}\nautocrlf = true\n[filter "evil"]\nsmudge = touch {ran}; cat\n'
        f"[init]\ntemplateDir = {hooks}\n"
    )
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "filter.evil.smudge")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", f"touch {ran}; cat")
    restored = restore_commit(pack, commit, tmp_path / "restored")
    assert not ran.exists()
    assert (restored / "train.py").read_bytes() == b"print('two')\n"


def test_nothing_is_restored_over_files(repo: Path, tmp_path: Path):
    (tmp_path / "p.pack").write_bytes(pack_commit(repo, "HEAD"))
    with pytest.raises(InputError, match="empty folder"):
        restore_commit(tmp_path / "p.pack", run(repo, "rev-parse", "HEAD"), repo)
    with pytest.raises(InputError, match="hex digits"):
        restore_commit(tmp_path / "p.pack", "--upload-pack=touch x", tmp_path / "restored")


def hostile(path: str) -> bytes:
    head = f"diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n"
    return f"{head}@@ -0,0 +1 @@\n+x\n".encode()


@pytest.mark.parametrize(
    "path", ["../escaped", "a/../../escaped", ".git/hooks/post-checkout", ".GIT/config", "link/escaped"]
)
def test_a_diff_cannot_write_outside(repo: Path, tmp_path: Path, path: str):
    (repo / "link").symlink_to("..")
    run(repo, "add", "-A")
    run(repo, "commit", "-qm", "link")
    (tmp_path / "inner").mkdir()
    restored = restore(repo, tmp_path / "inner/restored")
    before = snapshot(tmp_path / "inner")
    with pytest.raises(NotVerified):
        apply_diff(hostile(path), restored)
    after = snapshot(tmp_path / "inner")
    assert {name: value[0] for name, value in after.items()} == {name: value[0] for name, value in before.items()}


def test_a_diff_for_other_code_is_refused(repo: Path, tmp_path: Path):
    (repo / "train.py").write_text("print('three')\n")
    diff = capture_git(repo).diff  # type: ignore[union-attr]
    run(repo, "checkout", "-q", "HEAD~1", "--", "train.py")
    run(repo, "commit", "-qm", "back")
    with pytest.raises(NotVerified):
        apply_diff(diff, restore(repo, tmp_path / "restored"))


def test_the_remote_is_that_of_the_branch(repo: Path):
    for name in ("fork", "origin"):
        run(repo, "remote", "add", name, f"https://host.example/{name}")
    run(repo, "config", "url.https://token:x@host.example/.insteadOf", "https://host.example/")
    assert capture_git(repo).remote == "https://host.example/origin"  # type: ignore[union-attr]
    run(repo, "config", "branch.main.remote", "fork")
    assert capture_git(repo).remote == "https://host.example/fork"  # type: ignore[union-attr]


def test_a_captured_diff_is_scanned_where_a_secret_was_left(repo: Path):
    (repo / ".env").write_text("DB_PASSWORD" + "=hunter2222\n")
    state = capture_git(repo)
    assert state is not None
    assert [finding.kind for finding in scan_secrets(state.diff, diff=True)] == ["password or token"]


def test_binary_content_is_carried_exactly(repo: Path, tmp_path: Path):
    (repo / "pkg/data.bin").write_bytes(zlib.compress(bytes(5000)) + b"\r\n\0\xff")
    assert tree(restore(repo, tmp_path / "restored")) == tree(repo)
