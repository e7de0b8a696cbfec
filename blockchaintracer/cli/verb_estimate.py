"""`blockchaintracer estimate`: what recording costs."""

from __future__ import annotations

import click

from blockchaintracer.cli.options import Verb
from blockchaintracer.cli.render import Answer, coins, table, when
from blockchaintracer.core.networks import network_by_name
from blockchaintracer.lab.estimate import Met, estimate


@click.command(cls=Verb)
@click.option("--network", "names", multiple=True, metavar="NAME", help="Only this network; repeatable.")
@click.option("--gas-price", type=float, metavar="GWEI", help="Use this price instead of asking the networks.")
def command(names: tuple[str, ...], gas_price: float | None) -> Answer:
    """What recording, sealing, anchoring a batch and storing from it cost on each network, at the price of this moment.

    Also says what a new storage slot costs there, which decides most of it.

    \b
    Examples:
      blockchaintracer estimate
      blockchaintracer estimate --network sepolia --json
      blockchaintracer estimate --gas-price 2.5
    """
    price = None if gas_price is None else int(gas_price * 10**9)
    costs, prices = estimate([network_by_name(name) for name in names] or None, price)
    rows = [[c.network, c.operation, f"{c.gas:,}", coins(c.wei), c.note or ""] for c in costs]
    shown = table(None, ["network", "operation", "gas", "cost in its coin", ""], rows)
    return Answer({"costs": costs, "prices": prices}, shown, *map(_price, prices))


def _price(met: Met) -> str:
    slot = met.slot
    price = "unknown, so the gas is that of the Osaka rules" if slot.gas is None else f"about {slot.gas:,} gas"
    fork = f", under fork {slot.fork_id}" if slot.fork_id else ""
    later = f". Other rules start {when(slot.next_fork)}" if slot.next_fork else ""
    advice = f". {met.advice}" if met.advice else ""
    return f"{met.network}: a new slot costs {price}{fork}{later}{advice}"
