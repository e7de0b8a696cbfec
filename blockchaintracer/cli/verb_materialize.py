"""`blockchaintracer materialize`: a record from its batch, stored."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from blockchaintracer.cli.common import Verb, lab_options, make_lab, show, when
from blockchaintracer.lab.batches import materialize


@click.command(cls=Verb)
@lab_options
@click.argument("target", metavar="ID|PROOF_FILE")
@click.pass_context
def command(ctx: click.Context, /, target: str, **options: Any) -> None:
    """Store a record from its batch, with the batch's time. Anyone may who has the proof file: its author consented.

    Parents that are in batches too are stored before it; of a proof file they are looked for beside it.

    \b
    Examples:
      blockchaintracer materialize ID
      blockchaintracer materialize proof.json
    """
    stored = materialize(make_lab(ctx, options), target)
    lines = []
    for one in stored:
        name = f" {one.name}" if one.name else ""
        lines.append(f"{one.kind}{name}: {one.id}")
        how = "is stored already" if one.existing else f"is {one.state} in block {one.block}"
        lines.append(f"  {how}, with the time {when(one.time)}, of {one.author} for group {one.group}")
    show(ctx, {"records": [asdict(one) for one in stored], "id": stored[-1].id}, *lines)
