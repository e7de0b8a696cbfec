"""`blockchaintracer export-as`: a record in the formats of others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from blockchaintracer.cli.common import Verb, lab_options, make_lab, progress_bar, show

_FORMATS = ("ro-crate", "prov-json", "prov-n", "in-toto", "dsse", "croissant", "codemeta", "sha256sums")


@click.command(cls=Verb)
@lab_options
@click.argument("form", metavar="FORMAT", type=click.Choice(_FORMATS))
@click.argument("record_id", metavar="ID|mlflow:RUN")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="File to write; for ro-crate a new folder."
)
@click.option(
    "--sign-with",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="For dsse: PEM file with an Ed25519, ECDSA or RSA key.",
)
@click.option("--with-files", is_flag=True, help="For sha256sums: write the files beside it.")
@click.option("--from", "sources", multiple=True, metavar="FOLDER|URL", help="Where it was published; repeatable.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    form: str,
    record_id: str,
    output: Path,
    sign_with: Path | None,
    with_files: bool,
    sources: tuple[str, ...],
    **options: Any,
) -> None:
    """Write a record as RO-Crate, W3C PROV, in-toto, DSSE, Croissant, CodeMeta or SHA256SUMS.

    FORMAT is ro-crate, prov-json, prov-n, in-toto, dsse, croissant (datasets), codemeta (runs, software) or sha256sums.
    The record is verified first; one that fails is not exported.

    \b
    Examples:
      blockchaintracer export-as ro-crate RUN -o crate
      blockchaintracer export-as croissant DATASET -o croissant.json
      blockchaintracer export-as dsse ID --sign-with key.pem -o statement.dsse.json
      blockchaintracer export-as sha256sums ID --with-files -o copy/SHA256SUMS
      blockchaintracer export-as ro-crate mlflow:RUN -o crate
    """
    from blockchaintracer.extras.report import named_record
    from blockchaintracer.extras.report.exports import export

    lab = make_lab(ctx, options)
    with progress_bar(ctx, "hashing") as progress:
        done = export(
            lab,
            named_record(lab, record_id),
            form,
            output,
            sign_with=sign_with,
            with_files=with_files,
            sources=sources,
            progress=progress,
        )
    for note in done.notes:
        click.echo(f"Note: {note}", err=True)
    show(
        ctx,
        {"record": done.record, "format": done.format, "path": str(done.path), "notes": list(done.notes)},
        f"Written to {done.path}",
    )
