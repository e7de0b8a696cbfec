"""The software a run ran on, without what is personal or secret; and a fresh environment from its lock file."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from blockchaintracer.core.errors import ChainUnavailable, InputError, NotVerified
from blockchaintracer.core.formats import read_limited
from blockchaintracer.core.plain_json import plain
from blockchaintracer.lab.capture.local_packages import LocalPackage, local_package
from blockchaintracer.lab.capture.secret_masking import mask
from blockchaintracer.lab.programs import find_program

MAX_LOCK = 64 << 20
COMPLETE = "# made by blockchaintracer"
"""Begins a requirements file that names every package: nothing is added when it is installed."""
_LOCKS = ("pylock.toml", "requirements.lock", "uv.lock", "requirements.txt")
_PINNED = re.compile(r"[A-Za-z0-9._-]+(\[[^\]]*\])?\s*===?\s*[^*\s;#]+(\s*;.*|\s+--hash=.*|\s+#.*)?")
OF_COMMIT = re.compile(
    r"[A-Za-z0-9._-]+ ?@ ?git\+https://[\w.~-]+(?::\d+)?/[^\s@#;]+@(?:[0-9a-f]{40}|[0-9a-f]{64})"
    r"(?:#subdirectory=[^\s;&]+)?(?: ?;.*)?"
)
_OF_ADDRESS = re.compile(r"[A-Za-z0-9._-]+ ?@ ?https://[\w.~-]+(?::\d+)?/[^\s@#;]+#sha256=[0-9a-f]{64}(?: ?;.*)?")
_HASHED = re.compile(r"--hash=sha256:[0-9a-f]{64}")
_UNREACHABLE = re.compile(
    r"(?i)error sending request|dns error|connection (?:refused|reset|aborted)|connecttimeout|newconnectionerror"
    r"|failed to establish|name resolution|name or service not known|network is unreachable|timed out|max retries"
    r"|service unavailable|bad gateway"
)
_INDEX = re.compile(r"--(?:extra-)?index-url[ =]https?://\S+|--only-binary[ =]\S+")
_INSTALLERS_NEED = re.compile(
    r"PATH|HOME|LANG|LC_\w+|TMPDIR|XDG_\w+|(?:PIP|UV|SSL|REQUESTS|CURL)_\w+|(?i:https?|all|no)_(?i:proxy)"
)
_MISMATCH = re.compile(r"(?i)hash mismatch|do not match the hashes")


def find_lock(root: str | os.PathLike[str]) -> Path | None:
    """Find the lock file in a folder that `rebuild_environment` can use; None if there's none.

    In this order: ``pylock.toml``, ``requirements.lock``, ``uv.lock``, and ``requirements.txt`` if it pins everything.
    """
    for name in _LOCKS:
        path = Path(root, name)
        if path.is_file() and (name != "requirements.txt" or _pins_everything(path)):
            return path
    return None


def rebuild_environment(
    lock_path: str | os.PathLike[str],
    target: str | os.PathLike[str],
    python: str | os.PathLike[str] | None = None,
    project: Path | None = None,
) -> Path:
    """Make a virtual environment at `target` and install what the lock names; its Python.

    Args:
        lock_path: a requirements file, ``pylock.toml`` or ``uv.lock`` (its pyproject.toml beside it). If a requirements
            file has hashes, everything it needs must have one.
        python: the interpreter, or with uv its version; by default this one.
        project: the restored code, from which the folders are installed that the lock names; None refuses them.

    Raises:
        InputError: if the lock can't be installed, with the end of what the installer said.
        NotVerified: if a package isn't the one that was locked.
        ChainUnavailable: if the packages can't be reached.
    """
    lock, target = Path(lock_path).resolve(), Path(target).resolve()
    if not lock.is_file():
        raise InputError(f"expected a lock file at {lock}")
    if os.path.lexists(target) and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"expected an empty folder or none at {target}")
    installed = target / "bin" / "python"
    interpreter = os.fspath(python or sys.executable)
    uv = find_uv()
    # python -m takes modules from the current folder, and uv its settings from there and above: it is an empty one
    with tempfile.TemporaryDirectory(prefix="blockchaintracer-") as empty:
        Path(empty, "uv.toml").touch()
        try:
            requirements = lock
            if uv:
                _install([uv, "venv", "--quiet", "--python", interpreter, str(target)], empty)
                if lock.name == "uv.lock":
                    requirements = target / "requirements.txt"
                    export = [uv, "export", "--quiet", "--frozen", "--project", str(lock.parent)]
                    _install([*export, "-o", str(requirements)], empty)
                command = [uv, "pip", "install", "--quiet", "--python", str(installed)]
            elif lock.suffix == ".toml" or lock.name == "uv.lock":
                raise InputError(f"expected uv to install {lock.name}", hint="Install it: pip install uv")
            else:
                _install([interpreter, "-m", "venv", str(target)], empty)
                command = [str(installed), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
            folders = _require_packages(requirements, project)
            for number, (options, lines) in enumerate(_parts(requirements)):
                if lines == []:
                    continue
                part = requirements if lines is None else target / f"packages-{number}.txt"
                if lines is not None:
                    part.write_text("\n".join(lines) + "\n")
                _install([*command, *options, "-r", str(part)], empty)
            for folder in folders:
                place = os.path.join(str(project), folder.path)
                _install([*command, "--no-deps", *(["--editable"] if folder.editable else []), place], empty)
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)
            raise
    return installed


def _parts(requirements: Path) -> Iterator[tuple[list[str], list[str] | None]]:
    """What is installed together: the options, and the lines of a requirements file. Folders are none of them."""
    if requirements.suffix == ".toml":
        yield [], None
        return
    lines = [line for line in _lines(requirements) if not local_package(line)]
    alone = [line for line in lines if OF_COMMIT.fullmatch(line) or _OF_ADDRESS.fullmatch(line)]
    lines = [line for line in lines if line not in alone]
    hashed = [line for line in lines if _HASHED.search(line)]
    if requirements.read_bytes().startswith(COMPLETE.encode()):
        yield ["--no-deps", "--require-hashes"], hashed
        yield ["--no-deps"], [line for line in lines if line not in hashed]
    else:
        yield ["--require-hashes"] if hashed else [], lines
    # each is what its commit or hash says
    yield ["--no-deps"], alone


def _pins_everything(path: Path) -> bool:
    lines = [line for line in _lines(path) if not line.startswith("--")]
    pinned = [line for line in lines if not local_package(line)]
    return bool(pinned) and all(_PINNED.fullmatch(line) for line in pinned)


def _lines(path: Path) -> list[str]:
    return requirement_lines(read_limited(path, MAX_LOCK, "a lock").decode(errors="replace"))


def requirement_lines(text: str) -> list[str]:
    """Return what a requirements file says, a line each."""
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]


def parse_toml(data: bytes, what: str) -> dict[str, Any]:
    """Read TOML as plain values, and refuse what `plain` refuses."""
    try:
        return dict(plain(tomllib.loads(data.decode())))
    except (ValueError, RecursionError):
        raise InputError(f"{what}: expected TOML in UTF-8, got something else") from None


def _require_packages(requirements: Path, project: Path | None = None) -> list[LocalPackage]:
    """Refuse a lock that installs from a folder outside of `project`, a repository or an address, or from another index
    without hashes. Returns the folders of the project that it installs."""
    folders: list[LocalPackage] = []
    if requirements.suffix == ".toml":
        try:
            packages = parse_toml(read_limited(requirements, MAX_LOCK, "a lock"), requirements.name).get("packages", [])
            elsewhere = [str(one.get("name")) for one in packages if {"vcs", "directory", "archive"} & one.keys()]
            files = [(one, file) for one in packages for file in (*one.get("wheels", ()), one.get("sdist", {}))]
            # a file of the author's machine is another one here, unless its hash says that it is the same
            elsewhere += [
                str(one.get("name"))
                for one, file in files
                if ("path" in file or urlsplit(file.get("url", "")).scheme == "file")
                and "sha256" not in file.get("hashes", ())
            ]
        except (TypeError, AttributeError):
            raise InputError(f"{requirements.name}: expected packages in a lock, got something else") from None
    else:
        lines = []
        for line in _lines(requirements):
            local = local_package(line)
            if local and project and local.within(project):
                folders.append(local)
            elif not (OF_COMMIT.fullmatch(line) or _OF_ADDRESS.fullmatch(line)):
                lines.append(line)
        hashed = all(_HASHED.search(line) for line in lines if not line.startswith("-"))
        elsewhere = [line for line in lines if not (_PINNED.fullmatch(line) or (hashed and _INDEX.fullmatch(line)))]
    if elsewhere:
        raise InputError(
            f"expected packages of a version each in the lock, got {mask(elsewhere[0])[:200]!r}",
            hint="A folder outside of the recorded code, a repository or address, and an index without a hash for each "
            "package, can hold anything.",
        )
    return folders


def find_uv() -> str | None:
    """Return the path of uv, of this machine or beside this interpreter; None if there's none."""
    beside = Path(sys.executable).parent / "uv"
    return find_program("uv") or (str(beside) if beside.is_file() else None)


def _install(command: list[str], folder: str) -> None:
    # building a stranger's package runs its code, which needs no secret of this process
    environment = {name: value for name, value in os.environ.items() if _INSTALLERS_NEED.fullmatch(name)}
    try:
        done = subprocess.run(  # noqa: S603
            command, cwd=folder, env=environment, capture_output=True, text=True, errors="replace", check=False
        )
    except OSError as error:
        raise InputError(
            f"can't run {command[0]}: {error.strerror}", hint="Name a Python that is installed."
        ) from error
    if not done.returncode:
        return
    output = f"{done.stdout}\n{done.stderr}"
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
