"""`blockchaintracer reveal`: what was sealed, shown."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from blockchaintracer.cli.common import Verb, lab_options, make_lab, show, when
from blockchaintracer.cli.verb_seal import unrevealed_line
from blockchaintracer.lab.seals import reveal


@click.command(cls=Verb)
@lab_options
@click.argument("commitment", metavar="COMMITMENT|ID")
@click.pass_context
def command(ctx: click.Context, /, commitment: str, **options: Any) -> None:
    """Show what was sealed, with the seal's time: the record is stored, or the verdict given and its evidence stored.

    Parents that are sealed or batched here are stored before it. Only the account that sealed it can, from the folder
    that keeps its salt.

    \b
    Examples:
      blockchaintracer seal list
      blockchaintracer reveal COMMITMENT
    """
    found = reveal(make_lab(ctx, options), commitment)
    about = {"author": found.author, "group": found.group, "seals": found.seals, "unrevealed": found.unrevealed}
    evidence = f", on evidence {found.evidence}" if found.evidence else ""
    show(
        ctx,
        asdict(found),
        f"{found.what} {found.record_id}{evidence}"
        if found.what == "record"
        else f"{found.what}: {found.record_id}{evidence}",
        f"  sealed {when(found.sealed_at)}, revealed {when(found.revealed_at)}, block {found.block}",
        f"  {unrevealed_line(about)}",
    )
