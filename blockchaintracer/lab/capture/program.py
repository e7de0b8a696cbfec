"""The program of a run: how it's started, which interpreter it has, and how a manifest names its command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from errno import ENOENT
from pathlib import Path
from threading import Event, Thread
from typing import Any, BinaryIO

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import RunEnvironment
from blockchaintracer.core.plain_json import parse_json
from blockchaintracer.lab.capture import interpreter
from blockchaintracer.lab.capture.reads import Observation
from blockchaintracer.lab.capture.secret_masking import mask
from blockchaintracer.lab.capture.unseen import PYTHON, first_line
from blockchaintracer.lab.capture.workflows import split_launcher
from blockchaintracer.lab.keys import without_secrets
from blockchaintracer.lab.sandbox import Limits, OverLimitError, Sandbox, run_program

RUN_FILE = "BLOCKCHAINTRACER_RUN_FILE"
"""Environment variable: where a program writes its run document, whoever runs it."""

_MOST_UP = 16
"""Folders above the working folder that a manifest counts at most."""
_PATIENCE_S, _MOST_CAPTURED = 600, 16 << 20


def start_program(
    command: Sequence[str],
    folder: Path,
    run_file: Path,
    observation: Observation,
    streams: Mapping[str, Path] | None = None,
    sandbox: Sandbox | None = None,
) -> int:
    """Run a program to its end, observed and without the lab's secrets; its exit code. Like whoever repeats the run, it
    has no standard input.

    Args:
        sandbox: what shuts the program in, which then gets no variables but those that can change a result.
        streams: files for what it prints to ``stdout`` and ``stderr``, to be read later; it is shown at once, too.
    """
    # the program has no need to sign
    variables = without_secrets(os.environ)
    if sandbox:
        home = run_file.with_name("home")
        home.mkdir()
        kept = {name: value for name, value in variables.items() if name in interpreter.VARIABLES or name == "PATH"}
        variables = {**kept, "HOME": str(home), "TMPDIR": str(home)}
    variables = observation.variables(variables | {RUN_FILE: str(run_file)})
    if streams:
        # Python would keep back what does not go to a terminal
        variables.setdefault("PYTHONUNBUFFERED", "1")
    with ExitStack() as shown:
        targets: dict[str, Any] = {"stdout": sys.stderr}
        targets |= {name: shown.enter_context(_shown(file)) for name, file in (streams or {}).items()}
        try:
            if sandbox:
                errors = targets.pop("stderr", sys.stderr)
                return run_program(command, folder, variables, targets["stdout"], sandbox, Limits(), errors=errors)
            done = subprocess.run(  # noqa: S603 -- running the user's own command is what was asked for
                [*command], cwd=folder, env=variables, stdin=subprocess.DEVNULL, check=False, **targets
            )
        except OSError as error:
            hint = "Check its name and this folder. An address goes after --dataset." if error.errno == ENOENT else None
            raise InputError(
                f"expected a file to record, or a program that starts, got {command[0]!r}: {error.strerror}", hint=hint
            ) from None
        except OverLimitError as problem:
            raise InputError(str(problem)) from None
    return done.returncode


@contextmanager
def _shown(file: Path) -> Iterator[BinaryIO]:
    """Open a file to print to, of which a thread shows on stderr what comes. A program never waits for it."""
    ended = Event()

    def show() -> None:
        with file.open("rb") as printed:
            last = False
            while not last:
                last = ended.wait(0.05)
                while block := printed.read(1 << 16):
                    sys.stderr.buffer.write(block)
                sys.stderr.buffer.flush()

    with file.open("wb") as target:
        thread = Thread(target=show, daemon=True)
        thread.start()
        try:
            yield target
        finally:
            ended.set()
            thread.join()


def ending(code: int) -> str:
    """Return how a program ended, in words; `code` is below 0 for a signal."""
    # a sandbox and a shell tell a signal so
    number = code - 128 if code > 128 else -code
    name = next((one.name for one in signal.Signals if one == number), str(number))
    if code < 0:
        return f"the program ended with signal {name}"
    meaning = f", which stands for signal {name}" if code > 128 and not name.isdigit() else ""
    meaning = ", by which a shell says that a program it was to start is not here" if code == 127 else meaning
    return f"the program ended with exit code {code}{meaning}"


def command_line(folder: Path) -> list[str] | None:
    """Return the command line of this process, to repeat the run; None in a notebook or a shell."""
    given = list(sys.orig_argv)
    if hasattr(sys, "ps1") or "-c" in given[1:2] or "ipykernel" in sys.modules or len(given) < 2:
        return None
    script = Path(given[1])
    if script.is_absolute():
        # a path from the root tells who and where
        given[1] = script.relative_to(folder).as_posix() if script.is_relative_to(folder) else script.name
    return given


def interpreter_of(command: Sequence[str], find: Callable[[str], str | None]) -> tuple[str | None, bool]:
    """Find the Python interpreter that a command starts: the one it names, or that of its first line if it's a script.

    Args:
        find: gives the path of a program by its name or path, or None.

    Returns:
        The interpreter and True; for a program that may start any, the first on PATH and False; None if there's none.
    """
    if split_launcher(command)[0]:
        # which may be a script of another Python
        return find("python") or find("python3"), False
    named = (find(argument) for argument in command if PYTHON.fullmatch(Path(argument).name))
    if found := next(filter(None, named), None):
        return found, True
    for word in first_line(find(command[0]) if command else None).removeprefix("#!").split():
        if PYTHON.fullmatch(Path(word).name) and (found := find(word)):
            return found, True
    return find("python") or find("python3"), False


def environment_of(
    python: str | Path, variables: Mapping[str, str], sandbox: Sandbox | None = None
) -> dict[str, Any] | None:
    """Capture the environment inside another interpreter, as `capture_environment` does; None if it can't run there."""
    # not in the working folder, whose files could be taken for modules
    command = [os.path.abspath(python), "-c", Path(interpreter.__file__).read_text()]
    root, limits = Path(os.sep), Limits(seconds=_PATIENCE_S)
    with tempfile.TemporaryFile() as output, suppress(OSError, OverLimitError, InputError):
        if run_program(command, root, variables, output, sandbox, limits, errors=subprocess.DEVNULL) == 0:
            output.seek(0)
            return dict(parse_json(output.read(_MOST_CAPTURED), "environment"))
    return None


def recorded_parts(environment: dict[str, Any]) -> dict[str, Any]:
    """Return what was captured as a manifest has it: without what is empty, credentials and places of the machine."""
    variables = {name: mask(value) for name, value in (environment.get("variables") or {}).items()}
    shown = {**environment, "variables": variables, "direct": None}
    return {name: value for name, value in shown.items() if value}


def installed_packages(environment: RunEnvironment) -> dict[str, Any] | None:
    """Return the packages that a recorded run had, with their versions; None if its interpreter is not known."""
    captured = environment.model_extra or {}
    packages = captured.get("packages")
    return packages if isinstance(packages, dict) and packages and not captured.get("assumed") else None


def portable_command(
    command: Sequence[str], folder: Path, root: Path, inputs: Sequence[Path], outputs: Sequence[Path]
) -> tuple[list[str], dict[str, str]]:
    """Return a command without the places of one machine, and what was changed for that.

    Only absolute paths are changed. Inside of `root`, the repository, they count from the working folder. Outside they
    are ``{input:N}`` for the N-th input, ``{inputs}`` for a folder with inputs, and ``{output}`` for a folder with
    outputs. The program is ``python`` for an interpreter, and its name if it lies elsewhere.

    Returns:
        Program and arguments; and by position (0 is the program) how what was changed had been given, without folders.
    """
    here = (folder.resolve(), *folder.resolve().parents)
    places = {path.resolve(): f"{{input:{index}}}" for index, path in enumerate(inputs)}
    for path in inputs:
        if path.resolve().parent not in here:
            places.setdefault(path.resolve().parent, "{inputs}")
    for path in outputs:
        for parent in (path.resolve(), *path.resolve().parents):
            if parent in here:
                break
            places.setdefault(parent, "{output}" if parent != path.resolve() else f"{{output}}/{path.name}")
    portable, given = [*command], {}
    for position, argument in enumerate(command):
        option, equals, value = ("", "", argument) if argument.startswith("/") else argument.rpartition("=")
        if not value.startswith("/"):
            continue
        path = Path(value).resolve()
        inside = next((one for one in (Path(os.path.abspath(value)), path) if one.is_relative_to(root.resolve())), None)
        place = places.get(path, "")
        # what a link in the repository leads to is no part of its code: an input is given by its number
        if inside and (not place or path.is_relative_to(root.resolve())):
            relative = os.path.relpath(inside, folder.resolve())
            place = relative if relative.startswith("..") else f"./{relative}"
        if place:
            portable[position] = f"{option}{equals}{place}"
            given[str(position)] = f"{option}{equals}…/{path.name}"
    if Path(command[0]).name.startswith("python"):
        portable[0] = "python"
        given.pop("0", None)
    elif Path(portable[0]).is_absolute():
        portable[0] = Path(command[0]).name
    return portable, given


def recorded_place(path: Path, folder: Path, command: Sequence[str]) -> tuple[int, str] | None:
    """Return where a run found an input: how many folders above its working folder, and the path from there.

    Returns:
        None for what lies elsewhere, unless a relative argument of the command leads to it. Links are followed only to
        find what is in the working folder: a program opens what it is told.
    """
    lexical = os.path.relpath(os.path.abspath(folder / path), os.path.abspath(folder))
    if not lexical.startswith(".."):
        return (0, Path(lexical).as_posix()) if lexical != "." else None
    if (inside := relative_path(path, folder)) is not None:
        return (0, inside) if inside != "." else None
    parts, place = Path(lexical).parts, Path(os.path.abspath(folder / path))
    up = parts.count("..")
    for argument in command[1:]:
        value = argument.rpartition("=")[2]
        named = Path(os.path.abspath(folder / value))
        if value and not value.startswith("/") and (place.is_relative_to(named) or named.is_relative_to(place)):
            return (up, Path(*parts[up:]).as_posix()) if len(parts) > up and up <= _MOST_UP else None
    return None


def relative_path(path: Path, base: Path) -> str | None:
    """Return a path as a manifest names it, relative to `base`; None if it lies elsewhere."""
    try:
        return path.resolve().relative_to(base.resolve()).as_posix()
    except ValueError:
        return None
