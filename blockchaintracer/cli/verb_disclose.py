"""`blockchaintracer disclose`: shows private values of a run one by one."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from blockchaintracer.cli.options import PATH, lab_verb
from blockchaintracer.cli.record_names import RECORD
from blockchaintracer.cli.render import Answer
from blockchaintracer.lab.drafts import registry_for_others
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.private.disclose import disclose


@lab_verb()
@click.argument("record_id", type=RECORD, metavar="ID")
@click.argument("fields", metavar="FIELD...", nargs=-1, required=True)
@click.option("-o", "--output", "target", required=True, type=PATH, help="New file to write.")
def command(lab: Lab, record_id: str, fields: tuple[str, ...], target: Path) -> Answer:
    """Write a file that shows private values of a run and proves them against its record; the others stay hidden.

    Who gets the file checks it by `verify --proof FILE`. What was shown cannot be taken back.

    \b
    Examples:
      blockchaintracer disclose ID lr -o learning-rate.json
      blockchaintracer disclose ID parameters.lr metrics.accuracy -o shown.json
    """
    done = disclose(lab, record_id, fields, target)
    file = shlex.quote(str(target))
    return Answer(
        done,
        f"{target} shows {', '.join(done.shown)} of {done.record_id}; {done.hidden} values stay hidden.",
        f"Others check it: blockchaintracer verify --proof {file} {registry_for_others(lab.domain)}",
    )
