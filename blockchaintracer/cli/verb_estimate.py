"""`blockchaintracer estimate`: what recording costs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from blockchaintracer.cli.common import Verb, show, table
from blockchaintracer.core.networks import network_by_name
from blockchaintracer.lab.estimate import estimate


@click.command(cls=Verb)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@click.option("--network", "names", multiple=True, metavar="NAME", help="Only this network; may be repeated.")
@click.option("--gas-price", type=float, metavar="GWEI", help="Reckon with this price instead of asking the networks.")
@click.pass_context
def command(ctx: click.Context, /, names: tuple[str, ...], gas_price: float | None, **options: Any) -> None:
    """What recording, sealing, anchoring a batch and storing from it cost on each network, at the price of this moment.

    \b
    Examples:
      blockchaintracer estimate
      blockchaintracer estimate --network sepolia --json
      blockchaintracer estimate --gas-price 2.5
    """
    price = None if gas_price is None else int(gas_price * 10**9)
    costs = estimate([network_by_name(name) for name in names] or None, price)
    show(ctx, {"costs": [asdict(cost) for cost in costs]})
    if ctx.params["as_json"]:
        return
    rows = [[c.network, c.operation, f"{c.gas:,}", _coins(c.wei), c.note or ""] for c in costs]
    table(None, ["network", "operation", "gas", "cost in its coin", ""], rows)


def _coins(wei: int | None) -> str:
    return "-" if wei is None else f"{wei / 10**18:.9f}"
