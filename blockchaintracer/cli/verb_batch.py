"""`blockchaintracer batch`: any number of records under one Merkle root."""

from __future__ import annotations

from collections.abc import Callable

import click

from blockchaintracer.cli.options import VerbGroup, group_option, record_options, require_consent, yes_option
from blockchaintracer.cli.record_names import RECORD_OR_PATH
from blockchaintracer.cli.render import Answer, progress_bar, record_lines, table, when
from blockchaintracer.core.plain_json import camel_case
from blockchaintracer.core.record import counted
from blockchaintracer.lab import batches
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.outbox import Entry
from blockchaintracer.lab.recording.request import Request, record_request


@click.group(cls=VerbGroup)
def command() -> None:
    """Commit to any number of records with one transaction, and store those that are needed later.

    A record that is only batched is proven by its key and its proof file: keep both, or the record cannot be proven.
    `materialize` stores it with the batch's time.

    \b
    Examples:
      blockchaintracer batch add --dataset data.csv
      blockchaintracer batch list
      blockchaintracer batch anchor
      blockchaintracer materialize ID
    """


@command.lab_verb()
@record_options
def add(lab: Lab, request: Request) -> Answer:
    """Add what `record` would record to the open batch: the same options. Nothing is sent."""
    with progress_bar("hashing and keeping", request.paths) as progress, batches.batching(lab) as adding:
        added, code = record_request(lab, request, progress)
    notes = [f"The program ended with {code}: it is added as a failed run."] if code else []
    notes += [f"{record_id} is recorded already, from elsewhere: it is left out." for record_id in adding.stored]
    return Answer(
        {"records": added, "id": added[-1].id, "programExitCode": code, "stored": sorted(adding.stored)},
        *(line for record in added for line in record_lines(record, _state(record))),
        notes=notes,
    )


def _state(record: Recorded) -> str | None:
    if record.state == "open":
        return f"is in the open batch of group {record.group}{' already' if record.existing else ''}"
    return (
        f"is in the batch {record.root}, anchored {when(record.time)}" if isinstance(record, batches.Batched) else None
    )


@command.lab_verb("list")
@group_option
def list_batches(lab: Lab) -> Answer:
    """List the open batch's records and the group's anchored batches that this lab made."""
    listed = batches.listed(lab)
    anchored = [[it["root"], it["count"], it["state"], when(it["time"]), it["proofs"]] for it in listed["batches"]]
    opened = [[it["id"], it["kind"], it["name"]] for it in listed["open"]]
    return Answer(
        listed,
        table("Open batch", ["record", "kind", "name"], opened) if opened else "The open batch is empty.",
        *([table("Anchored", ["root", "records", "state", "time", "proofs"], anchored)] if anchored else []),
    )


@command.lab_verb(writes=True)
@group_option
@click.option("--leaves", is_flag=True, help="Put all ids on the chain, which counts them: costs more with each.")
def anchor(lab: Lab, leaves: bool) -> Answer:
    """Anchor the open batch: write a proof file for each record, then send the Merkle root."""
    batch = batches.anchor(lab, leaves=leaves)
    state = "was anchored already" if batch.existing else f"is {batch.state}"
    return Answer(
        batch,
        f"Batch {batch.root} of {counted(batch.count, 'record')} {state}: block {batch.block}, {when(batch.time)},"
        f" by {batch.author} for group {batch.group}.",
        f"  Transaction {batch.transaction}",
        f"  Proofs: {batch.proofs}",
    )


@command.lab_verb(writes=True)
@click.argument("target", type=RECORD_OR_PATH, metavar="ID|PROOF")
@yes_option
def cancel(lab: Lab, target: str) -> Answer:
    """Cancel a record that is only in a batch: as its author, or as a maintainer of its group."""
    return _disowned(f"Cancel {target}", lambda: batches.cancel(lab, target))


@command.lab_verb(writes=True)
@group_option
@click.argument("root")
@click.option("--author", metavar="ADDRESS", help="Who anchored it. [default: you]")
@yes_option
def end(lab: Lab, root: str, author: str | None) -> Answer:
    """End a batch, as after a key was stolen: what is not stored of it can't be any more."""
    return _disowned(f"End the batch {root}", lambda: batches.end(lab, root, author))


def _disowned(question: str, disown: Callable[[], Entry]) -> Answer:
    require_consent(f"{question}? This cannot be undone.")
    entry = disown()
    data = {camel_case(name): value for name, value in entry.write.payload().items()}
    return Answer(data | {"transaction": entry.transaction}, f"Done. Transaction {entry.transaction}")
