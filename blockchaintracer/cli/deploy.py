"""`blockchaintracer deploy`: the lab's registry."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from blockchaintracer.cli.common import Verb, lab_options, make_lab, show
from blockchaintracer.operations.setup import deploy


@click.command(cls=Verb)
@lab_options
@click.option("--open", "open_groups", is_flag=True, help="Let anyone create groups, not only the owner.")
@click.option("--owner", metavar="ADDRESS", help="Who owns it; the signer if not said.")
@click.option("--name", default="registry", show_default=True, help="Tells several registries of one owner apart.")
@click.pass_context
def command(ctx: click.Context, /, open_groups: bool, owner: str | None, name: str, **options: Any) -> None:
    """Deploy your lab's registry, or answer with the one that is there.

    Owner, rule and name are in its address, so the same command never deploys it twice. Its owner has no power over
    records or groups.

    \b
    Examples:
      blockchaintracer deploy --open
      blockchaintracer deploy --network sepolia --key lab
      ape run deploy --network ethereum:sepolia --account lab
    """
    lab = make_lab(ctx, options)
    result = deploy(lab, open_group_creation=open_groups, owner=owner, name=name)
    verb = "is there already" if result.existing else "is deployed"
    show(
        ctx,
        asdict(result),
        f"The registry {result.registry} {verb} on {lab.chain.name}, block {result.block}.",
        f"Owner {result.owner}; groups are created by {'anyone' if open_groups else 'the owner'}.",
        f"Noted in {result.noted_in}",
    )
