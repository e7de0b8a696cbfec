"""`blockchaintracer import`: a whole registry from one folder or file."""

from __future__ import annotations

from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from blockchaintracer.cli.options import PATH, lab_verb
from blockchaintracer.cli.render import Answer, progress_bar
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import counted
from blockchaintracer.extras.archive.reader import LIMIT
from blockchaintracer.extras.archive.registry_archive import import_registry
from blockchaintracer.lab.kept_identities import IdentityEvidence, file_name
from blockchaintracer.lab.lab import Lab


@lab_verb()
@click.argument("file", type=PATH)
@click.option("--offline", is_flag=True, help="Ask no chain: take the archive's word for who did what, and when.")
@click.option("--limit", type=click.IntRange(1), default=LIMIT, show_default=True, help="Bytes it may have.")
def command(lab: Lab, file: Path, offline: bool, limit: int) -> Answer:
    """Import a registry from the folder or file that `export` wrote: objects into the store, events into the index.

    Every digest, record id and batch proof is checked before anything is kept, and every event against the chain where
    one is available. Afterwards `query --offline`, `lineage --offline` and `impact --offline` work here as there.

    \b
    Examples:
      blockchaintracer import registry.tar --network base
      blockchaintracer import registry --offline
    """
    with progress_bar("checking", [file] if file.is_file() else []) as progress:
        done = import_registry(
            lab, file, offline=offline, limit=limit, progress=progress, check_evidence=_check_evidence
        )
    against = "every event is what the chain holds" if done.checked else "not checked against a chain"
    kept = "" if done.indexed else " The index had this registry already and keeps what it read."
    return Answer(
        done,
        f"Imported {done.registry} of chain {done.chain_id} up to block {done.block}: {done.records} records,"
        f" {done.events} events, {done.objects} objects, {counted(done.proofs, 'batch proof')}; {against}.{kept}",
        "What is left to trust",
        *(f"  {sentence}" for sentence in done.trust),
    )


def _check_evidence(name: str, data: bytes) -> None:
    """Refuse a file that is not what is kept under its name. Whether what it says holds is asked when it is used."""
    folder, _, file = name.partition("/")
    if folder == "witnesses":
        receipts = _module("witness.witness_receipt").read_receipts_file(data, name)
        fits = f"{receipts[0].subject.sha256}.json" == file
    elif folder == "identities":
        holder = IdentityEvidence.parse(data, name).holder
        fits = file_name(holder) == name
    else:
        _module("renewal.renewal_file").RenewalFile.parse(data, name)
        fits = f"{sha256(data).hexdigest()}.json" == file
    if not fits:
        raise InputError(f"expected what is kept under the name {name}, got something else")


def _module(name: str) -> Any:
    """Load the part that reads such a file: an extra stands alone until then."""
    return import_module(f"blockchaintracer.extras.{name}")
