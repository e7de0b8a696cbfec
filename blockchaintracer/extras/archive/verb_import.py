"""`blockchaintracer import`: a whole registry from one file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from blockchaintracer.cli.common import Verb, lab_options, make_lab, progress_bar, show
from blockchaintracer.extras.archive import LIMIT
from blockchaintracer.extras.archive.registry_archive import import_registry


@click.command(cls=Verb)
@lab_options
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--offline", is_flag=True, help="Ask no chain: take the archive's word for who did what, and when.")
@click.option("--limit", type=click.IntRange(1), default=LIMIT, show_default=True, help="Bytes the file may have.")
@click.pass_context
def command(ctx: click.Context, /, file: Path, offline: bool, limit: int, **options: Any) -> None:
    """Take a registry in from the file that `export` wrote: objects into the store, events into the index.

    Every digest, record id and batch proof is checked before anything is kept, and every event against the chain where
    one is at hand. Afterwards `query --offline`, `lineage --offline` and `impact --offline` work here as there.

    \b
    Examples:
      blockchaintracer import registry.tar --network base
      blockchaintracer import registry.tar --offline
    """
    lab = make_lab(ctx, options)
    with progress_bar(ctx, "checking", [file] if file.is_file() else []) as progress:
        found = import_registry(lab, file, offline=offline, limit=limit, progress=progress)
    against = "every event is what the chain holds" if found.checked else "not held against a chain"
    kept = "" if found.indexed else " The index had this registry already and keeps what it read."
    show(
        ctx,
        asdict(found),
        f"Took in {found.registry} of chain {found.chain_id} up to block {found.block}: {found.records} records,"
        f" {found.events} events, {found.objects} objects, {found.proofs} batch proofs; {against}.{kept}",
        "What is left to trust",
        *(f"  {sentence}" for sentence in found.trust),
    )
