"""`blockchaintracer outbox`: what still waits to reach the chain."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

import click

from blockchaintracer.cli.common import Verb, VerbGroup, lab_options, make_lab, show, table, wait_option, when
from blockchaintracer.errors import BlockchainTracerError, ChainUnavailable, InputError
from blockchaintracer.keys import KeyStore
from blockchaintracer.model import checksummed
from blockchaintracer.operations.lab import Lab
from blockchaintracer.outbox import Entry, State

_WATCH_S = 2.0
_MAX_WATCH_S = 60.0
_WAITS = 3
"""Exit code of `flush` if something waits for another key: like a chain that is away, it asks for a later flush."""


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
        "recordId": entry.write.record_id_of,
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
    writes of one key; those of others stay, and are told.

    \b
    Examples:
      blockchaintracer outbox flush
      blockchaintracer outbox flush --key alice --wait final

    Exit codes: 0 nothing waits, 2 wrong use or refused, 3 chain unavailable, or writes of other keys wait.
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
    others = _of_others(lab)
    show(
        ctx,
        {
            "moved": [_row(now.get(entry.seq, entry)) for entry in moved],
            "waiting": [{"sender": sender, "count": count} for sender, count in others.items()],
        },
    )
    if not ctx.params["as_json"] and (moved or not others):
        _table(now.get(entry.seq, entry) for entry in moved)
    _tell_others(lab, others)
    if others:
        ctx.exit(_WAITS)


def _of_others(lab: Lab) -> dict[str, int]:
    """How many writes wait on this chain for other keys than the one that signs here, by address."""
    senders = [checksummed(entry.sender) for entry in lab.outbox.pending(lab.chain_id)]
    return Counter(sender for sender in senders if sender.lower() != lab.signer.address.lower())


def _tell_others(lab: Lab, others: dict[str, int]) -> None:
    keys = KeyStore(lab.home)
    for sender, count in others.items():
        name = keys.name_of(sender)
        how = f"`blockchaintracer outbox flush --key {name or 'NAME'}`"
        where = "" if name else "; it is not in this lab's keystore"
        click.echo(f"{count} writes of {sender} wait for their key: {how}{where}", err=True)


def _watch(ctx: click.Context, lab: Lab) -> None:
    """Tells each change once, as a line or a JSON object a line, and never ends by itself."""
    told = {entry.seq: entry.state for entry in lab.outbox.entries()}
    pause, problem, known = _WATCH_S, None, set[str]()
    while True:
        try:
            lab.flush()
            others = {sender: count for sender, count in _of_others(lab).items() if sender not in known}
            _tell_others(lab, others)
            known |= others.keys()
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
    reason = f": {entry.error}" if entry.state is State.FAILED else ""
    click.echo(f"{entry.write.op} {(entry.write.record_id_of or '')[:16]} is {entry.state}{where}{reason}")
