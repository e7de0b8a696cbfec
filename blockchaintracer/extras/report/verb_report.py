"""`blockchaintracer report`: cards, sheets and pages of a record, made from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
from typing_extensions import override

from blockchaintracer.cli.holders_shown import known_holders
from blockchaintracer.cli.options import (
    FILE,
    FOLDER,
    VerbGroup,
    agreed_option,
    group_option,
    record_it_option,
    source_option,
)
from blockchaintracer.cli.record_names import RECORD, RECORD_OR_MLFLOW
from blockchaintracer.cli.render import Answer, progress_bar, recorded_line, table, when
from blockchaintracer.cli.shown_times import kept_times
from blockchaintracer.core.errors import InputError
from blockchaintracer.lab.lab import Lab

_NAMES = ("model-card", "dataset-card", "html", "pdf", "csv", "xlsx", "parquet", "json")
_record_argument = click.argument("record_id", type=RECORD_OR_MLFLOW, metavar="ID|mlflow:RUN")
_format_option = click.option(
    "--format", "formats", multiple=True, type=click.Choice(_NAMES), help="Repeatable. [default: by kind]"
)
_field_option = click.option(
    "--field", "fields", multiple=True, metavar="NAME=VALUE", help="A card's field that no record holds."
)


class _Report(VerbGroup):
    """`report ID` is `report make ID`."""

    @override
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["make", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Report)
def command() -> None:
    """Write reports of a record, made from it and what belongs to it.

    The same record in the same state gives the same bytes, for everyone who makes the report.

    \b
    Examples:
      blockchaintracer report ID
      blockchaintracer report ID -o paper --format html --format pdf
      blockchaintracer report ID --field limitations="Adults only" --record
      blockchaintracer report history ID
      blockchaintracer report restore REPORT -o old
      blockchaintracer report auto
    """


@command.lab_verb("make", writes=True)
@agreed_option
@group_option
@_record_argument
@click.option("-o", "--output", type=FOLDER, help="Folder. [default: report-ID, which git ignores]")
@_format_option
@_field_option
@click.option("--fields", "fields_file", type=FILE, help="A YAML file of such fields.")
@click.option(
    "--templates",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of templates to use instead of ours.",
)
@source_option
@record_it_option
def make_report(
    lab: Lab,
    record_id: str,
    output: Path | None,
    formats: tuple[str, ...],
    fields: tuple[str, ...],
    fields_file: Path | None,
    templates: Path | None,
    sources: tuple[str, ...],
    to_record: bool,
) -> Answer:
    """Write a model or dataset card, the experiment sheet and a page for a record.

    What the card needs and no record holds is given by --field, and shown as declared, not recorded.

    \b
    Examples:
      blockchaintracer report ID
      blockchaintracer report ID --format pdf --format xlsx
      blockchaintracer report ID --field preprocessing="none" --fields more.yaml
      blockchaintracer report mlflow:RUN

    Exit codes: 0 done, 1 the record did not verify (the report says so), 2 wrong use, 3 chain or a source unavailable.
    """
    from blockchaintracer.extras.report import formats_for, gather, make, named_record, record_report, write
    from blockchaintracer.extras.report.fields import declared_fields

    lab.starts_devnet = to_record
    with progress_bar("hashing") as progress:
        declared = declared_fields(fields, fields_file)
        facts = gather(lab, named_record(lab, record_id), declared, sources=sources, progress=progress)
    record = facts.asked.record
    told = [line.strip() for it in known_holders(lab, [record], sources) for line in it.lines([record])]
    times = [line for it in kept_times(lab, [record], sources) for line in it.lines()]
    facts = replace(facts, holders=tuple(told), times=tuple(times))
    files = make(facts, formats or formats_for(facts), templates)
    folder = output or Path(f"report-{record.id[:12]}")
    if not output and not folder.exists():
        # in a repository it would be part of what the next run had not committed
        write({".gitignore": b"*\n"}, folder)
    written = write(files, folder)
    recorded = record_report(lab, facts, files) if to_record else None
    missing = [] if formats or not facts.has_card else list(facts.missing)
    data = {"record": record.id, "status": facts.verification.status, "files": written, "missing": missing}
    return Answer(
        {**data, "recorded": recorded},
        f"{record.kind} {record.id}: {facts.verification.status}",
        *(f"  {file}" for file in written),
        *([recorded_line("Report", recorded)] if recorded else []),
        notes=[f"Left out: the model card. It lacks {', '.join(missing)}: give them by --field."] if missing else [],
        exit_code=facts.verification.conclusion.exit_code,
    )


@command.lab_verb("history")
@_record_argument
def list_reports(lab: Lab, record_id: str) -> Answer:
    """List the recorded reports of a record, oldest first."""
    from blockchaintracer.extras.report.documents import history
    from blockchaintracer.extras.report.mlflow_runs import named_record

    reports = history(lab, named_record(lab, record_id))
    rows = [
        [it.id, when(it.time), it.group, "current" if it.current else it.status, ", ".join(it.files)] for it in reports
    ]
    return Answer({"reports": reports}, table(None, ["report", "time", "group", "", "files"], rows))


@command.lab_verb("restore", writes=True)
@agreed_option
@group_option
@click.argument("report_id", type=RECORD, metavar="REPORT")
@click.option("-o", "--output", type=FOLDER, required=True, help="Empty folder.")
@source_option
@record_it_option
def restore_report(lab: Lab, report_id: str, output: Path, sources: tuple[str, ...], to_record: bool) -> Answer:
    """Bring an older report back, byte by byte. With --record it is the current report again.

    \b
    Examples:
      blockchaintracer report restore REPORT -o old
      blockchaintracer report restore REPORT -o old --record
    """
    from blockchaintracer.extras.report.documents import restore

    recorded = restore(lab, report_id, output, record=to_record, sources=sources)
    return Answer(
        {"report": report_id, "folder": str(output), "recorded": recorded},
        f"Restored to {output}",
        *([recorded_line("Report", recorded)] if recorded else []),
    )


@command.lab_verb("auto")
@click.option("--off", is_flag=True, help="No reports any more.")
@_format_option
@_field_option
def choose_reports(lab: Lab, off: bool, formats: tuple[str, ...], fields: tuple[str, ...]) -> Answer:
    """Make and record a report of every run that is recorded from now on, by `record` or the tracer, on this chain.

    \b
    Examples:
      blockchaintracer report auto
      blockchaintracer report auto --format html --format model-card \\
        --field limitations="Adults only"
      blockchaintracer report auto --off
    """
    from blockchaintracer.extras.report.documents import set_reports
    from blockchaintracer.extras.report.fields import declared_fields

    if off and (formats or fields):
        raise InputError("expected --off alone, got formats or fields with it")
    set_reports(lab, None if off else formats, declared_fields(fields))
    return Answer({"reports": not off}, "Reports are off." if off else "Every run gets a report.")
