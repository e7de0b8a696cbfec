"""`blockchaintracer publish`: copies what others need to reproduce a record."""

from __future__ import annotations

import shlex
from collections import Counter

import click

from blockchaintracer.cli.options import allow_secret_option, lab_verb, profile_option
from blockchaintracer.cli.record_names import RECORD
from blockchaintracer.cli.render import (
    Answer,
    byte_size,
    command_lines,
    not_searched_lines,
    plain,
    progress_bar,
)
from blockchaintracer.core.plain_json import as_json
from blockchaintracer.core.record import counted
from blockchaintracer.lab.drafts import registry_for_others
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.store.store import REPAIRED

_NOUNS = {what: f"{what} file" for what in ("content", "code", "encrypted", "history", "requirements")}
_NOUNS |= {"group": "group description"}


@lab_verb()
@click.argument("record_id", type=RECORD, metavar="ID")
@click.option(
    "--to",
    required=True,
    metavar="FOLDER|ipfs|URL|FILE.car",
    help="A folder, an IPFS node (`ipfs` or the address of its RPC), any fsspec address, or an archive to make.",
)
@profile_option
@click.option(
    "--quick",
    is_flag=True,
    help="Do not read what is there: in a folder what is unchanged, elsewhere what has its size.",
)
@click.option("--with-diff", is_flag=True, help="Publish what differed from the commit, too.")
@allow_secret_option
def command(
    lab: Lab, record_id: str, to: str, profile: str, with_diff: bool, allowed: tuple[str, ...], quick: bool
) -> Answer:
    """Copy what others need to check and reproduce a record to a folder, IPFS or any storage, and nothing else.

    For a run: its manifest and those of its ancestors, its inputs, its outputs, all files of its commit, and its lock
    file. The folder can be copied anywhere or shown by any web server: who fetches from it checks every digest. What
    is there is hashed again, and repaired where it is damaged: each repaired object is named. Every file is
    searched for secrets first: what looks like one is named by path, line and kind, and nothing is published.

    \b
    Examples:
      blockchaintracer publish ID --to published
      blockchaintracer publish ID --to published --with-diff
      blockchaintracer publish ID --to published --allow-secret tests/keys.py:12
      blockchaintracer publish ID --to ipfs
      blockchaintracer publish ID --to s3://bucket/published
    """
    with progress_bar("publishing") as progress:
        done = publish(
            lab, record_id, to, with_diff=with_diff, allowed=allowed, quick=quick, profile=profile, progress=progress
        )
    counts = Counter(it.what for it in done.objects)
    kinds = ", ".join(counted(count, _NOUNS.get(what, what)) for what, count in counts.items())
    states = ", ".join(f"{count} {state}" for state, count in Counter(it.state for it in done.objects).items())
    published = f"{counted(len(done.objects), 'object')}, {byte_size(done.size)}, to {done.folder}"
    global_id = lab.domain.global_id(done.record_id)
    verb = "reproduce" if done.repeatable else "verify"
    named = f"--from {shlex.quote(done.folder)} {registry_for_others(lab.domain)}"
    return Answer(
        as_json(done) | {"size": done.size},
        f"Published {published} ({states}): {kinds}.",
        *(
            f"Was damaged there, is repaired: {it.sha256}  {plain(it.what)} {plain(it.name)}"
            for it in done.objects
            if it.state == REPAIRED
        ),
        *([f"Root: ipfs://{done.cid}"] if done.cid else []),
        *(f"Left out: {what}." for what in done.left_out),
        *not_searched_lines(done.not_searched),
        *([f"Others can't repeat this run: {'; '.join(done.lacks)}."] if done.lacks else []),
        f"Others {verb} it with:",
        command_lines(f"blockchaintracer {verb} {global_id} {named}"),
        *([f"URL is the address of your devnet: {lab.chain.address} on this machine."] if lab.on_devnet else []),
    )
