"""`blockchaintracer status`: where the lab stands, or one of its records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from blockchaintracer.cli.common import Verb, group_option, lab_options, make_lab, show, when
from blockchaintracer.model import Status, label
from blockchaintracer.operations.status import lab_status, record_status


@click.command(cls=Verb)
@lab_options
@group_option
@click.argument("record_id", metavar="[ID]", required=False)
@click.pass_context
def command(ctx: click.Context, /, record_id: str | None, **options: Any) -> None:
    """Show the state of your lab, or of one record. It tells; `verify` checks.

    \b
    Examples:
      blockchaintracer status
      blockchaintracer status ID --json

    Exit codes: 0 done, 1 the record is not on the chain or retracted, 2 wrong use, 3 chain unavailable.
    """
    lab = make_lab(ctx, options)
    if record_id is None:
        state = lab_status(lab)
        show(ctx, state, *_lab_lines(state))
        if state["chain"]["error"]:
            ctx.exit(3)
        return
    state = record_status(lab, record_id)
    show(ctx, state, *_record_lines(state))
    if state["status"] is None:
        ctx.exit(3)
    if state["status"] != label(Status.RECORDED):
        ctx.exit(1)


def _lab_lines(state: dict[str, Any]) -> Iterator[str]:
    chain, key, devnet = state["chain"], state["key"], state["devnet"]
    yield f"Home      {state['home']}"
    if chain["reachable"]:
        yield f"Chain     {chain['name']} ({chain['id']}) at {chain['address']}, block {chain['block']}"
    else:
        yield f"Chain     {chain['name'] or 'chain'} ({chain['id'] or 'unknown'}): {chain['error'] or 'not running'}"
    if devnet:
        yield f"Devnet    {'runs at ' + devnet['url'] if devnet['running'] else 'starts when a verb needs it'}"
    yield f"Registry  {state['registry'] or 'none yet: `blockchaintracer deploy`'}"
    yield f"Group     {state['group'] or 'none chosen: `blockchaintracer group create NAME`'}"
    yield f"Key       {key['name'] + ', ' + key['address'] if key else 'none yet'}"
    counts = ", ".join(f"{count} {name}" for name, count in sorted(state["outbox"].items()))
    yield f"Outbox    {counts or 'empty'}"


def _record_lines(state: dict[str, Any]) -> Iterator[str]:
    yield f"Record    {state['id']}"
    yield f"Status    {state['status'] or 'unknown: ' + state['chainError']}"
    if "block" in state:
        yield f"What      {state['kind']} of group {state['group']}, by {state['author']}"
        yield f"When      {when(state['recordedAt'])}, block {state['block']}, transaction {state['transaction']}"
        if state["retractedAt"]:
            yield f"Retracted {when(state['retractedAt'])}"
        if state["page"]:
            yield f"Page      {state['page']}"
        yield f"Subject   {state['subject']}"
        yield f"Manifest  {state['manifest']}"
        for parent in state["parents"]:
            yield f"Parent    {parent['id']} ({parent['relation']})"
        for verdict in state["verdicts"]:
            evidence = f", evidence {verdict['evidence']}" if verdict["evidence"] else ""
            yield f"Verdict   {verdict['verdict']}, says {verdict['attester']} for group {verdict['group']}{evidence}"
    for write in state["outbox"]:
        error = f": {write['error']}" if write["error"] else ""
        yield f"Outbox    {write['operation']} is {write['state']}{error}"
