"""`blockchaintracer review`: the records that wait for your group's verdict."""

from __future__ import annotations

from typing import Any

import click

from blockchaintracer.cli.common import Verb, VerbGroup, group_option, lab_options, make_lab, show, table, when
from blockchaintracer.core.record import Role
from blockchaintracer.extras.search import waiting
from blockchaintracer.extras.search.update import up_to_date


@click.group(cls=VerbGroup)
def command() -> None:
    """See what other groups recorded and yours has given no verdict on.

    \b
    Examples:
      blockchaintracer review list
      blockchaintracer review list --kind run --of-group 3
      blockchaintracer attest ID reviewed
    """


@command.command("list", cls=Verb)
@lab_options
@group_option
@click.option("--kind", help="dataset, model, run, result, …, or your own number.")
@click.option("--of-group", type=int, metavar="NUMBER", help="Only records of this group.")
@click.option("--author", metavar="ADDRESS", help="Only records of this account.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="Rows at most.")
@click.option("--offline", is_flag=True, help="Look at what was read before, without asking the chain for more.")
@click.pass_context
def list_(ctx: click.Context, /, offline: bool, **options: Any) -> None:
    """List records of other groups, not retracted, on which your group has no current verdict; oldest first.

    A verdict that was withdrawn is none. Names are what authors declare: `verify ID` checks a record.

    \b
    Examples:
      blockchaintracer review list
      blockchaintracer review list --kind run --author 0x… --json
    """
    wanted = {name: options.pop(name) for name in ("kind", "author", "limit")}
    of_group = options.pop("of_group")
    lab = make_lab(ctx, options)
    reviewer = lab.group(Role.REVIEWER)
    with up_to_date(lab, offline=offline) as index:
        rows = waiting(index, lab.registry, reviewer, group=of_group, **wanted)
    show(ctx, {"group": reviewer, "records": [row.as_json() for row in rows]})
    if ctx.params["as_json"]:
        return
    table(
        f"Waiting for group {reviewer}",
        ["record", "kind", "name", "group", "author", "recorded"],
        [[row.id, row.kind, row.name or "-", str(row.group), row.author, when(row.time)] for row in rows],
    )
    if not rows:
        click.echo("No record waits for your group.", err=True)
