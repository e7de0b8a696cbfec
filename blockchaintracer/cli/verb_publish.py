"""`blockchaintracer publish`: copies what others need to reproduce a record."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

import click

from blockchaintracer.cli.common import Verb, lab_options, make_lab, progress_bar, show
from blockchaintracer.core.digest import DEFAULT_PROFILE, PROFILES
from blockchaintracer.lab.publish import publish


@click.command(cls=Verb)
@lab_options
@click.argument("record_id", metavar="ID")
@click.option(
    "--to",
    required=True,
    metavar="FOLDER|ipfs|URL|FILE.car",
    help="A folder, an IPFS node (`ipfs` or the address of its RPC), any fsspec address, or an archive to make.",
)
@click.option("--profile", type=click.Choice(list(PROFILES)), default=DEFAULT_PROFILE, help="CID profile, for IPFS.")
@click.option("--with-diff", is_flag=True, help="Publish what differed from the commit, too, unless it holds a secret.")
@click.pass_context
def command(ctx: click.Context, /, record_id: str, to: str, profile: str, with_diff: bool, **options: Any) -> None:
    """Copy what others need to check and reproduce a record to a folder, IPFS or any storage, and nothing else.

    For a run: its manifest and those of its ancestors, its inputs, its outputs, all files of its commit, and its lock
    file. The folder can be copied anywhere or shown by any web server: whoever fetches from it checks every digest.

    \b
    Examples:
      blockchaintracer publish ID --to published
      blockchaintracer publish ID --to published --with-diff
      blockchaintracer publish ID --to ipfs
      blockchaintracer publish ID --to s3://bucket/published
    """
    lab = make_lab(ctx, options)
    with progress_bar(ctx, "publishing") as progress:
        done = publish(lab, record_id, to, with_diff=with_diff, profile=profile, progress=progress)
    kinds = ", ".join(f"{count} {what}" for what, count in Counter(one.what for one in done.objects).items())
    new = sum(one.new for one in done.objects)
    show(
        ctx,
        asdict(done) | {"size": done.size},
        f"Published {len(done.objects)} objects, {in_words(done.size)}, to {done.folder} ({new} of them new): {kinds}.",
        *(f"Left out: {what}." for what in done.left_out),
        f"Others reproduce it with: blockchaintracer reproduce {done.record_id} --from {done.folder}",
    )


def in_words(count: float) -> str:
    """Bytes for a person."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            break
        count /= 1000
    return f"{count:.4g} {unit}"
