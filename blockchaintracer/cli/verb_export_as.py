"""`blockchaintracer export-as`: a record in the formats of others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from blockchaintracer.cli.options import FILE, PATH, lab_verb, source_option
from blockchaintracer.cli.record_names import RECORD_OR_MLFLOW
from blockchaintracer.cli.render import Answer, progress_bar
from blockchaintracer.cli.used_extras import extra
from blockchaintracer.lab.lab import Lab

_FORMATS = ("ro-crate", "prov-json", "prov-n", "in-toto", "dsse", "croissant", "codemeta", "sha256sums")


@lab_verb()
@click.argument("form", metavar="FORMAT", type=click.Choice(_FORMATS))
@click.argument("record_id", type=RECORD_OR_MLFLOW, metavar="ID|mlflow:RUN")
@click.option("-o", "--output", type=PATH, required=True, help="File to write; for ro-crate a new folder.")
@click.option("--sign-with", type=FILE, help="For dsse: PEM file with an Ed25519, ECDSA or RSA key.")
@click.option("--with-files", is_flag=True, help="For sha256sums: write the files beside it.")
@source_option
def command(
    lab: Lab,
    form: str,
    record_id: str,
    output: Path,
    sign_with: Path | None,
    with_files: bool,
    sources: tuple[str, ...],
) -> Answer:
    """Write a record as RO-Crate, W3C PROV, in-toto, DSSE, Croissant, CodeMeta or SHA256SUMS.

    FORMAT is ro-crate, prov-json, prov-n, in-toto, dsse, croissant (datasets), codemeta (runs, software) or sha256sums.
    The record is verified first; one that fails is not exported.

    \b
    Examples:
      blockchaintracer export-as ro-crate RUN -o crate
      blockchaintracer export-as croissant DATASET -o croissant.json
      blockchaintracer export-as dsse ID --sign-with key.pem -o statement.json
      blockchaintracer export-as sha256sums ID --with-files -o copy/SHA256SUMS
      blockchaintracer export-as ro-crate mlflow:RUN -o crate
    """
    record_id = extra("report").named_record(lab, record_id)
    more: dict[str, Any] = {"sign_with": sign_with, "with_files": with_files, "sources": sources}
    with progress_bar("hashing") as progress:
        done = extra("exports", "export").export(lab, record_id, form, output, progress=progress, **more)
    return Answer(done, f"Written to {done.path}", notes=[f"Note: {note}" for note in done.notes])
