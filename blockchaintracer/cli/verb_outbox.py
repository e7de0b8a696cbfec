"""`blockchaintracer outbox`: what still waits to reach the chain."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import click
from typing_extensions import override

from blockchaintracer.cli.options import VerbGroup, lab_options, wait_option
from blockchaintracer.cli.render import Answer, print_json, table, wants_json, when
from blockchaintracer.core.errors import BlockchainTracerError, ChainUnavailable, InputError
from blockchaintracer.core.networks import network_by_chain_id
from blockchaintracer.core.record import checksummed
from blockchaintracer.lab.keys import KeyStore
from blockchaintracer.lab.lab import Lab, Until
from blockchaintracer.lab.outbox import Entry, EntryState

_WATCH_S = 2.0
_MAX_WATCH_S = 60.0
_WAITS = 3
"""Exit code of `flush` if writes on this chain wait for another key: flush later, as if the chain were unavailable."""

Waiting = Counter[tuple[int, str]]
"""How many writes wait, by chain and sender."""


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


@command.command("list")
@lab_options
@click.option("--waiting", is_flag=True, help="Only what is not in a block yet, or was refused.")
def list_writes(lab: Lab, waiting: bool) -> Answer:
    """List all writes of this lab. Needs no chain."""
    rows = [_row(entry) for entry in lab.outbox.entries() if not (waiting and entry.is_on_chain)]
    none = "Nothing waits." if waiting else "No writes yet."
    return Answer({"writes": rows}, _table(rows) if rows else none)


@command.command()
@lab_options
@wait_option
@click.option("--watch", is_flag=True, help="Go on, with what other processes hand over, until Ctrl-C.")
def flush(lab: Lab, until: Until, watch: bool) -> Answer:
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
    if watch:
        _watch(lab)
    moved = lab.flush()
    lab.reach(until)
    entries = {entry.seq: entry for entry in lab.outbox.entries(lab.chain_id)}
    rows = [_row(entries.get(entry.seq, entry)) for entry in moved]
    left = _left(lab)
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


def _left(lab: Lab) -> Waiting:
    """Count the writes that wait for another key than the one that signs here, or on another chain."""
    waiting = Waiting((entry.chain_id, checksummed(entry.sender)) for entry in lab.outbox.pending())
    del waiting[lab.chain_id, checksummed(lab.signer.address)]
    return waiting


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
    """Send what waits, again and again, and print each change once: as a line, or as one JSON object a line."""
    states = {entry.seq: entry.state for entry in lab.outbox.entries()}
    pause, problem, known = _WATCH_S, None, set[tuple[int, str]]()
    while True:
        try:
            lab.flush()
            left = _left(lab)
            for note in _notes(lab, Waiting({which: left[which] for which in left if which not in known})):
                click.echo(note, err=True)
            known |= left.keys()
            lab.outbox.settle(lab.chain)
            pause, problem = _WATCH_S, None
        except BlockchainTracerError as error:
            if error.message != problem:
                click.echo(error.message, err=True)
            problem = error.message
            if isinstance(error, ChainUnavailable):
                pause = min(pause * 2, _MAX_WATCH_S)
                lab.reconnect()
        for entry in lab.outbox.entries():
            if states.get(entry.seq) is not entry.state:
                states[entry.seq] = entry.state
                _show_change(entry)
        time.sleep(pause)


def _show_change(entry: Entry) -> None:
    if wants_json():
        print_json(_row(entry))
        return
    where = f" in block {entry.block.number}" if entry.block else ""
    reason = f": {entry.error}" if entry.state is EntryState.FAILED else ""
    click.echo(f"{entry.write.op} {(entry.write.record_id or '')[:16]} is {entry.state}{where}{reason}")
