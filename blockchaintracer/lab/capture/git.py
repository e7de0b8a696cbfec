"""The code of a run: which commit, from where, and what differed from it; and the way back from the store to files."""

from __future__ import annotations

import filecmp
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from blockchaintracer.core.digest import list_folder
from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.core.formats import read_limited
from blockchaintracer.core.manifest import Code
from blockchaintracer.lab.capture.secret_masking import public_remote
from blockchaintracer.lab.files import entries_below, remove
from blockchaintracer.lab.git_command import (
    DEEPEST,
    is_flat,
    no_programs,
    reading_isolated,
    repository_of,
    run_git,
    run_isolated,
    without_programs,
)
from blockchaintracer.lab.lab_folder import FOLDER

UNTRACKED_LIMIT = 10 << 20
"""Bytes of the largest untracked file that goes into a diff; larger ones are named only."""

_EMPTY_TREES = {
    "sha1": "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    "sha256": "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}

WHOLE_FROM = 1 << 20
"""Bytes of a file that changed from which on it is kept whole: its difference could be several times as large."""
WHOLE_LIMIT = 256 << 20
"""Bytes of all files together that are kept whole; others are named only."""
_CONVERTING = ("ident", "eol", "text", "working-tree-encoding")
"""Attributes by which what git keeps can be other bytes than the file. What a filter of the user's makes of a file is
meant to be kept in its place: it may encrypt it."""

MAX_FILES = 1_000_000
MAX_BYTES = 64 << 30
"""Files and bytes of the largest commit that is restored: a small pack can hold one tree a billion times."""

# what a diff or pack must not depend on, or write, in the user's repository
_READ_ONLY = (
    *("core.untrackedCache=false", "core.splitIndex=false", "core.quotePath=true"),
    # files are recorded as they are on the disk, whatever the user's settings say
    *("core.safecrlf=false", "core.autocrlf=false", "core.attributesFile=/dev/null", "diff.suppressBlankEmpty=false"),
)
# nothing from outside the restored repository may change content
_ISOLATED = (
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.autocrlf=false",
    "core.protectHFS=true",
    "core.protectNTFS=true",
    "advice.detachedHead=false",
)


_Run = partial[subprocess.CompletedProcess[bytes]]


@dataclass(frozen=True, slots=True)
class GitState:
    """The state of a working tree.

    Args:
        branch: None where HEAD is detached.
        remote: address of the branch's remote (else ``origin``) without credentials; None if it has none to show.
        diff: ``git diff --binary`` from the commit to the files, new ones included; `apply_diff` takes it.
        omitted: files and repositories that `diff` and `whole` leave out, for their size or as git can't read them.
        whole: files that differ and are no part of `diff`: their content, and whether they may be executed; None for
            one that is gone. They are large, or a checkout of what git keeps of them gives other bytes.
        unused: filters that only the repository's own settings name. They were not started, so that `diff` has the
            files as they are.
        nested: submodules and other repositories inside, by their folders, each after the one that it lies in.
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
    unused: tuple[str, ...] = ()
    nested: tuple[tuple[str, GitState], ...] = ()
    whole: Mapping[str, tuple[bytes, bool] | None] = field(default_factory=dict)


def capture_git(path: str | os.PathLike[str], exclude: Iterable[str | os.PathLike[str]] = ()) -> GitState | None:
    """Capture the state of the working tree that `path` lies in; None if it lies in none.

    Nothing in it changes, but git may renew the times of objects that it has already. What git ignores does not count,
    a repository neither. What a filter of the user's keeps elsewhere (LFS) counts as its pointer.

    Args:
        exclude: files and folders to leave out, such as the lab's working folder (any named ``.blockchaintracer`` is).
    """
    folder = Path(path).resolve()
    if not folder.is_dir():
        folder = folder.parent
    if repository_of(folder, whole=True) is None:
        return None
    inside = _run(folder, "rev-parse", "--is-inside-work-tree", check=False)
    if inside.returncode or inside.stdout.strip() != b"true":
        problem = inside.stderr.decode(errors="replace")
        none = "not a git repository" in problem or "cannot use bare repository" in problem
        if inside.returncode and not none:
            raise _refused(folder, problem)
        return None
    root = _root(folder)
    commit = _text(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}", check=False) or None
    branch = _text(root, "symbolic-ref", "--quiet", "--short", "HEAD", check=False) or None
    settings, unused = without_programs(root)
    left_out = [Path(part).resolve() for part in exclude]
    diff, untracked, omitted, inner, whole = _difference(root, commit, left_out, settings)
    nested: list[tuple[str, GitState]] = []
    for name in inner:
        try:
            state = capture_git(root / name, left_out) if _root(root / name) == root / name else None
        except InputError:
            state = None
        if state is None:
            # what can't be told of it is named
            omitted += (name,)
            continue
        nested += [(name, replace(state, nested=())), *((f"{name}/{below}", more) for below, more in state.nested)]
    return GitState(
        root=root,
        commit=commit,
        branch=branch,
        remote=_remote(root, branch),
        dirty=bool(diff or omitted or whole),
        diff=diff,
        untracked=untracked,
        omitted=omitted,
        shallow=_text(root, "rev-parse", "--is-shallow-repository") == "true",
        unused=unused,
        nested=tuple(nested),
        whole=whole,
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
    the same content under another name; relative to the root. The repositories inside count, too.
    """
    paths = list(paths)
    return sorted(_held(state, paths) | {f"{at}/{name}" for at, inner in state.nested for name in _held(inner, paths)})


def _held(state: GitState, paths: Iterable[str | os.PathLike[str]]) -> set[str]:
    blobs = _blobs(state)
    new = set(state.untracked) - set(state.omitted)
    names = {name for _, _, name in blobs} | new
    held: set[str] = set()
    for path in paths:
        real = Path(path).resolve()
        if state.root.is_relative_to(real):
            return names
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
    return held


def content_in(state: GitState, wanted: Mapping[str, int]) -> tuple[set[Path], set[str]]:
    """Find files by their content: the new ones of the difference, and the names of those that the commit holds or that
    it held before they were changed.

    Args:
        wanted: SHA-256 and size of each file.
    """
    sizes, new, held = {*wanted.values()} - {0}, set[Path](), set[str]()
    if not sizes:
        return new, held
    for at, inner in (("", state), *state.nested):
        blobs = _blobs(inner)
        for blob, size, name in blobs:
            if size in sizes and sha256(_run(inner.root, "cat-file", "blob", blob).stdout).hexdigest() in wanted:
                held.add(os.path.join(at, name))
        for name in {name for _, _, name in blobs} | {*inner.untracked} | {*inner.whole}:
            path = inner.root / name
            if path.is_file() and not path.is_symlink() and path.stat().st_size in sizes:
                with path.open("rb") as file:
                    if file_digest(file, "sha256").hexdigest() in wanted:
                        new |= {path} if name in inner.untracked else set()
                        held |= set() if name in inner.untracked else {os.path.join(at, name)}
    return new, held


def recorded_names(state: GitState) -> frozenset[str]:
    """Return the paths of the files of the commit and of the difference, relative to the root."""
    names = ({name for _, _, name in _blobs(state)} | set(state.untracked)) - set(state.omitted)
    return frozenset(names).union(*({f"{at}/{name}" for name in recorded_names(more)} for at, more in state.nested))


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
        _require_bounded(target, commit)
        _isolated(target, "checkout", "-q", "--detach", commit)
    except BaseException:
        remove(target)
        if existed:
            target.mkdir()
        raise
    return target


def restore_code(code: Code, open_copy: Callable[[str], Path], target: Path) -> None:
    """Restore the repository of a run and those inside of it, with their differences.

    Args:
        open_copy: gives a file of this SHA-256.
        target: an empty folder, or none.
    """
    for at, state in code.states():
        place = target / at
        if not place.resolve().is_relative_to(target.resolve()) or ".git" in (part.lower() for part in Path(at).parts):
            raise NotVerified(f"expected a repository inside {target}, got one at {place}")
        if state.commit and state.pack:
            restore_commit(open_copy(state.pack.sha256), state.commit, place)
        place.mkdir(parents=True, exist_ok=True)
        if state.diff:
            apply_diff(open_copy(state.diff.sha256).read_bytes(), place)
        for entry in state.whole or ():
            file = place / entry.path
            if not file.parent.resolve().is_relative_to(place.resolve()) or ".git" in entry.path.lower().split("/"):
                raise NotVerified(f"expected a file inside {place}, got {entry.path}")
            _require_flat([file], target)
            file.unlink(missing_ok=True)
            if entry.artifact:
                file.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(open_copy(entry.artifact.sha256), file)
                file.chmod(0o755 if entry.executable else 0o644)
    _require_flat(map(Path, entries_below(target)), target)


def _require_flat(paths: Iterable[Path], target: Path) -> None:
    if deep := next((path for path in paths if not is_flat(path, target)), None):
        raise NotVerified(f"expected code of at most {DEEPEST} levels of folders, got {str(deep)[:200]}")


def without_new_files(diff: bytes, names: Collection[str]) -> bytes:
    """Take new files out of what `capture_git` found changed."""
    return b"".join(
        part
        for name, part in changed_files(diff)
        if name not in names or not part.partition(b"\n")[2].startswith(b"new file mode ")
    )


def changed_files(diff: bytes) -> Iterator[tuple[str, bytes]]:
    """Return the name of each file of a difference, and its part of it."""
    for part in filter(None, _parts(diff)):
        line = part.partition(b"\n")[0].removeprefix(b"diff --git ")
        name = line[: len(line) // 2]
        name = name[1:-1].decode("unicode_escape").encode("latin-1") if name.startswith(b'"') else name
        yield os.fsdecode(name.removeprefix(b"a/")), part


def _parts(diff: bytes) -> list[bytes]:
    # no line of a difference begins so but the first of each file's
    return re.split(rb"^(?=diff --git )", diff, flags=re.MULTILINE)


def restore_changed(diff: bytes, commits: Iterable[tuple[Path, str]], scratch: Path) -> Path:
    """Restore the files of the first commit that a difference applies to, changed by it; else its new files alone.

    Args:
        commits: the pack and the name of each.
        scratch: an empty folder.
    """
    for number, (pack_path, commit) in enumerate(commits):
        with suppress(NotVerified):
            root = restore_commit(pack_path, commit, scratch / str(number))
            apply_diff(diff, root)
            return root
    root = scratch / "new"
    root.mkdir()
    apply_diff(b"".join(part for part in _parts(diff) if part.partition(b"\n")[2].startswith(b"new file mode ")), root)
    return root


def apply_diff(diff: bytes, target: str | os.PathLike[str]) -> None:
    """Apply what `capture_git` found changed to a restored commit."""
    if diff:
        _isolated(Path(target).resolve(), "apply", "--whitespace=nowarn", "-", input=diff)


def _root(folder: Path) -> Path:
    """Return the top folder of the repository around a folder, if all of its content is its own.

    A repository that somebody unpacked can lead to another one of this user: by a link, by a ``.git`` file, by
    ``commondir``, ``alternates`` or ``core.worktree``. What that one holds would be recorded as content of this one.
    """
    asked = ("--show-toplevel", "--absolute-git-dir", "--path-format=absolute", "--git-common-dir")
    root, git_dir, common = map(Path, _text(folder, "rev-parse", *asked).split("\n"))
    link = expected = root / ".git"
    if link.is_file() and not link.is_symlink():
        # a linked worktree or a submodule: the repository that it is of knows it
        expected = root / os.fsdecode(read_limited(link, UNTRACKED_LIMIT, "a path")).strip().removeprefix("gitdir: ")
        back = git_dir / "gitdir"
        known = os.fsdecode(read_limited(back, UNTRACKED_LIMIT, "a path")).strip() if back.is_file() else ""
        known = known or _text(root, "config", "core.worktree", check=False) + "/.git"
        if Path(git_dir, known).resolve() != link.resolve():
            raise _leads_away(folder, link, f"{git_dir}, which does not know this folder")
    if expected.resolve() != git_dir.resolve():
        raise _leads_away(folder, git_dir / "config", f"{root} (core.worktree)", "Remove core.worktree from it.")
    if common != git_dir and common.resolve() != git_dir.resolve().parent.parent:
        raise _leads_away(folder, git_dir / "commondir", str(common))
    objects = common / "objects"
    if (alternates := objects / "info" / "alternates").exists():
        raise _leads_away(folder, alternates, "objects of another repository", "`git repack -ad`, then remove it.")
    inside = [link, *(Path(entry) for entry in entries_below(common / "refs"))]
    for place in (git_dir, common, objects, objects / "info", objects / "pack"):
        inside += place.iterdir() if place.is_dir() else ()
    if away := next((path for path in inside if path.is_symlink()), None):
        raise _leads_away(folder, away, os.readlink(away))
    return root


def _leads_away(folder: Path, path: Path, where: str, hint: str = "Clone it anew.") -> InputError:
    return InputError(
        f"expected a repository around {folder} that holds its own content, but {path} leads to {where}",
        hint=f"What lies there would be recorded as its content. {hint}",
    )


def _difference(
    root: Path, commit: str | None, exclude: list[Path], settings: tuple[str, ...]
) -> tuple[bytes, tuple[str, ...], tuple[str, ...], tuple[str, ...], dict[str, tuple[bytes, bool] | None]]:
    """The difference, new files, files that it leaves out, repositories inside, and files that are kept whole."""
    with _own_index(root, settings) as run:
        base = commit or _EMPTY_TREES[_text(root, "rev-parse", "--show-object-format")]
        _clear_flags(root, run)
        # git would ask git in each submodule's folder, which starts what that repository's settings say
        inner = _take_out_submodules(run)
        off = no_programs(root)
        _add(run, off, "--update")
        new = run("ls-files", "-z", "--others", "--exclude-standard").stdout
        exclude = [*exclude, *(root / name for name in inner)]
        names = [name for name in map(os.fsdecode, new.split(b"\0")) if name and not _left_out(root / name, exclude)]
        # a repository is listed as a folder
        clones = [name.rstrip("/") for name in names if name.endswith("/")]
        names = [name for name in names if not name.endswith("/")]
        _put_back_submodules(root, run, inner)
        omitted = tuple(name for name in names if (root / name).lstat().st_size > UNTRACKED_LIMIT)
        if added := [os.fsencode(name) for name in names if name not in omitted]:
            _add(run, off, "--pathspec-from-file=-", "--pathspec-file-nul", given=b"\0".join(added))
        # what is left to do starts no filter and no hook
        told = partial(run, settings=off)
        listed = told("diff-index", "--cached", "--name-only", "-z", "--diff-filter=A", base, "--")
        # a file that was staged but never committed is new to whoever has the commit
        created = {os.fsdecode(name) for name in listed.stdout.split(b"\0") if name}
        changes = _changes(told, base)
        large = {name for name, (_, size) in changes.items() if max(size, _size(root / name)) > WHOLE_FROM}
        diff, whole, too_large = _told(root, told, base, changes, sorted(large | _converted(root, told)))
        if not _applies(told, base, diff):
            diff, whole, too_large = _told(root, told, base, changes, sorted({*changes, *whole, *too_large}))
    nested = sorted({*clones, *(name for name in inner if os.path.lexists(root / name / ".git"))})
    omitted += tuple(too_large)
    return diff, tuple(sorted(created | set(omitted))), omitted, tuple(nested), whole


def _add(run: _Run, off: tuple[str, ...], *arguments: str, given: bytes | None = None) -> None:
    """Put files into the index; as they are, if a filter that they need is not here."""
    command = ("--literal-pathspecs", "add", *arguments)
    if run(*command, given=given, check=False).returncode:
        run(*command, given=given, settings=off)


def _changes(run: _Run, base: str) -> dict[str, tuple[str, int]]:
    """What a commit has of the files that changed: mode and object, as an index takes them, and size."""
    fields = run("diff-index", "--cached", "--raw", "--no-renames", "--no-abbrev", "-z", base, "--").stdout.split(b"\0")
    entries = {os.fsdecode(name): head.decode().split() for head, name in zip(fields[::2], fields[1::2], strict=False)}
    asked = "".join(f"{old}\n" for _, _, old, *_ in entries.values()).encode()
    sizes = run("cat-file", "--batch-check=%(objectsize)", given=asked).stdout.decode().splitlines() if entries else []
    return {
        name: (f"{head[0].lstrip(':')} {head[2]}", int(size) if size.isdigit() else 0)
        for (name, head), size in zip(entries.items(), sizes, strict=True)
        # repositories inside are told apart
        if "160000" not in (head[0].lstrip(":"), head[1])
    }


def _converted(root: Path, run: _Run) -> set[str]:
    """Files of which a checkout of what git keeps gives other bytes."""
    names = run("ls-files", "-z").stdout
    fields = run("check-attr", "-z", "--stdin", *_CONVERTING, given=names).stdout.split(b"\0")
    triples = list(zip(fields[::3], fields[1::3], fields[2::3], strict=False))
    given = [(name, attribute) for name, attribute, value in triples if value not in (b"unspecified", b"unset")]
    marked = {name for name, attribute in given if attribute != b"text"}
    if len(marked) < len(given) or run_git(root, "config", "core.autocrlf").stdout.strip() in (b"true", b"input"):
        # ends of lines in the index, and on the disk
        told = [line.partition(b"\t") for line in run("ls-files", "--eol", "-z").stdout.split(b"\0") if line]
        marked |= {name for ends, _, name in told if len({end[2:] for end in ends.split()[:2]}) > 1}
    if not marked:
        return set()
    with tempfile.TemporaryDirectory(prefix="git-state-") as scratch:
        taken = ("checkout-index", "--quiet", f"--prefix={scratch}/", "-z", "--stdin")
        run(*taken, given=b"\0".join(sorted(marked)) + b"\0", check=False)
        files = [(os.path.join(scratch, name), name) for name in map(os.fsdecode, marked)]
        # a link leads elsewhere from there
        return {
            name
            for copy, name in files
            if os.path.isfile(root / name)
            and not (root / name).is_symlink()
            and not (os.path.isfile(copy) and filecmp.cmp(copy, root / name, shallow=False))
        }


def _told(
    root: Path, run: _Run, base: str, changes: Mapping[str, tuple[str, int]], names: Iterable[str]
) -> tuple[bytes, dict[str, tuple[bytes, bool] | None], list[str]]:
    """The difference without some files, these files whole, and those of them that are too large."""
    whole: dict[str, tuple[bytes, bool] | None] = {}
    too_large: list[str] = []
    lines, total = [], 0
    for name in names:
        file = root / name
        if file.is_symlink():
            continue
        total += _size(file)
        if total > WHOLE_LIMIT or (name not in changes and _size(file) > UNTRACKED_LIMIT):
            total -= _size(file)
            too_large.append(name)
        else:
            whole[name] = (file.read_bytes(), os.access(file, os.X_OK)) if file.is_file() else None
        if name in changes:
            lines.append(f"{changes[name][0]} 0\t{name}".encode(errors="surrogateescape"))
    if lines:
        # as the commit has them; one that it does not have has mode 0
        run("update-index", "-z", "--index-info", given=b"\0".join(lines) + b"\0")
    # the plumbing command: the user's settings for showing diffs don't reach it
    shown = ("--patch", "--binary", "--full-index", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color")
    return run("diff-index", "--cached", *shown, base, "--").stdout, whole, too_large


def _applies(run: _Run, base: str, diff: bytes) -> bool:
    """Whether a difference to a commit gives what is in the index."""
    if not diff:
        return True
    wanted = run("write-tree", "--missing-ok").stdout
    with tempfile.TemporaryDirectory(prefix="git-state-") as scratch:
        index = {"GIT_INDEX_FILE": os.path.join(scratch, "index")}
        extra = {**run.keywords["extra"], **index}
        run("read-tree", base, extra=extra)
        done = run("apply", "--cached", "--whitespace=nowarn", "-", given=diff, extra=extra, check=False)
        return not done.returncode and run("write-tree", "--missing-ok", extra=extra).stdout == wanted


def _size(file: Path) -> int:
    return file.lstat().st_size if os.path.lexists(file) else 0


@contextmanager
def _own_index(root: Path, settings: tuple[str, ...]) -> Iterator[_Run]:
    """git that writes to a copy of the index and a folder of objects of our own."""
    git_dir = Path(_text(root, "rev-parse", "--absolute-git-dir"))
    common = (root / _text(root, "rev-parse", "--git-common-dir")).resolve()
    with tempfile.TemporaryDirectory(prefix="git-state-") as own:
        index = Path(own, "index")
        if (git_dir / "index").exists():
            # with its time: git compares it with the files' to tell those it must read again
            shutil.copy2(git_dir / "index", index)
        (Path(own) / "objects").mkdir()
        quoted = str(common / "objects").replace("\\", "\\\\").replace('"', '\\"')
        variables = {
            "GIT_INDEX_FILE": str(index),
            "GIT_OBJECT_DIRECTORY": str(Path(own, "objects")),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": f'"{quoted}"',
        }
        yield partial(_run, root, extra=variables, settings=settings)


def _clear_flags(root: Path, run: _Run) -> None:
    """Makes git look again at files it was told to take for unchanged; what a sparse checkout lacks stays as it is."""
    listed = run("ls-files", "-v", "-z").stdout.split(b"\0")
    flagged = [line for line in listed if line and (line[:1].islower() or line[:1] == b"S")]
    present = b"\0".join(line[2:] for line in flagged if os.path.lexists(root / os.fsdecode(line[2:])))
    if present:
        for flag in ("--no-assume-unchanged", "--no-skip-worktree"):
            run("update-index", flag, "-z", "--stdin", given=present)


def _take_out_submodules(run: _Run) -> dict[str, str]:
    """Take the submodules out of the index; their paths and commits."""
    staged = run("ls-files", "-s", "-z").stdout.split(b"\0")
    entries = [line.partition(b"\t") for line in staged if line.startswith(b"160000 ")]
    if entries:
        names = b"\0".join(name for _, _, name in entries)
        run("update-index", "--force-remove", "-z", "--stdin", given=names)
    return {os.fsdecode(name): head.split()[1].decode() for head, _, name in entries}


def _put_back_submodules(root: Path, run: _Run, inner: dict[str, str]) -> None:
    """Put those that still have a folder back into the index, with the commit that each is at now."""
    lines = []
    for name, staged in inner.items():
        folder, commit = root / name, ""
        if os.path.lexists(folder / ".git") and repository_of(folder):
            commit = _text(folder, "rev-parse", "--verify", "--quiet", "HEAD^{commit}", check=False)
        if folder.is_dir():
            lines.append(f"160000 {commit or staged} 0\t{name}".encode(errors="surrogateescape"))
    if lines:
        run("update-index", "-z", "--index-info", given=b"\0".join(lines) + b"\0")


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
    folder: Path,
    *arguments: str,
    check: bool = True,
    given: bytes | None = None,
    extra: Mapping[str, str] | None = None,
    settings: tuple[str, ...] = (),
) -> subprocess.CompletedProcess[bytes]:
    """git in the user's repository, writing nothing there."""
    stdin = {} if given is None else {"input": given}
    done = run_git(folder, *arguments, settings=(*_READ_ONLY, *settings), extra=extra, **stdin)
    if check and done.returncode:
        raise _refused(folder, done.stderr.decode(errors="replace"))
    return done


def _isolated(folder: Path, *arguments: str, **stdin: Any) -> subprocess.CompletedProcess[bytes]:
    """git in a restored repository, without anything of the user's."""
    done = run_isolated(folder, *arguments, settings=_ISOLATED, **stdin)
    if done.returncode:
        problem = done.stderr.decode(errors="replace").strip()
        raise NotVerified(
            f"git {arguments[0]} refused what was to be restored: {problem[-1000:]}",
            hint="It isn't what was recorded, or is damaged: fetch it again.",
        )
    return done


def _require_bounded(folder: Path, commit: str) -> None:
    files = size = 0
    with reading_isolated(folder, "ls-tree", "-r", "-l", "-z", commit) as blocks:
        rest = b""
        for block in blocks:
            *entries, rest = (rest + block).split(b"\0")
            files += len(entries)
            # of a submodule no size is known
            size += sum(int(length) for entry in entries if (length := entry.split(None, 4)[3]).isdigit())
            if files > MAX_FILES or size > MAX_BYTES:
                raise NotVerified(f"expected a commit of at most {MAX_FILES:,} files and {MAX_BYTES:,} bytes, got more")


def _refused(folder: Path, problem: str) -> InputError:
    if "dubious ownership" in problem:
        return InputError(
            f"git does not trust {folder}, because it belongs to another user",
            hint=f"If you trust it: git config --global --add safe.directory {folder}",
        )
    return InputError(f"git can't tell the state of {folder}: {problem.strip()[-1000:]}")
