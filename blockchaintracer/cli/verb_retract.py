"""`blockchaintracer retract`: a record taken back, with its reason."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from blockchaintracer.cli.common import Verb, lab_options, make_lab, show, when
from blockchaintracer.lab.attest import retract


@click.command(cls=Verb)
@lab_options
@click.argument("record_id", metavar="ID")
@click.option("--reason", required=True, help="In words. Kept with the lab's files; its SHA-256 goes on chain.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.pass_context
def command(ctx: click.Context, /, record_id: str, reason: str, yes: bool, **options: Any) -> None:
    """Retract a record, once and for good. It keeps its time; what was derived from it shows it as retracted.

    \b
    Example:
      blockchaintracer retract ID --reason "calibration error, see the erratum"
    """
    lab = make_lab(ctx, options)
    if not yes and not ctx.params["as_json"]:
        click.confirm(f"Retract {record_id}? This can't be undone.", abort=True, err=True)
    result = retract(lab, record_id, reason)
    show(
        ctx,
        asdict(result),
        f"Record {result.record_id} is retracted: block {result.block}, {when(result.time)}.",
        f"Transaction {result.transaction}",
    )
