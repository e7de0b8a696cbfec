"""`blockchaintracer status`: where the lab stands, or one of its records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from blockchaintracer.cli.options import group_option, lab_verb
from blockchaintracer.cli.record_names import RECORD
from blockchaintracer.cli.render import Answer, folded, unrevealed_line, when
from blockchaintracer.core.record import Status, counted, label
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lookup import foreign_id
from blockchaintracer.lab.status import foreign_status, lab_status, record_statuses


@lab_verb()
@group_option
@click.argument("ids", type=RECORD, metavar="[ID|COMMITMENT]...", nargs=-1)
def command(lab: Lab, ids: tuple[str, ...]) -> Answer:
    """Show the state of your lab, of records, or of seals. `verify` checks it.

    \b
    Examples:
      blockchaintracer status
      blockchaintracer status ID --json
      blockchaintracer status ID ID ID

    For a record of another registry, eip155:CHAIN:REGISTRY/ID, it shows what groups of this registry say.

    Exit codes: 0 done, 1 a record is not committed to on the chain, or retracted, 2 wrong use, 3 chain unavailable.
    """
    if not ids:
        state = lab_status(lab)
        return Answer(state, *map(_folded, _lab_lines(state)), exit_code=3 if state["chain"]["error"] else 0)
    if len(ids) == 1 and (foreign := foreign_id(lab, ids[0])):
        state = foreign_status(lab.registry, foreign)
        return Answer(
            state,
            f"Record    {state['id']}",
            _folded(f"Where     registry {state['registry']} on chain {state['chainId']}: ask there whether it stands"),
            _folded(f"Said in   {state['saidIn']}, by {counted(len(state['verdicts']), 'group')}"),
            *map(_folded, map(_verdict_line, state["verdicts"])),
        )
    states = record_statuses(lab, ids)
    data = states[0] if len(states) == 1 else {"records": states}
    return Answer(
        data, *(_folded(line) for state in states for line in _record_lines(state)), exit_code=max(map(_code, states))
    )


def _folded(line: str) -> str:
    return folded(line, 10)


def _code(state: dict[str, Any]) -> int:
    stands = state["status"] in (label(Status.RECORDED), "batched", "sealed", "revealed")
    undecided = state["status"] is None or state.get("why")
    return 3 if undecided else 0 if stands else 1


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
    if state["successor"]:
        yield f"          its owner announced a successor, {state['successor']}: ask your lab where to record"
    yield f"Group     {state['group'] or 'none chosen: `blockchaintracer group create NAME`'}"
    yield f"Key       {key['name'] + ', ' + key['address'] if key else 'none yet'}"
    counts = ", ".join(f"{count} {name}" for name, count in sorted(state["outbox"].items()))
    yield f"Outbox    {counts or 'empty'}"


def _record_lines(state: dict[str, Any]) -> Iterator[str]:
    yield f"Record    {state['id']}"
    yield f"Status    {state['status'] or 'unknown: ' + state['chainError']}"
    if state.get("runStatus") not in (None, "completed"):
        yield f"Run       {state['runStatus']}"
    if "block" in state:
        yield f"What      {state['kind']} of group {state['group']}, by {state['author']}"
        yield f"When      {when(state['recordedAt'])}, block {state['block']}, transaction {state['transaction']}"
        if state["batch"]:
            yield f"Batch     {state['batch']}, whose time it has"
        if state["sealedAt"]:
            yield f"Sealed    {when(state['sealedAt'])}; {unrevealed_line(state['seals'])}"
        if state["retractedAt"]:
            yield f"Retracted {when(state['retractedAt'])}"
        if state["page"]:
            yield f"Page      {state['page']}"
        yield f"Subject   {state['subject']}"
        yield f"Manifest  {state['manifest']}"
        for parent in state["parents"]:
            yield f"Parent    {parent['id']} ({parent['relation']})"
        for verdict in state["verdicts"]:
            yield _verdict_line(verdict)
            if verdict["sealedAt"]:
                yield f"          sealed {when(verdict['sealedAt'])}; {unrevealed_line(verdict['seals'])}"
    if batch := state.get("committed"):
        yield f"Batch     committed to in batch {batch['root']} at {when(batch['anchoredAt'])}"
        yield f"          by {batch['author']} for group {batch['group']}; not stored (`materialize` stores it)"
    for seal in state.get("sealedBy", ()):
        place = f"in block {seal['block']}" if "block" in seal else "in a block that the node has forgotten"
        yield f"Seal      {state['commitment']}"
        yield f"          sealed by {seal['author']} for group {seal['group']} {place}, {when(seal['sealedAt'])}"
        yield f"          {unrevealed_line(seal)}"
        if shown := seal.get("revealedAs"):
            verdict = "" if shown == "record" else f"the verdict {shown} on "
            yield f"          revealed as {verdict}record {seal['record']}"
        if seal["problem"]:
            yield f"          {seal['problem']}"
    if state.get("hides"):
        yield f"Hides     {state['hides']}"
    if state.get("why"):
        yield f"Unknown   {state['why']}: ask a node that keeps all history"
    for write in state["outbox"]:
        error = f": {write['error']}" if write["error"] else ""
        yield f"Outbox    {write['operation']} is {write['state']}{error}"


def _verdict_line(verdict: dict[str, Any]) -> str:
    evidence = f", evidence {verdict['evidence']}" if verdict["evidence"] else ""
    return f"Verdict   {verdict['verdict']}, says {verdict['attester']} for group {verdict['group']}{evidence}"
