"""`blockchaintracer decrypt`: opens what was recorded encrypted to you."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from blockchaintracer.cli.common import Verb, lab_options, make_lab, progress_bar, show
from blockchaintracer.core.errors import InputError
from blockchaintracer.lab.keys import PASSPHRASE_FILE
from blockchaintracer.lab.private.decrypt import decrypt_private, decrypt_record
from blockchaintracer.lab.private.identities import EncryptionKeys

_ASKED = f"Without a terminal a key's passphrase is read from the file that ${PASSPHRASE_FILE} names."


@click.command(cls=Verb, epilog=_ASKED)
@lab_options
@click.argument("record_id", metavar="ID")
@click.argument("output", required=False, metavar="[OUTPUT]")
@click.option(
    "-o", "--output", "target", type=click.Path(path_type=Path), help="File or folder to write; none may be there."
)
@click.option("--values", "private", is_flag=True, help="Print the private values of a run.")
@click.option(
    "--identity",
    "chosen",
    multiple=True,
    metavar="KEY|FILE",
    help="An encryption key of this lab, an age identity file or an SSH private key. [default: all keys of the lab]",
)
@click.option("--from", "sources", multiple=True, metavar="FOLDER|URL", help="Where copies may be, as for `verify`.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    record_id: str,
    output: str | None,
    target: Path | None,
    private: bool,
    chosen: tuple[str, ...],
    sources: tuple[str, ...],
    **options: Any,
) -> None:
    """Decrypt what a record is of, an OUTPUT of a run, or its private values, if they were encrypted to you.

    What is decrypted is held against the record: it is written only if its author had committed to it.

    \b
    Examples:
      blockchaintracer decrypt ID -o patients.csv
      blockchaintracer decrypt RUN_ID model.pkl -o model.pkl --identity mine
      blockchaintracer decrypt RUN_ID --values
    """
    if private == (target is not None) or (private and output):
        raise InputError("expected -o with a name to write to, or else --values", hint="See `decrypt --help`.")
    lab = make_lab(ctx, {**options, "group": None})
    identities = EncryptionKeys(lab.home, lab.ask).identities(chosen)
    if target is None:
        values = decrypt_private(lab, record_id, identities, sources)
        lines = (f"{json.dumps(name)}: {json.dumps(value)}" for name, value in values.items())
        show(ctx, {"id": record_id, "values": values}, *lines)
        return
    with progress_bar(ctx, "decrypting") as progress:
        done = decrypt_record(
            lab, record_id, target, output=output, identities=identities, sources=sources, progress=progress
        )
    what = f"the {done.subject_type} {done.name!r} (SHA-256 {done.sha256})"
    show(ctx, asdict(done), f"{done.path} is {what}, to which record {done.record_id} commits.")
