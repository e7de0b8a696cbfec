"""`blockchaintracer estimate`: what recording costs."""

from __future__ import annotations

import os

import click

from blockchaintracer.cli.options import Verb, home_option
from blockchaintracer.cli.render import Answer, coins, table, when
from blockchaintracer.core.networks import NETWORKS
from blockchaintracer.lab.chosen_network import RPC_VARIABLE, find_network, network_at
from blockchaintracer.lab.estimate import Met, estimate
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home


@click.command(cls=Verb)
@click.option("--network", "names", multiple=True, metavar="NAME", help="Only this network; repeatable.")
@click.option("--gas-price", type=float, metavar="GWEI", help="Use this price instead of asking the networks.")
@click.option("--rpc", metavar="URL", help=f"Ask this node, of any chain. [env: {RPC_VARIABLE}]")
@home_option
def command(names: tuple[str, ...], gas_price: float | None, rpc: str | None, home: str | None) -> Answer:
    """What recording, sealing, anchoring a batch and storing from it cost on each network, at the price of this moment.

    Also says what a new storage slot costs there, which decides most of it.

    \b
    Examples:
      blockchaintracer estimate
      blockchaintracer estimate --network sepolia --json
      blockchaintracer estimate --gas-price 2.5    # the same on every network
      blockchaintracer estimate --rpc http://10.0.0.5:8545
    """
    price = None if gas_price is None else int(gas_price * 10**9)
    rpc = rpc or (None if names else os.environ.get(RPC_VARIABLE))
    built_in = {network.name: network for network in NETWORKS}
    chosen = [built_in.get(name) or find_network(Lab(Home(home)), name) for name in names]
    chosen += [network_at(rpc)] if rpc else []
    costs, prices = estimate(chosen or None, price)
    away = {} if chosen else {c.network: c.note for c in costs if c.wei is None}
    rows = [[c.network, c.operation, f"{c.gas:,}", coins(c.wei)] for c in costs if c.network not in away]
    columns = ["network", "operation", "gas", "cost in its coin"]
    if price is not None:
        # a given price makes the rows of all networks the same
        rows, columns = [row[1:] for row in rows if row[0] == costs[0].network], columns[1:]
    said = [(met.network, _price(met)) for met in prices] + [(cost.network, cost.note) for cost in costs]
    # what is so of several networks is said once
    of: dict[str, list[str]] = {}
    for network, sentence in dict.fromkeys(said):
        if sentence and network not in away:
            of.setdefault(sentence, []).append(network)
    everywhere = {met.network for met in prices} if price is not None and len(prices) > 1 else None
    lines = [
        f"{'On every network' if {*those} == everywhere else ', '.join(those)}: {sentence}"
        for sentence, those in of.items()
    ]
    if away:
        lines.append(f"Not reached: {', '.join(away)}. --gas-price GWEI estimates without them.")
        lines += [] if rows else [f"Nothing is estimated. {network}: {note}" for network, note in [*away.items()][:1]]
    data = {"costs": costs, "prices": prices}
    return Answer(data, *([table(None, columns, rows)] if rows else []), *lines, exit_code=0 if rows else 3)


def _price(met: Met) -> str:
    slot = met.slot
    price = (
        "an unknown amount, so the gas is that of the Osaka rules" if slot.gas is None else f"about {slot.gas:,} gas"
    )
    fork = f", under fork {slot.fork_id}" if slot.fork_id else ""
    later = f". Other rules start {when(slot.next_fork)}" if slot.next_fork else ""
    advice = f". {met.advice}" if met.advice else ""
    return f"a new slot costs {price}{fork}{later}{advice}"
