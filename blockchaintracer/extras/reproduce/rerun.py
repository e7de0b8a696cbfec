"""Repeats a recorded run on this machine, from what was published of it: code, inputs, environment, command.

The code is a stranger's: it runs in a sandbox, unless a person chose otherwise, with none of this process's environment
variables.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from glob import glob
from hashlib import sha256
from pathlib import Path
from stat import S_ISREG
from typing import Any

from blockchaintracer.core.digest import digest_folder, list_folder, sha256_file
from blockchaintracer.core.errors import BlockchainTracerError, InputError, NotVerified, StoreError
from blockchaintracer.core.manifest import MAX_BYTES, Artifact, ContentPredicate, Metric, RunPredicate, is_listing
from blockchaintracer.core.record import SubjectType, counted
from blockchaintracer.core.record_view import RecordView
from blockchaintracer.lab.capture import run_notebook
from blockchaintracer.lab.capture.environment import find_python, rebuild_environment, requirements_from
from blockchaintracer.lab.capture.git import restore_code
from blockchaintracer.lab.capture.interpreter import VARIABLES
from blockchaintracer.lab.capture.local_packages import installs_folders
from blockchaintracer.lab.capture.notebook import is_notebook, notebook_command, notebook_python
from blockchaintracer.lab.capture.program import RUN_FILE, ending, environment_of, installed_packages, recorded_parts
from blockchaintracer.lab.capture.secret_masking import MASK, mask
from blockchaintracer.lab.capture.workflows import split_launcher, tool_of, workflow_files
from blockchaintracer.lab.chain_seeds import DERIVATION_VARIABLE
from blockchaintracer.lab.files import entries_below, locked, remove, write_json
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lookup import read_manifest
from blockchaintracer.lab.programs import find_program
from blockchaintracer.lab.recording.experiment import GivenMetric
from blockchaintracer.lab.recording.metric_sources import MetricReader, place_of
from blockchaintracer.lab.recording.run import RunStart, start_run
from blockchaintracer.lab.recording.run_document import RunDocument, load_run_document
from blockchaintracer.lab.sandbox import (
    SEARCHED,
    Limits,
    OverLimitError,
    Sandbox,
    folders_of,
    gpu_devices,
    own_interpreter,
    python_folders,
    run_program,
)

_OWN = "CUDA_VISIBLE_DEVICES"
"""Says which of a machine's processors are free to use: another machine's answer is of no use."""
_PLACEHOLDER = re.compile(r"(.*=)?\{(output|inputs|input:([0-9]{1,6}))\}(.*)", re.DOTALL)
_LOG_LINES = 20


@dataclass(frozen=True)
class Plan:
    """What will be executed, to be agreed to before anything is fetched or run. The texts are a stranger's.

    Args:
        pack: the files of the commit.
        command: as recorded, with ``{input:N}`` and ``{output}`` for places.
        interpreter: the interpreter that is used as it is; None if the environment is rebuilt.
        python: the recorded version of Python; empty if not recorded.
        sandboxed: whether the program is shut in; `network` whether it may use the network nevertheless.
        build_network: whether packages that are built may use it; or who is asked once one failed without it.
        limits: what the program may use of this machine.
        loose: what the lock installs that is not a package of one version with a hash.
    """

    record: RecordView
    run: RunPredicate
    commit: str
    pack: Artifact
    command: tuple[str, ...]
    lock: Artifact | None
    interpreter: str | None
    python: str
    variables: dict[str, Any]
    sandboxed: bool = True
    network: bool = False
    build_network: bool | Callable[[], bool] = False
    limits: Limits = field(default_factory=Limits)
    loose: Sequence[str] = ()

    @property
    def gpus(self) -> bool:
        """Whether the program gets the graphics processors of this machine: the author's had some."""
        return bool(self.run.hardware.get("gpus") and gpu_devices())


class Workspace:
    """The folder of one repeated run, and the places in it.

    Args:
        levels: folders to have above the code, for inputs that lay beside the repository.

    Attributes:
        inputs: the ``{inputs}`` of the recorded command: what did not lie in the working folder.
        output: the ``{output}`` of the recorded command.
        started_ns: the time of the file system at the start of the run.
    """

    def __init__(self, root: Path, levels: int = 0) -> None:
        self.root = root
        self.code = root.joinpath(*["around"] * levels, "code")
        self.inputs = root / "inputs"
        self.output = root / "output"
        self.log = root / "output.log"
        self.errors = root / "errors.log"
        self.run_file = root / "run.json"
        self.started_ns = 0

    def start(self) -> None:
        """Note the time: what is written later is the run's."""
        clock = self.root / "started"
        clock.touch()
        self.started_ns = clock.stat().st_mtime_ns


@dataclass(frozen=True)
class Rerun:
    """What a repeated run did.

    Args:
        failure: why it shows nothing, neither for the record nor against it; None if it ended as it should.
        missing: why metrics were not told that the record says where to read.
        confined: what the record says of its sandbox; None if nothing was run.
    """

    place: Workspace
    folder: Path
    start: RunStart
    environment: dict[str, Any] | None
    document: RunDocument
    failure: str | None
    missing: Mapping[str, str] = field(default_factory=dict)
    confined: dict[str, Any] | None = None


class _Undecided(Exception):
    """The repeated run shows nothing, for this reason: it did not run as the author's did."""


def rerun(lab: Lab, plan: Plan, inputs: Sequence[RecordView], place: Workspace, sources: Sequence[str]) -> Rerun:
    """Fetch, restore, rebuild and run. What can't be fetched, or is not what was recorded, is an error."""
    folder, placed, arguments = _restore(lab, plan, inputs, place, sources)
    start = start_run(lab, folder, placed)
    # git reads nothing there any more once the program may have changed it
    start.kept_code.result()
    place.start()
    environment: dict[str, Any] | None = None
    confined: dict[str, Any] | None = None
    failure: str | None = None
    run = plan.run
    document = RunDocument(
        schema_version=1,
        name=run.name,
        parameters=run.parameters,
        parameter_sources=run.parameter_sources,
        seeds=run.seeds,
    )
    told = {name: it.source for name, it in run.metrics.items() if it.source and not it.is_declared}
    reader = MetricReader(folder, place.code, told)
    if tool_of(plan.command) in ("dvc", "snakemake"):
        # what is up to date would not be made again; both remove it before they make it
        made = workflow_files(plan.command, folder).made
        metrics = [Path(path) for it in told.values() if it.path for path in glob(os.path.join(folder, place_of(it)))]
        _remove([*made, *metrics], place, arguments)
    try:
        interpreter, readable = _rebuilt(lab, plan, place, sources)
        variables = _variables(plan, place, interpreter)
        sandbox = None
        if plan.sandboxed:
            if is_notebook(plan.command):
                # papermill is this environment's, and only the kernel that of the record
                readable += [*folders_of(Path(sys.executable)), Path(run_notebook.__file__)]
            for file in (place.log, place.errors):
                # read-only inside, so that no link to a file of this user's takes its place
                file.touch()
                readable.append(file)
            sandbox = Sandbox([place.root], readable, [lab.home.path], plan.network, plan.gpus)
        environment = recorded_parts(environment_of(interpreter, variables, sandbox) or {}) or None
        command = _command(plan, arguments, interpreter, place, folder)
        lab.say(f"running it; what it prints goes to {place.log} and {place.errors.name}")
        reader.begin({"stdout": place.log, "stderr": place.errors})
        confined = sandbox.recorded(plan.limits) if sandbox else {"tool": "none"}
        code = _run_program(command, folder, variables, place, plan.limits, sandbox)
        if code:
            printed = [*_tail(place.log), *_tail(place.errors)]
            lab.say("\n".join((f"{ending(code)}. It printed last:", *map(mask, printed))))
            raise _Undecided(ending(code))
        document = _told(place.run_file, document, run.metrics, reader)
    except _Undecided as problem:
        failure = str(problem)[:2000]
    return Rerun(place, folder, start, environment, document, failure, reader.missing, confined)


def _remove(paths: Sequence[Path], place: Workspace, inputs: Sequence[Path]) -> None:
    """Remove files and folders of the restored code that are no inputs. The paths are a stranger's."""
    for path in paths:
        target = Path(os.path.realpath(path.parent)) / path.name
        parts = target.relative_to(place.code).parts if target.is_relative_to(place.code) else ()
        if parts and ".git" not in parts and not any(one.is_relative_to(path) for one in inputs):
            remove(target)


def _told(file: Path, document: RunDocument, recorded: Mapping[str, Metric], reader: MetricReader) -> RunDocument:
    """Read what the program told, each metric as the record says that it was read."""
    # a link may lead to a file of this user's
    if file.is_file() and not file.is_symlink():
        try:
            document = load_run_document(file)
            document.recorded_metrics()
        except InputError as error:
            raise _Undecided(f"the program wrote no valid run document: {error.message}") from None
        if document.error:
            raise _Undecided(f"the program says that it failed: {document.error}")
    elif any(metric.tolerance and not metric.source for metric in recorded.values()):
        raise _Undecided(f"the program wrote no run document to ${RUN_FILE}, so its metrics can't be compared")
    read = reader.read()
    told = {name: metric for name, metric in document.metrics.items() if name not in reader.sources}
    for name, (value, source) in read.items():
        told[name] = GivenMetric(value=value, tolerance=recorded[name].tolerance, source=source)
    return document.model_copy(update={"metrics": told})


@contextmanager
def workspace(chosen: Path | None, keep: bool, levels: int) -> Iterator[Workspace]:
    """Make the workspace: in a chosen folder, empty or not there yet, or in a temporary one."""
    if chosen:
        if os.path.lexists(chosen) and (not chosen.is_dir() or any(chosen.iterdir())):
            raise InputError(f"expected an empty folder or none at {chosen}")
        chosen.mkdir(parents=True, exist_ok=True)
        root = chosen.resolve()
    else:
        root = Path(tempfile.mkdtemp(prefix="reproduction-")).resolve()
    try:
        for name in ("output", "inputs", "home", "tmp", "lock"):
            (root / name).mkdir()
        place = Workspace(root, levels)
        place.code.parent.mkdir(parents=True, exist_ok=True)
        yield place
    finally:
        if not chosen and not keep:
            remove(root)


def _restore(
    lab: Lab, plan: Plan, inputs: Sequence[RecordView], place: Workspace, sources: Sequence[str]
) -> tuple[Path, list[Path], list[Path]]:
    """Puts code and inputs where the run finds them."""
    lab.say("fetching code and inputs")
    for diff in plan.run.code.diffs:
        try:
            lab.store.fetch(diff.sha256, sources)
        except (StoreError, NotVerified) as error:
            raise type(error)(
                f"the run's files differed from its commit, and the difference is not to be had: {error.message}",
                hint="Ask the lab to `publish --with-diff`. Nothing was run and nothing attested.",
            ) from None
    restore_code(plan.run.code, lambda digest: lab.store.fetch(digest, sources), place.code)
    folder = _inside(place.code / (plan.run.code.working_folder or "."), place.code)
    folder.mkdir(parents=True, exist_ok=True)
    placed, targets = [], []
    for index, (entry, record) in enumerate(zip(plan.run.inputs, inputs, strict=True)):
        name = re.sub(r"[^\w.-]", "_", Path(entry.name or "input").name).lstrip(".")[:100] or "input"
        beside = Path(os.path.abspath(folder.joinpath(*[".."] * (entry.up or 0))))
        target = beside / entry.path if entry.path else place.inputs / name
        if target in targets:
            target = place.inputs / str(index) / name
        targets.append(target)
        if record.key.subject_type in (SubjectType.FILE, SubjectType.FOLDER):
            placed += [target] if _put(lab, record, target, place, sources) else []
    return folder, placed, targets


def _put(lab: Lab, record: RecordView, target: Path, place: Workspace, sources: Sequence[str]) -> bool:
    """Puts an input in its place; whether it wasn't part of the code."""
    subject, is_folder = record.key.subject, record.key.subject_type == SubjectType.FOLDER
    for parent in reversed(target.parents):
        if parent.is_relative_to(place.code) and parent.is_symlink() and not _is_inside(parent, place.root):
            lab.say(f"{parent.relative_to(place.code)} of the code leads out of it: the recorded input is put there")
            parent.unlink()
    real = _inside(target.parent, place.root).resolve() / target.name
    if ".git" in (part.lower() for part in real.relative_to(place.root).parts):
        raise NotVerified(f"expected the path of an input, got one inside git's own folder: {target}")
    executable = _executable(lab, record, sources) if is_folder else frozenset()
    is_of_code = os.path.lexists(target)
    if is_of_code:
        if target.is_relative_to(place.inputs):
            raise NotVerified(f"two inputs of the run claim one place: {target.relative_to(place.root)}")
        if target.is_dir() == is_folder and subject_of(target) == subject:
            for path, file in list_folder(target) if executable else ():
                os.chmod(file, 0o755 if path in executable else 0o644)
            return False
        lab.say(f"{os.path.relpath(target, place.code)} of the code is not the recorded input, which is used instead")
        remove(target)
    if is_folder:
        lab.store.restore_folder(subject, target, sources, executable)
    else:
        lab.store.export(subject, target, sources)
    return not is_of_code


def _executable(lab: Lab, record: RecordView, sources: Sequence[str]) -> frozenset[str]:
    """Which files of a folder may be executed, if its manifest is to be had and lists them."""
    try:
        lab.store.fetch(record.key.manifest, sources, MAX_BYTES)
        predicate = read_manifest(lab.store, record).predicate
    except BlockchainTracerError as error:
        lab.say(f"which files of an input may be executed is not known: {error.message}")
        return frozenset()
    return frozenset((predicate.executable or ()) if isinstance(predicate, ContentPredicate) else ())


def _inside(path: Path, root: Path) -> Path:
    """The path, if following its links doesn't lead out of `root`."""
    if not _is_inside(path, root):
        raise NotVerified(f"expected a path inside {root}, got one that leads out of it: {path}")
    return path


def _is_inside(path: Path, root: Path) -> bool:
    # unlike `Path.resolve`, it takes links that lead to themselves
    return Path(os.path.realpath(path)).is_relative_to(root)


def _rebuilt(lab: Lab, plan: Plan, place: Workspace, sources: Sequence[str]) -> tuple[Path, list[Path]]:
    """The given Python, or that of the recorded environment: rebuilt from its lock once, then kept. And the folders
    that it reads."""
    lock = plan.lock
    if lock is None:
        name = plan.interpreter or ""
        path = name if os.path.dirname(name) and os.access(name, os.X_OK) else find_program(name)
        if path is None:
            raise InputError(f"expected a Python interpreter, got {plan.interpreter!r}")
        own = Path(os.path.abspath(path))
        return own_interpreter(own), folders_of(own)
    file = lab.store.export(lock.sha256, place.root / "lock" / Path(lock.path).name, sources)
    version, interpreter = _interpreter(lab, plan.python)
    described = plan.run.environment
    if described.image:
        tool = next(filter(find_program, ("podman", "docker")), None)
        where = f"{tool} is here" if tool else "neither podman nor docker is here"
        raise _Undecided(
            f"the run was in the container {described.image} ({where}): run `reproduce` in it, with --python"
        )
    try:
        wanted = requirements_from(file, place.code, described.lock_folder or ".", installed_packages(described))
    except InputError as error:
        raise _Undecided(
            " ".join(filter(None, (f"the recorded lock file can't be used here: {error.message}.", error.hint)))
        ) from None
    if installs_folders(wanted.text):
        # an environment with the code of this commit in it is no other commit's
        kept = place.root / "environment"
    else:
        identity = "\n".join((wanted.text, wanted.pylock, *wanted.pins, version))
        kept = lab.home.environments / sha256(identity.encode()).hexdigest()[:32]
    with locked(kept.with_suffix(".lock")):
        complete = kept / "complete.json"
        python = kept / "venv" / "bin" / "python"
        if not (complete.exists() and python.exists()):
            lab.say(f"rebuilding the environment from {file.name}")
            remove(kept)
            kept.mkdir(mode=0o700)
            try:
                rights: dict[str, Any] = {"sandboxed": plan.sandboxed, "build_network": plan.build_network}
                rebuild_environment(wanted, kept / "venv", interpreter, place.code, **rights, say=lab.say)
            except BaseException as error:
                remove(kept)
                if not isinstance(error, InputError):
                    raise
                lab.say("\n".join(filter(None, (error.message, error.hint))))
                reason = " ".join(error.message.splitlines()[:2])
                raise _Undecided(f"the recorded environment can't be rebuilt here: {reason}") from None
            taken, shared = _disk(kept)
            if taken >= 1e5:
                lab.say(f"it takes {taken / 1e6:,.1f} MB, of which {shared / 1e6:,.1f} MB are shared with uv's cache")
            write_json(complete, {"lock": lock.sha256, "name": file.name, "python": version})
        # `store gc --environments` counts from the last use
        os.utime(kept)
    return python, [kept, *python_folders(python)]


def _disk(folder: Path) -> tuple[int, int]:
    """Bytes that a folder takes, and those of them that other folders share by hard links."""
    states = [it.stat(follow_symlinks=False) for it in entries_below(folder) if not it.is_dir(follow_symlinks=False)]
    return sum(it.st_size for it in states), sum(it.st_size for it in states if it.st_nlink > 1)


def _interpreter(lab: Lab, recorded: str) -> tuple[str, str]:
    """The version of Python to rebuild for, and one of it: this one, if it has the recorded minor version."""
    mine = platform.python_version()
    minor = ".".join(recorded.split(".")[:2])
    if not re.fullmatch(r"3\.[0-9]{1,2}", minor) or minor == ".".join(mine.split(".")[:2]):
        if recorded and recorded != mine:
            lab.say(f"the run had Python {recorded}, here it is {mine}")
        return mine, sys.executable
    if (python := find_python(minor)) is None:
        raise _Undecided(
            f"the run had Python {recorded}, and no Python {minor} is here: install it, or name one by --python"
        )
    return minor, python


def _variables(plan: Plan, place: Workspace, python: Path) -> dict[str, str]:
    """The environment of the repeated run: what the record says can change a result, and nothing of this process."""
    recorded = {
        name: value
        for name, value in plan.variables.items()
        if name in VARIABLES and name != _OWN and isinstance(value, str) and MASK not in value and "\0" not in value
    }
    own = {_OWN: os.environ[_OWN]} if _OWN in os.environ else {}
    # the program asks for its seeds, and no chain is at hand for it
    derivation = plan.run.seed_derivation
    seeds = {DERIVATION_VARIABLE: derivation.model_dump_json(by_alias=True)} if derivation else {}
    return {
        "LANG": "C.UTF-8",
        **recorded,
        **own,
        "HOME": str(place.root / "home"),
        "TMPDIR": str(place.root / "tmp"),
        "PATH": f"{python.parent}:{SEARCHED}",
        "PYTHONNOUSERSITE": "1",
        RUN_FILE: str(place.run_file),
        **seeds,
    }


def _command(plan: Plan, inputs: Sequence[Path], python: Path, place: Workspace, folder: Path) -> list[str]:
    """The recorded command with the places of this workspace. What its author gave so is no place."""

    def here(position: int, argument: str) -> str:
        match = _PLACEHOLDER.fullmatch(argument)
        if not match or str(position) not in (plan.run.code.given or {}):
            return argument
        option, name, number, rest = match.groups()
        if number and int(number) >= len(inputs):
            raise InputError(f"the recorded command names {name}, but the run names {counted(len(inputs), 'input')}")
        path = inputs[int(number)] if number else place.output if name == "output" else place.inputs
        return f"{option or ''}{path}{rest}"

    command = [here(position, argument) for position, argument in enumerate(plan.command)]
    # what launched it found the environment, which is rebuilt here
    program, *arguments = split_launcher(command)[1] or command
    if is_notebook(plan.command):
        kernel = notebook_python(folder / program, arguments, find_program, rebuilt=str(python))
        return notebook_command([program, *arguments], kernel, place.output)
    return [str(python) if program == "python" else program, *arguments]


def _run_program(
    command: list[str],
    folder: Path,
    variables: dict[str, str],
    place: Workspace,
    limits: Limits,
    sandbox: Sandbox | None,
) -> int:
    with place.log.open("wb") as output, place.errors.open("wb") as errors:
        try:
            return run_program(command, folder, variables, output, sandbox, limits, errors=errors)
        except OverLimitError as problem:
            raise _Undecided(str(problem)) from None
        except (OSError, ValueError) as error:
            # an argument with a zero byte is no argument
            reason = getattr(error, "strerror", error)
            raise _Undecided(
                f"the recorded program {Path(command[0]).name!r} can't be started here: {reason}"
            ) from None


def _tail(log: Path) -> list[str]:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 8192))
        text = file.read().decode(errors="replace")
    return ["".join(c if c.isprintable() else "?" for c in line) for line in text.splitlines()[-_LOG_LINES:]]


def written_output(done: Rerun, recorded: Artifact) -> Path | None:
    """Find what a repeated run wrote for an output of the record; None if it wrote nothing.

    A link, which may lead to a file of this user's, is not taken for an output, nor is what is no file, or larger than
    the disk.
    """
    place, folder = done.place, done.folder
    path = Path(recorded.path)
    is_folder = is_listing(recorded.path)
    name = path.parent.name if is_folder else path.name
    named = [folder / output.path for output in done.document.outputs if Path(output.path).name == name]
    for candidate in (*named, place.output / name, folder / (path.parent if is_folder else path)):
        if not _is_inside(candidate, place.root) or candidate.is_symlink():
            continue
        with suppress(InputError, OSError):
            # a link out of the folder is refused here
            files = [file for _, file in list_folder(candidate)] if is_folder else [os.fspath(candidate)]
            states = [os.stat(file) for file in files]
            # of a file with holes, the size is what it takes to read and to keep it
            fits = sum(state.st_size for state in states) < shutil.disk_usage(place.root).free
            fits = fits and all(map(S_ISREG, (state.st_mode for state in states)))
            if fits and any(state.st_mtime_ns > place.started_ns for state in states):
                return candidate
    return None


def subject_of(path: Path) -> str:
    """Hash a file or folder as a record's subject has it; empty if it has no digest."""
    try:
        return digest_folder(path).sha256 if path.is_dir() else sha256_file(path)
    except InputError:
        return ""
