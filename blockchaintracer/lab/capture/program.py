"""The program of a run: how it's started, which interpreter it has, and how a manifest names its command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.plain_json import parse_json
from blockchaintracer.lab.keys import without_secrets

RUN_FILE = "BLOCKCHAINTRACER_RUN_FILE"
"""Environment variable: where a program writes its run document, whoever runs it."""

# the package is found by its folder, whose other packages are none of the interpreter's
_CAPTURE = """
import json, sys
sys.path.insert(0, sys.argv[1])
from blockchaintracer.lab.capture.environment import capture_environment
del sys.path[0]
print(json.dumps(capture_environment()))
"""


def start_program(command: Sequence[str], folder: Path, run_file: Path) -> int:
    """Run a program to its end, without the lab's secrets; its exit code."""
    try:
        done = subprocess.run(  # noqa: S603 -- running the user's own command is what was asked for
            [*command],
            cwd=folder,
            # the program has no need to sign
            env=without_secrets(os.environ) | {RUN_FILE: str(run_file)},
            check=False,
            stdout=sys.stderr,
        )
    except OSError as error:
        raise InputError(f"the program {command[0]!r} can't be started: {error.strerror}") from None
    return done.returncode


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


def environment_of(python: str | Path, variables: Mapping[str, str]) -> dict[str, Any] | None:
    """Capture the environment inside another interpreter, as `capture_environment` does; None if it can't run there."""
    package = Path(__file__).resolve().parents[3]
    command = [os.fspath(python), "-I", "-c", _CAPTURE, str(package)]
    try:
        done = subprocess.run(command, env={**variables}, capture_output=True, check=True)  # noqa: S603 -- a Python
        return recorded_parts(parse_json(done.stdout, "environment"))
    except (OSError, subprocess.CalledProcessError, InputError):
        return None


def recorded_parts(environment: dict[str, Any]) -> dict[str, Any]:
    """Return what was captured, without what is empty."""
    return {name: value for name, value in environment.items() if value}


def portable_command(
    command: Sequence[str], folder: Path, inputs: Sequence[Path], outputs: Sequence[Path]
) -> list[str]:
    """Return a command without the places of one machine: ``python`` for an interpreter, ``{input:N}`` for the N-th
    input, ``{inputs}`` for a folder that inputs lie in, ``{output}`` for a folder that outputs were written to. What
    else lies in the working folder is named from there, and a program elsewhere by its name."""
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
    program = "python" if Path(command[0]).name.startswith("python") else _portable(command[0], folder, places)
    if Path(program).is_absolute():
        program = Path(program).name
    return [program, *(_portable(argument, folder, places) for argument in command[1:])]


def relative_path(path: Path, base: Path) -> str | None:
    """Return a path as a manifest names it, relative to `base`; None if it lies elsewhere."""
    try:
        return path.resolve().relative_to(base.resolve()).as_posix()
    except ValueError:
        return None


def _portable(argument: str, folder: Path, places: dict[Path, str]) -> str:
    option, equals, value = argument.rpartition("=") if argument.startswith("-") else ("", "", argument)
    place = places.get((folder / value).resolve()) if value else None
    if not place and Path(value).is_absolute() and (inside := relative_path(Path(value), folder)):
        place = f"./{inside}"
    return f"{option}{equals}{place}" if place else argument
