"""A run from its start to its record: what is captured and what its author says become one manifest.

Every run ends in `finish_run`, whoever describes it: the tracer, the command line, a reproduction or MLflow.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, cast

from blockchaintracer.core.digest import is_plain_path
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import (
    Artifact,
    Checkpoints,
    Code,
    Experiment,
    NestedCode,
    NotBefore,
    PrivateValues,
    RunEnvironment,
    RunInput,
    RunOutput,
    RunPredicate,
    WholeFile,
)
from blockchaintracer.core.manifest.paths import escaped_path
from blockchaintracer.core.plain_json import rfc3339
from blockchaintracer.core.record import Kind, Link, Relation, counted, parse_number
from blockchaintracer.lab.capture.git import GitState, capture_git, content_in, pack_commit, without_new_files
from blockchaintracer.lab.capture.hardware import capture_hardware
from blockchaintracer.lab.capture.interpreter import capture_environment, packages_in
from blockchaintracer.lab.capture.local_packages import portable_lock
from blockchaintracer.lab.capture.locks import differences, find_lock, is_lock, is_structured, read_lock, read_packages
from blockchaintracer.lab.capture.notebook import is_notebook, notebook_python
from blockchaintracer.lab.capture.program import (
    RUN_FILE,
    environment_of,
    interpreter_of,
    portable_command,
    recorded_parts,
    recorded_place,
    relative_path,
    start_program,
)
from blockchaintracer.lab.capture.reads import Observation, Seen, leftovers, loaded_files, reads_of_this, undeclared
from blockchaintracer.lab.capture.secret_masking import (
    MASK,
    SCANNED,
    SecretFinding,
    mask,
    mask_arguments,
    mask_lock,
    scan_secrets,
)
from blockchaintracer.lab.capture.used_packages import installed_size, loaded_packages, named_packages, with_needs
from blockchaintracer.lab.drafts import Progress, Recorded
from blockchaintracer.lab.files import write_kept
from blockchaintracer.lab.keys import without_secrets
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.private.encrypt import context_of, recipients_of
from blockchaintracer.lab.private.field_tree import FieldTree
from blockchaintracer.lab.programs import find_program
from blockchaintracer.lab.recording.checkpoint_log import keep_checkpoints
from blockchaintracer.lab.recording.content import (
    as_logged,
    named_parents,
    not_before,
    parse_parent,
    record_path,
    record_run,
    used_record,
)
from blockchaintracer.lab.recording.experiment import GivenMetric
from blockchaintracer.lab.recording.keep import OPEN, Keeping, hidden_content, keep, keep_attachment
from blockchaintracer.lab.recording.metric_histories import keep_histories
from blockchaintracer.lab.recording.run_document import RunDocument, load_run_document, parse_yaml
from blockchaintracer.lab.recording.templates import validate_against_template
from blockchaintracer.lab.sandbox import Sandbox
from blockchaintracer.lab.store.store import Store


@dataclass
class RunStart:
    """What is known when a run starts, and only then."""

    run_id: str
    started_at: datetime
    git: GitState | None
    not_before: NotBefore | None
    kept_code: Future[KeptCode]
    installed_from: Future[Mapping[Path, GitState | None]] | None = None


@dataclass(frozen=True)
class KeptCode:
    """Where a run's code is in the store: the commit of the repository and of those inside, by folder; and what in
    their differences looks like a secret."""

    packs: Mapping[str, Artifact] = field(default_factory=dict)
    findings: Sequence[SecretFinding] = ()


@dataclass(frozen=True)
class Used:
    """What a run read: its record, the relation of the run to it, and where the run found it."""

    record: Recorded
    relation: int
    path: Path


@dataclass
class RunFacts:
    """What goes into a run's record besides what is captured.

    Args:
        linked: what it read, in the terms of another run's manifest.
        given: of a command that is as a manifest names it already, `Code.given`; None if it isn't.
        observed: as in `RunEnvironment`; None if nothing was seen to run.
        checkpoints: what was committed to while it went on; None for the document's.
        image: the container that it ran in, as its author says.
        look_up_hashes: whether a lock that is made asks the package index for hashes.
        host_name, user_name: whether to record these.
        ended_at: when it ended; None for now.
        ended: whether it ended at all, as far as is known.
        code, hardware: of a run that was elsewhere or earlier, if they aren't to be captured.
        seen: what it was seen to read; None if nothing looked.
    """

    document: RunDocument
    inputs: list[Used] = field(default_factory=list)
    linked: Sequence[RunInput] = ()
    outputs: list[tuple[str, Path]] = field(default_factory=list)
    parents: list[Link] = field(default_factory=list)
    command: Sequence[str] | None = None
    given: Mapping[str, str] | None = None
    observed: Literal["program", "process"] | None = None
    sandbox: Mapping[str, Any] | None = None
    folder: Path = field(default_factory=Path.cwd)
    lock: Path | None = None
    look_up_hashes: bool = False
    image: str | None = None
    environment: RunEnvironment | None = None
    error: str | None = None
    checkpoints: Checkpoints | None = None
    host_name: bool = False
    user_name: bool = False
    kept: Sequence[tuple[str, Artifact]] = ()
    ended_at: datetime | None = None
    ended: bool = True
    keeping: Keeping = OPEN
    code: Code | None = None
    hardware: dict[str, Any] | None = None
    seen: Seen | None = None


def start_run(lab: Lab, folder: Path | None = None, exclude: Iterable[Path] = (), *, here: bool = False) -> RunStart:
    """Capture what must be captured before a run: its id, a final block, the state of the code.

    Args:
        exclude: new files and folders that are recorded by themselves and so no part of the code, such as inputs.
        here: this process is the run. A thread reads what is installed meanwhile, which takes too long at its end.
    """
    exclude = [lab.home.path, *exclude]
    git = capture_git(folder or Path.cwd(), exclude=exclude)
    if git and (hidden := hidden_content(lab)):
        new, held = content_in(git, hidden)
        if held:
            raise InputError(
                f"expected no hidden content in the recorded code, got {', '.join(sorted(held)[:5])}: it was encrypted,"
                " decrypted or private before, and the commit and the difference are published",
                hint="Take it out of the repository (`git rm --cached`, .gitignore) and commit; or record it by itself "
                "with `record --in-the-open`.",
            )
        if new:
            lab.say(f"hidden before, and so no part of the recorded code: {', '.join(sorted(map(str, new)))}")
            git = capture_git(folder or Path.cwd(), exclude=[*exclude, *new])
    if git and git.unused:
        names = ", ".join(git.unused)
        lab.say(f"the filters {names} of {git.root} were not started: if they are yours, `git config --global` them")
    pool = ThreadPoolExecutor(1)
    kept_code = pool.submit(_keep_code, lab.store, git)
    beside = pool.submit(_installed_from, git.root if git else folder or Path.cwd()) if here else None
    # a large commit takes its time, which the run need not wait for
    pool.shutdown(wait=False)
    return RunStart(str(uuid.uuid4()), datetime.now(UTC), git, not_before(lab), kept_code, beside)


def _installed_from(root: Path) -> Mapping[Path, GitState | None]:
    from blockchaintracer.lab.capture.made_lock import states_of

    direct = capture_environment()["direct"]
    # what packages list is kept for the end
    files, folders = loaded_files()
    loaded_packages(files, {name: info for name, (_, info) in packages_in(folders).items()}, direct)
    return states_of(direct, root)


def _keep_code(store: Store, git: GitState | None) -> KeptCode:
    packs: dict[str, Artifact] = {}
    findings: list[SecretFinding] = []
    for at, state in (("", git), *git.nested) if git else ():
        # differences are put into the store when the run is recorded: until then something may have to stay hidden
        findings += scan_secrets(state.diff[:SCANNED], diff=True)
        findings += (found for kept in state.whole.values() if kept for found in scan_secrets(kept[0][:SCANNED]))
        if state.commit:
            packs[at] = keep_attachment(store, "commit.pack", pack_commit(state.root, state.commit))
    return KeptCode(packs, findings)


def finish_run(lab: Lab, start: RunStart, facts: RunFacts, progress: Progress | None = None) -> Recorded:
    """Store what a run wrote and ran on, and record it.

    Raises:
        InputError: before anything is stored, if the run doesn't fit the template that it names.
    """
    document = facts.document
    error = document.error or facts.error
    check_template(document, complete=error is None)
    ended = facts.ended_at or datetime.now(UTC)
    recipients = recipients_of(lab.home, document.private.encrypt_to)
    outputs = [RunOutput(role=role, artifact=artifact) for role, artifact in facts.kept]
    for role, path in facts.outputs:
        kept = keep(lab, path, facts.keeping, progress=progress)
        outputs.append(RunOutput(role=role, **kept.named(output_name(path, facts))))
    hardware = facts.hardware
    if hardware is None:
        hardware = capture_hardware(host_name=facts.host_name, user_name=facts.user_name)
    environment, loaded = (facts.environment, set[str]()) if facts.environment else _environment(lab, facts, start)
    if facts.observed:
        environment = environment.model_copy(update={"observed": facts.observed})
    if facts.sandbox:
        environment = environment.model_copy(update={"sandbox": facts.sandbox})
    inputs = [*facts.linked]
    for used in facts.inputs:
        # a program may tell by its suffix how to read it, wherever it's placed
        name, place = used.path.name or used.record.name, recorded_place(used.path, facts.folder, facts.command or ())
        found: dict[str, Any] = {"name": escaped_path(name or "").strip()[:256] or None}
        if place and is_plain_path(place[1]):
            found |= {"path": place[1], "up": place[0] or None}
        inputs.append(RunInput(record=used.record.id, relation=used.relation, sha256=used.record.subject, **found))
    histories = keep_histories(lab.store, document.histories)
    reads = None
    if facts.seen:
        files = [*(used.path for used in facts.inputs), *(path for _, path in facts.outputs)]
        shut_in = bool(facts.sandbox and facts.sandbox.get("network") is False)
        ran = () if is_notebook(facts.command or ()) else facts.command or ()
        more: dict[str, Any] = {"command": ran, "shut_in": shut_in, "packages": loaded}
        missed = undeclared(facts.seen, facts.folder, start.git, files, [lab.home.path], **more)
        for sentence in missed.sentences():
            lab.say(sentence)
        reads = missed.reads
    elif facts.observed == "process":
        reads = reads_of_this(start.git.root if start.git else facts.folder, loaded)
    metrics = document.recorded_metrics()
    run = RunPredicate(
        run_id=start.run_id,
        name=document.name,
        description=document.description,
        status="failed" if error else "completed" if facts.ended else "running",
        error=error,
        started_at=rfc3339(start.started_at),
        ended_at=rfc3339(ended),
        declared_timestamp=document.declared_timestamp,
        parameters=document.parameters,
        parameter_sources=document.parameter_sources,
        metrics={name: metric.model_copy(update={"history": histories.get(name)}) for name, metric in metrics.items()},
        seeds=document.seeds,
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        code=facts.code or _code(lab, start.git, start.kept_code.result(), facts),
        reads=reads,
        environment=environment,
        hardware=hardware,
        not_before=start.not_before,
        experiment=_experiment(document, start.git, lab.say),
        template=document.template,
        private=_private(lab, document, start.run_id, recipients),
        checkpoints=facts.checkpoints or keep_checkpoints(lab.store, document.checkpoints, document.checkpoint_anchors),
        seed_derivation=document.seed_derivation,
        parents=named_parents({*facts.parents, *(Link(entry.record, entry.relation) for entry in inputs)}),
    )
    recorded = record_run(lab, run)
    for output in outputs:
        lab.hashes.note_output(output.subject, recorded.id)
    return recorded


def output_name(path: Path, facts: RunFacts) -> str:
    """Return the name of an output: its file's, or the path from the working folder where several have that name."""
    alike = [other for _, other in facts.outputs if other.name == path.name]
    place = os.path.relpath(path.resolve(), facts.folder.resolve())
    return place if len(alike) > 1 and is_plain_path(place) else path.name


def _private(lab: Lab, document: RunDocument, run_id: str, recipients: Sequence[str]) -> PrivateValues | None:
    """Commit to what a run does not show; values and salts are on the disk before anything is recorded."""
    if not (values := document.private.fields()):
        return None
    from blockchaintracer.lab.private.disclose import keep_private

    tree = FieldTree.of(context_of(lab), hashlib.sha256(run_id.encode("ascii")).hexdigest(), values)
    return keep_private(lab, tree, recipients)


def check_template(document: RunDocument, *, complete: bool) -> None:
    """Check a run document against the template that it names, if it names one."""
    if document.template:
        private = document.private
        metrics = {name: GivenMetric(value=value) for name, value in private.metrics.items()}
        shown = {
            "parameters": {**document.parameters, **private.parameters},
            "metrics": {**document.metrics, **metrics},
        }
        name, version = document.template.name, document.template.version
        validate_against_template(document.model_copy(update=shown), name, version, complete=complete)


def record_models(
    lab: Lab,
    run: Recorded,
    paths: Sequence[Path],
    inputs: Sequence[Used],
    keeping: Keeping = OPEN,
    progress: Progress | None = None,
) -> list[Recorded]:
    """Record what a run trained as models: each was made by the run, and trained on those inputs that the run was. So
    a retraction of the run reaches them."""
    parents = [Link(used.record.id, used.relation) for used in inputs if used.relation == Relation.TRAINED_ON]
    parents.append(Link(run.id, Relation.GENERATED_BY))
    more: dict[str, Any] = {"parents": parents, "keeping": keeping, "progress": progress}
    return [record_path(lab, Kind.MODEL, path, **more) for path in paths]


def run_command(
    command: Sequence[str],
    folder: Path,
    home: Home,
    streams: Mapping[str, Path] | None = None,
    sandbox: Sandbox | None = None,
) -> tuple[int, RunDocument | None, Seen]:
    """Run a program. Returns its exit code, the run document that it writes to ``$BLOCKCHAINTRACER_RUN_FILE``, if it
    writes one, and what it was seen to read. `streams` and `sandbox` as in `start_program`.

    Raises:
        InputError: if it can't be read as one: it is kept in the lab's folder, to be mended.
    """
    with tempfile.TemporaryDirectory(prefix="blockchaintracer-") as scratch:
        file = Path(scratch, "run.json")
        observation = Observation(Path(scratch, "reads"))
        if sandbox:
            sandbox = replace(sandbox, writable=[*sandbox.writable, Path(scratch)])
        code = start_program(command, folder, file, observation, streams, sandbox)
        try:
            return code, load_run_document(file) if file.exists() else None, observation.seen()
        except InputError as error:
            kept = _keep_unrecorded(home, file.read_bytes())
            hint = f"It is kept: mend it, then `blockchaintracer record --from {shlex.quote(str(kept))}`."
            message = f"what the program wrote to ${RUN_FILE} is no run document: {error.message}"
            raise InputError(message, hint=f"{error.hint} {hint}" if error.hint else hint, **error.values) from error


def record_inputs(
    lab: Lab,
    document: RunDocument,
    base: Path,
    keeping: Keeping = OPEN,
    progress: Progress | None = None,
    logged: Mapping[Path, str] = MappingProxyType({}),
) -> list[Used]:
    """Return the inputs that a run document names by path, each with the group's record of it; what has none is
    recorded.

    Args:
        logged: digests of what was kept of inputs when they were logged.
    """
    inputs = []
    for entry in document.inputs:
        if entry.path is not None:
            kind, relation = parse_number(entry.kind, Kind), parse_number(entry.relation, Relation)
            path = base / entry.path
            with as_logged(lab, path, logged.get(path)) as place:
                record = used_record(lab, kind, place, name=entry.name, keeping=keeping, progress=progress)
            inputs.append(Used(record, int(relation), path))
    return inputs


def document_text(document: RunDocument) -> str:
    """Return a document as JSON; a tolerance that was set to null must not read as one that wasn't set."""
    return json.dumps(document.model_dump(mode="json", by_alias=True, exclude_unset=True), indent=1) + "\n"


def keep_unrecorded(home: Home, document: RunDocument) -> Path:
    """Write a run document that could not be recorded to a file that it can be recorded from later; the file."""
    return _keep_unrecorded(home, document_text(document).encode())


def _keep_unrecorded(home: Home, data: bytes) -> Path:
    file = home.path / "unrecorded" / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.urandom(4).hex()}.json"
    write_kept(file, data, problem=f"the run document can't be written to {file.parent}")
    return file


def linked_inputs(lab: Lab, document: RunDocument) -> list[Link]:
    """Return the parents that a run document names by record id."""
    return [parse_parent(lab, f"{entry.record}:{entry.relation}") for entry in document.inputs if entry.record]


def _experiment(document: RunDocument, git: GitState | None, say: Callable[[str], None]) -> Experiment:
    experiment = document.experiment or Experiment()
    declared, captured = experiment.declared_commit, git.commit if git else None
    if declared is None:
        return experiment
    if captured and captured.startswith(declared):
        return experiment.model_copy(update={"declared_commit": None})
    say(f"git_commit: {declared} was declared and {captured or 'no commit'} captured: it's recorded as declared only")
    return experiment


def _code(lab: Lab, git: GitState | None, kept: KeptCode, facts: RunFacts) -> Code:
    described: dict[str, Any] = {}
    if facts.command:
        outputs = [path for _, path in facts.outputs]
        command, given = [*facts.command], facts.given
        if given is None:
            root, inputs = git.root if git else facts.folder, [used.path for used in facts.inputs]
            command, given = portable_command(command, facts.folder, root, inputs, outputs)
        arguments = (command[0], *mask_arguments(command[1:]))
        # a place that stands for a secret shows nothing of it either
        shown = {place: MASK if MASK in arguments[int(place)] else mask(given[place]) for place in given}
        described = {"entry_point": command[0], "arguments": arguments[1:], "given": shown or None}
    if git is None:
        return Code(**described)
    if kept.findings:
        places = ", ".join(f"{finding.kind} in line {finding.line}" for finding in kept.findings[:5])
        lab.say(f"the difference to the commit seems to hold secrets ({places}); it's kept here and not published")
    apart = {path.resolve() for path in (*(used.path for used in facts.inputs), *(path for _, path in facts.outputs))}
    left = leftovers(git, facts.seen)
    if left:
        lab.say(f"the run made {', '.join(left)} anew, which lay there before: it is no part of the recorded code")

    def state_of(state: GitState, at: str) -> dict[str, Any]:
        ours = {name.removeprefix(f"{at}/" if at else "") for name in left}
        unrecorded = [n for n in state.omitted if (state.root / n).resolve() not in apart and n not in ours]
        for name in unrecorded:
            reason = "another repository, which git can't read" if (state.root / name).is_dir() else "new and too large"
            lab.say(f"{os.path.join(at, name)} is {reason}: it is not part of the recorded code")
        diff = without_new_files(state.diff, ours)
        whole = tuple(_whole(lab.store, name, kept) for name, kept in sorted(state.whole.items()) if name not in ours)
        return {
            "commit": state.commit,
            "branch": state.branch,
            "remote": state.remote,
            "dirty": bool(diff or unrecorded or whole),
            "diff": keep_attachment(lab.store, "diff.patch", diff) if diff else None,
            "pack": kept.packs.get(at),
            "whole": whole or None,
        }

    return Code(
        **state_of(git, ""),
        nested=tuple(NestedCode(path=at, **state_of(state, at)) for at, state in git.nested) or None,
        leftovers=left or None,
        working_folder=None if facts.folder.resolve() == git.root.resolve() else relative_path(facts.folder, git.root),
        **described,
    )


def _whole(store: Store, name: str, kept: tuple[bytes, bool] | None) -> WholeFile:
    artifact = keep_attachment(store, name.rpartition("/")[2], kept[0]) if kept else None
    return WholeFile(path=name, executable=bool(kept and kept[1]), artifact=artifact)


def _environment(lab: Lab, facts: RunFacts, start: RunStart) -> tuple[RunEnvironment, set[str]]:
    """What a run ran in, and the packages that it loaded."""
    command, root = facts.command or (), start.git.root if start.git else facts.folder
    if facts.observed == "program" and is_notebook(command):
        python, is_known = notebook_python(facts.folder / command[0], command[1:], shutil.which), True
    elif facts.observed == "program":
        python, is_known = interpreter_of(command, shutil.which)
        ran = facts.seen.interpreters if facts.seen else frozenset()
        is_one = len({os.path.dirname(path) for path in ran}) == 1
        if is_one or (ran and not is_known):
            # what was seen to run counts, whatever the command names; of several, the first is as good as any
            python, is_known = min(ran), is_one
    else:
        # what a document calls its program was not typed by the user: it may lie in a stranger's folder
        named, is_known = interpreter_of(command[:1], find_program)
        python = named if named and is_known and facts.observed is None else sys.executable
        is_known = True
    if python and os.path.abspath(python) == sys.executable:
        captured = capture_environment()
    else:
        captured = (environment_of(python, without_secrets(os.environ)) if python else None) or {}
    if not captured.get("python"):
        lab.say(f"the Python of {command[0]} is not known, nor are its packages")
    elif not is_known:
        lab.say(f"which Python {command[0]} starts is not known: {python} is recorded, with its packages")
        captured["assumed"] = True
    files, folders = (facts.seen.read, facts.seen.environment) if facts.seen else loaded_files()
    installed = {name: info for name, (_, info) in packages_in(folders).items()} if facts.observed else {}
    # what runs a notebook may be of another environment
    loaded = loaded_packages(files, installed, captured.get("direct") or {}) & {*(captured.get("packages") or ())}
    used = loaded if facts.observed and (facts.seen is None or facts.seen.processes > 0) else None
    described = _lock(lab, facts, root, captured, str(python), installed, used, start.installed_from)
    return RunEnvironment(image=facts.image, **{**recorded_parts(captured), **described}), loaded


def _lock(
    lab: Lab,
    facts: RunFacts,
    root: Path,
    captured: Mapping[str, Any],
    python: str,
    places: Mapping[str, Path],
    loaded: Collection[str] | None,
    installed_from: Future[Mapping[Path, GitState | None]] | None,
) -> dict[str, Any]:
    """The lock file that names what ran: the one that is there, unless it leaves versions open or is of other versions;
    else one that is made of what is installed, at `places`, and used."""
    lock, lock_from = facts.lock, "given"
    if not lock:
        try:
            lock, lock_from = find_lock(facts.folder, root), "found"
        except InputError as error:
            lab.say(error.message)
    # of a run that was described, or of an unknown interpreter, what is installed here tells nothing
    installed = captured.get("packages") if facts.observed and not captured.get("assumed") else None
    is_open = bool(lock and not is_lock(lock))
    other: list[str] = []
    if lock and not is_open and installed:
        with suppress(InputError):
            other = differences(read_packages(lock.name, read_lock(lock)), installed)
    if other and lock:
        lab.say(f"{lock.name} is not of the packages that ran: {', '.join(other[:5])}")
    if lock and not (is_open and installed is not None) and not (other and not facts.lock):
        beneath = relative_path(lock.parent, root) if is_structured(lock.name) else None
        if is_open:
            lab.say(f"{lock.name} leaves versions open: others can't rebuild the environment from it")
        # never encrypted: a reproduction installs from it
        kept = _kept_lock(lab, facts, lock, root)
        names = set[str]()
        with suppress(InputError):
            names = {package.name for package in read_packages(lock.name, read_lock(lock))}
        described = {"lock": kept, "lock_from": lock_from, "lock_folder": beneath if beneath != "." else None}
        return {**described, **_size(names, places)}
    if not (facts.observed and captured.get("python")):
        return {}
    from blockchaintracer.lab.capture.made_lock import MADE_LOCK, make_lock

    # a process that records itself waits for it
    cached: Literal["none", "cached"] = "cached" if facts.observed == "program" else "none"
    packages = everything = captured.get("packages") or {}
    if loaded is not None:
        named = named_packages(lock if is_open else None, {facts.folder, root})
        used = with_needs(named.union(loaded), places)
        packages = {name: version for name, version in everything.items() if name in used}
    hashes: Literal["none", "cached", "index"] = "index" if facts.look_up_hashes else cached
    states = installed_from.result() if installed_from else {}
    made = make_lock({**captured, "packages": packages}, root, python, hashes, states)
    why = f"{lock.name} is recorded as resolved" if is_open and lock else "a lock file is made"
    some = f" that the run loaded or the project names, of {len(everything)}" if len(packages) < len(everything) else ""
    lab.say(f"{why}, from {counted(len(packages), 'package')}{some} of {python}")
    for note in made.notes:
        lab.say(note)
    return {
        "lock": keep_attachment(lab.store, MADE_LOCK, made.data),
        "lock_from": "resolved" if is_open else "made",
        "requirements": _kept_lock(lab, facts, lock, root) if lock else None,
        **({"sources": made.sources} if made.sources else {}),
        # without it, all that was installed
        **({"scope": "used"} if loaded is not None else {}),
        **_size(packages, places),
    }


def _size(names: Iterable[str], places: Mapping[str, Path]) -> dict[str, int]:
    size = installed_size(names, places)
    return {"size": size} if size else {}


def _kept_lock(lab: Lab, facts: RunFacts, lock: Path, root: Path) -> Artifact:
    """Keep a lock file. A folder that it installs is named from the root of the repository, where others have it."""
    text = portable = read_lock(lock).decode(errors="surrogateescape")
    if not is_structured(lock.name):
        portable = portable_lock(text, facts.folder, root)
        if portable != text:
            lab.say(f"{lock.name} is recorded with the folders that it installs named from the root of the repository")
    masked = mask_lock(portable)
    if masked != portable:
        lab.say(f"{lock.name} is recorded without its credentials, and without the queries of its addresses")
    if masked != text:
        return keep_attachment(lab.store, lock.name, masked.encode(errors="surrogateescape"))
    artifact = keep(lab, lock, Keeping(in_the_open=facts.keeping.in_the_open)).named(lock.name)["artifact"]
    return cast(Artifact, artifact)


_ASSIGNMENT = re.compile(r"([^=]+)=(.*)", re.DOTALL)


def parse_assignment(text: str, what: str) -> tuple[str, Any]:
    """Read ``name=value``; the value is a number, true, false or null if it reads as one in YAML, else text."""
    match = _ASSIGNMENT.fullmatch(text)
    if not match:
        raise InputError(f"expected a {what} as name=value, got {text!r}")
    try:
        value = parse_yaml(match[2].encode())
    except InputError:
        value = match[2]
    return match[1].strip(), match[2] if isinstance(value, dict | list) else value
