"""`blockchaintracer record`: datasets, models, software, results and runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from blockchaintracer.cli.common import (
    F,
    Verb,
    group_option,
    lab_options,
    make_lab,
    progress_bar,
    show,
    wait_option,
    when,
)
from blockchaintracer.core.errors import BlockchainTracerError, InputError
from blockchaintracer.core.record import ForeignRecord, Kind, Link, Relation, parse_number
from blockchaintracer.lab import after_run
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.private.encrypt import recipients_of
from blockchaintracer.lab.recording.commit import reached, require_recorder
from blockchaintracer.lab.recording.content import parse_parent, record_path, record_reference, used_record
from blockchaintracer.lab.recording.keep import Keeping, run_keeping
from blockchaintracer.lab.recording.run import (
    RunFacts,
    RunStart,
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

_PATH = click.Path(path_type=Path)


_OPTIONS = (
    click.option("--dataset", "datasets", multiple=True, type=_PATH, help="A file or folder to record as a dataset."),
    click.option("--model", "models", multiple=True, type=_PATH, help="A file or folder to record as a model."),
    click.option(
        "--artifact", "artifacts", multiple=True, type=_PATH, help="A file that the run wrote; see also --kind."
    ),
    click.option(
        "--kind", help="Record each --artifact as this kind instead: result, software, document, 128 to 255, …."
    ),
    click.option("--name", help="Name of the run, or of the one thing that is recorded."),
    click.option("--description", help="What it is, in words."),
    click.option("--license", help="Licence of a dataset, model or software: an SPDX identifier."),
    click.option("--source", help="Where a dataset, model or software comes from."),
    click.option("--param", "params", multiple=True, metavar="K=V", help="A parameter of the run."),
    click.option("--metric", "metrics", multiple=True, metavar="K=V", help="A metric of the run."),
    click.option(
        "--private-param", "private_params", multiple=True, metavar="K=V", help="A parameter that is not shown."
    ),
    click.option(
        "--private-metric", "private_metrics", multiple=True, metavar="K=V", help="A metric that is not shown."
    ),
    click.option(
        "--encrypt-to",
        "encrypt_to",
        multiple=True,
        metavar="RECIPIENT",
        help="Record files and private values encrypted to age1…, an SSH public key, an encryption key of this lab, or "
        "those in a file.",
    ),
    click.option("--in-the-open", is_flag=True, help="Record files in the open that were recorded encrypted before."),
    click.option("--seed", "seeds", multiple=True, metavar="K=V", help="A seed of the run."),
    click.option("--from", "document", type=_PATH, help="A run document, YAML or JSON (`new` writes one)."),
    click.option("--parent", "parents", multiple=True, metavar="ID:RELATION", help="A parent, such as ID:supersedes."),
    click.option(
        "--reproduces",
        metavar="CHAIN:REGISTRY:ID",
        help="A record of another registry that the run reproduces; a reference to it is recorded with it.",
    ),
    click.option(
        "--lock", type=_PATH, help="Lock file of the run's environment. [default: found in the working folder]"
    ),
    click.option("--with-host-name", is_flag=True, help="Record this machine's name."),
    click.option("--with-user-name", is_flag=True, help="Record your user name."),
    click.argument("program", nargs=-1, type=click.UNPROCESSED, metavar="[-- PROGRAM [ARGUMENT]...]"),
)


def record_options(function: F) -> F:
    """What is recorded, and how it's described."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return group_option(function)


@click.command(cls=Verb)
@lab_options
@record_options
@wait_option
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> None:
    """Record datasets, models, software, results, or a run with all of them.

    A run is recorded as soon as there is a parameter, a metric, a run document or a program. After `--` a program is
    run first: what it writes to $BLOCKCHAINTRACER_RUN_FILE as a run document is recorded with it. Everything is kept
    in the lab's store before it's committed to; the same thing again costs nothing.

    \b
    Examples:
      blockchaintracer record --dataset data.csv --name "survey 2026"
      blockchaintracer record --dataset data.csv --model model.json --param lr=0.1 --metric accuracy=0.93
      blockchaintracer record --from run.yaml
      blockchaintracer record --private-param lr=0.1 --metric accuracy=0.93
      blockchaintracer record --dataset patients.csv --encrypt-to age1… --encrypt-to mine
      blockchaintracer record --dataset data.csv -- python train.py --data data.csv --seed 7
      blockchaintracer record --artifact result.json --kind result --parent ID:derived-from
      blockchaintracer record --dataset data.csv --wait final
      blockchaintracer record --reproduces 1:0x…:ID --metric accuracy=0.93 -- python train.py
    """
    lab = make_lab(ctx, options)
    with progress_bar(ctx, "hashing and keeping", given_paths(options)) as progress:
        recorded, code = record_given(lab, progress, options)
    if all(one.state != "stored" for one in recorded):
        recorded = reached(lab, recorded, options["until"])
        if reports := _reports(lab, recorded):
            click.echo(f"with the report {', '.join(one.id for one in reports)}", err=True)
    data = {"records": [asdict(one) for one in recorded], "programExitCode": code}
    show(ctx, data | ({"id": recorded[-1].id} if recorded else {}), *(line for one in recorded for line in _lines(one)))
    if code:
        click.echo(f"The program ended with {code}: it's recorded as a failed run.", err=True)
    if not lab.hand_over and any(one.state == "stored" for one in recorded):
        ctx.exit(3)


def _reports(lab: Lab, recorded: list[Recorded]) -> list[Recorded]:
    """The reports that the lab's setting asks for; a failure is told and changes nothing of what is recorded."""
    runs = [record for record in recorded if record.kind == "run"]
    try:
        return [report for run in runs for make in after_run if (report := make(lab, run.id))]
    except BlockchainTracerError as problem:
        click.echo(f"No report was made: {problem}", err=True)
        return []


def given_paths(given: dict[str, Any]) -> list[Path]:
    """What the options of `record_options` name to be read."""
    return [path for name in ("datasets", "models", "artifacts") for path in given[name]]


def record_given(lab: Lab, progress: Callable[[int], None], given: dict[str, Any]) -> tuple[list[Recorded], int | None]:
    """Records what the options of `record_options` say; gives the records and the program's exit code."""
    parents = [parse_parent(text) for text in given["parents"]]
    document = load_run_document(given["document"]) if given["document"] else None
    values = ("params", "metrics", "private_params", "private_metrics")
    is_run = bool(document or given["program"] or any(given[name] for name in values))
    keeping = Keeping(recipients_of(lab.home, given["encrypt_to"]), given["in_the_open"])
    foreign = ForeignRecord.parse(given["reproduces"]) if given["reproduces"] else None
    if foreign and not is_run:
        raise InputError(
            "expected a run that reproduces the other record, got none",
            hint="A --param, a --metric, --from or a program after `--` makes one.",
        )
    if not is_run:
        return _record_things(lab, progress, parents, keeping, given), None

    said = _said(document or RunDocument(schema_version=1, name="run"), given)
    files = given_paths(given) or said.inputs or said.outputs
    if keeping.recipients and not (files or said.private.fields() or given["program"]):
        raise InputError(
            "expected something to encrypt, got none",
            hint="--encrypt-to is for files and private values: what is shown as a parameter or metric is public.",
        )
    require_recorder(lab)
    # a document's paths count from the folder it lies in
    base = given["document"].parent if given["document"] else Path.cwd()
    start = start_run(lab, exclude=[*given_paths(given), *(base / path for path in said.encrypted())])
    also = given_paths(given) if keeping.recipients else ()
    keeping = run_keeping(lab, said, base, start.git, keeping, also)
    code = None
    if given["program"]:
        code, written = run_command(given["program"], Path.cwd())
        said = _said(written, given) if written else said
    try:
        keeping = run_keeping(lab, said, base, start.git, keeping, also)
        return _record_run(lab, progress, start, said, base, parents, keeping, given, code, foreign), code
    except BaseException:
        if given["program"]:
            # what it took to compute is worth more than what stands in the way of recording it
            file = keep_unrecorded(lab, said)
            click.echo(f"What the program told is kept: `blockchaintracer record --from {file}` records it.", err=True)
        raise


def _record_run(
    lab: Lab,
    progress: Callable[[int], None],
    start: RunStart,
    said: RunDocument,
    base: Path,
    parents: list[Link],
    keeping: Keeping,
    given: dict[str, Any],
    code: int | None,
    foreign: ForeignRecord | None,
) -> list[Recorded]:
    said.recorded_metrics()
    check_template(said, complete=not code)
    written = [(output.role, base / output.path) for output in said.outputs]
    told = {path.resolve() for _, path in written}
    outputs = [
        *(("model", path) for path in given["models"] if path.resolve() not in told),
        *(("artifact", path) for path in given["artifacts"] if path.resolve() not in told),
        *written,
    ]
    more: dict[str, Any] = {"keeping": keeping, "progress": progress}
    inputs = [
        Used(
            used_record(lab, Kind.DATASET, path, **more),
            Relation.TRAINED_ON if given["models"] else Relation.USES,
            path,
        )
        for path in given["datasets"]
    ]
    inputs += [used for used in record_inputs(lab, said, base, **more) if used.record.id not in _ids(inputs)]
    references = [record_reference(lab, foreign)] if foreign else []
    parents += [Link(one.id, Relation.REPRODUCES) for one in references]
    models = [path for role, path in outputs if role == "model"]
    trained = record_models(lab, models, inputs, **more)
    facts = RunFacts(
        document=said,
        inputs=inputs,
        outputs=outputs,
        parents=[*parents, *linked_inputs(said)],
        command=given["program"] or ([said.entry_point, *said.arguments] if said.entry_point else None),
        observed="program" if given["program"] else None,
        lock=given["lock"],
        error=f"the program ended with exit code {code}" if code else None,
        host_name=given["with_host_name"],
        user_name=given["with_user_name"],
        keeping=keeping,
    )
    run = finish_run(lab, start, facts, progress)
    return [*references, *(used.record for used in inputs), *trained, run]


def _record_things(
    lab: Lab,
    progress: Callable[[int], None],
    parents: list[Link],
    keeping: Keeping,
    given: dict[str, Any],
) -> list[Recorded]:
    if given["artifacts"] and not given["kind"]:
        raise InputError(
            "expected --kind for --artifact, got none", hint="Say what it is: --kind result, software, document, …."
        )
    things = [
        *((Kind.DATASET, path) for path in given["datasets"]),
        *((Kind.MODEL, path) for path in given["models"]),
        *((parse_number(given["kind"], Kind), path) for path in given["artifacts"]),
    ]
    if not things:
        raise InputError(
            "expected something to record, got nothing",
            hint="Name a --dataset, --model, --artifact, --param, --metric, --from, or a program after `--`.",
        )
    for _, path in things:
        if not path.exists():
            raise InputError(f"expected a file or folder at {path}, got nothing")
    if given["name"] and len(things) > 1:
        raise InputError(f"expected one thing to be named {given['name']!r}, got {len(things)}")
    about = {name: given[name] for name in ("name", "description")}
    more: dict[str, Any] = {"parents": parents, "keeping": keeping, "progress": progress}
    origin = {name: given[name] for name in ("license", "source") if given[name]}
    return [record_path(lab, kind, path, **more, **about, **origin) for kind, path in things]


def _said(document: RunDocument, given: dict[str, Any]) -> RunDocument:
    """What the run document says, with what the command line adds."""
    added = RunDocument.read(
        {
            "schema": 1,
            "name": given["name"] or document.name,
            "description": given["description"] or document.description,
            "parameters": dict(parse_assignment(text, "parameter") for text in given["params"]),
            "metrics": dict(parse_assignment(text, "metric") for text in given["metrics"]),
            "seeds": dict(parse_assignment(text, "seed") for text in given["seeds"]),
            "private": {
                "parameters": dict(parse_assignment(text, "parameter") for text in given["private_params"]),
                "metrics": dict(parse_assignment(text, "metric") for text in given["private_metrics"]),
            },
        }
    )
    parameters = {**document.parameters, **added.parameters}
    metrics = {**document.metrics, **added.metrics}
    private = PrivateDocument(
        parameters={**document.private.parameters, **added.private.parameters},
        metrics={**document.private.metrics, **added.private.metrics},
        encrypt_to=document.private.encrypt_to or given["encrypt_to"],
    )
    private.require_apart(parameters, metrics)

    def hidden(entry: Any) -> Any:
        apart = entry.encrypt_to or not entry.path
        return entry if apart else entry.model_copy(update={"encrypt_to": given["encrypt_to"]})

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


def _ids(inputs: list[Used]) -> set[str]:
    return {used.record.id for used in inputs}


def _lines(one: Recorded) -> Iterator[str]:
    name = f" {one.name}" if one.name else ""
    how = "is recorded already" if one.existing else f"is {one.state}"
    yield f"{one.kind}{name}: {one.id}"
    if one.state == "stored":
        yield "  waits in the outbox: `blockchaintracer outbox flush` sends it"
    else:
        yield f"  {how}: block {one.block}, {when(one.time)}, by {one.author} for group {one.group}"
