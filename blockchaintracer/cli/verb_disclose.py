"""`blockchaintracer disclose`: shows private values of a run one by one."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from blockchaintracer.cli.common import Verb, lab_options, make_lab, show
from blockchaintracer.lab.private.disclose import disclose


@click.command(cls=Verb)
@lab_options
@click.argument("record_id", metavar="ID")
@click.argument("fields", metavar="FIELD...", nargs=-1, required=True)
@click.option(
    "-o", "--output", "target", required=True, type=click.Path(path_type=Path), help="File to write; none may be there."
)
@click.pass_context
def command(ctx: click.Context, /, record_id: str, fields: tuple[str, ...], target: Path, **options: Any) -> None:
    """Write a file that shows private values of a run and proves them against its record; the others stay hidden.

    Whoever gets the file checks it by `verify FILE`. What was shown can't be taken back.

    \b
    Examples:
      blockchaintracer disclose ID lr -o learning-rate.json
      blockchaintracer disclose ID parameters.lr metrics.accuracy -o shown.json
    """
    lab = make_lab(ctx, {**options, "group": None})
    done = disclose(lab, record_id, fields, target)
    show(
        ctx,
        asdict(done),
        f"{target} shows {', '.join(done.shown)} of {done.record_id}; {done.hidden} values stay hidden.",
        f"Others check it: blockchaintracer verify {target} --registry {lab.domain.registry}",
    )
