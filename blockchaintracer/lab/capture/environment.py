"""The software a run ran on, without what is personal or secret; and a fresh environment from its lock file."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from blockchaintracer.core.errors import ChainUnavailable, InputError, NotVerified
from blockchaintracer.lab.capture.local_packages import LocalPackage, local_package, portable_lock
from blockchaintracer.lab.capture.locks import (
    COMPLETE,
    HASHED,
    OF_ADDRESS,
    OF_COMMIT,
    PINNED,
    Requirements,
    file_problem,
    is_structured,
    other_tool,
    pins_of,
    read_lock,
    read_packages,
    requirement_lines,
    requirements_of,
)
from blockchaintracer.lab.capture.secret_masking import mask
from blockchaintracer.lab.capture.source_packages import SourceBuilder
from blockchaintracer.lab.files import remove
from blockchaintracer.lab.programs import find_program

_UNREACHABLE = re.compile(
    r"(?i)error sending request|dns error|connection (?:refused|reset|aborted)|connecttimeout|newconnectionerror"
    r"|failed to establish|name resolution|name or service not known|network is unreachable|timed out|max retries"
    r"|service unavailable|bad gateway"
)
_HINT = (
    "A folder outside of the recorded code, a branch or address, and an index without a hash for each package, can hold"
    " anything."
)
_LIMIT_S = 60
_INSTALL_UV = "Install it: pip install uv"
_INDEX = re.compile(r"--(?:extra-)?index-url[ =]https?://\S+|--only-binary[ =]\S+")
CERTIFICATES = {"UV_SYSTEM_CERTS": "true"}
"""The machine's own, also those that an organisation adds: uv carries a list of its own."""
_INSTALLERS_NEED = re.compile(
    r"PATH|HOME|LANG|LC_\w+|TMPDIR|XDG_\w+|(?:PIP|UV|SSL|REQUESTS|CURL)_\w+|(?i:https?|all|no)_(?i:proxy)"
)
_PROGRESS = re.compile(r"\s*(?:Resolved|Downloading|Building|Prepared|Installed|Collecting) ")
_MISMATCH = re.compile(r"(?i)hash mismatch|do not match the hashes")


def requirements_from(
    lock: Path, project: Path | None = None, beneath: str = ".", installed: Collection[str] | None = None
) -> Requirements:
    """Return what a lock file installs.

    Args:
        project: the restored code; None for a lock that has its project beside it.
        beneath: the folder of the code that the lock lay in.
        installed: the packages that its author had, if they are known; versions, too, of a mapping.

    Raises:
        InputError: if it can't be read, or names what could be anything.
    """
    name, data = lock.name, read_lock(lock)
    if tool := other_tool(name):
        where = "is here" if find_program(tool.name) else "is not here"
        command = tool.command.format(name)
        raise InputError(
            f"{name} is a lock file of {tool.name}, which {where}",
            hint=f"Make its environment by `{command}`, and name the Python in it by --python.",
        )
    if not is_structured(name):
        return Requirements(data.decode(errors="replace"), pins=pins_of(installed))
    if name.endswith("uv.lock"):
        data = _exported(data, project or lock.parent, beneath, all_groups=installed is not None)
        name = "pylock.toml"
    packages = read_packages(name, data)
    if other := file_problem(packages):
        raise InputError(
            f"expected a file with a hash for each package in {lock.name}, got none for {other!r}", hint=_HINT
        )
    found = requirements_of(lock.name, packages, installed)
    root = project or lock.parent
    return replace(found, text=portable_lock(found.text, root / beneath, root))


def _exported(data: bytes, project: Path, beneath: str, *, all_groups: bool) -> bytes:
    """What uv makes of its lock, which it reads only together with the projects that it locks."""
    uv = find_uv()
    if uv is None:
        raise InputError("expected uv to read uv.lock", hint=_INSTALL_UV)
    with tempfile.TemporaryDirectory(prefix="blockchaintracer-") as made:
        for folder, folders, files in os.walk(project):
            folders[:] = [name for name in folders if not name.startswith(".")]
            file, place = Path(folder, "pyproject.toml"), Path(made, os.path.relpath(folder, project))
            if file.name in files and not file.is_symlink():
                place.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, place / file.name)
        place = Path(made, beneath)
        place.mkdir(parents=True, exist_ok=True)
        (place / "uv.lock").write_bytes(data)
        exported = place / "pylock.exported.toml"
        # by its own settings a stranger's project could choose where uv writes
        command = [uv, "export", "--no-config", "--quiet", "--frozen", "--format", "pylock.toml"]
        command += ["--output-file", str(exported)]
        try:
            _install([*command, *(["--all-extras", "--all-groups"] if all_groups else [])], str(place))
        except InputError:
            # groups that exclude each other
            if not all_groups:
                raise
            _install(command, str(place))
        return exported.read_bytes()


def rebuild_environment(
    lock: str | os.PathLike[str] | Requirements,
    target: str | os.PathLike[str],
    python: str | os.PathLike[str] | None = None,
    project: Path | None = None,
    *,
    sandboxed: bool = True,
    build_network: bool | Callable[[], bool] = False,
    say: Callable[[str], None] = lambda text: None,
) -> Path:
    """Make a virtual environment at `target` and install what the lock names; its Python.

    Wheels are unpacked, which runs nothing of them. What is source alone is built in a sandbox.

    Args:
        lock: a lock file, or what `requirements_from` read from it. If a requirements file has hashes, everything it
            needs must have one.
        python: the interpreter, or with uv its version; by default this one.
        project: the restored code, from which the folders are installed that the lock names; None refuses them.
        sandboxed: False builds with the rights of this user.
        build_network: whether what is built may use the network; or who is asked once a build failed without it.
        say: told how it goes on.

    Raises:
        InputError: if the lock can't be installed, with the end of what the installer said.
        NotVerified: if a package isn't the one that was locked.
        ChainUnavailable: if the packages can't be reached.
    """
    target = Path(target).resolve()
    if not isinstance(lock, Requirements):
        if not (path := Path(lock).resolve()).is_file():
            raise InputError(f"expected a lock file at {path}")
        lock = requirements_from(path)
    if os.path.lexists(target) and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"expected an empty folder or none at {target}")
    installed = target / "bin" / "python"
    interpreter = os.fspath(python or sys.executable)
    uv = find_uv()
    # python -m takes modules from the current folder, and uv its settings from there and above: it is an empty one
    with tempfile.TemporaryDirectory(prefix="blockchaintracer-") as empty:
        Path(empty, "uv.toml").touch()
        try:
            if uv:
                _install([uv, "venv", "--quiet", "--python", interpreter, str(target)], empty)
                command = [uv, "pip", "install", "--python", str(installed), "--no-build"]
            elif lock.pylock:
                raise InputError("expected uv to install this lock", hint=_INSTALL_UV)
            else:
                _install([interpreter, "-m", "venv", str(target)], empty)
                command = [str(installed), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
                command += ["--only-binary", ":all:"]
            folders = _require_packages(lock.text, project)
            installer = _Installer(target, command, empty, lock.pins, say)
            if uv:
                # in it, nothing of the lock can run
                twin = Path(empty, "twin")
                _install([uv, "venv", "--quiet", "--python", interpreter, str(twin)], empty)
                run, own = partial(_install, folder=empty), twin / "bin" / "python"
                installer.builder = SourceBuilder(uv, run, own, Path(empty), sandboxed, build_network, say)
            for name, text, options in _parts(lock):
                installer.part(name, text, options)
            for folder in folders:
                installer.folder(Path(str(project), folder.path), folder.editable)
        except BaseException:
            remove(target)
            raise
    return installed


class _Installer:
    """Installs into an environment at `target` what is a wheel, or becomes one in the sandbox."""

    builder: SourceBuilder | None = None

    def __init__(
        self, target: Path, command: list[str], folder: str, pins: Sequence[str], say: Callable[[str], None]
    ) -> None:
        self._target, self._command, self._folder, self._pins, self._say = target, command, folder, pins, say
        self._made = _starts(target)

    def part(self, name: str, text: str, options: list[str]) -> None:
        """Install a requirements file or a ``pylock.toml``."""
        file = self._target / name
        file.write_text(text)
        pins: list[str] = []
        if not (options or name.endswith(".toml")):
            named = {package.name for package in read_packages(file.name, text.encode())}
            pins = [pin for pin in self._pins if pin.partition("==")[0] not in named]
            limits = file.with_suffix(".pins")
            limits.write_text("\n".join((*pins, "")))
            options = ["--constraint", str(limits)]
        try:
            self._run(*options, "-r", str(file))
        except InputError as problem:
            # a package that only another one asks for may be source alone, too
            text = "\n".join((text, *(pin for pin in pins if f"`{pin.partition('==')[0]}`" in problem.message)))
            if is_pylock := name.endswith(".toml"):
                text = "\n".join(package.line for package in read_packages(name, text.encode()))
            sources = self.builder.without_wheel(requirement_lines(text)) if self.builder else None
            if not sources:
                raise
            rest, wheels = sources
            # a lock that is not of all there are leaves the rest to what its packages say
            alone = is_pylock or "--require-hashes" in options
            file = file.with_suffix(".txt")
            file.write_text("\n".join(rest if alone else [*rest, *wheels]) + "\n")
            self._run(*(["--no-deps"] if alone else options), "-r", str(file))
            if alone:
                self._run("--no-deps", *wheels)

    def folder(self, folder: Path, editable: bool) -> None:
        """Install a folder of the restored code."""
        if self.builder is None:
            raise InputError("expected uv to build the project itself", hint=_INSTALL_UV)
        self._run("--no-deps", str(self.builder.folder(folder, editable)))

    def _run(self, *arguments: str) -> None:
        with _asleep(self._target, self._made):
            _install([*self._command, *arguments], self._folder, self._say)


def _starts(environment: Path) -> list[str | bytes | None]:
    """What decides which program starts as the Python of an environment, and with which library."""
    # beside the interpreter it is read first
    link, *settings = (environment / name for name in ("bin/python", "bin/pyvenv.cfg", "pyvenv.cfg"))
    made: list[str | bytes | None] = [os.readlink(link) if link.is_symlink() else None]
    return made + [path.read_bytes() if path.is_file() else None for path in settings]


@contextmanager
def _asleep(environment: Path, made: Sequence[str | bytes | None]) -> Iterator[None]:
    """Keep packages from running while an installer asks the Python that they are installed in about itself."""
    if _starts(environment) != made:
        raise NotVerified("a package of the lock replaces the interpreter of its environment")
    names = ("*.pth", "sitecustomize*", "usercustomize*")
    held = [path for name in names for path in environment.glob(f"lib/*/site-packages/{name}")]
    for path in held:
        path.rename(f"{path}.asleep")
    try:
        yield
    finally:
        for path in held:
            Path(f"{path}.asleep").rename(path)


def _parts(lock: Requirements) -> Iterator[tuple[str, str, list[str]]]:
    """What is installed together: the name and text of a file, and the options. Folders are none of them."""
    if lock.pylock:
        yield "pylock.toml", lock.pylock, []
    lines = [line for line in requirement_lines(lock.text) if not local_package(line)]
    options = [line for line in lines if line.startswith("-")]
    lines = [line for line in lines if not line.startswith("-")]
    alone = [line for line in lines if OF_COMMIT.fullmatch(line) or OF_ADDRESS.fullmatch(line)]
    indexed = [line for line in lines if line not in alone]
    hashed = [line for line in indexed if HASHED.search(line)]
    if lock.text.startswith(COMPLETE):
        parts = [
            (hashed, ["--no-deps", "--require-hashes"]),
            ([one for one in indexed if one not in hashed], ["--no-deps"]),
        ]
    else:
        parts = [(indexed, ["--require-hashes"] if hashed else [])]
    # each of the last is what its commit or hash says
    for number, (chosen, flags) in enumerate([*parts, (alone, ["--no-deps"])]):
        if chosen:
            yield f"packages-{number}.txt", "\n".join((*options, *chosen, "")), flags


def _require_packages(text: str, project: Path | None = None) -> list[LocalPackage]:
    """Refuse requirements that could be anything, such as a branch, another index without hashes or a folder outside of
    `project`. Returns the folders of the project that are installed."""
    folders: list[LocalPackage] = []
    lines = []
    for line in requirement_lines(text):
        local = local_package(line)
        if local and project and local.within(project):
            folders.append(local)
        elif not (OF_COMMIT.fullmatch(line) or OF_ADDRESS.fullmatch(line)):
            lines.append(line)
    hashed = all(HASHED.search(line) for line in lines if not line.startswith("-"))
    if other := [line for line in lines if not (PINNED.fullmatch(line) or (hashed and _INDEX.fullmatch(line)))]:
        raise InputError(f"expected packages of a version each in the lock, got {mask(other[0])[:200]!r}", hint=_HINT)
    return folders


def loose_requirements(name: str, data: bytes) -> list[str]:
    """List what a lock installs that is not a package of one version with a hash; `name` says which kind it is."""
    if not is_structured(name):
        lines = requirement_lines(data.decode(errors="replace"))
        return [line for line in lines if not (PINNED.fullmatch(line) and HASHED.search(line))]
    try:
        packages = read_packages(name, data)
    except InputError:
        return ["the lock can't be read"]
    return [one.source or f"{one.name} {one.version}" for one in packages if one.source or not one.is_hashed]


def find_uv() -> str | None:
    """Return the path of uv, of this machine or beside this interpreter; None if there's none."""
    beside = Path(sys.executable).parent / "uv"
    return find_program("uv") or (str(beside) if beside.is_file() else None)


def find_python(minor: str) -> str | None:
    """Return a Python of this machine of a minor version such as 3.12; None if there's none. None is downloaded."""
    uv, own = find_uv(), find_program(f"python{minor}")
    asked = [[uv, "python", "find", "--no-project", "--no-config", "--no-python-downloads", minor]] if uv else []
    asked += [[own, "-c", "import sys; print(sys.executable)"]] if own else []
    for command in asked:
        with suppress(OSError, subprocess.TimeoutExpired):
            done = subprocess.run(  # noqa: S603 -- uv or a Python, of which neither is in the working folder
                command, capture_output=True, text=True, cwd=os.sep, check=False, timeout=_LIMIT_S
            )
            if not done.returncode and os.access(path := done.stdout.strip(), os.X_OK):
                return path
    return None


def _install(command: list[str], folder: str, say: Callable[[str], None] = lambda text: None) -> None:
    # building a stranger's package runs its code, which needs no secret of this process
    environment = CERTIFICATES | {it: value for it, value in os.environ.items() if _INSTALLERS_NEED.fullmatch(it)}
    try:
        more: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "errors": "replace"}
        with subprocess.Popen(command, cwd=folder, env=environment, text=True, **more) as done:  # noqa: S603
            try:
                lines = []
                for line in done.stdout or ():
                    lines.append(line)
                    if _PROGRESS.match(line):
                        say(mask(line.strip()))
            except BaseException:
                done.kill()
                raise
    except OSError as error:
        raise InputError(
            f"can't run {command[0]}: {error.strerror}", hint="Name a Python that is installed."
        ) from error
    if not done.returncode:
        return
    output = "".join(lines)
    # line by line: one that shows a credential is hidden, the others still help
    tail = "\n".join(mask(line) for line in output.strip().splitlines()[-15:])
    if _MISMATCH.search(output):
        raise NotVerified(
            f"a package is not the one that was locked:\n{tail}",
            hint="The package was replaced where it was published, or the lock was changed.",
        )
    if _UNREACHABLE.search(output):
        raise ChainUnavailable(
            f"the packages of the lock can't be reached:\n{tail}", hint="Check the network, then try again."
        )
    raise InputError(f"the lock can't be installed:\n{tail}", hint="Read the output; another Python may fit.")
