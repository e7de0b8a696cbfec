"""`blockchaintracer store`: what lies in the lab's store, mending it, and removing what nothing needs."""

from __future__ import annotations

from pathlib import Path

import click

from blockchaintracer.cli.options import PATH, VerbGroup, source_option
from blockchaintracer.cli.render import Answer, byte_size, plain, progress_bar
from blockchaintracer.core.plain_json import as_json
from blockchaintracer.core.record import counted
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.store.collect_garbage import DAY_S, collect_environments, collect_garbage, store_status
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
      blockchaintracer store gc --environments --older-than 30
    """


@command.lab_verb()
@click.option("--verify", is_flag=True, help="Re-hash every object.")
def status(lab: Lab, verify: bool) -> Answer:
    """Count the objects, those that nothing names, and with --verify the damaged ones. Needs no chain."""
    with progress_bar("hashing") as progress:
        state = store_status(lab, verify=verify, progress=progress)
    unneeded = f"{state.unneeded} of them, {byte_size(state.unneeded_size)}"
    return Answer(
        state,
        f"{state.objects} objects, {byte_size(state.size)}, in {state.folder}",
        f"Nothing names {unneeded} (`store gc --dry-run --older-than 0` lists them).",
        *(f"DAMAGED: {digest}" for digest in state.damaged or ()),
        *(["All are what their names say."] if state.damaged == [] else []),
        exit_code=1 if state.damaged else 0,
    )


@command.lab_verb()
@click.argument("folder", required=False, type=PATH, metavar="[FOLDER]")
@source_option
def repair(lab: Lab, folder: Path | None, sources: tuple[str, ...]) -> Answer:
    """Re-hash every object, and fetch again what is damaged, and what a record of this lab needs and is missing.

    With FOLDER, a published folder: its damaged objects are replaced from the lab's store, then from --from.

    Needs no chain. Without --from the lab's store is only checked. A good copy takes its place once it is whole, so you
    can stop it.

    \b
    Examples:
      blockchaintracer store repair
      blockchaintracer store repair --from published --from ipfs://CID
      blockchaintracer store repair published

    Exit codes: 0 all is whole, 1 something stays damaged or missing, 2 wrong use.
    """
    with progress_bar("hashing") as progress:
        done = repair_store(lab, sources, progress, folder=folder)
    return Answer(
        as_json(done) | {"left": len(done.left)},
        f"Re-hashed {done.objects} objects, {byte_size(done.size)}, in {done.folder}.",
        *map(_mended, done.found),
        f"Still damaged or missing: {len(done.left)}."
        if done.left
        else "All are whole."
        if folder
        else f"All are whole, and the {done.needed} that this lab's records need are here.",
        exit_code=1 if done.left else 0,
    )


def _mended(item: Mended) -> str:
    name = plain(item.what) if item.what else "no record of this lab names it"
    state = f"{item.was.upper()}: {plain(item.problem)}" if item.problem else f"was {item.was}, is whole now"
    return f"{item.sha256}  {name}: {state}"


@command.lab_verb()
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
@click.option("--environments", is_flag=True, help="Remove the environments that `reproduce` keeps instead.")
def gc(lab: Lab, dry_run: bool, days: float, environments: bool) -> Answer:
    """Remove what no record, seal, batch, outbox entry or private value of this lab names. Needs no chain.

    Nothing is removed while another process uses the store: it may be about to name what it put there.
    """
    if environments:
        kept = collect_environments(lab, older_than_s=days * DAY_S, dry_run=dry_run)
        size = sum(one.size for one in kept)
        return Answer(
            {"environments": as_json(kept), "size": size, "dryRun": dry_run},
            *(f"{one.name}  {byte_size(one.size)}  {plain(one.lock)}" for one in kept),
            f"{'Would remove' if dry_run else 'Removed'} {counted(len(kept), 'environment')}, {byte_size(size)}.",
        )
    done = collect_garbage(lab, older_than_s=days * DAY_S, dry_run=dry_run)
    removed = "Would remove" if dry_run else "Removed"
    return Answer(
        as_json(done) | {"size": done.size},
        *(f"{item.sha256}  {byte_size(item.size)}" for item in done.objects),
        f"{removed} {counted(len(done.objects), 'object')}, {byte_size(done.size)}.",
    )
