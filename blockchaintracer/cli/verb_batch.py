"""`blockchaintracer batch`: any number of records under one Merkle root."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from blockchaintracer.cli.common import (
    Verb,
    VerbGroup,
    group_option,
    lab_options,
    make_lab,
    progress_bar,
    show,
    table,
    when,
)
from blockchaintracer.cli.verb_record import given_paths, record_given, record_options
from blockchaintracer.lab import batches


@click.group(cls=VerbGroup)
def command() -> None:
    """Commit to any number of records with one transaction, and store those that are needed later.

    A record that is only batched is proven by its key and its proof file: keep both, or nobody can show that it was in
    the batch. `materialize` stores it with the batch's time.

    \b
    Examples:
      blockchaintracer batch add --dataset data.csv
      blockchaintracer batch list
      blockchaintracer batch anchor
      blockchaintracer materialize ID
    """


@command.command(cls=Verb)
@lab_options
@record_options
@click.pass_context
def add(ctx: click.Context, /, **options: Any) -> None:
    """Add what `record` would record to the open batch: the same options. Nothing is sent.

    \b
    Examples:
      blockchaintracer batch add --dataset data.csv
      blockchaintracer batch add --param lr=0.1 --metric accuracy=0.93
    """
    lab = make_lab(ctx, options)
    with progress_bar(ctx, "hashing and keeping", given_paths(options)) as progress, batches.batching(lab):
        added, code = record_given(lab, progress, options)
    lines = []
    for one in added:
        name = f" {one.name}" if one.name else ""
        lines.append(f"{one.kind}{name}: {one.id}")
        if one.state == "open":
            lines.append(f"  is in the open batch of group {one.group}{' already' if one.existing else ''}")
        elif isinstance(one, batches.Batched):
            lines.append(f"  is in the batch {one.root}, anchored {when(one.time)}")
        else:
            lines.append(f"  is recorded already, {when(one.time)}")
    show(ctx, {"records": [asdict(one) for one in added], "id": added[-1].id, "programExitCode": code}, *lines)
    if code:
        click.echo(f"The program ended with {code}: it's added as a failed run.", err=True)


@command.command("list", cls=Verb)
@lab_options
@group_option
@click.pass_context
def list_(ctx: click.Context, /, **options: Any) -> None:
    """List the open batch's records and the group's anchored batches that this lab made."""
    found = batches.listed(make_lab(ctx, options))
    show(ctx, found)
    if ctx.params["as_json"]:
        return
    table("Open batch", ["record", "kind", "name"], [[r["id"], r["kind"], r["name"] or "-"] for r in found["open"]])
    table(
        "Anchored",
        ["root", "records", "state", "time", "proofs"],
        [[r["root"], str(r["count"]), r["state"], when(r["time"]), r["proofs"]] for r in found["batches"]],
    )


@command.command(cls=Verb)
@lab_options
@group_option
@click.option("--leaves", is_flag=True, help="Put all ids on the chain, which counts them: costs more with each.")
@click.pass_context
def anchor(ctx: click.Context, /, leaves: bool, **options: Any) -> None:
    """Anchor the open batch: write a proof file for each record, then send the Merkle root.

    \b
    Examples:
      blockchaintracer batch anchor
      blockchaintracer batch anchor --leaves
    """
    done = batches.anchor(make_lab(ctx, options), leaves=leaves)
    how = "was anchored already" if done.existing else f"is {done.state}"
    show(
        ctx,
        asdict(done),
        f"Batch {done.root} of {done.count} records {how}: block {done.block}, {when(done.time)}.",
        f"  by {done.author} for group {done.group}. Transaction {done.transaction}",
        f"  Proofs: {done.proofs}",
    )
