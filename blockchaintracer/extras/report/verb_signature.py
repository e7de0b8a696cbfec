"""`blockchaintracer signature`: a signature of `model_signing` over a recorded model, as evidence."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from blockchaintracer.cli.common import Verb, group_option, lab_options, make_lab, show

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(cls=Verb)
@lab_options
@group_option
@click.argument("model_id", metavar="ID")
@click.option("--signature", type=_FILE, required=True, help="What `model_signing sign key` wrote.")
@click.option("--public-key", type=_FILE, required=True, help="PEM of the elliptic curve key.")
@click.option("--from", "sources", multiple=True, metavar="FOLDER|URL", help="Where it was published; repeatable.")
@click.option("--record", "to_record", is_flag=True, help="Record it as a document derived from the model.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    model_id: str,
    signature: Path,
    public_key: Path,
    sources: tuple[str, ...],
    to_record: bool,
    **options: Any,
) -> None:
    """Check OpenSSF's signature of a model against the recorded bytes, and record it.

    It tells that a key signed these bytes; whose key it is, is for you to know.

    \b
    Examples:
      blockchaintracer signature ID --signature model.sig --public-key key.pub
      blockchaintracer signature ID --signature model.sig --public-key key.pub --record

    Exit codes: 0 it holds, 1 it doesn't, 2 wrong use, 3 chain unavailable.
    """
    from blockchaintracer.extras.report.model_signature import check_signature, record_signature

    lab = make_lab(ctx, options)
    recorded = None
    if to_record:
        found, recorded = record_signature(lab, model_id, signature, public_key, sources=sources)
    else:
        found = check_signature(lab, model_id, signature, public_key, sources=sources)
    show(
        ctx,
        {**asdict(found), "recorded": asdict(recorded) if recorded else None},
        f"The signature holds over all {found.files} files of record {found.model}",
        f"  by the key in the file with the SHA-256 {found.public_key}",
        *([f"Recorded as {recorded.id}"] if recorded else []),
    )
