"""`blockchaintracer reveal`: what was sealed, shown."""

from __future__ import annotations

import click

from blockchaintracer.cli.options import agreed_option, lab_verb
from blockchaintracer.cli.record_names import SEAL
from blockchaintracer.cli.render import Answer, unrevealed_line, when
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.seals import reveal


@lab_verb(writes=True)
@click.argument("commitment", type=SEAL, metavar="COMMITMENT|ID")
@agreed_option
def command(lab: Lab, commitment: str) -> Answer:
    """Show what was sealed, with the seal's time: the record is stored, or the verdict given and its evidence stored.

    Parents that are sealed or batched here are stored before it. Only the account that sealed it can, from the folder
    that keeps its salt.

    \b
    Examples:
      blockchaintracer seal list
      blockchaintracer reveal COMMITMENT
      blockchaintracer reveal @last    # the seal that was made last
    """
    shown = reveal(lab, commitment)
    evidence = f", on evidence {shown.evidence}" if shown.evidence else ""
    return Answer(
        shown,
        f"{shown.what}{'' if shown.what == 'record' else ':'} {shown.record_id}{evidence}",
        f"  sealed {when(shown.sealed_at)}, revealed {when(shown.revealed_at)}, block {shown.block}",
        f"  {unrevealed_line(vars(shown))}",
        *(["Other verbs take @last for this record."] if shown.what == "record" else []),
    )
