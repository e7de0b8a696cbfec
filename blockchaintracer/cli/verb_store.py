"""`blockchaintracer store`: what lies in the lab's store, mending it, and removing what nothing needs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from blockchaintracer.cli.common import Verb, VerbGroup, lab_options, make_lab, plain, progress_bar, show
from blockchaintracer.cli.verb_publish import in_words
from blockchaintracer.lab.store.collect_garbage import DAY_S, collect_garbage, store_status
from blockchaintracer.lab.store.repair import Mended, repair_store


@click.group(cls=VerbGroup)
def command() -> None:
    """The bytes behind the lab's records, each under its SHA-256.

    \b
    Examples:
      blockchaintracer store status
      blockchaintracer store status --verify
      blockchaintracer store repair --from https://lab.example/published
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
@click.option(
    "--from", "sources", multiple=True, metavar="FOLDER|URL", help="A published store with good copies; repeatable."
)
@click.pass_context
def repair(ctx: click.Context, /, sources: tuple[str, ...], **options: Any) -> None:
    """Re-hash every object, and fetch again what is damaged, and what a record of this lab needs and is missing.

    Needs no chain. Without --from it only tells. A good copy takes its place once it's whole, so it may be interrupted.

    \b
    Examples:
      blockchaintracer store repair
      blockchaintracer store repair --from published --from ipfs://CID

    Exit codes: 0 all is whole, 1 something stays damaged or missing, 2 wrong use.
    """
    with progress_bar(ctx, "hashing") as progress:
        done = repair_store(make_lab(ctx, options), sources, progress)
    show(
        ctx,
        asdict(done) | {"left": len(done.left)},
        f"Re-hashed {done.objects} objects, {in_words(done.size)}, in {done.folder}.",
        *(_mended(one) for one in done.found),
        f"Still damaged or missing: {len(done.left)}."
        if done.left
        else f"All are whole, and the {done.needed} that this lab's records need are here.",
    )
    if done.left:
        ctx.exit(1)


def _mended(one: Mended) -> str:
    what = plain(one.what) if one.what else "no record of this lab names it"
    state = f"{one.was.upper()}: {plain(one.problem)}" if one.problem else f"was {one.was}, is whole now"
    return f"{one.sha256}  {what}: {state}"


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
