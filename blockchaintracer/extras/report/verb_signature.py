"""`blockchaintracer signature`: a signature of `model_signing` over a recorded model, as evidence."""

from __future__ import annotations

from pathlib import Path

import click

from blockchaintracer.cli.options import FILE, agreed_option, group_option, lab_verb, record_it_option, source_option
from blockchaintracer.cli.record_names import RECORD
from blockchaintracer.cli.render import Answer
from blockchaintracer.core.plain_json import as_json
from blockchaintracer.lab.lab import Lab


@lab_verb(writes=True)
@agreed_option
@group_option
@click.argument("model_id", type=RECORD, metavar="ID")
@click.option("--signature", type=FILE, required=True, help="The file that `model_signing sign key` wrote.")
@click.option("--public-key", type=FILE, required=True, help="PEM of the elliptic curve key.")
@source_option
@record_it_option
def command(
    lab: Lab, model_id: str, signature: Path, public_key: Path, sources: tuple[str, ...], to_record: bool
) -> Answer:
    """Check OpenSSF's signature of a model against the recorded bytes, and record it.

    It shows that a key signed these bytes. It does not show whose key it is.

    \b
    Examples:
      blockchaintracer signature ID --signature model.sig \\
        --public-key key.pub
      blockchaintracer signature ID --signature model.sig \\
        --public-key key.pub --record

    Exit codes: 0 it holds, 1 it does not, 2 wrong use, 3 chain unavailable.
    """
    from blockchaintracer.extras.report.model_signature import check_signature

    checked, recorded = check_signature(lab, model_id, signature, public_key, sources=sources, record_it=to_record)
    return Answer(
        as_json(checked) | {"recorded": recorded},
        f"The signature holds over all {checked.files} files of record {checked.model}",
        f"  by the key in the file with the SHA-256 {checked.public_key}",
        *([f"Recorded as {recorded.id}"] if recorded else []),
    )
