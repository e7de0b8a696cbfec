"""`blockchaintracer export-as`: a record in the formats of others."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from blockchaintracer.cli.options import FILE, PATH, lab_verb, source_option
from blockchaintracer.cli.record_names import RECORD_OR_MLFLOW
from blockchaintracer.cli.render import Answer, progress_bar
from blockchaintracer.cli.used_extras import extra
from blockchaintracer.lab.lab import Lab

_FORMATS = ("ro-crate", "prov-json", "prov-n", "in-toto", "dsse", "croissant", "codemeta", "sha256sums")
_NEXT = {
    "ro-crate": "Check it: `rocrate-validator validate {path}`",
    "prov-json": "The Python package `prov` reads it",
    "prov-n": "It is W3C PROV-N: text for readers",
    "in-toto": "Its SHA-256 is the one of the manifest, which the chain holds: `sha256sum {path}`",
    "dsse": "The Python package `securesystemslib` reads it and checks its signatures",
    "croissant": "Check it: `mlcroissant validate --jsonld {path}`",
    "codemeta": "The Python package `pydantic-codemeta` reads it",
    "sha256sums": "Check it: `cd {folder} && sha256sum --strict -c {name}`",
}
"""How each format is checked or opened: docs/exports.md."""


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
    path = Path(done.path)
    names = {"path": path, "folder": path.parent, "name": path.name}
    how = _NEXT[form].format(**{name: shlex.quote(str(value)) for name, value in names.items()})
    return Answer(done, f"Written to {done.path}", f"{how}.", notes=[f"Note: {note}" for note in done.notes])
