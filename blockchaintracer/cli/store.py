"""`blockchaintracer store`: what lies in the lab's store, and removing what nothing needs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from blockchaintracer.cli.common import Verb, VerbGroup, lab_options, make_lab, progress_bar, show
from blockchaintracer.cli.publish import in_words
from blockchaintracer.operations.storage import DAY_S, collect_garbage, store_status


@click.group(cls=VerbGroup)
def command() -> None:
    """The bytes behind the lab's records, each under its SHA-256.

    \b
    Examples:
      blockchaintracer store status
      blockchaintracer store status --verify
      blockchaintracer store gc --dry-run
    """


@command.command(cls=Verb)
@lab_options
@click.option("--verify", is_flag=True, help="Re-hash every object.")
@click.pass_context
def status(ctx: click.Context, /, verify: bool, **options: Any) -> None:
    """How much lies there, how much of it nothing names, and with --verify whether it's whole. Needs no chain."""
    lab = make_lab(ctx, options)
    with progress_bar(ctx, "hashing") as progress:
        found = store_status(lab, verify=verify, progress=progress)
    show(
        ctx,
        asdict(found),
        f"{found.objects} objects, {in_words(found.size)}, in {found.folder}",
        f"Nothing names {found.unneeded} of them, {in_words(found.unneeded_size)} (`store gc --dry-run` lists them).",
        *(f"DAMAGED: {digest}" for digest in found.damaged or ()),
        *(["All are what their names say."] if found.damaged == [] else []),
    )
    if found.damaged:
        ctx.exit(1)


@command.command(cls=Verb)
@lab_options
@click.option("--dry-run", is_flag=True, help="Only list what would be removed.")
@click.option(
    "--older-than",
    "days",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    metavar="DAYS",
    help="Since written.",
)
@click.pass_context
def gc(ctx: click.Context, /, dry_run: bool, days: float, **options: Any) -> None:
    """Remove what no record, seal, batch, outbox entry or private value of this lab names. Needs no chain.

    Nothing is removed while another process has the store in use: it may be about to name what it put there.
    """
    done = collect_garbage(make_lab(ctx, options), older_than_s=days * DAY_S, dry_run=dry_run)
    said = "Would remove" if dry_run else "Removed"
    show(
        ctx,
        asdict(done) | {"size": done.size},
        *(f"{one.sha256}  {in_words(one.size)}" for one in done.objects),
        f"{said} {len(done.objects)} objects, {in_words(done.size)}.",
    )
