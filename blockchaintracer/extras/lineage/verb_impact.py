"""`blockchaintracer impact`: everything that stands on a record, and so on its retraction."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import click

from blockchaintracer.cli.options import lab_verb, offline_option
from blockchaintracer.cli.record_names import RECORD
from blockchaintracer.cli.render import Answer, tree, when
from blockchaintracer.extras.lineage import downstream
from blockchaintracer.extras.search import Row, retraction
from blockchaintracer.extras.search.update import up_to_date
from blockchaintracer.lab.lab import Lab


@lab_verb()
@click.argument("record_id", type=RECORD, metavar="ID")
@offline_option
def command(lab: Lab, record_id: str, offline: bool) -> Answer:
    """Show everything downstream of a record: what its retraction reaches, or would reach.

    What only supersedes or reproduces a record does not stand on it. Each record is shown with its own state and
    verdicts; who has to be told are the groups named at the end.

    \b
    Examples:
      blockchaintracer impact ID
      blockchaintracer impact ID --json
    """
    record_id = lab.parse_id(record_id)
    with up_to_date(lab, offline=offline) as index:
        registry = None if offline else lab.registry
        found = downstream(index, record_id, registry=registry)
        retracted = retraction(index, record_id, registry=registry)
    state = "Not retracted: this is what a retraction would reach."
    if retracted:
        reason = f", reason {retracted.reason}" if retracted.reason else ""
        state = f"Retracted {when(retracted.time)} by {retracted.account}{reason}."
    nodes = [node for node in found.nodes.values() if node.row.id != found.root]
    rows = [node.row for node in nodes]
    groups = dict(sorted(Counter(row.group for row in rows).items()))
    data = {
        "retraction": retracted,
        "impact": nodes,
        **found.as_json(),
        "groups": {str(group): count for group, count in groups.items()},
    }
    shown = replace(found, is_complete=True).named_here(lab.hashes).tree()
    unread = [] if found.is_complete else ["Runs whose manifest is not here speak of them, and may stand on them, too."]
    summary = _summary(rows, groups) if rows or not unread else "Nothing is known to stand on it."
    return Answer(data, state, tree(shown), summary, *unread)


def _summary(rows: list[Row], groups: dict[int, int]) -> str:
    if not rows:
        return "Nothing stands on it."
    named = ", ".join(f"group {group}: {count}" for group, count in groups.items())
    ended = sum(row.status == "retracted" for row in rows)
    seen = sum(row.reproduced > 0 for row in rows)
    records = "1 record stands" if len(rows) == 1 else f"{len(rows)} records stand"
    return f"{records} on it ({named}); {ended} retracted, {seen} reproduced by another group."
