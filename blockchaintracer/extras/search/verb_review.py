"""`blockchaintracer review`: the records that wait for your group's verdict."""

from __future__ import annotations

from typing import Any

import click

from blockchaintracer.cli.options import (
    VerbGroup,
    author_option,
    group_option,
    kind_option,
    limit_option,
    offline_option,
)
from blockchaintracer.cli.render import Answer, table, when
from blockchaintracer.core.record import Role
from blockchaintracer.extras.search import waiting
from blockchaintracer.extras.search.update import up_to_date
from blockchaintracer.lab.lab import Lab


@click.group(cls=VerbGroup)
def command() -> None:
    """See what other groups recorded and yours has given no verdict on.

    \b
    Examples:
      blockchaintracer review list
      blockchaintracer review list --kind run --of-group 3
      blockchaintracer attest ID reviewed
    """


@command.lab_verb("list")
@group_option
@kind_option
@click.option("--of-group", type=int, metavar="NUMBER", help="Only records of this group.")
@author_option
@limit_option
@offline_option
def list_waiting(lab: Lab, of_group: int | None, offline: bool, **conditions: Any) -> Answer:
    """List records of other groups, not retracted, on which your group has no current verdict; oldest first.

    A verdict that was withdrawn is none. Names are what authors declare: `verify ID` checks a record.

    \b
    Examples:
      blockchaintracer review list
      blockchaintracer review list --kind run --author 0x… --json
    """
    reviewer = lab.group(Role.REVIEWER)
    with up_to_date(lab, offline=offline) as index:
        rows = waiting(index, lab.registry, reviewer, group=of_group, **conditions)
    cells = [[row.id, row.kind, row.name or None, row.group, row.author, when(row.time)] for row in rows]
    return Answer(
        {"group": reviewer, "records": rows},
        table(f"Waiting for group {reviewer}", ["record", "kind", "name", "group", "author", "recorded"], cells),
        notes=[] if rows else ["No record waits for your group."],
    )
