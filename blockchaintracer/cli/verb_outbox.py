"""`blockchaintracer outbox`: what still waits to reach the chain."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
from typing_extensions import override

from blockchaintracer.cli.options import (
    FILE,
    NEW_FILE,
    VerbGroup,
    group_option,
    require_consent,
    wait_option,
    yes_option,
)
from blockchaintracer.cli.render import Answer, coins, plain, print_json, table, wants_json, when
from blockchaintracer.core.errors import BlockchainTracerError, InputError
from blockchaintracer.core.networks import network_by_chain_id
from blockchaintracer.core.record import checksummed, counted
from blockchaintracer.lab.chain.gas_price import gas_price
from blockchaintracer.lab.files import write_output
from blockchaintracer.lab.keys import KeyStore
from blockchaintracer.lab.lab import Lab, Until
from blockchaintracer.lab.outbox import TOGETHER, Entry, EntryState
from blockchaintracer.lab.outbox.transactions import MOST_GAS
from blockchaintracer.lab.relay import EXISTS, SignedWrites, gas_of, group_of, relay, require_payable, sign_waiting
from blockchaintracer.lab.status import entry_json
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
      blockchaintracer outbox
      blockchaintracer outbox list --waiting
      blockchaintracer outbox flush
      blockchaintracer outbox flush --wait final    # and stay until all is final
      blockchaintracer outbox flush --watch         # for other processes, too
      blockchaintracer outbox sign request.json     # for another key to send
      blockchaintracer outbox relay request.json    # send what a member signed
    """


def _row(entry: Entry) -> dict[str, Any]:
    return {
        **entry_json(entry),
        "seq": entry.seq,
        "registry": entry.write.registry,
        "globalId": str(entry.write.about(entry.chain_id)) if entry.write.record_id else None,
        "recordId": entry.write.record_id,
        "nonce": entry.nonce,
        "replaced": list(entry.replaced),
        "time": entry.block.timestamp if entry.block else None,
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
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="The newest so many.")
def list_writes(lab: Lab, waiting: bool, limit: int) -> Answer:
    """List the writes of this lab, the newest last. Needs no chain."""
    entries = lab.outbox.pending(failed=True) if waiting else lab.outbox.newest(limit + 1)
    rows = [_row(entry) for entry in entries[-limit:]]
    none = "Nothing waits." if waiting else "No writes yet."
    notes = [f"There are older ones: --limit {10 * limit}"] if len(entries) > limit else []
    return Answer({"writes": rows, "more": bool(notes)}, _table(rows) if rows else none, notes=notes)


@command.lab_verb(starts=True)
@wait_option
@click.option(
    "--batch",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "off"]),
    help="auto: records go many in one transaction, which costs less; off: each by itself.",
)
@click.option("--watch", "to_watch", is_flag=True, help="Go on, with what other processes hand over, until Ctrl-C.")
def flush(lab: Lab, until: Until, batch: str, to_watch: bool) -> Answer:
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
    lab.flush_all = True
    moved = lab.flush(together=TOGETHER if batch == "auto" else 1)
    if until != "included":
        lab.reach(until)
        moved = lab.outbox.again(moved)
    rows = [_row(entry) for entry in moved]
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


@command.lab_verb()
@click.argument("file", type=NEW_FILE)
@click.option(
    "--valid-days", default=7, show_default=True, type=click.IntRange(1, 366), help="Days in which it can be sent."
)
def sign(lab: Lab, file: Path, valid_days: int) -> Answer:
    """Sign the records and verdicts that wait into a FILE, for a key with coin to send. You pay nothing.

    Give the file to your lab, which types `outbox relay FILE`. Then `outbox flush` finds them on the chain, unpaid.
    Everything else only your own account can do: docs/without-coin.md says how your lab pays for that.

    \b
    Example:
      blockchaintracer record --dataset data.csv --key alice --wait stored
      blockchaintracer outbox sign request.json --key alice
    """
    request, others = sign_waiting(lab, valid_days * 86400)
    data, deadline = request.as_json(), request.deadline
    write_output(file, json.dumps(data, indent=1).encode())
    return Answer(
        data,
        f"{counted(len(request.writes), 'write')} of {request.signer} signed into {file}, good until {when(deadline)}.",
        *(f"  {write.op} {write.record_id} for group {group_of(write)}" for write in request.writes),
        notes=[f"not signed: {entry.write.op}, which only your account can do" for entry in others],
    )


@command.lab_verb("relay", starts=True)
@click.argument("file", type=FILE)
@group_option
@yes_option
def relay_writes(lab: Lab, file: Path) -> Answer:
    """Send what a member of your group signed (`outbox sign`), and pay for it.

    It is shown first: who signed what, and what it may cost. Only writes for your registry and group are sent. After an
    interruption type it again: what is there already is not paid for twice.

    \b
    Example:
      blockchaintracer outbox relay request.json --key lab

    Exit codes: 0 all of it is on the chain, 2 wrong use, or some of it was refused.
    """
    request = SignedWrites.read_file(file)
    require_payable(lab, request)
    price = gas_price(lab.chain).most * 5 // 4
    most = 0
    click.echo(f"Signed by {request.signer}, good until {when(request.deadline)}:", err=True)
    for write in request.writes:
        gas, reason = gas_of(lab, write)
        most += MOST_GAS if gas is None else gas
        cost = f"{gas:,} gas" if gas else plain(reason)
        click.echo(f"  {write.op} {write.record_id} for group {group_of(write)}: {cost}", err=True)
    payer = f"{lab.signer.address} pays at most {coins(most * price)} of the coin of {lab.chain.name}"
    click.echo(f"{payer}. What is refused now is sent only if it is not refused then.", err=True)
    require_consent("Send them?")
    rows = [
        {
            "operation": write.op,
            "recordId": write.record_id,
            "result": result,
            "transaction": entry and entry.transaction,
        }
        for write, entry, result in relay(lab, request)
    ]
    refused = [row for row in rows if row["transaction"] is None and row["result"] != EXISTS]
    lines = [f"{row['operation']} {row['recordId']}: {row['result']}" for row in rows]
    return Answer({"signer": request.signer, "writes": rows}, *lines, exit_code=2 if refused else 0)


def _notes(lab: Lab, left: Waiting) -> list[str]:
    notes = []
    for (chain_id, sender), count in left.items():
        options = where = missing = ""
        if chain_id != lab.chain_id:
            network = network_by_chain_id(chain_id)
            options += f" --network {network.name}" if network else f" --rpc URL --chain-id {chain_id}"
            where = f" on {network.title if network else f'chain {chain_id}'}"
        if sender != checksummed(lab.signer.address):
            name = KeyStore(lab.home).name_of(sender)
            options += f" --key {name or 'NAME'}"
            missing = "" if name else "; its key is not in this lab's keystore"
        writes = counted(count, "write")
        notes.append(f"Not sent: {writes} of {sender}{where}: `blockchaintracer outbox flush{options}`{missing}")
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
