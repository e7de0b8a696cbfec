"""`blockchaintracer attest`: the group's verdict on another group's record."""

from __future__ import annotations

import click

from blockchaintracer.cli.options import VERDICTS, agreed_option, group_option, lab_verb
from blockchaintracer.cli.record_names import RECORD
from blockchaintracer.cli.render import Answer, when
from blockchaintracer.lab.attest import WITHDRAW, WITHDRAW_SIGNED, give_verdict
from blockchaintracer.lab.lab import Lab


@lab_verb(writes=True)
@group_option
@click.argument("record_id", type=RECORD, metavar="ID")
@click.argument("verdict", type=click.Choice([*VERDICTS, WITHDRAW, WITHDRAW_SIGNED]))
@click.option("--evidence", type=RECORD, metavar="ID", help="Your group's run that reproduces the record.")
@agreed_option
def command(lab: Lab, record_id: str, verdict: str, evidence: str | None) -> Answer:
    """Give your group's verdict on another group's record, or withdraw it.

    Reproduced and not-reproduced need a run of your own group as evidence: `reproduce ID` makes it and attests what
    it found.

    A record of another registry or chain is named eip155:CHAIN:REGISTRY/ID. Nothing here counts a verdict on it: this
    registry cannot see it. Its evidence is a run recorded with `record --reproduces eip155:CHAIN:REGISTRY/ID`.

    withdraw takes back a verdict that was given. withdraw-signed is for a verdict that was signed for somebody else to
    send: it ends those that nobody has sent, also where no verdict was given. A bounty then counts the group's word as
    spoken.

    `seal verdict` gives a verdict that nobody can read until it is revealed.

    \b
    Examples:
      blockchaintracer attest ID reviewed
      blockchaintracer attest ID reproduced --evidence RUN_ID
      blockchaintracer attest ID withdraw
      blockchaintracer attest eip155:1:0x…/ID reproduced --evidence RUN_ID
    """
    result = give_verdict(lab, record_id, verdict, evidence)
    return Answer(
        result,
        f"Group {result.group}: {result.what}, on record {result.record_id}.",
        f"Block {result.block}, {when(result.time)}, {result.state}. Transaction {result.transaction}",
    )
