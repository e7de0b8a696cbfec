"""`blockchaintracer reproduce`: repeats another group's run and attests what was found."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from blockchaintracer.cli.common import Verb, group_option, lab_options, make_lab, show, table, when
from blockchaintracer.core.errors import InputError
from blockchaintracer.extras.reproduce.reproduce import Comparison, Plan, Reproduction, reproduce


@click.command(cls=Verb)
@lab_options
@group_option
@click.argument("record_id", metavar="ID")
@click.option("--from", "sources", multiple=True, metavar="FOLDER|URL", help="Where it was published; repeatable.")
@click.option("--yes", is_flag=True, help="Run the recorded code without asking.")
@click.option(
    "--workspace",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Run in this empty folder, and keep it.",
)
@click.option("--keep", is_flag=True, help="Keep the temporary folder it ran in.")
@click.option("--python", metavar="PATH", help="Use this interpreter instead of rebuilding the recorded environment.")
@click.option("--timeout", "timeout_s", type=click.FloatRange(min=0), metavar="SECONDS", help="Give up after that.")
@click.option("--no-attest", is_flag=True, help="Only compare: record nothing and attest nothing.")
@click.pass_context
def command(ctx: click.Context, /, record_id: str, sources: tuple[str, ...], **options: Any) -> None:
    """Repeat a run that another group recorded, compare every metric, and attest what you found.

    Everything is fetched by digest; commit, difference and inputs are restored, the environment is rebuilt from the
    recorded lock file, and the recorded command is run. Your group then records the repeated run and attests
    `reproduced` if every metric lies within its recorded tolerance, else `not-reproduced`.

    This runs another's code with your rights, network included. If you don't trust it, use an account or a machine
    for that alone. Exit code 0 if reproduced, 1 if not.

    \b
    Examples:
      blockchaintracer reproduce ID --from published
      blockchaintracer reproduce ID --from https://lab.example/published --yes
      blockchaintracer reproduce ID --from ipfs://CID
      blockchaintracer reproduce ID --from published --no-attest --keep
    """
    yes, no_attest = options.pop("yes"), options.pop("no_attest")
    rest = {name: options.pop(name) for name in ("folder", "keep", "python", "timeout_s")}
    lab = make_lab(ctx, options)
    result = reproduce(lab, record_id, sources, agree=_agree(yes), record=not no_attest, **rest)
    if not ctx.params["as_json"]:
        _metrics(result.comparisons)
    show(ctx, asdict(result), *_lines(result))
    if not result.reproduced:
        ctx.exit(1)


def _agree(yes: bool) -> Callable[[Plan], bool]:
    def ask(plan: Plan) -> bool:
        for line in _told(plan):
            click.echo(line, err=True)
        if yes:
            return True
        if not sys.stdin.isatty():
            raise InputError(
                "nothing was run: it takes your consent to run another's code, and nobody can be asked",
                hint="Look at what is to be run, then pass --yes.",
            )
        return click.confirm("Run it?", err=True)

    return ask


def _told(plan: Plan) -> Iterator[str]:
    yield f"Run {_clean(plan.name)}, recorded by {plan.author} for group {plan.group}."
    yield "Reproducing it runs THEIR code with YOUR rights:"
    yield f"  code         commit {plan.commit}{' with the recorded difference applied' if plan.dirty else ''}"
    yield f"  command      {_clean(shlex.join(plan.command))}   (in {_clean(plan.working_folder)})"
    if plan.lock:
        yield f"  environment  packages of {_clean(plan.lock)}, Python {_clean(plan.python or 'of this machine')}"
    else:
        yield f"  environment  {_clean(plan.python or '')}, as it is"
    for index, entry in enumerate(plan.inputs):
        yield f"  input {index:<6} {_clean(entry.name)} (SHA-256 {entry.sha256})"
    for name, metric in plan.metrics.items():
        tolerance = metric.tolerance.to_json() if metric.tolerance else None
        yield f"  metric       {_clean(name)} = {metric.value!r}, {_tolerance(tolerance)}"


def _clean(text: str) -> str:
    """A stranger's text without what could steer a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _tolerance(tolerance: dict[str, float] | None) -> str:
    if tolerance is None:
        return "not compared"
    bounds = [f"{value:g} {name}" for name, value in tolerance.items() if value]
    return f"within {' + '.join(bounds)}" if bounds else "exactly"


def _metrics(comparisons: list[Comparison]) -> None:
    table(
        None,
        ["metric", "recorded", "found", "required", ""],
        [
            [
                _clean(row.metric),
                repr(row.recorded),
                "-" if row.found is None else repr(row.found),
                _tolerance(row.tolerance),
                {True: "within", False: "DIFFERS", None: ""}[row.within],
            ]
            for row in comparisons
        ],
    )


def _lines(result: Reproduction) -> Iterator[str]:
    said = {True: "the same bytes", False: "other bytes", None: "not written"}
    for output in result.outputs:
        yield f"{_clean(output.role)} {_clean(output.path)}: {said[output.same]} (for information)"
    yield f"{result.verdict.upper()}: {_clean(result.reason) if result.reason else 'every metric was found again.'}"
    if result.run and result.attestation:
        at = result.attestation
        yield f"Recorded as run {result.run.id}"
        yield f"Attested by group {at.group}: {at.what}, on {at.record_id}, block {at.block}, {when(at.time)}"
    else:
        yield "Nothing was recorded or attested."
    if result.workspace:
        yield f"It ran in {result.workspace}"
