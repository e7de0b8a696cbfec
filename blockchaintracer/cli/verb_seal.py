"""`blockchaintracer seal`: committed to now, shown later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click

from blockchaintracer.cli.common import Verb, VerbGroup, lab_options, make_lab, progress_bar, show, table, when
from blockchaintracer.cli.verb_record import given_paths, record_given, record_options
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import Verdict, label, normal_digest
from blockchaintracer.lab import seals
from blockchaintracer.lab.drafts import Recorded

_VERDICTS = [label(verdict) for verdict in Verdict if verdict is not Verdict.NONE]


@click.group(cls=VerbGroup)
def command() -> None:
    """Commit to a record or a verdict now, and show it later with `reveal`: plans, blind analyses, blind verdicts.

    A seal shows nothing until it is revealed, and then that it was fixed at its time. It doesn't prove that nothing
    else was sealed: whoever reports a seal also reports how many of its author are unrevealed. Its salt is kept in the
    lab's folder and nowhere else: without that folder a seal can never be revealed.

    \b
    Examples:
      blockchaintracer seal record --artifact plan.md --kind plan --name "the plan"
      blockchaintracer seal verdict ID reproduced --metric accuracy=0.93
      blockchaintracer seal list
      blockchaintracer reveal COMMITMENT
    """


@command.command(cls=Verb)
@lab_options
@record_options
@click.pass_context
def record(ctx: click.Context, /, **options: Any) -> None:
    """Seal what `record` would record: the same options, one seal for each record that it would make.

    The commitment is for others to see. The id is not, before the reveal: whoever guesses all that was sealed could
    check the guess with it. Sealing the same again costs nothing, and is the same seal.

    \b
    Examples:
      blockchaintracer seal record --artifact plan.md --kind plan --name "the plan"
      blockchaintracer seal record --param threshold=8 -- python search.py --blind
    """
    lab = make_lab(ctx, options)
    with progress_bar(ctx, "hashing and keeping", given_paths(options)) as progress, seals.sealing(lab):
        sealed, code = record_given(lab, progress, options)
    data: dict[str, Any] = {"seals": [asdict(one) for one in sealed], "programExitCode": code}
    last = sealed[-1]
    if isinstance(last, seals.Sealed):
        data |= {"commitment": last.commitment, "id": last.id}
    show(ctx, data, *(line for one in sealed for line in _lines(one)))
    if code:
        click.echo(f"The program ended with {code}: it's sealed as a failed run.", err=True)
    if any(one.state == "stored" for one in sealed):
        ctx.exit(3)


def _lines(one: Recorded) -> Iterator[str]:
    name = f" {one.name}" if one.name else ""
    if not isinstance(one, seals.Sealed):
        yield f"{one.kind}{name}: {one.id}"
        yield f"  is recorded already, {when(one.time)}: there is nothing to seal"
        return
    yield f"{one.kind}{name}: sealed as {one.commitment}"
    if one.state == "stored":
        yield "  waits in the outbox: the chain is away"
        return
    yield f"  block {one.block}, {when(one.time)}, by {one.author} for group {one.group}"
    yield f"  for you alone until it's revealed: its id will be {one.id}"


@command.command(cls=Verb)
@lab_options
@click.argument("record_id", metavar="ID")
@click.argument("verdict", type=click.Choice(_VERDICTS))
@click.option("--evidence", metavar="ID", help="Your group's run that reproduces the record, recorded or sealed.")
@record_options
@click.pass_context
def verdict(ctx: click.Context, /, record_id: str, verdict: str, evidence: str | None, **options: Any) -> None:
    """Seal a verdict on another group's record: nobody sees what you found until you reveal it.

    The run that it stands on is sealed inside: describe it as for `record`, and it's stored when the verdict is
    revealed, in one transaction. Or name a run with --evidence.

    \b
    Examples:
      blockchaintracer seal verdict ID reproduced --metric accuracy=0.93
      blockchaintracer seal verdict ID not-reproduced -- python train.py --seed 7
      blockchaintracer seal verdict ID disputed
    """
    lab = make_lab(ctx, options)
    record_id, chosen = normal_digest(record_id, "record id"), Verdict[verdict.upper().replace("-", "_")]
    code = None
    if any(options[name] for name in ("params", "metrics", "document", "program")):
        if evidence:
            raise InputError("expected a run or --evidence, got both")
        options["parents"] = (*options["parents"], f"{record_id}:reproduces")
        bar = progress_bar(ctx, "hashing and keeping", given_paths(options))
        with bar as progress, seals.holding_evidence(lab, record_id) as held:
            _, code = record_given(lab, progress, options)
        sealed = seals.seal_verdict(lab, record_id, chosen, held[-1])
    else:
        sealed = seals.seal_verdict(lab, record_id, chosen, evidence)
    show(
        ctx,
        {**asdict(sealed), "programExitCode": code},
        f"A verdict on {sealed.record_id} is sealed as {sealed.commitment}.",
        f"  {sealed.state}, block {sealed.block}, {when(sealed.time)}, by {sealed.author} for group {sealed.group}",
    )
    if sealed.state == "stored":
        ctx.exit(3)


@command.command(cls=Verb)
@lab_options
@click.argument("commitment", metavar="COMMITMENT|ID")
@click.pass_context
def send(ctx: click.Context, /, commitment: str, **options: Any) -> None:
    """Send a seal that is kept but was never sent, as `seal list` shows: the process died just then."""
    lab = make_lab(ctx, options)
    entry = seals.send_seal(lab, commitment)
    block = entry.block
    time = block.timestamp if block else None
    data = {"state": str(entry.state), "transaction": entry.transaction, "block": block.number if block else None}
    show(ctx, {**data, "time": time}, f"The seal is {entry.state}: {when(time)}. Transaction {entry.transaction}")
    if block is None:
        ctx.exit(3)


@command.command("list", cls=Verb)
@lab_options
@click.pass_context
def list_(ctx: click.Context, /, **options: Any) -> None:
    """List the seals that are kept here, and how many of each author are unrevealed. Shows no salt."""
    found = seals.listed(make_lab(ctx, options))
    show(ctx, found)
    if ctx.params["as_json"]:
        return
    columns = ["commitment", "what", "name", "group", "state", "sealed", "revealed"]
    rows = [
        [
            row["commitment"],
            row["kind"] if row["what"] == "record" else row["what"],
            row["name"] or row["recordId"][:16],
            str(row["group"]),
            row["state"],
            when(row["sealedAt"]),
            when(row["revealedAt"]),
        ]
        for row in found["seals"]
    ]
    table(None, columns, rows)
    for one in found["authors"]:
        click.echo(unrevealed_line(one))
    if found["chainError"]:
        click.echo(found["chainError"], err=True)
        ctx.exit(3)


def unrevealed_line(one: dict[str, Any]) -> str:
    """How many seals an author made and how many nobody has been shown, for a person."""
    elsewhere = one.get("keptElsewhere")
    more = f"; {elsewhere} of these are not kept here" if elsewhere else ""
    return f"{one['author']} made {one['seals']} seals for group {one['group']}: {one['unrevealed']} unrevealed{more}."
