"""`blockchaintracer seal`: committed to now, shown later."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from blockchaintracer.cli.options import VERDICTS, VerbGroup, agreed_option, record_options
from blockchaintracer.cli.record_names import RECORD, SEAL
from blockchaintracer.cli.render import (
    Answer,
    progress_bar,
    record_lines,
    state_line,
    table,
    unrevealed_line,
    when,
)
from blockchaintracer.core.plain_json import as_json
from blockchaintracer.lab import seals
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.plain_text import titled
from blockchaintracer.lab.recording.commit import progress_of
from blockchaintracer.lab.recording.request import Request, record_request, seal_requested_verdict


@click.group(cls=VerbGroup)
def command() -> None:
    """Commit to a record or a verdict now, and show it later with `reveal`: plans, blind analyses, blind verdicts.

    A seal shows nothing until it is revealed, and then that it was fixed at its time. It does not prove that nothing
    else was sealed: who reports a seal also reports how many of its author are unrevealed. Its salt is kept in the
    lab's folder and nowhere else: without that folder a seal can never be revealed.

    \b
    Examples:
      blockchaintracer seal record --artifact plan.md --kind plan \\
        --name "the plan"
      blockchaintracer seal verdict ID reproduced --metric accuracy=0.93
      blockchaintracer seal list
      blockchaintracer reveal COMMITMENT
    """


@command.lab_verb(writes=True)
@record_options
def record(lab: Lab, request: Request) -> Answer:
    """Seal what `record` would record: the same options, one seal for each record that it would make.

    The commitment is for others to see. The id is not, before the reveal: who guesses all that was sealed could check
    the guess with it. Sealing the same content again is free, and is the same seal.

    \b
    Examples:
      blockchaintracer seal record --artifact plan.md --kind plan \\
        --name "the plan"
      blockchaintracer seal record --param threshold=8 -- python search.py --blind
    """
    with progress_bar("hashing and keeping", request.paths) as progress, seals.sealing(lab):
        sealed, code = record_request(lab, request, progress)
    data: dict[str, Any] = {"seals": sealed, "programExitCode": code}
    last = sealed[-1]
    if isinstance(last, seals.Sealed):
        data |= {"commitment": last.commitment, "id": last.id}
    return Answer(
        data,
        *(line for seal in sealed for line in _lines(seal)),
        notes=[f"The program ended with {code}: it is sealed as a failed run."] if code else [],
        exit_code=3 if any(seal.state == "stored" for seal in sealed) else 0,
    )


def _lines(seal: Recorded) -> Iterator[str]:
    if not isinstance(seal, seals.Sealed):
        yield from record_lines(seal, f"is recorded already, {when(seal.time)}: there is nothing to seal")
        return
    yield f"{titled(seal.kind, seal.name)}: sealed as {seal.commitment}"
    yield f"  {state_line(seal, 'sealed')}"
    if seal.state != "stored":
        yield f"  for you alone until it is revealed: its id will be {seal.id}"


@command.lab_verb(writes=True)
@click.argument("record_id", type=RECORD, metavar="ID")
@click.argument("verdict", type=click.Choice(VERDICTS))
@click.option("--evidence", type=RECORD, metavar="ID", help="Your run that reproduces the record, recorded or sealed.")
@record_options
def verdict(lab: Lab, record_id: str, verdict: str, evidence: str | None, request: Request) -> Answer:
    """Seal a verdict on another group's record: nobody sees your verdict until you reveal it.

    The run that it stands on is sealed inside: describe it as for `record`, and it is stored when the verdict is
    revealed, in one transaction. Or name a run with --evidence.

    \b
    Examples:
      blockchaintracer seal verdict ID reproduced --metric accuracy=0.93
      blockchaintracer seal verdict ID not-reproduced -- python train.py --seed 7
      blockchaintracer seal verdict ID disputed
    """
    with progress_bar("hashing and keeping", request.paths) as progress:
        sealed, code = seal_requested_verdict(lab, record_id, verdict, evidence, request, progress)
    return Answer(
        as_json(sealed) | {"programExitCode": code},
        f"A verdict on {sealed.record_id} is sealed as {sealed.commitment}.",
        f"  {state_line(sealed, 'sealed')}",
        exit_code=3 if sealed.state == "stored" else 0,
    )


@command.lab_verb(writes=True)
@click.argument("commitment", type=SEAL, metavar="COMMITMENT|ID")
@agreed_option
def send(lab: Lab, commitment: str) -> Answer:
    """Send a seal that is kept but was never sent, as `seal list` shows: the process died just then."""
    entry = seals.send_seal(lab, commitment)
    progress = progress_of(entry)
    return Answer(
        progress,
        f"The seal is {entry.state}: {when(progress['time'])}. Transaction {entry.transaction}",
        exit_code=0 if entry.block else 3,
    )


@command.lab_verb("list")
def list_seals(lab: Lab) -> Answer:
    """List the seals that are kept here, and how many of each author are unrevealed. Shows no salt."""
    listed = seals.listed(lab)
    rows = [
        [
            row["commitment"],
            row["kind"] if row["what"] == "record" else row["what"],
            row["name"] or row["recordId"][:16],
            row["group"],
            row["state"],
            when(row["sealedAt"]),
            when(row["revealedAt"]),
        ]
        for row in listed["seals"]
    ]
    error = listed["chainError"]
    return Answer(
        listed,
        table(None, ["commitment", "what", "name", "group", "state", "sealed", "revealed"], rows),
        *map(unrevealed_line, listed["authors"]),
        notes=[error] if error else [],
        exit_code=3 if error else 0,
    )
