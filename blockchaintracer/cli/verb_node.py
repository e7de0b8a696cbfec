"""`blockchaintracer node`: the embedded devnet."""

from __future__ import annotations

from typing import Any

import click

from blockchaintracer.cli.options import VerbGroup, home_option, make_lab, require_consent, yes_option
from blockchaintracer.cli.render import Answer
from blockchaintracer.core.record import checksummed, counted
from blockchaintracer.lab.lab import Lab, reset_devnet, waiting_on_devnet


@click.group(cls=VerbGroup)
def command() -> None:
    """The embedded devnet: a real chain on this machine, bound to loopback, kept on disk.

    It starts by itself when a verb needs it.

    \b
    Examples:
      blockchaintracer node start
      blockchaintracer node status --json
      blockchaintracer node fund 0x… --amount 5
      blockchaintracer node stop
    """


def _lab(home: str | None) -> Lab:
    return make_lab(click.get_current_context(), {"home": home})


def _answer(info: Any, **more: Any) -> Answer:
    data = {"url": info.url, "port": info.port, "pid": info.pid, "chainId": info.chain_id, **more}
    return Answer(data, f"The devnet (chain {info.chain_id}) runs at {info.url}, process {info.pid}.")


@command.command()
@home_option
@click.option("--port", type=click.IntRange(1, 65535), help="TCP port on 127.0.0.1; remembered.")
def start(home: str | None, port: int | None) -> Answer:
    """Start the node, or answer with the one that runs."""
    info = _lab(home).devnet.start(port)
    return _answer(info, state=str(info.state_file))


@command.command()
@home_option
def stop(home: str | None) -> Answer:
    """Save the chain and stop the node."""
    stopped = _lab(home).devnet.stop()
    text = "The devnet is stopped; its chain is kept." if stopped else "No devnet was running."
    return Answer({"stopped": stopped}, text)


@command.command()
@home_option
def status(home: str | None) -> Answer:
    """Whether the node runs, and where."""
    info = _lab(home).devnet.status()
    if info is None:
        return Answer({"running": False}, "Your own devnet is not running. `blockchaintracer node start` starts it.")
    return _answer(info, running=True)


@command.command()
@home_option
@click.option("--lines", default=40, show_default=True, help="How many of the last lines.")
def log(home: str | None, lines: int) -> Answer:
    """Print the last lines of the node's log."""
    file = _lab(home).devnet.log_file
    last = file.read_text(errors="replace").splitlines()[-lines:] if file.exists() else []
    return Answer({"log": last}, *last)


@command.lab_verb(writes=True)
@click.argument("address", required=False)
@click.option(
    "--amount",
    type=click.FloatRange(min=0, min_open=True, max=1e9),
    default=100.0,
    show_default=True,
    help="How much, in the devnet's coin.",
)
def fund(lab: Lab, address: str | None, amount: float) -> Answer:
    """Give ADDRESS coin of a devnet: your own key without it, and another's devnet with --rpc.

    It costs nothing and is worth nothing: on any other chain it is refused.
    """
    to = checksummed(address or lab.signer.address)
    balance = lab.give_coin(to, int(amount * 10**18))
    data = {"address": to, "balance": str(balance), "chainId": lab.chain_id}
    return Answer(data, f"{to} has {balance / 10**18:g} coin of the devnet now.")


@command.command()
@home_option
@yes_option
def reset(home: str | None) -> Answer:
    """Delete the devnet's chain. Keys and the store stay; what was recorded there is gone."""
    lab = _lab(home)
    waiting = waiting_on_devnet(lab)
    told = [f"{counted(len(waiting), 'write')} never reached it:", *(f"  {each}" for each in waiting)]
    require_consent("\n".join([*(told if waiting else []), "Delete the devnet's chain with all its records?"]))
    reset_devnet(lab)
    end = "The devnet's chain is deleted. The next start begins a new one."
    return Answer({"reset": True, "waiting": waiting}, end, *(told if waiting else []))
