"""`blockchaintracer retract`: a record taken back, with its reason."""

from __future__ import annotations

import click

from blockchaintracer.cli.options import lab_verb, require_consent, yes_option
from blockchaintracer.cli.record_names import RECORD
from blockchaintracer.cli.render import Answer, when
from blockchaintracer.lab.attest import retract
from blockchaintracer.lab.lab import Lab


@lab_verb(writes=True)
@click.argument("record_id", type=RECORD, metavar="ID")
@click.option("--reason", required=True, help="A text. Kept with the lab's files; its SHA-256 goes on chain.")
@yes_option
def command(lab: Lab, record_id: str, reason: str) -> Answer:
    """Retract a record, once and for good. It keeps its time; what was derived from it shows it as retracted.

    \b
    Example:
      blockchaintracer retract ID --reason "calibration error, see the erratum"
    """
    require_consent(f"Retract {record_id}? This cannot be undone.")
    result = retract(lab, record_id, reason)
    return Answer(
        result,
        f"Record {result.record_id} is retracted: block {result.block}, {when(result.time)}.",
        f"Transaction {result.transaction}",
    )
