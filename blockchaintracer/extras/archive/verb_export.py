"""`blockchaintracer export`: the whole registry in one folder or file."""

from __future__ import annotations

from pathlib import Path

import click

from blockchaintracer.cli.options import PATH, allow_secret_option, lab_verb
from blockchaintracer.cli.render import Answer, folded, not_searched_lines, progress_bar
from blockchaintracer.core.record import counted
from blockchaintracer.extras.archive.registry_archive import export_registry
from blockchaintracer.lab.lab import Lab


@lab_verb()
@click.option(
    "-o", "--output", type=PATH, required=True, help="The folder to write; one file if its name ends in .tar."
)
@click.option("--artifacts", is_flag=True, help="Add data, models, code and other files that the store has.")
@click.option("--with-diffs", is_flag=True, help="Add runs' differences to their commits, too.")
@allow_secret_option
def command(lab: Lab, output: Path, artifacts: bool, with_diffs: bool, allowed: tuple[str, ...]) -> Answer:
    """Write the whole registry to one folder or tar: every event, the manifests, keys and proofs of all records.

    It describes itself: README.txt tells a reader in thirty years how to check a record without this program. What the
    lab keeps of witnesses, identities and renewals, and the contract's source, are in it.

    The same state gives the same bytes. Keys, settings, the outbox, sealed records and their salts are never in it.
    What --artifacts and --with-diffs add is searched for secrets first. `import` takes it into any other home.

    \b
    Examples:
      blockchaintracer export -o registry.tar
      blockchaintracer export -o everything --artifacts --network base
    """
    with progress_bar("writing") as progress:
        done = export_registry(
            lab, output, artifacts=artifacts, with_diffs=with_diffs, allowed=allowed, progress=progress
        )
    missing = (
        f"Not in this lab's store, and so not in the file: {counted(len(done.missing), 'object')} that records name."
    )
    return Answer(
        done,
        folded(
            f"Wrote {done.file}: {done.events} events up to block {done.block}, {counted(done.objects, 'object')},"
            f" {counted(done.proofs, 'batch proof')}, {done.size:,} bytes."
        ),
        *([missing] if done.missing else []),
        *not_searched_lines(done.not_searched),
    )
