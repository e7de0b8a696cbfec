"""`blockchaintracer node`: the embedded devnet."""

from __future__ import annotations

from typing import Any

import click

from blockchaintracer.cli.common import Verb, VerbGroup, show
from blockchaintracer.core.networks import DEVNET
from blockchaintracer.lab.deployments import forget_registries
from blockchaintracer.lab.devnet import Devnet
from blockchaintracer.lab.lab_folder import VARIABLE, Home
from blockchaintracer.lab.outbox import Outbox


def _options(function: Any) -> Any:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout."),
        click.option("--home", type=click.Path(file_okay=False), help=f"The lab's working folder. [env: {VARIABLE}]"),
    ):
        function = option(function)
    return function


def _devnet(home: str | None) -> Devnet:
    return Devnet(Home(home), notify=lambda message: click.echo(message, err=True))


@click.group(cls=VerbGroup)
def command() -> None:
    """The embedded devnet: a real chain on this machine, bound to loopback, kept on disk.

    It starts by itself when a verb needs it.

    \b
    Examples:
      blockchaintracer node start
      blockchaintracer node status --json
      blockchaintracer node stop
    """


@command.command(cls=Verb)
@_options
@click.option("--port", type=click.IntRange(1, 65535), help="TCP port on 127.0.0.1; remembered.")
@click.pass_context
def start(ctx: click.Context, /, home: str | None, port: int | None, as_json: bool) -> None:
    """Start the node, or answer with the one that runs."""
    info = _devnet(home).start(port)
    data = {
        "url": info.url,
        "port": info.port,
        "pid": info.pid,
        "chainId": info.chain_id,
        "state": str(info.state_file),
    }
    show(ctx, data, f"The devnet (chain {info.chain_id}) runs at {info.url}, process {info.pid}.")


@command.command(cls=Verb)
@_options
@click.pass_context
def stop(ctx: click.Context, /, home: str | None, as_json: bool) -> None:
    """Save the chain and stop the node."""
    stopped = _devnet(home).stop()
    show(
        ctx, {"stopped": stopped}, "The devnet is stopped; its chain is kept." if stopped else "No devnet was running."
    )


@command.command(cls=Verb)
@_options
@click.pass_context
def status(ctx: click.Context, /, home: str | None, as_json: bool) -> None:
    """Whether the node runs, and where."""
    info = _devnet(home).status()
    if info is None:
        show(ctx, {"running": False}, "No devnet is running. `blockchaintracer node start` starts it.")
        return
    data = {"running": True, "url": info.url, "port": info.port, "pid": info.pid, "chainId": info.chain_id}
    show(ctx, data, f"The devnet (chain {info.chain_id}) runs at {info.url}, process {info.pid}.")


@command.command(cls=Verb)
@_options
@click.option("--lines", default=40, show_default=True, help="How many of the last lines.")
@click.pass_context
def log(ctx: click.Context, /, home: str | None, lines: int, as_json: bool) -> None:
    """What the node said last."""
    file = _devnet(home).log_file
    last = file.read_text(errors="replace").splitlines()[-lines:] if file.exists() else []
    show(ctx, {"log": last}, *last)


@command.command(cls=Verb)
@_options
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.pass_context
def reset(ctx: click.Context, /, home: str | None, yes: bool, as_json: bool) -> None:
    """Delete the devnet's chain. Keys and the store stay; what was recorded there is gone."""
    if not yes:
        click.confirm("Delete the devnet's chain with all its records?", abort=True, err=True)
    folder = Home(home)
    _devnet(home).reset()
    Outbox(folder.outbox).forget_chain(DEVNET.chain_id)
    forget_registries(DEVNET.chain_id, folder)
    from blockchaintracer.lab.lab import forget_choices

    forget_choices(folder, DEVNET.chain_id)
    show(ctx, {"reset": True}, "The devnet's chain is deleted. The next start begins a new one.")
