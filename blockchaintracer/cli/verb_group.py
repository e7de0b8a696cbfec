"""`blockchaintracer group`: groups and their members."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from blockchaintracer.cli.common import Verb, VerbGroup, group_option, lab_options, make_lab, show, table, when
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import NO_END, Role, label
from blockchaintracer.lab import groups as setup
from blockchaintracer.lab.lab import roles_of

_ROLES = [label(role) for role in Role]


@click.group(cls=VerbGroup)
def command() -> None:
    """Lab groups: a lab, a collaboration or a team, with one owner and members with roles.

    A membership needs both: an invitation signed by the group's owner, and the account that accepts it.

    \b
    Examples:
      blockchaintracer group create "LIGO Hanford"
      blockchaintracer group invite 0xACCOUNT --role recorder > invitation.json
      blockchaintracer group join invitation.json
      blockchaintracer group list
    """


@command.command(cls=Verb)
@lab_options
@click.argument("name")
@click.option("--description", help="Kept off chain; its digest goes on chain.")
@click.option("--role", "roles", multiple=True, type=click.Choice(_ROLES), help="Roles you take in it. [default: all]")
@click.pass_context
def create(ctx: click.Context, /, name: str, description: str | None, roles: tuple[str, ...], **options: Any) -> None:
    """Create a group that you own, or answer with yours of that name."""
    lab = make_lab(ctx, options)
    result = setup.create_group(lab, name, description=description, roles=roles_of(roles or _ROLES))
    verb = "exists already" if result.existing else "is created"
    show(ctx, asdict(result), f"Group {result.group} ({name}) {verb}. Owner {result.owner}.")


@command.command("list", cls=Verb)
@lab_options
@click.pass_context
def list_(ctx: click.Context, /, **options: Any) -> None:
    """List the registry's groups."""
    lab = make_lab(ctx, options)
    rows = [setup.describe_group(lab, number) for number in range(1, lab.registry.last_group() + 1)]
    show(ctx, {"groups": rows})
    if not ctx.params["as_json"]:
        table(
            None,
            ["group", "name", "owner", "since"],
            [[str(r["group"]), r["name"] or "-", r["owner"], when(r["createdAt"])] for r in rows],
        )


@command.command(cls=Verb)
@lab_options
@group_option
@click.pass_context
def members(ctx: click.Context, /, **options: Any) -> None:
    """List the members of a group, past ones included."""
    lab = make_lab(ctx, options)
    rows = setup.members(lab, lab.group())
    show(ctx, {"members": rows})
    if not ctx.params["as_json"]:
        table(
            None,
            ["account", "roles", "since", "until", "now"],
            [
                [
                    r["account"],
                    ", ".join(r["roles"]),
                    when(r["since"]),
                    when(r["until"]),
                    "member" if r["active"] else "ended",
                ]
                for r in rows
            ],
        )


@command.command(cls=Verb)
@lab_options
@group_option
@click.argument("account")
@click.option("--role", "roles", multiple=True, required=True, type=click.Choice(_ROLES), help="A role to offer.")
@click.option("--days", type=click.IntRange(1), help="Days that the membership lasts. [default: no end]")
@click.option("--valid-days", default=7, show_default=True, help="Days in which the invitation can be accepted.")
@click.pass_context
def invite(
    ctx: click.Context, /, account: str, roles: tuple[str, ...], days: int | None, valid_days: int, **options: Any
) -> None:
    """Sign an invitation and print it as JSON, to be sent to the account. Nothing goes on chain yet."""
    lab = make_lab(ctx, options)
    until = NO_END if days is None else lab.chain.head().timestamp + days * 86400
    invitation = setup.invite(
        lab, lab.group(Role.MAINTAINER), account, roles_of(roles), until=until, valid_s=valid_days * 86400
    )
    click.echo(json.dumps(invitation))


@command.command(cls=Verb)
@lab_options
@click.argument("invitation", type=click.File())
@click.pass_context
def join(ctx: click.Context, /, invitation: Any, **options: Any) -> None:
    """Accept an invitation: a file that `group invite` printed, or - for standard input."""
    lab = make_lab(ctx, options)
    try:
        data = json.load(invitation)
    except ValueError as error:
        raise InputError(f"expected an invitation as JSON in {invitation.name}: {error}") from None
    entry = setup.join(lab, data)
    group = data["invitation"]["group"]
    data = {"group": group, "account": lab.signer.address, "transaction": entry.transaction}
    show(ctx, data, f"{lab.signer.address} is a member of group {group} now.")


@command.command(cls=Verb)
@lab_options
@group_option
@click.argument("account")
@click.pass_context
def remove(ctx: click.Context, /, account: str, **options: Any) -> None:
    """End a membership: your own, or another's as the owner or a maintainer."""
    lab = make_lab(ctx, options)
    group = lab.group(Role.MAINTAINER)
    entry = setup.remove_member(lab, group, account)
    show(
        ctx,
        {"group": group, "account": account, "transaction": entry.transaction},
        f"{account} is no longer a member of group {group}.",
    )


@command.command(cls=Verb)
@lab_options
@click.argument("number", type=int)
@click.pass_context
def use(ctx: click.Context, /, number: int, **options: Any) -> None:
    """Act for this group from now on."""
    lab = make_lab(ctx, options)
    lab.registry.group(number)
    lab.choose(group=number)
    show(ctx, {"group": number}, f"Acting for group {number} from now on.")
