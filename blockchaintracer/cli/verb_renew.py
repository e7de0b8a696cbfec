"""`blockchaintracer renew`: what records commit to, hashed again by other hashes before theirs can be broken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import click

from blockchaintracer.cli.options import agreed_option, group_option, lab_verb, source_option
from blockchaintracer.cli.record_names import RECORD
from blockchaintracer.cli.render import Answer, plain, progress_bar, recorded_line
from blockchaintracer.cli.shown_times import receipts_of
from blockchaintracer.cli.used_extras import extra
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.plain_json import as_json
from blockchaintracer.core.record import counted
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.plain_text import named

_SHOWN = 10


@lab_verb(writes=True)
@agreed_option
@group_option
@click.argument("record_ids", type=RECORD, nargs=-1, metavar="[ID]...")
@click.option("--all", "every", is_flag=True, help="Every record of this lab that has something new to renew.")
@click.option("--again", is_flag=True, help="Also what an earlier renewal covers already.")
@source_option
@click.option("--calendar", "calendars", multiple=True, metavar="URL", help="A calendar that stamps it; repeatable.")
@click.option("--tsa", "authorities", multiple=True, metavar="URL", help="An authority that stamps it; repeatable.")
@click.option("--allow-local", is_flag=True, help="Let these be http, and in a private network.")
def command(
    lab: Lab,
    record_ids: tuple[str, ...],
    every: bool,
    again: bool,
    sources: tuple[str, ...],
    calendars: tuple[str, ...],
    authorities: tuple[str, ...],
    allow_local: bool,
) -> Answer:
    """Hash everything that records commit to again, by SHA-512 and SHA3-256, and record the root.

    A record rests on SHA-256 and Keccak-256. A renewal that was there before one of them is broken keeps the record
    good: `verify ID --broken sha256:DATE`. What is not here cannot be renewed and is named.

    The chain witnesses a renewal by Keccak-256. Calendars and authorities, those of witnesses.json or those that you
    name, stamp the roots of every renewal that is kept here and lacks one: they count when Keccak-256 is broken.

    \b
    Examples:
      blockchaintracer renew ID
      blockchaintracer renew --all    # what is new or lacks a stamp
      blockchaintracer renew ID --tsa https://tsa.example/tsr
      blockchaintracer renew ID --from https://lab.example/published
    """
    if every == bool(record_ids):
        raise InputError("expected records to renew or --all, and not both", hint="See `renew --help`.")
    renewing = extra("renewal", "renew")
    ids = renewing.own_records(lab) if every else record_ids
    with progress_bar("hashing") as progress:
        done, skipped = renewing.renew(
            lab, ids, sources=sources, witnesses=partial(receipts_of, lab), again=again, progress=progress
        )
    stamped, problems = _stamp(lab, calendars, authorities, allow_local)
    lines = []
    for renewal in done:
        lines.append(recorded_line(f"{counted(len(renewal.renews), 'record')} renewed: renewal", renewal.record))
        lines.append(f"  {counted(renewal.leaves, 'leaf').replace('leafs', 'leaves')}, kept in {renewal.file}")
        lines.append(f"  For witnesses of its time: blockchaintracer witness add --text {renewal.text}")
        if missing := renewal.missing:
            lines.append(f"  Partial, what is not here is not renewed: {plain(named(missing, _SHOWN))}")
    if skipped:
        lines.append(f"{counted(len(skipped), 'record')} had nothing new to renew: --again renews all the same.")
    if stamped:
        lines.append(f"{counted(stamped, 'receipt')} over the roots; `witness upgrade` completes those of calendars.")
    data = {"renewals": as_json(done), "skipped": skipped, "receipts": stamped, "problems": problems}
    notes = [f"Not stamped: {plain(problem)}" for problem in problems]
    return Answer(data, *(lines or ["No record to renew."]), notes=notes, exit_code=3 if problems else 0)


def _stamp(lab: Lab, calendars: Sequence[str], authorities: Sequence[str], allow_local: bool) -> tuple[int, list[str]]:
    """Have the roots of every renewal that is kept here stamped by the witnesses that it lacks. Returns how many
    receipts came, and why others did not."""
    if not (calendars or authorities or (lab.home.path / "witnesses.json").is_file()):
        return 0, []
    witness, settings = extra("witness"), extra("witness", "witness_settings")
    chosen = replace(witness.WitnessSettings.of_home(lab.home), chains=())
    chosen = replace(chosen, allow_local=True) if allow_local else chosen
    if calendars or authorities:
        asked = tuple(settings.AuthoritySetting(url) for url in authorities)
        chosen = replace(chosen, calendars=tuple(calendars), authorities=asked)
    kept = extra("renewal", "renew").kept_renewals(lab)
    subjects = [witness.StampedSubject.of_text(it.root_text) for it in kept]
    receipts, problems = list[Any](), list[str]()
    for lacks, those in extra("witness", "add_witnesses").lacking(lab.home, subjects, chosen):
        done = witness.stamp(those, lacks)
        receipts += done.receipts
        problems += done.problems
    witness.keep_receipts(lab.home, receipts)
    return len(receipts), problems
