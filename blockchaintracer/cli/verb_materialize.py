"""`blockchaintracer materialize`: a record from its batch, stored."""

from __future__ import annotations

import click

from blockchaintracer.cli.options import agreed_option, lab_verb
from blockchaintracer.cli.record_names import RECORD_OR_PATH
from blockchaintracer.cli.render import Answer, record_lines, when
from blockchaintracer.lab.batches import materialize
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.lab import Lab


@lab_verb(writes=True)
@click.argument("target", type=RECORD_OR_PATH, metavar="ID|PROOF_FILE")
@agreed_option
def command(lab: Lab, target: str) -> Answer:
    """Store a record from its batch, with the batch's time. Anyone with the proof file may: its author consented.

    Parents that are in batches too are stored before it; of a proof file they are looked for beside it.

    \b
    Examples:
      blockchaintracer materialize ID
      blockchaintracer materialize proof.json
    """
    stored = materialize(lab, target)
    lines = (line for record in stored for line in record_lines(record, _state(record)))
    return Answer({"records": stored, "id": stored[-1].id}, *lines)


def _state(record: Recorded) -> str:
    state = "is stored already" if record.existing else f"is {record.state} in block {record.block}"
    return f"{state}, with the time {when(record.time)}, of {record.author} for group {record.group}"
