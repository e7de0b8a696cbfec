"""`blockchaintracer network`: which chain commands use that name none."""

from __future__ import annotations

import click

from blockchaintracer.cli.options import NetworkName, VerbGroup, home_option
from blockchaintracer.cli.render import Answer, table
from blockchaintracer.core.networks import redact_url
from blockchaintracer.lab.chosen_network import add_network, network_in_use, networks, remember_network
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home


@click.group(cls=VerbGroup)
def command() -> None:
    """The chain that commands use: --rpc or --network of the command, else $BLOCKCHAINTRACER_NETWORK, else the last one
    that was used for writing or chosen here, else the embedded devnet.

    \b
    Examples:
      blockchaintracer network list
      blockchaintracer network use sepolia
      blockchaintracer network add our-chain --chain-id 7777 \\
        --rpc http://10.0.0.5:8545
      blockchaintracer network use devnet
    """


@command.command("list")
@home_option
def list_networks(home: str | None) -> Answer:
    """List the networks that can be named, and which one is in use."""
    lab = Lab(Home(home))
    used, source = network_in_use(lab)
    last = lab.settings().get("devnet") if not source else None
    known = [
        {"name": it.name, "chainId": it.chain_id, "rpc": redact_url(it.rpc or "") or None, "inUse": it.name == used}
        for it in networks(lab)
    ]
    for it in known:
        # commands that name no network go on with another lab's devnet that was written to last
        it["rpc"] = redact_url(last) if last and it["inUse"] else it["rpc"]
    rows = [[it["name"], it["chainId"], it["rpc"], "in use" if it["inUse"] else ""] for it in known]
    return Answer({"networks": known}, table(None, ["network", "chain", "node", ""], rows))


@command.command("use")
@home_option
@click.argument("name", type=NetworkName(), metavar="NAME")
def use(home: str | None, name: str) -> Answer:
    """Use a network for all commands that name none."""
    remember_network(Lab(Home(home)), name)
    return Answer({"network": name}, f"Commands that name no network use {name}.")


@command.command("add")
@home_option
@click.argument("name", metavar="NAME")
@click.option("--chain-id", type=click.IntRange(1), required=True, metavar="N", help="The chain's number.")
@click.option("--rpc", required=True, metavar="URL", help="A node of it, without a key in the address.")
def add(home: str | None, name: str, chain_id: int, rpc: str) -> Answer:
    """Add a network of your own by name. An address with a key is given by the variable that is named then."""
    network = add_network(Lab(Home(home)), name, chain_id, rpc)
    data = {"network": name, "chainId": chain_id, "rpc": redact_url(rpc), "variable": network.rpc_env}
    return Answer(data, f"{name} is chain {chain_id} at {redact_url(rpc)}; ${network.rpc_env} names another node.")
