"""The code of a run: which commit, from where, and what differed from it; and the way back from the store to files."""

from __future__ import annotations

import filecmp
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from blockchaintracer.core.digest import list_folder
from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.lab.capture.secret_masking import public_remote
from blockchaintracer.lab.lab_folder import FOLDER
from blockchaintracer.lab.programs import find_program

UNTRACKED_LIMIT = 10 << 20
"""Bytes of the largest untracked file that goes into a diff; larger ones are named only."""

_EMPTY_TREES = {
    "sha1": "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    "sha256": "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}

# what a diff or pack must not depend on, or write, in the user's repository
_READ_ONLY = (
    *("core.fsmonitor=false", "core.untrackedCache=false", "core.splitIndex=false", "core.quotePath=true"),
    # a clone may hold a bare repository as files, whose settings name programs
    "safe.bareRepository=explicit",
)
# nothing from outside the restored repository may run or change content
_ISOLATED = (
    "core.hooksPath=/dev/null",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.fsmonitor=false",
    "core.autocrlf=false",
    "core.protectHFS=true",
    "core.protectNTFS=true",
    "submodule.recurse=false",
    "protocol.allow=never",
    "gc.auto=0",
    "advice.detachedHead=false",
)


@dataclass(frozen=True, slots=True)
class GitState:
    """The state of a working tree.

    Args:
        branch: None where HEAD is detached.
        remote: address of the branch's remote (else ``origin``) without credentials; None if it has none to show.
        diff: ``git diff --binary`` from the commit to the files, new ones included; `apply_diff` takes it.
        omitted: new files larger than `UNTRACKED_LIMIT`, which `diff` leaves out.
    """

    root: Path
    commit: str | None
    branch: str | None
    remote: str | None
    dirty: bool
    diff: bytes
    untracked: tuple[str, ...]
    omitted: tuple[str, ...]
    shallow: bool


def capture_git(path: str | os.PathLike[str], exclude: Iterable[str | os.PathLike[str]] = ()) -> GitState | None:
    """Capture the state of the working tree that `path` lies in; None if it lies in none.

    Nothing in it changes, but git may renew the times of objects that it has already. Ignored files don't count. A
    submodule counts as its commit, and content kept outside git (LFS) as its pointer.

    Args:
        exclude: files and folders to leave out, such as the lab's working folder (any named ``.blockchaintracer`` is).
    """
    folder = Path(path).resolve()
    if not folder.is_dir():
        folder = folder.parent
    if not find_program("git"):
        if any((parent / ".git").exists() for parent in (folder, *folder.parents)):
            raise InputError(
                f"{folder} is a git repository, but git is not installed",
                hint="Install git: without it the code of a run can't be told.",
            )
        return None
    inside = _run(folder, "rev-parse", "--is-inside-work-tree", check=False)
    if inside.returncode or inside.stdout.strip() != b"true":
        problem = inside.stderr.decode(errors="replace")
        none = "not a git repository" in problem or "cannot use bare repository" in problem
        if inside.returncode and not none:
            raise _refused(folder, problem)
        return None
    root = Path(_text(folder, "rev-parse", "--show-toplevel"))
    commit = _text(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}", check=False) or None
    branch = _text(root, "symbolic-ref", "--quiet", "--short", "HEAD", check=False) or None
    diff, untracked, omitted = _difference(root, commit, [Path(part).resolve() for part in exclude])
    return GitState(
        root=root,
        commit=commit,
        branch=branch,
        remote=_remote(root, branch),
        dirty=bool(diff or omitted),
        diff=diff,
        untracked=untracked,
        omitted=omitted,
        shallow=_text(root, "rev-parse", "--is-shallow-repository") == "true",
    )


def pack_commit(path: str | os.PathLike[str], commit: str) -> bytes:
    """Pack one commit with all its files and none of its history.

    Objects are stored whole, so that a commit has the same pack in every clone (with the same zlib).
    """
    folder = Path(path)
    name = _text(folder, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}", check=False)
    if not name:
        raise InputError(f"expected a commit of {folder}, got {commit!r}")
    objects = _run(folder, "rev-list", "--objects", "--no-walk", "--no-object-names", name).stdout
    whole = ("--window=0", "--depth=0", "--no-reuse-object", "--no-reuse-delta", "--compression=6", "--threads=1")
    return _run(folder, "pack-objects", "--stdout", "-q", *whole, given=objects).stdout


def held_by_git(state: GitState, paths: Iterable[str | os.PathLike[str]]) -> list[str]:
    """List the files of the commit or of the difference that are one of some files, lie in one of some folders, or have
    the same content under another name; relative to the root.
    """
    blobs = _blobs(state)
    new = set(state.untracked) - set(state.omitted)
    names = {name for _, _, name in blobs} | new
    held: set[str] = set()
    for path in paths:
        real = Path(path).resolve()
        if state.root.is_relative_to(real):
            return sorted(names)
        if real.is_relative_to(state.root):
            name = real.relative_to(state.root).as_posix()
            held |= {known for known in names if known == name or known.startswith(f"{name}/")}
        if not os.path.exists(real):
            continue
        for file in [entry for _, entry in list_folder(real)] if real.is_dir() else [os.fspath(real)]:
            size = os.stat(file).st_size
            alike = {blob: known for blob, length, known in blobs if length == size}
            if alike and size and (known := alike.get(_text(state.root, "hash-object", "--no-filters", "--", file))):
                held.add(known)
            held |= {known for known in new if _same(state.root / known, file, size)}
    return sorted(held)


def _blobs(state: GitState) -> list[tuple[str, int, str]]:
    """Object name, size and path of each file of the commit."""
    if state.commit is None:
        return []
    listed = _run(state.root, "ls-tree", "-r", "-l", "-z", state.commit).stdout
    entries = [entry.partition(b"\t") for entry in listed.split(b"\0") if entry]
    fields = [(head.split(), os.fsdecode(name)) for head, _, name in entries]
    return [(head[2].decode(), int(head[3]), name) for head, name in fields if head[1] == b"blob"]


def _same(one: Path, other: str, size: int) -> bool:
    try:
        return bool(size) and one.stat().st_size == size and filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False


def restore_commit(pack_path: str | os.PathLike[str], commit: str, target: str | os.PathLike[str]) -> Path:
    """Make a repository at `target` from what `pack_commit` gave, with the commit checked out.

    git computes the name of every object from its content, so the files are those of the commit. No hook, filter,
    submodule or configuration from outside takes part.

    Args:
        pack_path: the pack; it may come from a stranger.

    Raises:
        InputError: if `target` holds something, or git is not installed.
        NotVerified: if the pack is damaged, or isn't that commit and everything in it.
    """
    target = Path(target).resolve()
    if len(commit) not in (40, 64) or not all(digit in "0123456789abcdef" for digit in commit):
        raise InputError(f"expected a commit of 40 or 64 hex digits, got {commit!r}")
    if os.path.lexists(target) and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"expected an empty folder or none at {target}")
    existed = target.exists()
    target.mkdir(parents=True, exist_ok=True)
    try:
        kind = "sha1" if len(commit) == 40 else "sha256"
        _isolated(target, "init", "-q", "--template=", f"--object-format={kind}", "--initial-branch=restored")
        # without its history the commit's parents are missing on purpose
        (target / ".git" / "shallow").write_text(f"{commit}\n")
        with open(pack_path, "rb") as pack:
            _isolated(target, "index-pack", "--stdin", "--strict", stdin=pack)
        if _isolated(target, "cat-file", "-t", commit).stdout.strip() != b"commit":
            raise NotVerified(f"expected the commit {commit} in the pack, got another object")
        _isolated(target, "checkout", "-q", "--detach", commit)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        if existed:
            target.mkdir()
        raise
    return target


def apply_diff(diff: bytes, target: str | os.PathLike[str]) -> None:
    """Apply what `capture_git` found changed to a restored commit.

    Raises:
        NotVerified: if it doesn't apply to what is there, or would write outside `target`.
    """
    if diff:
        _isolated(Path(target).resolve(), "apply", "--whitespace=nowarn", "-", given=diff)


def _difference(root: Path, commit: str | None, exclude: list[Path]) -> tuple[bytes, tuple[str, ...], tuple[str, ...]]:
    with _own_index(root) as extra:
        base = commit or _EMPTY_TREES[_text(root, "rev-parse", "--show-object-format")]
        _clear_flags(root, extra)
        _run(root, "add", "--update", extra=extra)
        new = _run(root, "ls-files", "-z", "--others", "--exclude-standard", extra=extra).stdout
        names = [name for name in map(os.fsdecode, new.split(b"\0")) if name and not _left_out(root / name, exclude)]
        omitted = tuple(name for name in names if (root / name).lstat().st_size > UNTRACKED_LIMIT)
        if added := [os.fsencode(name) for name in names if name not in omitted]:
            arguments = ("--literal-pathspecs", "add", "--pathspec-from-file=-", "--pathspec-file-nul")
            _run(root, *arguments, given=b"\0".join(added), extra=extra)
        # the plumbing command: the user's settings for showing diffs don't reach it
        shown = ("--patch", "--binary", "--full-index", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color")
        diff = _run(root, "diff-index", "--cached", *shown, base, "--", extra=extra).stdout
        listed = _run(root, "diff-index", "--cached", "--name-only", "-z", "--diff-filter=A", base, "--", extra=extra)
    # a file that was staged but never committed is new to whoever has the commit
    created = {os.fsdecode(name) for name in listed.stdout.split(b"\0") if name}
    return diff, tuple(sorted(created | set(omitted))), omitted


@contextmanager
def _own_index(root: Path) -> Iterator[dict[str, str]]:
    """Variables under which git writes to a copy of the index and a folder of objects of our own."""
    git_dir = Path(_text(root, "rev-parse", "--absolute-git-dir"))
    common = (root / _text(root, "rev-parse", "--git-common-dir")).resolve()
    with tempfile.TemporaryDirectory(prefix="git-state-") as own:
        index = Path(own, "index")
        if (git_dir / "index").exists():
            # with its time: git compares it with the files' to tell those it must read again
            shutil.copy2(git_dir / "index", index)
        (Path(own) / "objects").mkdir()
        quoted = str(common / "objects").replace("\\", "\\\\").replace('"', '\\"')
        yield {
            "GIT_INDEX_FILE": str(index),
            "GIT_OBJECT_DIRECTORY": str(Path(own, "objects")),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": f'"{quoted}"',
        }


def _clear_flags(root: Path, extra: dict[str, str]) -> None:
    """Makes git look again at files it was told to take for unchanged; what a sparse checkout lacks stays as it is."""
    listed = _run(root, "ls-files", "-v", "-z", extra=extra).stdout.split(b"\0")
    flagged = [line for line in listed if line and (line[:1].islower() or line[:1] == b"S")]
    present = b"\0".join(line[2:] for line in flagged if os.path.lexists(root / os.fsdecode(line[2:])))
    if present:
        for flag in ("--no-assume-unchanged", "--no-skip-worktree"):
            _run(root, "update-index", flag, "-z", "--stdin", given=present, extra=extra)


def _left_out(path: Path, exclude: list[Path]) -> bool:
    return FOLDER in path.parts or any(path == part or part in path.parents for part in exclude)


def _remote(root: Path, branch: str | None) -> str | None:
    names = _text(root, "remote").splitlines()
    tracked = _text(root, "config", "--get", f"branch.{branch}.remote", check=False) if branch else ""
    for name in (tracked, "origin", *names):
        if name in names:
            # the address as written: `git remote get-url` would put in what url.insteadOf holds, tokens too
            url = _text(root, "config", "--get", f"remote.{name}.url", check=False)
            return public_remote(url.splitlines()[0]) if url else None
    return None


def _text(folder: Path, *arguments: str, check: bool = True) -> str:
    return os.fsdecode(_run(folder, *arguments, check=check).stdout).removesuffix("\n")


def _run(
    folder: Path, *arguments: str, check: bool = True, given: bytes | None = None, extra: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """git in the user's repository, writing nothing there."""
    # a hook or an editor's git that started us points git at another repository
    away = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_COMMON_DIR")
    environment = {name: value for name, value in os.environ.items() if name not in away}
    environment |= {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1"}
    environment |= {"GIT_NO_REPLACE_OBJECTS": "1"} | (extra or {})
    done = _git(folder, _READ_ONLY, arguments, environment, input=given)
    if check and done.returncode:
        raise _refused(folder, done.stderr.decode(errors="replace"))
    return done


def _git(
    folder: Path, settings: Sequence[str], arguments: Sequence[str], environment: Mapping[str, str], **stdin: Any
) -> subprocess.CompletedProcess[bytes]:
    git = find_program("git")
    if git is None:
        raise InputError(f"expected git to read {folder}, found none on PATH", hint="Install git.")
    command = [git, *(part for setting in settings for part in ("-c", setting)), *arguments]
    try:
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False, **stdin)  # noqa: S603
    except OSError as error:
        raise InputError(f"can't run git in {folder}: {error.strerror}", hint="Install git.") from error


def _isolated(
    folder: Path, *arguments: str, given: bytes = b"", stdin: IO[bytes] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """git in a restored repository, without anything of the user's."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_CEILING_DIRECTORIES": str(folder.parent),
    }
    source: dict[str, Any] = {"stdin": stdin} if stdin else {"input": given}
    done = _git(folder, _ISOLATED, arguments, environment, **source)
    if done.returncode:
        problem = done.stderr.decode(errors="replace").strip()
        raise NotVerified(
            f"git {arguments[0]} refused what was to be restored: {problem[-1000:]}",
            hint="It isn't what was recorded, or is damaged: fetch it again.",
        )
    return done


def _refused(folder: Path, problem: str) -> InputError:
    if "dubious ownership" in problem:
        return InputError(
            f"git does not trust {folder}, because it belongs to another user",
            hint=f"If you trust it: git config --global --add safe.directory {folder}",
        )
    return InputError(f"git can't tell the state of {folder}: {problem.strip()[-1000:]}")
