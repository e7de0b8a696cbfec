"""`blockchaintracer renew`: what records commit to, hashed again by other hashes before theirs can be broken."""

from __future__ import annotations

from functools import partial

import click

from blockchaintracer.cli import extra
from blockchaintracer.cli.options import agreed_option, group_option, lab_verb, source_option
from blockchaintracer.cli.record_names import RECORD
from blockchaintracer.cli.render import Answer, plain, progress_bar, recorded_line
from blockchaintracer.cli.shown_times import receipts_of
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.plain_json import as_json
from blockchaintracer.core.record import counted
from blockchaintracer.lab.lab import Lab

_SHOWN = 10


@lab_verb(writes=True)
@agreed_option
@group_option
@click.argument("record_ids", type=RECORD, nargs=-1, metavar="[ID]...")
@click.option("--all", "every", is_flag=True, help="Every record of this lab that has something new to renew.")
@click.option("--again", is_flag=True, help="Also what an earlier renewal covers already.")
@source_option
def command(lab: Lab, record_ids: tuple[str, ...], every: bool, again: bool, sources: tuple[str, ...]) -> Answer:
    """Hash everything that records commit to again, by SHA-512 and SHA3-256, and record the root.

    A record rests on SHA-256 and Keccak-256. A renewal that was there before one of them is broken keeps the record
    good: `verify ID --broken sha256:DATE`. What is not here cannot be renewed and is named.

    \b
    Examples:
      blockchaintracer renew ID
      blockchaintracer renew --all
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
    lines = []
    for renewal in done:
        lines.append(recorded_line(f"Renewal of {counted(len(renewal.renews), 'record')}", renewal.record))
        lines.append(f"  {counted(renewal.leaves, 'leaf').replace('leafs', 'leaves')}, kept in {renewal.file}")
        if missing := renewal.missing:
            more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
            lines.append(f"  Partial, what is not here is not renewed: {plain(', '.join(missing[:_SHOWN]))}{more}")
    if skipped:
        lines.append(f"{counted(len(skipped), 'record')} had nothing new to renew: --again renews all the same.")
    return Answer({"renewals": as_json(done), "skipped": skipped}, *(lines or ["No record to renew."]))
