"""`blockchaintracer bounty`: money for reproducing a record, whatever comes out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from blockchaintracer.cli.options import NEW_FILE, VerbGroup, group_option, require_consent, yes_option
from blockchaintracer.cli.record_names import RECORD, SEAL
from blockchaintracer.cli.render import Answer, when
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import checksummed
from blockchaintracer.lab import bounties
from blockchaintracer.lab.bounties import Terms
from blockchaintracer.lab.chain.bounty_calls import NO_TOKEN
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.outbox import Entry

_DAY_S = 86400
_terms = click.argument("bounty", metavar="BOUNTY")
_to = click.option("--to", metavar="ADDRESS", help="Who gets the money. [default: your own account]")


@click.group(cls=VerbGroup)
def command() -> None:
    """Pay groups for reproducing a record: the same for `reproduced` and `not-reproduced`, if the verdict was sealed
    before any was shown. A BOUNTY is its id, or the file with its terms that `fund` writes.

    The contract belongs to nobody: money leaves it by `claim` and, 30 days after the last verdict, by `refund`.
    docs/consumers.md says what it does not prevent.

    \b
    Examples:
      blockchaintracer bounty fund ID --groups 2,3 --share 0.5 \\
        --enter-until 14d --verdict-until 28d
      blockchaintracer seal verdict ID reproduced --metric accuracy=0.93
      blockchaintracer bounty enter bounty.json COMMITMENT
      blockchaintracer reveal COMMITMENT
      blockchaintracer bounty claim bounty.json
    """


@command.lab_verb()
@_terms
def show(lab: Lab, bounty: str) -> Answer:
    """Show the terms of a bounty, what is held, who entered, and what comes next."""
    facts = bounties.facts(lab, bounties.read_terms(lab, bounty))
    return Answer(facts, *_lines(lab, facts))


def _lines(lab: Lab, facts: dict[str, Any]) -> list[str]:
    def amount(key: str) -> str:
        return bounties.shown_amount(lab, int(facts[key]), facts["token"])

    entered = {entry["group"]: "paid" if entry["paid"] else "entered" for entry in facts["entries"]}
    return [
        f"Bounty     {facts['bounty']}",
        f"Record     {facts['record']}",
        f"Contract   {facts['contract']} on chain {lab.chain_id}",
        f"Sponsor    {facts['sponsor']}",
        f"Share      {amount('share')} a group; {amount('held')} held",
        f"Groups     {', '.join(f'{group} ({entered.get(group, chr(45))})' for group in facts['groups'])}",
        f"Enter      until {when(facts['entryUntil'])}",
        f"Verdicts   after that, until {when(facts['verdictUntil'])}",
        f"Claims     after that, until {when(facts['claimUntil'])}; then the sponsor takes the rest",
        f"Next       {facts['next']}",
    ]


@command.lab_verb(writes=True)
@click.argument("record_id", type=RECORD, metavar="ID")
@click.option(
    "--groups", required=True, metavar="N,N", help="The groups that may try: a day old or more, not the record's own."
)
@click.option("--share", required=True, metavar="AMOUNT", help="What each group gets: 0.5, in ether or whole tokens.")
@click.option("--token", default=NO_TOKEN, metavar="ADDRESS", help="ERC-20 token of the shares. [default: ether]")
@click.option("--enter-until", required=True, metavar="TIME", help="Last time of entry: 14d from now, or ISO 8601.")
@click.option("--verdict-until", required=True, metavar="TIME", help="Last time of a verdict: 3 days later or more.")
@click.option("-o", "--output", type=NEW_FILE, default=Path("bounty.json"), show_default=True, help="For the terms.")
@yes_option
def fund(
    lab: Lab, record_id: str, groups: str, share: str, token: str, enter_until: str, verdict_until: str, output: Path
) -> Answer:
    """Promise each of some groups a share for reproducing a record, and pay all shares in.

    Nobody can change or cancel it: what no group earns comes back by `bounty refund` alone. Each group must have been
    made at least one day before, so that no reorganisation gives its number to another.

    \b
    Examples:
      blockchaintracer bounty fund ID --groups 2,3 --share 0.5 \\
        --enter-until 14d --verdict-until 28d
    """
    now, token = lab.chain.head().timestamp, checksummed(token, "a token's address")
    numbers = groups.split(",")
    if not all(number.strip().isdecimal() and len(number) < 11 for number in numbers):
        raise InputError(f"expected group numbers with commas between, got {groups[:80]!r}")
    eligible = sorted({int(number) for number in numbers})
    amount = bounties.amount_of(lab, share, token)
    times = (_time(enter_until, now), _time(verdict_until, now))
    terms = Terms(lab.signer.address, record_id, eligible, token, amount, *times)
    is_there = bounties.check_funding(lab, terms)
    if output.exists():
        raise InputError(f"expected a new file for the terms, {output} is there", hint="Name another: -o FILE.")
    total, contract = bounties.shown_amount(lab, terms.total, token), bounties.contract_of(lab)
    first = "" if is_there else " The contract is deployed first."
    one = bounties.shown_amount(lab, amount, token)
    require_consent(
        f"Pay {total} to the bounty contract {contract} on chain {lab.chain_id}: {one} each for groups "
        f"{', '.join(map(str, eligible))}, who enter until {when(times[0])} and give verdicts until {when(times[1])}? "
        f"Nobody can cancel it.{first}"
    )
    bounties.write_terms(lab, terms, output)
    entry = bounties.fund(lab, terms)
    return _answer(lab, terms, entry, f"Funded with {total}. The terms are in {output}: hand them to the groups.")


@command.lab_verb(writes=True)
@_terms
@click.argument("commitment", type=SEAL, metavar="COMMITMENT")
@group_option
@yes_option
def enter(lab: Lab, bounty: str, commitment: str) -> Answer:
    """Commit your group to a verdict that it sealed: once, and for all bounties of this record."""
    terms, group = bounties.read_terms(lab, bounty), lab.group()
    require_consent(
        f"Commit group {group} for good to the sealed verdict {commitment} on {terms.record}? It pays "
        f"{bounties.shown_amount(lab, terms.share, terms.token)}, if revealed after {when(terms.entry_until)} and "
        f"until {when(terms.verdict_until)}."
    )
    entry = bounties.enter(lab, terms, group, commitment)
    return _answer(
        lab, terms, entry, f"Group {group} entered. Reveal the verdict after {when(terms.entry_until)}, not before."
    )


@command.lab_verb(writes=True)
@_terms
@group_option
@_to
@yes_option
def claim(lab: Lab, bounty: str, to: str | None) -> Answer:
    """Take your group's share for the verdict that it entered with and revealed in time."""
    terms, group, to = bounties.read_terms(lab, bounty), lab.group(), to or lab.signer.address
    bounties.require_money(lab, terms, group)
    share = bounties.shown_amount(lab, terms.share, terms.token)
    require_consent(f"Send the share of group {group}, {share}, to {to}?")
    return _answer(lab, terms, bounties.claim(lab, terms, group, to), f"{share} went to {to}.")


@command.lab_verb(writes=True)
@_terms
@_to
@yes_option
def refund(lab: Lab, bounty: str, to: str | None) -> Answer:
    """Take back what no group claimed, 30 days after the last verdict, as the sponsor."""
    terms, to = bounties.read_terms(lab, bounty), to or lab.signer.address
    left = bounties.shown_amount(lab, bounties.require_money(lab, terms), terms.token)
    require_consent(f"Send what is left of the bounty, {left}, to {to}?")
    return _answer(lab, terms, bounties.refund(lab, terms, to), f"{left} went to {to}.")


def _answer(lab: Lab, terms: Terms, entry: Entry, done: str) -> Answer:
    facts = bounties.facts(lab, terms) | {"transaction": entry.transaction, "state": str(entry.state)}
    return Answer(facts, done, *_lines(lab, facts), exit_code=0 if entry.is_on_chain else 3)


def _time(text: str, now: int) -> int:
    """Read Unix seconds: days from now (``14d``) or ISO 8601, UTC without an offset."""
    if text.endswith("d") and text[:-1].isdecimal() and len(text) < 6:
        return now + int(text[:-1]) * _DAY_S
    try:
        moment = datetime.fromisoformat(text)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise InputError(f"expected a time such as 14d or 2027-03-01T12:00, got {text[:40]!r}") from None
