"""`blockchaintracer decrypt`: opens what was recorded encrypted to you."""

from __future__ import annotations

import json
from pathlib import Path

import click

from blockchaintracer.cli.options import PASSPHRASE_EPILOG, PATH, lab_verb, source_option
from blockchaintracer.cli.record_names import RECORD
from blockchaintracer.cli.render import Answer, progress_bar
from blockchaintracer.core.errors import InputError
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.private.decrypt import decrypt_private, decrypt_record
from blockchaintracer.lab.private.identities import EncryptionKeys


@lab_verb(epilog=PASSPHRASE_EPILOG)
@click.argument("record_id", type=RECORD, metavar="ID")
@click.argument("output", required=False, metavar="[OUTPUT]")
@click.option("-o", "--output", "target", type=PATH, help="New file or folder to write.")
@click.option("--values", "private", is_flag=True, help="Print the private values of a run.")
@click.option(
    "--identity",
    "names",
    multiple=True,
    metavar="KEY|FILE",
    help="An encryption key of this lab, an age identity file or an SSH private key. [default: all keys of the lab]",
)
@source_option
def command(
    lab: Lab,
    record_id: str,
    output: str | None,
    target: Path | None,
    private: bool,
    names: tuple[str, ...],
    sources: tuple[str, ...],
) -> Answer:
    """Decrypt the content of a record, an OUTPUT of a run, or its private values, if they were encrypted to you.

    The decrypted bytes are checked against the record: they are written only if its author had committed to them.

    \b
    Examples:
      blockchaintracer decrypt ID -o patients.csv
      blockchaintracer decrypt RUN_ID model.pkl -o model.pkl --identity mine
      blockchaintracer decrypt RUN_ID --values
    """
    if private == (target is not None) or (private and output):
        raise InputError("expected -o with a name to write to, or else --values", hint="See `decrypt --help`.")
    identities = EncryptionKeys(lab.home, lab.ask).identities(names)
    if target is None:
        values = decrypt_private(lab, record_id, identities, sources)
        lines = (f"{json.dumps(name)}: {json.dumps(value)}" for name, value in values.items())
        return Answer({"id": record_id, "values": values}, *lines)
    with progress_bar("decrypting") as progress:
        done = decrypt_record(
            lab, record_id, target, output=output, identities=identities, sources=sources, progress=progress
        )
    content = f"the {done.subject_type} {done.name!r} (SHA-256 {done.sha256})"
    return Answer(done, f"{done.path} is {content}, to which record {done.record_id} commits.")
