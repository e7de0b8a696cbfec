"""`blockchaintracer outbox`: what still waits to reach the chain."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import click

from blockchaintracer.cli.common import Verb, VerbGroup, lab_options, make_lab, show, table, wait_option, when
from blockchaintracer.core.errors import BlockchainTracerError, ChainUnavailable, InputError
from blockchaintracer.core.networks import network_by_chain_id
from blockchaintracer.core.record import checksummed
from blockchaintracer.lab.keys import KeyStore
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.outbox import Entry, EntryState

_WATCH_S = 2.0
_MAX_WATCH_S = 60.0
_WAITS = 3
"""Exit code of `flush` if writes on this chain wait for another key: as with a chain that is away, flush later."""


@click.group(cls=VerbGroup, invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """The journal of all writes: captured, stored, signed, submitted, included, final, or failed with the reason.

    \b
    Examples:
      blockchaintracer outbox                       what there is; needs no chain
      blockchaintracer outbox list --waiting        what still has to reach a block
      blockchaintracer outbox flush                 send what waits, and again what the chain has lost
      blockchaintracer outbox flush --wait final    ... and stay until all of it is final
      blockchaintracer outbox flush --watch         ... and what other processes hand over, until Ctrl-C
    """
    if ctx.invoked_subcommand is None:
        # click gives the exit code back instead of ending
        ctx.exit(list_.main([], prog_name=f"{ctx.command_path} list", standalone_mode=False) or 0)


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


def _table(entries: Iterable[Entry], none: str = "Nothing waits.") -> None:
    rows = [_row(entry) for entry in entries]
    if not rows:
        click.echo(none)
        return
    table(
        None,
        ["", "operation", "record", "state", "block", "time", ""],
        [
            [
                str(r["seq"]),
                r["operation"],
                (r["recordId"] or "-")[:16],
                r["state"],
                str(r["block"] or "-"),
                when(r["time"]),
                r["error"] or "",
            ]
            for r in rows
        ],
    )


@command.command("list", cls=Verb)
@lab_options
@click.option("--waiting", is_flag=True, help="Only what is not in a block yet, or was refused.")
@click.pass_context
def list_(ctx: click.Context, /, waiting: bool, **options: Any) -> None:
    """List all writes of this lab. Needs no chain."""
    entries = make_lab(ctx, options).outbox.entries()
    entries = [entry for entry in entries if not (waiting and entry.is_on_chain)]
    show(ctx, {"writes": [_row(entry) for entry in entries]})
    if not ctx.params["as_json"]:
        _table(entries, "Nothing waits." if waiting else "No writes yet.")


@command.command(cls=Verb)
@lab_options
@wait_option
@click.option("--watch", is_flag=True, help="Go on, with what other processes hand over, until Ctrl-C.")
@click.pass_context
def flush(ctx: click.Context, /, watch: bool, **options: Any) -> None:
    """Send what waits, and again what the chain has lost.

    Any process may do it at any time, several at once; stop it anywhere and nothing is lost or sent twice. It sends the
    writes of one key on one chain; others stay, and are told.

    \b
    Examples:
      blockchaintracer outbox flush
      blockchaintracer outbox flush --key alice --wait final

    Exit codes: 0 nothing waits on this chain, 2 wrong use or refused, 3 chain unavailable, or writes of other keys
    wait.
    """
    until = options.pop("until")
    if until == "stored":
        raise InputError("expected included, final or a number of blocks to wait for, got stored")
    lab = make_lab(ctx, options)
    if watch:
        _watch(ctx, lab)
    moved = lab.flush()
    lab.reach(until)
    now = {entry.seq: entry for entry in lab.outbox.entries(lab.chain_id)}
    left = _left(lab)
    here = [one for one in left if one.chain_id == lab.chain_id]
    show(
        ctx,
        {
            "moved": [_row(now.get(entry.seq, entry)) for entry in moved],
            "waiting": [{"chainId": one.chain_id, "sender": one.sender, "count": n} for one, n in left.items()],
        },
    )
    if not ctx.params["as_json"] and (moved or not left):
        _table(now.get(entry.seq, entry) for entry in moved)
    _tell_left(lab, left)
    if here:
        ctx.exit(_WAITS)


@dataclass(frozen=True)
class _Left:
    """Writes that a flush of this key on this chain doesn't send."""

    chain_id: int
    sender: str

    def how(self, lab: Lab) -> str:
        """What sends them, in words."""
        options = where = ""
        if self.chain_id != lab.chain_id:
            network = network_by_chain_id(self.chain_id)
            options += f" --network {network.name}" if network else " --rpc URL"
            where = f" on {network.title if network else f'chain {self.chain_id}'}"
        missing = ""
        if self.sender != checksummed(lab.signer.address):
            name = KeyStore(lab.home).name_of(self.sender)
            options += f" --key {name or 'NAME'}"
            missing = "" if name else "; its key is not in this lab's keystore"
        return f"of {self.sender} wait{where}: `blockchaintracer outbox flush{options}`{missing}"


def _left(lab: Lab) -> Counter[_Left]:
    """How many writes wait for other keys than the one that signs here, or on other chains."""
    ours = _Left(lab.chain_id, checksummed(lab.signer.address))
    waiting = Counter(_Left(entry.chain_id, checksummed(entry.sender)) for entry in lab.outbox.pending())
    del waiting[ours]
    return waiting


def _tell_left(lab: Lab, left: Mapping[_Left, int]) -> None:
    for one, count in left.items():
        click.echo(f"{count} writes {one.how(lab)}", err=True)


def _watch(ctx: click.Context, lab: Lab) -> None:
    """Tells each change once, as a line or a JSON object a line, and never ends by itself."""
    told = {entry.seq: entry.state for entry in lab.outbox.entries()}
    pause, problem, known = _WATCH_S, None, set[_Left]()
    while True:
        try:
            lab.flush()
            left = {one: count for one, count in _left(lab).items() if one not in known}
            _tell_left(lab, left)
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
            if told.get(entry.seq) is not entry.state:
                told[entry.seq] = entry.state
                _tell(ctx, entry)
        time.sleep(pause)


def _tell(ctx: click.Context, entry: Entry) -> None:
    if ctx.params["as_json"]:
        click.echo(json.dumps(_row(entry)))
        return
    where = f" in block {entry.block.number}" if entry.block else ""
    reason = f": {entry.error}" if entry.state is EntryState.FAILED else ""
    click.echo(f"{entry.write.op} {(entry.write.record_id or '')[:16]} is {entry.state}{where}{reason}")
