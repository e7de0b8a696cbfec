"""What the options of `record` ask for, and how it is recorded."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import IMAGE
from blockchaintracer.core.record import GlobalId, Kind, Link, Relation, Verdict, counted, parse_number
from blockchaintracer.lab.capture.locks import find_lock
from blockchaintracer.lab.capture.notebook import as_program, is_notebook
from blockchaintracer.lab.capture.program import ending
from blockchaintracer.lab.capture.reads import Seen
from blockchaintracer.lab.capture.workflows import CODE, WorkflowFiles, metric_files, tool_of, workflow_files
from blockchaintracer.lab.drafts import Progress, Recorded
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.private.encrypt import note_hidden, recipients_of
from blockchaintracer.lab.recording.commit import require_recorder
from blockchaintracer.lab.recording.content import parse_parent, record_path, record_reference, used_record
from blockchaintracer.lab.recording.experiment import GivenMetric
from blockchaintracer.lab.recording.keep import Keeping, run_keeping, stays_in_place
from blockchaintracer.lab.recording.metric_sources import (
    MetricReader,
    given_sources,
    given_tables,
    is_a_time,
    parse_tolerance,
    with_tolerance,
)
from blockchaintracer.lab.recording.parameters import ParameterReader
from blockchaintracer.lab.recording.run import (
    RunFacts,
    Used,
    check_template,
    finish_run,
    keep_unrecorded,
    linked_inputs,
    parse_assignment,
    record_inputs,
    record_models,
    run_command,
    start_run,
)
from blockchaintracer.lab.recording.run_document import PrivateDocument, RunDocument, load_run_document
from blockchaintracer.lab.sandbox import Limits, Sandbox, require_bubblewrap, sandbox_of_own
from blockchaintracer.lab.seals import SealedVerdict, holding_evidence, seal_verdict
from blockchaintracer.lab.store.hashcache import digest_of


@dataclass(frozen=True)
class Request:
    """What to record, as the options of `record` give it: paths, and values as ``name=value``.

    Args:
        addresses: of datasets that lie elsewhere, hashed as they come; kept only if `in_place` is False.
        kind: of each artifact, if no run is recorded.
        parents: each as ``ID:relation``.
        reproduces: a record of another registry, as ``eip155:CHAIN:REGISTRY/ID``.
        metric_files: files or patterns of files that hold metrics of the program, by name.
        metric_from: metrics in what the program prints, or in a file, as ``name=stdout:REGEX``.
        tolerances: of metrics, as ``name=0.01``; also ``1%``, ``count`` or ``none``.
    """

    datasets: Sequence[Path] = ()
    addresses: Sequence[str] = ()
    models: Sequence[Path] = ()
    artifacts: Sequence[Path] = ()
    kind: str | None = None
    name: str | None = None
    description: str | None = None
    license: str | None = None
    source: str | None = None
    citation: str | None = None
    allow_local: bool = False
    params: Sequence[str] = ()
    metrics: Sequence[str] = ()
    metric_files: Sequence[str] = ()
    metric_from: Sequence[str] = ()
    tolerances: Sequence[str] = ()
    private_params: Sequence[str] = ()
    private_metrics: Sequence[str] = ()
    encrypt_to: Sequence[str] = ()
    in_the_open: bool = False
    in_place: bool | None = None
    seeds: Sequence[str] = ()
    document: Path | None = None
    parents: Sequence[str] = ()
    reproduces: str | None = None
    lock: Path | None = None
    look_up_hashes: bool = False
    image: str | None = None
    with_host_name: bool = False
    with_user_name: bool = False
    sandboxed: bool = False
    allow_network: bool = False
    program: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.image and not IMAGE.fullmatch(self.image):
            raise InputError(
                f"expected an image as name@sha256:DIGEST, got {self.image!r}",
                hint="`docker image inspect --format '{{.RepoDigests}}' NAME` shows it; a tag can be moved.",
            )

    @property
    def paths(self) -> list[Path]:
        """The files and folders to read."""
        return [*self.datasets, *self.models, *self.artifacts]

    @property
    def is_run(self) -> bool:
        """Whether a run is asked for."""
        values = (self.params, self.metrics, self.private_params, self.private_metrics)
        return bool(self.document or self.program or any(values) or self.metric_files or self.metric_from)


def record_request(lab: Lab, request: Request, progress: Progress) -> tuple[list[Recorded], int | None]:
    """Record what is asked for. Returns the records, the run last, and the exit code of the program."""
    fits = request.sandboxed and request.program and not is_notebook(request.program)
    if (request.sandboxed or request.allow_network) and not fits:
        raise InputError("expected --sandbox, with or without --allow-network, beside a program that is no notebook")
    if request.sandboxed:
        require_bubblewrap()
    with as_program(request.program, Path.cwd()) as program:
        return _record_request(lab, request, program, progress)


def _record_request(
    lab: Lab, request: Request, program: Sequence[str], progress: Progress
) -> tuple[list[Recorded], int | None]:
    parents = [parse_parent(lab, text) for text in request.parents]
    document = _read_document(lab, request.document) if request.document else None
    keeping = Keeping(recipients_of(lab.home, request.encrypt_to), request.in_the_open)
    in_place = stays_in_place(lab, request.in_place, request.paths if not request.is_run else request.datasets, keeping)
    foreign = GlobalId.parse(request.reproduces) if request.reproduces else None
    if not request.is_run:
        if foreign:
            raise InputError(
                "expected a run that reproduces the other record, got none",
                hint="A --param, a --metric, --from or a program after `--` makes one.",
            )
        return _record_content(lab, request, parents, replace(keeping, in_place=in_place), progress), None

    document = _merged(document or RunDocument(schema_version=1, name=_name_of(request.program)), request)
    files = request.paths or document.inputs or document.outputs
    if keeping.recipients and not (files or document.private.fields() or request.program):
        raise InputError(
            "expected something to encrypt, got none",
            hint="--encrypt-to is for files and private values: what is shown as a parameter or metric is public.",
        )
    require_recorder(lab)
    # a document's paths count from the folder it lies in
    base = request.document.parent if request.document else Path.cwd()
    request, flow = _of_workflow(lab, request)
    start = start_run(lab, exclude=[*request.paths, *flow.made, *(base / path for path in document.encrypted())])
    # several are asked about before anything has run
    _ = request.lock or find_lock(Path.cwd(), start.git.root if start.git else None)
    hidden = request.paths if keeping.recipients else ()
    keeping = run_keeping(lab, document, base, start.git, keeping, hidden)
    reader, tolerances = _told_elsewhere(request, document, start.git.root if start.git else Path.cwd())
    code, seen, sandbox = None, None, _sandbox(lab, request, reader.root)
    # before the program runs, and after all that can refuse the request
    elsewhere = [_record_address(lab, request, address, progress) for address in request.addresses]
    if request.program:
        code, document, seen = _run_program(lab, replace(request, program=program), document, reader, sandbox)
    try:
        document = _with_tolerances(lab, document, tolerances, reader.missing, code)
        if not code:
            request = _with_written(lab, request, reader.files, document.private, start.started_at.timestamp())
            hidden = request.paths if keeping.recipients else ()
        keeping = run_keeping(lab, document, base, start.git, keeping, hidden)
        document.recorded_metrics()
        check_template(document, complete=not code)
        declared = [(output.role, base / output.path) for output in document.outputs]
        if request.document:
            _say_what_lies_elsewhere(lab, request.document, document)
        named = {path.resolve() for _, path in declared}
        outputs = [
            *(("model", path) for path in request.models if path.resolve() not in named),
            *(("artifact", path) for path in request.artifacts if path.resolve() not in named),
            *declared,
        ]
        more: dict[str, Any] = {"keeping": keeping, "progress": progress}
        # a later run may write over what this one wrote: only what it read can stay where it lies
        inputs = _record_inputs(lab, request, document, base, **more | {"keeping": replace(keeping, in_place=in_place)})
        references = [record_reference(lab, foreign)] if foreign else []
        models = [path for role, path in outputs if role == "model"]
        facts = RunFacts(
            document=document,
            inputs=inputs,
            outputs=outputs,
            parents=[
                *(*parents, *linked_inputs(lab, document)),
                *(Link(record.id, Relation.REPRODUCES) for record in references),
                *(Link(record.id, _relation(request)) for record in elsewhere),
            ],
            command=request.program or ([document.entry_point, *document.arguments] if document.entry_point else None),
            observed="program" if request.program else None,
            sandbox=sandbox.recorded(Limits()) if sandbox else None,
            lock=request.lock,
            look_up_hashes=request.look_up_hashes,
            image=request.image,
            error=ending(code) if code else None,
            host_name=request.with_host_name,
            user_name=request.with_user_name,
            keeping=keeping,
            seen=seen,
        )
        run = finish_run(lab, start, facts, progress)
        trained = record_models(lab, run, models, inputs, **more)
        return [*references, *elsewhere, *(used.record for used in inputs), *trained, run], code
    except BaseException:
        if request.program:
            # what it took to compute is worth more than what stands in the way of recording it
            file = keep_unrecorded(lab.home, document)
            lab.say(f"What the program told is kept: `blockchaintracer record --from {file}` records it.")
        raise


def _relation(request: Request) -> Relation:
    return Relation.TRAINED_ON if request.models else Relation.USES


def _record_address(lab: Lab, request: Request, address: str, progress: Progress) -> Recorded:
    from blockchaintracer.lab.recording.address import record_address

    if request.encrypt_to:
        raise InputError("expected --encrypt-to beside files, got an address, whose data others have")
    described = {"license": request.license, "citation": request.citation}
    if not request.is_run:
        described |= {"name": request.name, "description": request.description}
    copy, private = request.in_place is False, request.allow_local
    return record_address(lab, address, copy=copy, private=private, progress=progress, **described)


def _record_inputs(lab: Lab, request: Request, document: RunDocument, base: Path, **more: Any) -> list[Used]:
    used = ((used_record(lab, Kind.DATASET, path, **more), path) for path in request.datasets)
    inputs = [Used(record, _relation(request), path) for record, path in used]
    ids = {used.record.id for used in inputs}
    return inputs + [used for used in record_inputs(lab, document, base, **more) if used.record.id not in ids]


def _say_what_lies_elsewhere(lab: Lab, file: Path, document: RunDocument) -> None:
    """Name files outside of the folder of a run document, which may be a stranger's."""
    named = [*(entry.path for entry in document.outputs), *(entry.path for entry in document.inputs)]
    files = [file.parent / path for path in named if path]
    if away := [str(path) for path in files if not path.resolve().is_relative_to(file.parent.resolve())]:
        lab.say(f"{file} names files outside of its folder, which are recorded: {', '.join(away)}")


def _of_workflow(lab: Lab, request: Request) -> tuple[Request, WorkflowFiles]:
    """Read what a workflow's tool knows before the run: its metrics, and what earlier runs made."""
    try:
        flow = workflow_files(request.program, Path.cwd())
        if not (request.metric_files or request.metric_from):
            request = replace(request, metric_files=metric_files(request.program, Path.cwd()))
    except InputError as error:
        lab.say(f"inputs and metrics of the workflow are not known: {error.message}")
        flow = WorkflowFiles()
    return request, flow


def _with_written(
    lab: Lab, request: Request, metrics: Sequence[Path], private: PrivateDocument, since: float
) -> Request:
    """Add the files of metrics, and the inputs and outputs that a workflow's tool names after the run."""
    if metrics and private.fields() and not request.encrypt_to:
        lab.say("the files of metrics are not kept: they may show what is private (--encrypt-to keeps them)")
        metrics = []
    given = {path.resolve() for path in request.paths}
    request = replace(request, artifacts=(*request.artifacts, *(it for it in metrics if it.resolve() not in given)))
    try:
        flow = workflow_files(request.program, Path.cwd(), since)
    except InputError as error:
        lab.say(f"inputs and outputs of the workflow are not known: {error.message}")
        return request
    given = {path.resolve() for path in request.paths}
    inputs = [path for path in flow.inputs if path.resolve() not in given]
    outputs = [path for path in flow.outputs if path.resolve() not in given]
    if inputs or outputs:
        named = f"{counted(len(inputs), 'input')} and {counted(len(outputs), 'output')}"
        lab.say(f"{tool_of(request.program)} names {named}, which are recorded")
    for address in flow.remote:
        lab.say(f"{address} is an input of the workflow that is not recorded")
    return replace(request, datasets=(*request.datasets, *inputs), artifacts=(*request.artifacts, *outputs))


def _read_document(lab: Lab, path: Path) -> RunDocument:
    document = load_run_document(path)
    if document.private.fields():
        # it shows what is private: it is no part of the code that is published
        note_hidden(lab.home, digest_of(lab.hashes, path))
    return document


def _told_elsewhere(request: Request, document: RunDocument, root: Path) -> tuple[MetricReader, dict[str, str]]:
    """Where the program tells metrics, and how far they may be off. Refused is what can't be so."""
    folder = Path.cwd()
    sources = {name: it.source for name, it in document.metrics.items() if it.source and not it.is_declared}
    sources |= given_sources(request.metric_from, folder, root)
    tables = given_tables(request.metric_files, folder, root)
    if (sources or tables) and not request.program:
        raise InputError(
            "expected a program after `--`, whose metrics are to be read, got none",
            hint="--metric NAME=VALUE declares one, without a program that tells it.",
        )
    if twice := sorted({parse_assignment(text, "metric")[0] for text in request.metrics} & {*sources}):
        raise InputError(f"expected {twice[0]} by --metric or from the program, got both")
    tolerances = dict(text.rpartition("=")[::2] for text in request.tolerances)
    for text in tolerances.values():
        parse_tolerance(text)
    return MetricReader(folder, root, sources, tables), tolerances


def _name_of(program: Sequence[str]) -> str:
    """Call a run without a name as its script, else as its program."""
    first = Path(program[0] if program else "run").stem
    name = next((path.stem for path in map(Path, program) if path.suffix.lower() in CODE), first)
    return name if re.fullmatch(r"[\w.+-]{1,64}", name) and not name.startswith("python") else "run"


def _sandbox(lab: Lab, request: Request, root: Path) -> Sandbox | None:
    if not request.sandboxed:
        return None
    return sandbox_of_own(root, request.program, request.paths, lab.home.path, request.allow_network)


def _run_program(
    lab: Lab, request: Request, document: RunDocument, reader: MetricReader, sandbox: Sandbox | None
) -> tuple[int, RunDocument, Seen]:
    """Run the program; its exit code, `document` with what it told, and what it read. What it told of a metric in a
    run document is what counts."""
    with tempfile.TemporaryDirectory(prefix="blockchaintracer-") as scratch:
        streams = {name: Path(scratch, name) for name in reader.streams}
        reader.begin(streams)
        parameters = ParameterReader(request.program, Path.cwd(), request.paths)
        code, written, seen = run_command(request.program, Path.cwd(), lab.home, streams, sandbox)
        read = reader.read()
    if reader.missing and tool_of(request.program):
        lab.say(
            "what is up to date was not made again: `make -B`, `snakemake --forceall` or `dvc repro --force` does it"
        )
    metrics = written.metrics if written else {}
    told = {
        name: metric.model_copy(update={"source": None}) for name, metric in metrics.items() if metric.value is not None
    }
    apart = []
    for name, (value, source) in read.items():
        given = document.metrics.get(name, GivenMetric())
        more = {field: getattr(given, field) for field in given.model_fields_set - {"value", "source"}}
        if not more and is_a_time(name):
            more = {"tolerance": None}
            apart.append(name)
        told.setdefault(name, GivenMetric(value=value, source=source, **more))
    if apart:
        lab.say(
            f"recorded and not compared, as a time or the like: {', '.join(apart)} (--tolerance NAME=VALUE compares it)"
        )
    for name in (parse_assignment(text, "metric")[0] for text in request.metrics):
        if name in told:
            lab.say(f"the metric {name} is what the program tells, {told[name].value!r}, not what --metric says")
    document = parameters.add_to(_merged(written, request) if written else document)
    if shown := sorted(told.keys() & document.private.metrics.keys()):
        told = {name: metric for name, metric in told.items() if name not in shown}
        lab.say(f"the program tells metrics that are private, and so not shown: {', '.join(shown)}")
    return code, document.model_copy(update={"metrics": {**document.metrics, **told}}), seen


def _with_tolerances(
    lab: Lab, document: RunDocument, given: Mapping[str, str], missing: Mapping[str, str], code: int | None
) -> RunDocument:
    """The document with the tolerances of the request. A run that ended well must have told what it was to tell."""
    names = set(document.metrics)
    unknown = [pattern for pattern in given if not any(fnmatchcase(name, pattern) for name in names)]
    missing = {**missing, **{f"--tolerance {pattern}": "no metric has this name" for pattern in unknown}}
    for what, why in missing.items():
        lab.say(f"{what}: {why}")
    if missing and not code:
        raise InputError(
            f"the program ended and did not tell {len(missing)} of its metrics: {', '.join(missing)}",
            hint="Mend the option that names it, and run it again.",
        )
    measured = {name: it for name, it in document.metrics.items() if it.value is not None or not code}
    metrics = {name: with_tolerance(name, metric, given) for name, metric in measured.items()}
    return document.model_copy(update={"metrics": metrics})


def seal_requested_verdict(
    lab: Lab, record_id: str, verdict: str, evidence: str | None, request: Request, progress: Progress
) -> tuple[SealedVerdict, int | None]:
    """Seal a verdict, named as in `Verdict`, on the requested run or on `evidence`. Returns the program's exit code
    too."""
    record_id, number = lab.parse_id(record_id), Verdict(parse_number(verdict, Verdict))
    if not request.is_run:
        return seal_verdict(lab, record_id, number, evidence), None
    if evidence:
        raise InputError("expected a run or --evidence, got both")
    request = replace(request, parents=(*request.parents, f"{record_id}:reproduces"))
    with holding_evidence(lab, record_id) as held:
        _, code = record_request(lab, request, progress)
    return seal_verdict(lab, record_id, number, held[-1]), code


def _record_content(
    lab: Lab, request: Request, parents: Sequence[Link], keeping: Keeping, progress: Progress
) -> list[Recorded]:
    if request.kind and not request.artifacts:
        raise InputError(
            f"expected --artifact for --kind, got --kind {request.kind!r} alone",
            hint=f"Name the file with it: --artifact PATH --kind {request.kind}.",
        )
    if request.artifacts and not request.kind:
        raise InputError(
            "expected --kind for --artifact, got none", hint="Say what it is: --kind result, software, document, …."
        )
    contents = [
        *((Kind.DATASET, path) for path in request.datasets),
        *((Kind.MODEL, path) for path in request.models),
        *((parse_number(str(request.kind), Kind), path) for path in request.artifacts),
    ]
    if not (contents or request.addresses):
        raise InputError(
            "expected something to record, got nothing",
            hint="Name a --dataset, --model, --artifact, --param, --metric, --from, or a program after `--`.",
        )
    for _, path in contents:
        if not path.exists():
            raise InputError(f"expected a file or folder at {path}, got nothing")
    if request.name and (count := len(contents) + len(request.addresses)) > 1:
        raise InputError(f"expected one thing to be named {request.name!r}, got {count}")
    more: dict[str, Any] = {"parents": parents, "keeping": keeping, "progress": progress}
    more |= {name: value for name in ("license", "source", "citation") if (value := getattr(request, name))}
    return [
        *(_record_address(lab, request, address, progress) for address in request.addresses),
        *(
            record_path(lab, kind, path, name=request.name, description=request.description, **more)
            for kind, path in contents
        ),
    ]


def _merged(document: RunDocument, request: Request) -> RunDocument:
    def values(texts: Sequence[str], what: str = "parameter") -> dict[str, Any]:
        pairs = [parse_assignment(text, what) for text in texts]
        names = [name for name, _ in pairs]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise InputError(f"expected one value for the {what} {twice}, got {names.count(twice)}")
        return dict(pairs)

    added = RunDocument.from_plain(
        {
            "schema": 1,
            "name": request.name or document.name,
            "description": request.description or document.description,
            "parameters": values(request.params),
            "metrics": {
                name: {"value": value, "source": {"kind": "declared"}}
                for name, value in values(request.metrics, "metric").items()
            },
            "seeds": values(request.seeds, "seed"),
            "private": {
                "parameters": values(request.private_params),
                "metrics": values(request.private_metrics, "metric"),
            },
        }
    )
    parameters = {**document.parameters, **added.parameters}
    metrics = {**document.metrics, **added.metrics}
    for name, value in added.private.fields().items():
        if document.private.fields().get(name, value) != value:
            raise InputError(f"expected one value for {name}, got another one in the run document")
    private = PrivateDocument(
        parameters={**document.private.parameters, **added.private.parameters},
        metrics={**document.private.metrics, **added.private.metrics},
        encrypt_to=document.private.encrypt_to or tuple(request.encrypt_to),
    )
    private.require_apart(parameters, metrics)

    def hidden(entry: Any) -> Any:
        is_apart = entry.encrypt_to or not entry.path
        return entry if is_apart else entry.model_copy(update={"encrypt_to": request.encrypt_to})

    return document.model_copy(
        update={
            "inputs": tuple(map(hidden, document.inputs)),
            "outputs": tuple(map(hidden, document.outputs)),
            "name": added.name,
            "description": added.description,
            "parameters": parameters,
            "metrics": metrics,
            "private": private,
            "seeds": {**document.seeds, **added.seeds},
        }
    )
