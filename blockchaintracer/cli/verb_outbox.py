"""`blockchaintracer outbox`: what still waits to reach the chain."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import click
from typing_extensions import override

from blockchaintracer.cli.options import VerbGroup, wait_option
from blockchaintracer.cli.render import Answer, print_json, table, wants_json, when
from blockchaintracer.core.errors import BlockchainTracerError, InputError
from blockchaintracer.core.networks import network_by_chain_id
from blockchaintracer.core.record import checksummed
from blockchaintracer.lab.keys import KeyStore
from blockchaintracer.lab.lab import Lab, Until
from blockchaintracer.lab.outbox import Entry, EntryState
from blockchaintracer.lab.waiting import Waiting, waiting_for_others, watch

_WAITS = 3
"""Exit code of `flush` if writes on this chain wait for another key: flush later, as if the chain were unavailable."""


class _Outbox(VerbGroup):
    """`outbox` is `outbox list`."""

    @override
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args or ["list"])


@click.group(cls=_Outbox)
def command() -> None:
    """The journal of all writes: captured, stored, signed, submitted, included, final, or failed with the reason.

    \b
    Examples:
      blockchaintracer outbox                       all writes; needs no chain
      blockchaintracer outbox list --waiting        what still has to reach a block
      blockchaintracer outbox flush                 send what waits, and again what the chain has lost
      blockchaintracer outbox flush --wait final    ... and stay until all of it is final
      blockchaintracer outbox flush --watch         ... and what other processes hand over, until Ctrl-C
    """


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "seq": entry.seq,
        "chainId": entry.chain_id,
        "operation": entry.write.op,
        "recordId": entry.write.record_id,
        "state": str(entry.state),
        "transaction": entry.transaction,
        "nonce": entry.nonce,
        "replaced": list(entry.replaced),
        "block": entry.block.number if entry.block else None,
        "time": entry.block.timestamp if entry.block else None,
        "error": entry.error,
    }


def _table(rows: Iterable[dict[str, Any]]) -> Callable[[], None]:
    cells = [
        [
            row["seq"],
            row["operation"],
            (row["recordId"] or "-")[:16],
            row["state"],
            row["block"],
            when(row["time"]),
            row["error"] or "",
        ]
        for row in rows
    ]
    return table(None, ["", "operation", "record", "state", "block", "time", ""], cells)


@command.lab_verb("list")
@click.option("--waiting", is_flag=True, help="Only what is not in a block yet, or was refused.")
def list_writes(lab: Lab, waiting: bool) -> Answer:
    """List all writes of this lab. Needs no chain."""
    rows = [_row(entry) for entry in lab.outbox.entries() if not (waiting and entry.is_on_chain)]
    none = "Nothing waits." if waiting else "No writes yet."
    return Answer({"writes": rows}, _table(rows) if rows else none)


@command.lab_verb()
@wait_option
@click.option("--watch", "to_watch", is_flag=True, help="Go on, with what other processes hand over, until Ctrl-C.")
def flush(lab: Lab, until: Until, to_watch: bool) -> Answer:
    """Send what waits, and again what the chain has lost.

    Any process may do it at any time, several at once; stop it anywhere and nothing is lost or sent twice. It sends the
    writes of one key on one chain; others stay, and are named.

    \b
    Examples:
      blockchaintracer outbox flush
      blockchaintracer outbox flush --key alice --wait final

    Exit codes: 0 nothing waits on this chain, 2 wrong use or refused, 3 chain unavailable, or writes of other keys
    wait.
    """
    if until == "stored":
        raise InputError("expected included, final or a number of blocks to wait for, got stored")
    if to_watch:
        _watch(lab)
    moved = lab.flush()
    lab.reach(until)
    entries = {entry.seq: entry for entry in lab.outbox.entries(lab.chain_id)}
    rows = [_row(entries.get(entry.seq, entry)) for entry in moved]
    left = waiting_for_others(lab)
    return Answer(
        {
            "moved": rows,
            "waiting": [
                {"chainId": chain, "sender": sender, "count": count} for (chain, sender), count in left.items()
            ],
        },
        *([_table(rows)] if rows else [] if left else ["Nothing waits."]),
        notes=_notes(lab, left),
        exit_code=_WAITS if any(chain == lab.chain_id for chain, _ in left) else 0,
    )


def _notes(lab: Lab, left: Waiting) -> list[str]:
    notes = []
    for (chain_id, sender), count in left.items():
        options = where = missing = ""
        if chain_id != lab.chain_id:
            network = network_by_chain_id(chain_id)
            options += f" --network {network.name}" if network else " --rpc URL"
            where = f" on {network.title if network else f'chain {chain_id}'}"
        if sender != checksummed(lab.signer.address):
            name = KeyStore(lab.home).name_of(sender)
            options += f" --key {name or 'NAME'}"
            missing = "" if name else "; its key is not in this lab's keystore"
        notes.append(f"{count} writes of {sender} wait{where}: `blockchaintracer outbox flush{options}`{missing}")
    return notes


def _watch(lab: Lab) -> None:
    """Print each change once: as a line, or as one JSON object a line."""
    for event in watch(lab):
        if not isinstance(event, Entry):
            for note in [event.message] if isinstance(event, BlockchainTracerError) else _notes(lab, event):
                click.echo(note, err=True)
        elif wants_json():
            print_json(_row(event))
        else:
            where = f" in block {event.block.number}" if event.block else ""
            reason = f": {event.error}" if event.state is EntryState.FAILED else ""
            click.echo(f"{event.write.op} {(event.write.record_id or '')[:16]} is {event.state}{where}{reason}")
