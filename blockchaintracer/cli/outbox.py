"""`blockchaintracer outbox`: what still waits to reach the chain."""

from __future__ import annotations

from typing import Any

import click

from blockchaintracer.cli.common import Verb, VerbGroup, lab_options, make_lab, show, table, when
from blockchaintracer.outbox import Entry


@click.group(cls=VerbGroup)
def command() -> None:
    """The journal of all writes: stored, signed, submitted, included, final, or failed with the reason.

    \b
    Examples:
      blockchaintracer outbox list
      blockchaintracer outbox flush
    """


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "seq": entry.seq,
        "chainId": entry.chain_id,
        "operation": entry.write.op,
        "recordId": entry.write.record_id_of,
        "state": str(entry.state),
        "transaction": entry.transaction,
        "block": entry.block.number if entry.block else None,
        "time": entry.block.timestamp if entry.block else None,
        "error": entry.error,
    }


def _print(ctx: click.Context, name: str, entries: list[Entry]) -> None:
    rows = [_row(entry) for entry in entries]
    show(ctx, {name: rows})
    if not ctx.params["as_json"]:
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
@click.pass_context
def list_(ctx: click.Context, /, **options: Any) -> None:
    """List all writes of this lab. Needs no chain."""
    _print(ctx, "writes", make_lab(ctx, options).outbox.entries())


@command.command(cls=Verb)
@lab_options
@click.pass_context
def flush(ctx: click.Context, /, **options: Any) -> None:
    """Send what waits, and again what the chain has lost."""
    _print(ctx, "moved", make_lab(ctx, options).flush())
