"""Inputs and outputs of a workflow, from the files that its own tool keeps: ``dvc.lock``, Snakemake's metadata.

Nothing is guessed. A tool that keeps no such file, such as make, names nothing.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import read_limited
from blockchaintracer.core.plain_json import loads_shallow
from blockchaintracer.lab.recording.run_document import parse_yaml

MAX_FILE = 16 << 20
_LAUNCHERS = {"uv", "poetry", "pdm", "pipenv", "rye"}
_VALUED = re.compile(r"-[pf]|--(with(-requirements|-editable)?|(no-|only-)?(extra|group)|python|index|env-file)")
"""Options of `uv run` that take a value."""
CODE = {".py", ".ipynb", ".r", ".jl", ".sh", ".bash", ".pl", ".smk", ".c", ".cc", ".cpp", ".h", ".f90", ".m", ".js"}
"""Suffixes of code, which the commit has and which is no data."""


@dataclass(frozen=True)
class WorkflowStep:
    """One step of a workflow: absolute paths, or addresses as they are given."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class WorkflowFiles:
    """What a workflow read and wrote.

    Args:
        inputs: what no step made; without code.
        outputs: what no other step reads.
        made: everything that a step made, and the tool's own folder: it is no part of the code.
        remote: addresses among the inputs.
    """

    inputs: tuple[Path, ...] = ()
    outputs: tuple[Path, ...] = ()
    made: tuple[Path, ...] = ()
    remote: tuple[str, ...] = ()


def split_launcher(command: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split a command such as ``uv run --frozen fit.py`` into what starts a program in the environment of its project,
    and the program, here ``python fit.py``. The first part is empty if the command starts none so."""
    launcher, program = [*command[:2]], [*command[2:]]
    if not program or Path(command[0]).name not in _LAUNCHERS or command[1] != "run":
        return [], [*command]
    while program and program[0].startswith("-") and program[0] not in ("-m", "--"):
        size = 2 if _VALUED.fullmatch(program[0]) else 1
        launcher, program = launcher + program[:size], program[size:]
    program = program[1:] if program[:1] == ["--"] else program
    is_of_python = bool(program) and (program[0] == "-m" or program[0].endswith(".py"))
    return launcher, ["python", *program] if is_of_python else program


def tool_of(command: Sequence[str]) -> str:
    """Return which tool of workflows a command starts: ``dvc``, ``snakemake`` or ``make``; else an empty text."""
    names = [Path(word).name for word in split_launcher(command)[1][:4]]
    if len(names) > 2 and names[0].startswith("python") and names[1] == "-m":
        names = names[2:]
    name = names[0] if names else ""
    if name == "dvc":
        return "dvc" if names[1:2] in (["repro"], ["exp"]) else ""
    return {"snakemake": "snakemake", "make": "make", "gmake": "make"}.get(name, "")


def workflow_files(command: Sequence[str], folder: Path, since: float = 0.0) -> WorkflowFiles:
    """Read what a workflow's tool says of the steps.

    Args:
        command: the program of the run, and its arguments.
        folder: its working folder.
        since: only steps that Snakemake began after that time, in seconds since 1970.

    Raises:
        InputError: if a file of the tool can't be read.
    """
    tool = tool_of(command)
    readers: dict[str, Callable[[], Iterator[WorkflowStep]]] = {
        "dvc": lambda: _dvc_steps(command, folder),
        "snakemake": lambda: _snakemake_steps(_snakemake_folder(command, folder), since),
    }
    if tool not in readers:
        return WorkflowFiles()
    steps = list(readers[tool]())
    made = dict.fromkeys(path for step in steps for path in step.outputs)
    read = dict.fromkeys(path for step in steps for path in step.inputs)
    sources = [path for path in read if not _is_below(path, made)]
    inputs = [Path(path) for path in sources if Path(path).suffix.lower() not in CODE and os.path.exists(path)]
    between = {str(place) for path in read for place in (Path(path), *Path(path).parents)}
    outputs = [Path(path) for path in made if not _is_below(path, read) and path not in between]
    outputs = [path for path in outputs if path.exists()]
    own = [_snakemake_folder(command, folder) / ".snakemake"] if tool == "snakemake" else []
    remote = tuple(path for path in sources if "://" in path)
    return WorkflowFiles(tuple(inputs), tuple(outputs), (*map(Path, made), *own), remote)


def metric_files(command: Sequence[str], folder: Path) -> list[str]:
    """Return what `--metrics` is given for a workflow whose own files name its metrics."""
    files = _dvc_files(command, folder) if tool_of(command) == "dvc" else []
    described = [(file, _yaml(file)) for file in files]
    return [os.path.relpath(file, folder) for file, data in described if '"metrics"' in json.dumps(data)]


def _is_below(path: str, places: dict[str, None]) -> bool:
    return path in places or any(str(parent) in places for parent in Path(path).parents)


def _dvc_files(command: Sequence[str], folder: Path) -> list[Path]:
    """The dvc.yaml that a command names, or that of its folder."""
    named = [folder / word.partition(":")[0] for word in command if "dvc.yaml" in word]
    return [file for file in dict.fromkeys(named or [folder / "dvc.yaml"]) if file.is_file()]


def _dvc_steps(command: Sequence[str], folder: Path) -> Iterator[WorkflowStep]:
    for file in _dvc_files(command, folder):
        stages = _yaml(file).get("stages") or {}
        lock = file.with_name("dvc.lock")
        for name, locked in (_yaml(lock).get("stages") or {}).items() if lock.is_file() else ():
            # a stage that is made from a list is name@item
            stage = stages.get(name) or stages.get(str(name).partition("@")[0]) or {}
            place = file.parent / str(stage.get("wdir") or ".")

            def paths(part: str, locked: Any = locked, place: Path = place) -> tuple[str, ...]:
                entries = locked.get(part) if isinstance(locked, dict) else None
                given = [str(entry["path"]) for entry in entries or () if isinstance(entry, dict) and "path" in entry]
                return tuple(path if "://" in path else os.path.normpath(place / path) for path in given)

            yield WorkflowStep(paths("deps"), paths("outs"))


def _yaml(file: Path) -> dict[str, Any]:
    data = parse_yaml(read_limited(file, MAX_FILE, "a file of DVC"))
    if not isinstance(data, dict) or not isinstance(data.get("stages") or {}, dict):
        raise InputError(f"{file}: expected stages of DVC, got something else")
    return data


def _snakemake_folder(command: Sequence[str], folder: Path) -> Path:
    given = [value for option, value in pairwise(command) if option in ("-d", "--directory")]
    return Path(folder, *given[-1:])


def _snakemake_steps(folder: Path, since: float) -> Iterator[WorkflowStep]:
    """Read `.snakemake/metadata`: a JSON file for each output, named by the Base64 of its path."""
    metadata = folder / ".snakemake" / "metadata"
    for file in sorted(path for path in metadata.rglob("*") if path.is_file()):
        parts = file.relative_to(metadata).parts
        # of a long path in pieces, all but the last begin with @
        encoded = "".join((*(part.removeprefix("@") for part in parts[:-1]), parts[-1]))
        with suppress(ValueError, binascii.Error, KeyError, TypeError, AttributeError):
            told = loads_shallow(read_limited(file, MAX_FILE, "metadata of Snakemake"))
            if (told.get("starttime") or 0) >= since and not told.get("incomplete"):
                output = base64.urlsafe_b64decode(encoded).decode()
                given = [path if "://" in path else os.path.normpath(folder / path) for path in told["input"]]
                yield WorkflowStep(tuple(given), (os.path.normpath(folder / output),))
