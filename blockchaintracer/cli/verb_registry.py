"""`blockchaintracer registry`: who owns the registry, and which takes its place."""

from __future__ import annotations

import click

from blockchaintracer.cli.options import VerbGroup, require_consent, yes_option
from blockchaintracer.cli.render import Answer
from blockchaintracer.lab import handover
from blockchaintracer.lab.lab import Lab


@click.group(cls=VerbGroup)
def command() -> None:
    """The registry itself. Its owner creates groups where that is not open, and announces a successor: over groups and
    records an owner has no power.

    \b
    Examples:
      blockchaintracer registry show
      blockchaintracer registry transfer 0xACCOUNT
      blockchaintracer registry accept
      blockchaintracer registry announce-successor eip155:8453:0xREGISTRY
    """


@command.lab_verb()
def show(lab: Lab) -> Answer:
    """Show who owns the registry, to whom it is offered, and its successor."""
    facts = handover.registry_facts(lab)
    offered = f", offered to {facts['offeredTo']}" if facts["offeredTo"] else ""
    return Answer(
        facts,
        f"Registry   {facts['registry']} on chain {facts['chainId']}",
        f"Owner      {facts['owner']}{offered}",
        f"Groups     {'anyone creates them' if facts['openGroupCreation'] else 'the owner creates them'}",
        f"Successor  {facts['successor'] or 'none announced'}",
    )


@command.lab_verb(writes=True)
@click.argument("account")
@yes_option
def transfer(lab: Lab, account: str) -> Answer:
    """Offer the registry to another account, which takes it by `registry accept`. Until then it is yours.

    Offer it to yourself to take an offer back.
    """
    require_consent(f"Offer the registry {lab.registry.address} to {account}?")
    entry = handover.offer_registry(lab, account)
    data = {"registry": lab.registry.address, "offeredTo": entry.write["to"], "transaction": entry.transaction}
    return Answer(data, f"The registry is offered: {account} types `blockchaintracer registry accept`.")


@command.lab_verb(writes=True)
def accept(lab: Lab) -> Answer:
    """Take the registry that its owner offered to you."""
    entry = handover.accept_registry(lab)
    data = {"registry": lab.registry.address, "owner": lab.signer.address, "transaction": entry and entry.transaction}
    return Answer(data, f"The registry {lab.registry.address} is yours {'now' if entry else 'already'}.")


@command.lab_verb("announce-successor", writes=True)
@click.argument("successor", metavar="eip155:CHAIN:REGISTRY|ADDRESS")
@yes_option
def successor_is(lab: Lab, successor: str) -> Answer:
    """Say which registry takes the place of this one. Records here stay what they are; `status` tells everyone."""
    require_consent(f"Announce {successor} as the successor of {lab.registry.address}?")
    entry = handover.announce_successor(lab, successor)
    named = handover.registry_facts(lab)["successor"]
    data = {"registry": lab.registry.address, "successor": named, "transaction": entry.transaction}
    return Answer(data, f"The successor of {lab.registry.address} is {named}.")
