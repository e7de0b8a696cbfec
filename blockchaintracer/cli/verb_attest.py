"""`blockchaintracer attest`: the group's verdict on another group's record."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from blockchaintracer.cli.common import Verb, group_option, lab_options, make_lab, show, when
from blockchaintracer.core.record import ForeignRecord, Verdict, label
from blockchaintracer.lab import attest as verdicts

_VERDICTS = [label(verdict) for verdict in Verdict if verdict is not Verdict.NONE]


@click.command(cls=Verb)
@lab_options
@group_option
@click.argument("record_id", metavar="ID|CHAIN:REGISTRY:ID")
@click.argument("verdict", type=click.Choice([*_VERDICTS, "withdraw"]))
@click.option("--evidence", metavar="ID", help="Your group's run that reproduces the record.")
@click.pass_context
def command(ctx: click.Context, /, record_id: str, verdict: str, evidence: str | None, **options: Any) -> None:
    """Give your group's verdict on another group's record, or withdraw it.

    Reproduced and not-reproduced need a run of your own group as evidence: `reproduce ID` makes it and attests what
    it found.

    A record of another registry or chain is named CHAIN:REGISTRY:ID. Nothing here counts a verdict on it: this registry
    can't see it. Its evidence is a run recorded with `record --reproduces CHAIN:REGISTRY:ID`.

    `seal verdict` gives a verdict that nobody can read until it is revealed.

    \b
    Examples:
      blockchaintracer attest ID reviewed
      blockchaintracer attest ID reproduced --evidence RUN_ID
      blockchaintracer attest ID withdraw
      blockchaintracer attest 1:0x…:ID reproduced --evidence RUN_ID
    """
    lab = make_lab(ctx, options)
    chosen = Verdict.NONE if verdict == "withdraw" else Verdict[verdict.upper().replace("-", "_")]
    if ":" in record_id:
        result = verdicts.attest_foreign(lab, ForeignRecord.parse(record_id), chosen, evidence=evidence)
    elif chosen:
        result = verdicts.attest(lab, record_id, chosen, evidence=evidence)
    else:
        result = verdicts.withdraw(lab, record_id)
    show(
        ctx,
        asdict(result),
        f"Group {result.group}: {result.what}, on record {result.record_id}.",
        f"Block {result.block}, {when(result.time)}, {result.state}. Transaction {result.transaction}",
    )
