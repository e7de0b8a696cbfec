"""`blockchaintracer group`: groups and their members."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from blockchaintracer.cli.options import VerbGroup, group_option, require_consent, yes_option
from blockchaintracer.cli.render import Answer, print_json, table, when
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import read_limited
from blockchaintracer.core.networks import network_by_chain_id
from blockchaintracer.core.plain_json import MAX_BYTES, parse_json
from blockchaintracer.core.record import NO_END, Role, label
from blockchaintracer.lab import groups, handover
from blockchaintracer.lab.chosen_network import use_network
from blockchaintracer.lab.deployments import registries
from blockchaintracer.lab.lab import Lab, roles_of

_ROLES = [label(role) for role in Role]
_ACTING = "Acting for group {} from now on."


@click.group(cls=VerbGroup)
def command() -> None:
    """Lab groups: a lab, a collaboration or a team, with one owner and members with roles.

    A membership needs both: an invitation by the group's owner or a maintainer, and the account that accepts it.

    \b
    Examples:
      blockchaintracer group create "LIGO Hanford"
      blockchaintracer group invite 0xACCOUNT --role recorder > invitation.json
      blockchaintracer group join invitation.json
      blockchaintracer group list
    """


@command.lab_verb(writes=True)
@click.argument("name")
@click.option("--description", help="Kept off chain; its digest goes on chain.")
@click.option("--role", "roles", multiple=True, type=click.Choice(_ROLES), help="Roles you take in it. [default: all]")
def create(lab: Lab, name: str, description: str | None, roles: tuple[str, ...]) -> Answer:
    """Create a group that you own, or answer with yours of that name."""
    result = groups.create_group(lab, name, description=description, roles=roles_of(roles or _ROLES))
    state = "exists already" if result.existing else "is created"
    return Answer(result, f"Group {result.group} ({name}) {state}. Owner {result.owner}.", _ACTING.format(result.group))


@command.lab_verb("list")
def list_groups(lab: Lab) -> Answer:
    """List the registry's groups."""
    rows = [groups.describe_group(lab, number) for number in range(1, lab.registry.last_group() + 1)]
    cells = [[row["group"], row["name"] or None, row["owner"], when(row["createdAt"])] for row in rows]
    return Answer({"groups": rows}, table(None, ["group", "name", "owner", "since"], cells))


@command.lab_verb()
@group_option
def members(lab: Lab) -> Answer:
    """List the members of a group, past ones included."""
    rows = groups.members(lab, lab.group())
    cells = [
        [
            row["account"],
            ", ".join(row["roles"]),
            when(row["since"]),
            when(row["until"]),
            "member" if row["active"] else "ended",
        ]
        for row in rows
    ]
    return Answer({"members": rows}, table(None, ["account", "roles", "since", "until", "now"], cells))


@command.lab_verb()
@group_option
@click.argument("account")
@click.option("--role", "roles", multiple=True, required=True, type=click.Choice(_ROLES), help="A role to offer.")
@click.option("--days", type=click.IntRange(1), help="Days that the membership lasts. [default: no end]")
@click.option(
    "--valid-days", default=7, show_default=True, type=click.IntRange(1), help="Days in which it can be accepted."
)
def invite(lab: Lab, account: str, roles: tuple[str, ...], days: int | None, valid_days: int) -> None:
    """Sign an invitation and print it as JSON, to be sent to the account. Nothing goes on chain yet."""
    until = NO_END if days is None else lab.chain.head().timestamp + days * 86400
    group = lab.group(Role.MAINTAINER)
    print_json(groups.invite(lab, group, account, roles_of(roles), until=until, valid_s=valid_days * 86400))


@command.lab_verb(writes=True)
@click.argument("invitation", type=click.Path(path_type=Path, allow_dash=True), required=False)
@click.option("--of", "inviting", type=int, metavar="NUMBER", help="The group that invited by a transaction.")
def join(lab: Lab, invitation: Path | None, inviting: int | None) -> Answer:
    """Accept an invitation: a file that `group invite` printed, - for standard input, or one on the chain (--of)."""
    if invitation is not None and inviting is None:
        is_typed = str(invitation) == "-"
        content = sys.stdin.buffer.read(MAX_BYTES) if is_typed else read_limited(invitation, MAX_BYTES, "an invitation")
        data = parse_json(content, f"the invitation in {invitation}")
        _follow(lab, data)
    elif invitation is None and inviting is not None:
        data = groups.invited_on_chain(lab, inviting)
    else:
        raise InputError("expected a file with an invitation, or --of with the number of a group")
    entry = groups.join(lab, data)
    group, account = data["invitation"]["group"], lab.signer.address
    return Answer(
        {"group": group, "account": account, "transaction": entry.transaction},
        f"{account} is a member of group {group} now.",
    )


def _follow(lab: Lab, invitation: Any) -> None:
    """Take chain and registry from an invitation where this home knows none yet: the user is shown which."""
    place = invitation if isinstance(invitation, dict) else {}
    chain, registry = place.get("chainId"), place.get("registry")
    if not (isinstance(chain, str) and chain.isdecimal() and isinstance(registry, str)):
        return
    known = network_by_chain_id(int(chain))
    if lab.is_embedded and lab.network_name is None and known and not known.is_devnet:
        use_network(lab, known.name)
    here = [it.address.lower() for it in registries(int(chain), lab.home)]
    if lab.is_embedded and not lab.registry_address and known and known.is_devnet and registry.lower() not in here:
        raise InputError(
            f"expected the devnet of the registry {registry}, got no address of it",
            hint="It is another lab's: --rpc URL, which `blockchaintracer node status` says there.",
        )
    if not (lab.registry_address or lab.registry_in_use()):
        lab.registry_address = registry
        lab.say(f"the invitation is to the registry {registry} on {lab.chain.name}, which this home uses from now on")


@command.lab_verb(writes=True)
@group_option
@click.argument("account")
def remove(lab: Lab, account: str) -> Answer:
    """End a membership: your own, or another's as the owner or a maintainer."""
    group = lab.group(Role.MAINTAINER)
    entry = groups.remove_member(lab, group, account)
    return Answer(
        {"group": group, "account": account, "transaction": entry.transaction},
        f"{account} is no longer a member of group {group}.",
    )


@command.lab_verb(writes=True)
@group_option
@click.argument("account")
@yes_option
def transfer(lab: Lab, account: str) -> Answer:
    """Offer a group that you own to another account, which takes it by `group accept`. Until then it is yours.

    Offer it to yourself to take an offer back.
    """
    group = lab.group_number or lab.group(Role.MAINTAINER)
    require_consent(f"Offer group {group} to {account}? Once it is accepted, only its new owner can give it back.")
    entry = handover.offer_group(lab, group, account)
    data = {"group": group, "offeredTo": entry.write["to"], "transaction": entry.transaction}
    return Answer(data, f"Group {group} is offered: {account} types `blockchaintracer group accept {group}`.")


@command.lab_verb(writes=True)
@click.argument("number", type=int)
def accept(lab: Lab, number: int) -> Answer:
    """Take a group that its owner offered to you."""
    entry = handover.accept_group(lab, number)
    data = {"group": number, "owner": lab.signer.address, "transaction": entry and entry.transaction}
    state = "now. Members stay members; invite yourself to record for it" if entry else "already"
    return Answer(data, f"Group {number} is yours {state}.")


@command.lab_verb(writes=True)
@group_option
@click.argument("name")
@click.option("--description", help="What the group is.")
def describe(lab: Lab, name: str, description: str | None) -> Answer:
    """Give a group that you own another name and description."""
    group = lab.group_number or lab.group(Role.MAINTAINER)
    entry = handover.rename_group(lab, group, name, description)
    data = {"group": group, "name": name, "manifest": entry.write["manifest"], "transaction": entry.transaction}
    return Answer(data, f"Group {group} is described as {name}.")


@command.lab_verb()
@click.argument("number", type=int)
def use(lab: Lab, number: int) -> Answer:
    """Act for this group from now on."""
    lab.registry.group(number)
    lab.choose(registry=lab.registry.address, group=number)
    return Answer({"group": number}, _ACTING.format(number))
