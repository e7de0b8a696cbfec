"""git, started so that no setting, hook or filter of a repository starts a program. All git starts here."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import read_limited
from blockchaintracer.lab.files import entries_below
from blockchaintracer.lab.programs import find_program

_SAFE = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    # a clone may hold a bare repository as files, whose settings name programs
    "safe.bareRepository=explicit",
    "submodule.recurse=false",
    "gc.auto=0",
    "maintenance.auto=false",
)
_ENVIRONMENT = {
    "LC_ALL": "C",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ATTR_NOSYSTEM": "1",
    # no transport has this name: what a partial clone lacks is not fetched, whatever the repository's settings say
    "GIT_ALLOW_PROTOCOL": "none",
}
# where the user's settings are, and where git may look; nothing else of the user's shell, or of a hook or an editor's
# git that started us, may point git elsewhere or change what is recorded
_USERS = re.compile(r"GIT_(CONFIG_(GLOBAL|SYSTEM|NOSYSTEM|COUNT|KEY_\d+|VALUE_\d+)|CEILING_\w+|DISCOVERY_\w+|TEST_\w+)")
_OFF = {"filter": ("clean=", "smudge=", "process=", "required=false"), "hook": ("enabled=false",)}
"""How git is told to start none of a name. From git 2.54 on, settings name hooks whatever core.hooksPath says."""
_PROGRAM = re.compile(r"(filter|hook)\.(.+)\.(clean|smudge|process|required|command|event)", re.DOTALL)
_Program = tuple[bool, str, str, str, str]
_SECONDS = 3600
"""for one command, a pack of a large commit too"""
_PLAIN = re.compile(r"[\w .-]+")
DEEPEST = 200
"""Levels of folders in a repository: git is asked about each level, and reads the rules of all above it each time."""


def run_git(
    folder: Path, *arguments: str, settings: tuple[str, ...] = (), extra: Mapping[str, str] | None = None, **stdin: Any
) -> subprocess.CompletedProcess[bytes]:
    """Run git in a repository with the user's own settings.

    Args:
        settings: settings of git for this command, as ``name=value``.
        extra: environment variables for this command.
        stdin: ``input`` or ``stdin`` of `subprocess.run`.
    """
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("GIT_") or _USERS.fullmatch(name)
    }
    return _run(folder, settings, arguments, environment | _ENVIRONMENT | dict(extra or {}), **stdin)


def run_isolated(
    folder: Path, *arguments: str, settings: tuple[str, ...] = (), **stdin: Any
) -> subprocess.CompletedProcess[bytes]:
    """Run git in a repository that was restored here, without any settings of the user."""
    return _run(folder, settings, arguments, _isolated(folder), **stdin)


def repository_of(folder: Path, *, whole: bool = False) -> Path | None:
    """Return the top folder of the repository around a folder, None without one.

    Args:
        whole: git will look for rules in each of its folders.

    Raises:
        InputError: if a FIFO or a device stands where git reads a file: git would read or wait for ever.
    """
    top = next((parent for parent in (folder, *folder.parents) if os.path.lexists(parent / ".git")), None)
    for path in _read_by_git(top, whole) if top else ():
        # of a name that no system takes the answer is no, as of one that is not there
        mode = os.path.exists(path) and os.stat(path).st_mode
        if stat.S_ISFIFO(mode) or (stat.S_ISCHR(mode) and not os.path.samefile(path, os.devnull)):
            raise InputError(f"expected a file at {path}, got a FIFO or a device", hint="Remove it, or clone anew.")
    return top


def _read_by_git(top: Path, whole: bool) -> Iterator[str | Path]:
    yield (git := top / ".git")
    git = top / _path_in(git).removeprefix("gitdir: ") if git.is_file() else git
    common = git / _path_in(git / "commondir") if (git / "commondir").is_file() else git
    for place in {git, common}:
        below = entries_below(place)
        yield from (
            it.path for it in below if not (it.is_dir(follow_symlinks=False) or it.is_file(follow_symlinks=False))
        )
    waiting, read = [common / "config", git / "config.worktree"], set[str]()
    while waiting:
        yield (file := waiting.pop())
        if os.path.isfile(file) and (name := os.path.realpath(file)) not in read:
            read.add(name)
            # from the root: git must not read the settings of the repository itself, and what they include
            listed = run_isolated(Path("/"), "config", "--file", name, "--no-includes", "-z", "--list").stdout
            for key, _, value in (os.fsdecode(setting).partition("\n") for setting in listed.split(b"\0")):
                # git reads what it includes, and files of rules: whatever a setting names
                yield (path := Path(name).parent / os.path.expanduser(value))
                waiting += [path] if key.startswith("include") else []
    if whole:
        yield from _rules_below(top)


def _rules_below(top: Path) -> Iterator[str | Path]:
    """Yield the files that git reads in each folder that it looks into: rules, and the repositories inside.

    Git tells which folders it ignores, level by level: it reads rules only where they were yielded before.
    """
    level, committed = [os.curdir], set[bytes]()
    while level:
        _require_flat(top / level[0], top)
        below: list[str] = []
        for folder in level:
            names = dict[str, bool]()
            with suppress(OSError), os.scandir(top / folder) as entries:
                names = {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}
            yield from (top / folder / name for name in names if name.startswith(".git"))
            if folder == os.curdir or ".git" not in names:
                below += [os.path.join(folder, name) for name in names if names[name] and name != ".git"]
                continue
            # git answers nothing about the folders of a repository inside
            for entry in entries_below(top / folder):
                _require_flat(path := Path(entry), top)
                inside = ".git" in path.parts
                if (inside or entry.name.startswith(".git")) and not entry.is_dir(follow_symlinks=False):
                    yield entry.path
        if level == [os.curdir]:  # no git starts before the topmost folder was looked at
            committed = {*run_git(top, "ls-tree", "-r", "-d", "-z", "--name-only", "HEAD").stdout.split(b"\0")}
        asked = b"".join(os.fsencode(folder) + b"\0" for folder in below)
        told = run_git(top, "check-ignore", "-z", "--stdin", input=asked).stdout.split(b"\0") if below else []
        # the difference to the commit is told by the attributes in its folders, ignored by now or not
        level = [*{*below} - {os.fsdecode(name) for name in told if name.removeprefix(b"./") not in committed}]


def is_flat(path: Path, top: Path) -> bool:
    """Return whether a path below a folder has no more levels than are taken."""
    return len(path.parts) - len(top.parts) <= DEEPEST


def _require_flat(path: Path, top: Path) -> None:
    if not is_flat(path, top):
        raise InputError(
            f"expected at most {DEEPEST} levels of folders in a repository, got {str(path)[:200]}",
            hint="Remove it, or name it in .gitignore if it is yours.",
        )


def _path_in(file: Path) -> str:
    return os.fsdecode(read_limited(file, 1 << 16, "a path")).strip()


@contextmanager
def reading_isolated(folder: Path, *arguments: str, settings: tuple[str, ...] = ()) -> Iterator[Iterator[bytes]]:
    """Give what git writes, piece by piece, as `run_isolated` runs it; git ends with the block."""
    with subprocess.Popen(  # noqa: S603
        _command(folder, settings, arguments), cwd=folder, env=_isolated(folder), stdout=subprocess.PIPE
    ) as git:
        try:
            yield iter(lambda: cast(BinaryIO, git.stdout).read(1 << 16), b"")
        finally:
            git.kill()


def without_programs(root: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give the settings under which git starts no hook that settings name, and no filter that only the repository's own
    settings name, and the names of those filters. What the user's settings say of a filter of that name counts instead.

    Raises:
        InputError: if the repository's settings name a filter or hook that git can't be told to leave out.
    """
    users: dict[tuple[str, str], str] = {}
    own: set[tuple[str, str]] = set()
    programs = [*_named_programs(root)]
    for is_own, kind, name, part, value in programs:
        if is_own and not _PLAIN.fullmatch(name):
            raise InputError(
                f"expected plain names of filters and hooks in the settings of {root}, got {name!r}",
                hint=f"A {kind} starts a program: remove it from .git/config.",
            )
        if kind == "filter" and is_own:
            own.add((name, part))
        elif kind == "filter":
            users[name, part] = value
    settings = tuple(
        f"filter.{name}.{part}={users.get((name, part), 'false' if part == 'required' else '')}"
        for name, part in sorted(own)
    )
    unused = {name for name, _ in own} - {name for name, _ in users}
    return (*_off(it for it in programs if it[1] == "hook"), *settings), tuple(sorted(unused))


def no_programs(root: Path) -> tuple[str, ...]:
    """Give the settings under which git starts no filter and no hook at all, of whoever's settings named it."""
    return _off(_named_programs(root))


def _off(programs: Iterable[_Program]) -> tuple[str, ...]:
    names = {(kind, name) for _, kind, name, *_ in programs if _PLAIN.fullmatch(name)}
    return tuple(f"{kind}.{name}.{part}" for kind, name in sorted(names) for part in _OFF[kind])


def _named_programs(root: Path) -> Iterator[_Program]:
    """Yield what settings say of filters and hooks: whether the repository's own, the kind, name, part and value."""
    listed = run_git(root, "config", "--list", "-z", "--show-scope").stdout.split(b"\0")
    for scope, setting in zip(listed[::2], listed[1::2], strict=False):
        key, is_valued, value = os.fsdecode(setting).partition("\n")
        if match := _PROGRAM.fullmatch(key):
            yield scope in (b"local", b"worktree"), match[1], match[2], match[3], value if is_valued else "true"


def _isolated(folder: Path) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return (
        environment
        | _ENVIRONMENT
        | {
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_CEILING_DIRECTORIES": str(folder.parent),
        }
    )


def _command(folder: Path, settings: tuple[str, ...], arguments: tuple[str, ...]) -> list[str]:
    git = find_program("git")
    if git is None:
        raise InputError(f"git is not installed, and {folder} is a git repository", hint="Install git, on PATH.")
    return [git, "--no-pager", *(part for setting in (*settings, *_SAFE) for part in ("-c", setting)), *arguments]


def _run(
    folder: Path, settings: tuple[str, ...], arguments: tuple[str, ...], environment: Mapping[str, str], **stdin: Any
) -> subprocess.CompletedProcess[bytes]:
    command = _command(folder, settings, arguments)
    options: dict[str, Any] = {"timeout": _SECONDS} | (stdin or {"stdin": subprocess.DEVNULL})
    try:
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False, **options)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = getattr(error, "strerror", f"it did not end within {_SECONDS} s")
        raise InputError(f"can't run git in {folder}: {reason}", hint="Is git installed, and does it end?") from error
