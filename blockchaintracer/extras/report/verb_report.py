"""`blockchaintracer report`: cards, sheets and pages of a record, made from it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from blockchaintracer.cli.common import (
    Verb,
    VerbGroup,
    group_option,
    lab_options,
    make_lab,
    progress_bar,
    show,
    table,
    when,
)
from blockchaintracer.core.errors import InputError

if TYPE_CHECKING:
    from blockchaintracer.lab.drafts import Recorded

_NAMES = ("model-card", "dataset-card", "html", "pdf", "csv", "xlsx", "parquet", "json")


class _Report(VerbGroup):
    """`report ID` is `report make ID`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["make", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Report)
def command() -> None:
    """Write reports of a record, made from it and what belongs to it.

    The same record in the same state gives the same bytes, whoever makes the report.

    \b
    Examples:
      blockchaintracer report ID
      blockchaintracer report ID -o paper --format html --format pdf
      blockchaintracer report ID --field limitations="Adults only" --record
      blockchaintracer report history ID
      blockchaintracer report restore REPORT -o old
      blockchaintracer report auto
    """


@command.command("make", cls=Verb)
@lab_options
@group_option
@click.argument("record_id", metavar="ID|mlflow:RUN")
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), help="Folder. [default: report-ID]")
@click.option("--format", "formats", multiple=True, type=click.Choice(_NAMES), help="Repeatable. [default: by kind]")
@click.option("--field", "given", multiple=True, metavar="NAME=VALUE", help="A card's field that no record holds.")
@click.option(
    "--fields",
    "fields_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A YAML file of such fields.",
)
@click.option(
    "--templates",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of templates to take instead of ours.",
)
@click.option("--from", "sources", multiple=True, metavar="FOLDER|URL", help="Where it was published; repeatable.")
@click.option("--record", "to_record", is_flag=True, help="Record the report as a document derived from the record.")
@click.pass_context
def make_report(
    ctx: click.Context,
    /,
    record_id: str,
    output: Path | None,
    formats: tuple[str, ...],
    given: tuple[str, ...],
    fields_file: Path | None,
    templates: Path | None,
    sources: tuple[str, ...],
    to_record: bool,
    **options: Any,
) -> None:
    """Write a model or dataset card, the experiment sheet and a page for a record.

    What the card needs and no record holds is given by --field, and shown as declared, not recorded.

    \b
    Examples:
      blockchaintracer report ID
      blockchaintracer report ID --format pdf --format xlsx
      blockchaintracer report ID --field preprocessing="none" --fields more.yaml
      blockchaintracer report mlflow:RUN

    Exit codes: 0 done, 1 the record did not verify (the report says so), 2 wrong use, 3 chain unavailable.
    """
    from blockchaintracer.extras.report import formats_for, gather, make, named_record, record_report, write

    lab = make_lab(ctx, options)
    with progress_bar(ctx, "hashing") as progress:
        facts = gather(
            lab, named_record(lab, record_id), declared(given, fields_file), sources=sources, progress=progress
        )
    files = make(facts, formats or formats_for(facts), templates)
    written = write(files, output or Path(f"report-{facts.asked.row.id[:12]}"))
    recorded = record_report(lab, facts, files) if to_record else None
    show(
        ctx,
        {
            "record": facts.asked.row.id,
            "status": facts.status,
            "files": [str(file) for file in written],
            "recorded": asdict(recorded) if recorded else None,
        },
        f"{facts.asked.row.kind} {facts.asked.row.id}: {facts.status}",
        *(f"  {file}" for file in written),
        *(_recorded(recorded) if recorded else ()),
    )
    if facts.status == "not verified":
        ctx.exit(1)


@command.command("history", cls=Verb)
@lab_options
@click.argument("record_id", metavar="ID|mlflow:RUN")
@click.pass_context
def list_reports(ctx: click.Context, /, record_id: str, **options: Any) -> None:
    """List the recorded reports of a record, oldest first.

    \b
    Examples:
      blockchaintracer report history ID
    """
    from blockchaintracer.extras.report import history, named_record

    lab = make_lab(ctx, options)
    found = history(lab, named_record(lab, record_id))
    show(ctx, {"reports": [asdict(one) for one in found]})
    if not ctx.params["as_json"]:
        rows = [
            [one.id, when(one.time), str(one.group), "current" if one.current else one.status, ", ".join(one.files)]
            for one in found
        ]
        table(None, ["report", "time", "group", "", "files"], rows)


@command.command("restore", cls=Verb)
@lab_options
@group_option
@click.argument("report_id", metavar="REPORT")
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), required=True, help="Empty folder.")
@click.option("--from", "sources", multiple=True, metavar="FOLDER|URL", help="Where it was published; repeatable.")
@click.option("--record", "to_record", is_flag=True, help="Record it as the current report again.")
@click.pass_context
def restore_report(
    ctx: click.Context,
    /,
    report_id: str,
    output: Path,
    sources: tuple[str, ...],
    to_record: bool,
    **options: Any,
) -> None:
    """Bring an older report back, byte by byte.

    \b
    Examples:
      blockchaintracer report restore REPORT -o old
      blockchaintracer report restore REPORT -o old --record
    """
    from blockchaintracer.extras.report import restore

    recorded = restore(make_lab(ctx, options), report_id, output, record=to_record, sources=sources)
    show(
        ctx,
        {"report": report_id, "folder": str(output), "recorded": asdict(recorded) if recorded else None},
        f"Restored to {output}",
        *(_recorded(recorded) if recorded else ()),
    )


@command.command("auto", cls=Verb)
@lab_options
@click.option("--off", is_flag=True, help="No reports any more.")
@click.option("--format", "formats", multiple=True, type=click.Choice(_NAMES), help="Repeatable. [default: by kind]")
@click.option("--field", "given", multiple=True, metavar="NAME=VALUE", help="A card's field that holds for every run.")
@click.pass_context
def choose_reports(
    ctx: click.Context, /, off: bool, formats: tuple[str, ...], given: tuple[str, ...], **options: Any
) -> None:
    """Make and record a report of every run that is recorded from now on, by `record` or the tracer, on this chain.

    \b
    Examples:
      blockchaintracer report auto
      blockchaintracer report auto --format html --format model-card --field limitations="Adults only"
      blockchaintracer report auto --off
    """
    from blockchaintracer.extras.report import set_reports

    if off and (formats or given):
        raise InputError("expected --off alone, got formats or fields with it")
    set_reports(make_lab(ctx, options), None if off else formats, declared(given, None))
    show(ctx, {"reports": not off}, "Reports are off." if off else "Every run gets a report.")


def declared(given: tuple[str, ...], file: Path | None) -> dict[str, str]:
    """The fields of ``--field`` and ``--fields``.

    Raises:
        InputError: if one is no ``name=value``, or the file is no YAML object of text.
    """
    from blockchaintracer.lab.recording.run_document import MAX_DOCUMENT, parse_yaml

    fields: dict[str, str] = {}
    if file is not None:
        with file.open("rb") as opened:
            data = opened.read(MAX_DOCUMENT + 1)
        if len(data) > MAX_DOCUMENT:
            raise InputError(f"{file.name}: expected at most {MAX_DOCUMENT} bytes, got more")
        values = parse_yaml(data)
        if not isinstance(values, dict):
            raise InputError(f"{file.name}: expected names with values, got something else")
        for name, value in values.items():
            if isinstance(value, dict | list) or value is None:
                raise InputError(f"{file.name}: expected text for {name}, got something else", field=name)
            fields[name] = str(value)
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"expected a field as NAME=VALUE, got {text[:80]!r}")
        fields[name.strip()] = value
    return fields


def _recorded(one: Recorded) -> list[str]:
    how = "is recorded already" if one.existing else f"is {one.state}"
    return [f"Report {one.id} {how}"]
