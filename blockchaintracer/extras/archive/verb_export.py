"""`blockchaintracer export`: the whole registry in one file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from blockchaintracer.cli.common import Verb, lab_options, make_lab, progress_bar, show
from blockchaintracer.extras.archive.registry_archive import export_registry


@click.command(cls=Verb)
@lab_options
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The file to write."
)
@click.option("--artifacts", is_flag=True, help="Add data, models, code and other files that the store has.")
@click.option("--with-diffs", is_flag=True, help="Add runs' differences to their commits, too; scanned for secrets.")
@click.pass_context
def command(ctx: click.Context, /, output: Path, artifacts: bool, with_diffs: bool, **options: Any) -> None:
    """Write the whole registry to one file: every event, the manifests, and the proofs of records in batches.

    The same state gives the same bytes. Keys, settings, the outbox, sealed records and their salts are never in it.
    `import FILE` takes it into any other home.

    \b
    Examples:
      blockchaintracer export -o registry.tar
      blockchaintracer export -o everything.tar --artifacts --network base
    """
    lab = make_lab(ctx, options)
    with progress_bar(ctx, "writing") as progress:
        found = export_registry(lab, output, artifacts=artifacts, with_diffs=with_diffs, progress=progress)
    missing = f"Not in this lab's store, and so not in the file: {len(found.missing)} objects that records name."
    show(
        ctx,
        asdict(found),
        f"Wrote {found.file}: {found.events} events up to block {found.block}, {found.objects} objects,"
        f" {found.proofs} batch proofs, {found.size:,} bytes.",
        *([missing] if found.missing else []),
    )
