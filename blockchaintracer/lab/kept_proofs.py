"""The batch proofs that a lab keeps: its own, and those of others that it was given."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from blockchaintracer.core.batch_proof import Proof
from blockchaintracer.core.errors import InputError, StoreError
from blockchaintracer.core.record import checksummed, normal_digest
from blockchaintracer.lab.files import write_whole
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.outbox import ANCHORS, Entry

_OPEN = "open"


_ANCHOR_FIRST = "It's in the open batch: `blockchaintracer batch anchor` first."


def find_proof(lab: Lab, record_id: str) -> Proof | None:
    """The proof that this lab keeps of a record in an anchored batch of the registry; None if it has none."""
    found = _anchored_proof(lab, record_id)
    return Proof.read(found) if found else None


def batch_hint(lab: Lab, record_id: str) -> str | None:
    """What to do about a record that is not stored, if it's in a batch here, anchored or open; None if it is not."""
    record_id = normal_digest(record_id, "record id")
    if proof := find_proof(lab, record_id):
        return f"It's in batch {proof.root}: `blockchaintracer materialize {record_id}` stores it."
    if _is_open(lab, record_id):
        return _ANCHOR_FIRST
    return None


def anchored_proofs(lab: Lab) -> Iterator[Proof]:
    """The proof of every record in this lab's anchored batches of the registry, of the newest batch first."""
    for entry in reversed(lab.outbox.entries_in(lab.domain, *ANCHORS)):
        for scope in _scopes(lab):
            if int(scope.name.split("-")[2]) == entry.write["group"]:
                yield from (Proof.read(file) for file in sorted((scope / entry.write["root"]).glob("*.json")))


def kept_proofs(lab: Lab) -> Iterator[Proof]:
    """Every proof of the registry that is kept here, of whatever group and author, anchored or not."""
    for scope in _scopes(lab):
        for file in sorted(scope.glob("*/*.json")):
            if file.parent.name != _OPEN:
                yield Proof.read(file)


def keep_proof(lab: Lab, proof: Proof) -> Path:
    """Keeps a proof that came from elsewhere, beside those that were made here; its file."""
    scope = f"{proof.chain_id}-{proof.registry}-{proof.key.group}-{checksummed(proof.key.author)}"
    file = lab.home.batches / scope / proof.root / f"{proof.id}.json"
    if not file.exists():
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(file, (json.dumps(proof.as_json(), indent=2) + "\n").encode())
        except OSError as error:
            raise StoreError(f"{file} can't be written: {error.strerror}") from None
    return file


def required_here(lab: Lab, proof: Proof) -> Proof:
    """A proof, if it's for the lab's registry.

    Raises:
        InputError: if it's for another.
    """
    if (proof.chain_id, proof.registry) != (lab.chain_id, lab.registry.address):
        raise InputError(
            f"the proof is for the registry {proof.registry} on chain {proof.chain_id}, not for"
            f" {lab.registry.address} on chain {lab.chain_id}",
            hint="Choose them with --registry and --network or --rpc.",
        )
    return proof


def _is_open(lab: Lab, record_id: str) -> bool:
    return any((folder / _OPEN / f"{record_id}.json").exists() for folder in _scopes(lab))


def _folder(lab: Lab, group: int) -> Path:
    domain = lab.domain
    return lab.home.batches / f"{domain.chain_id}-{domain.registry}-{group}-{lab.signer.address}"


def _scopes(lab: Lab) -> list[Path]:
    domain = lab.domain
    return sorted(lab.home.batches.glob(f"{domain.chain_id}-{domain.registry}-*"))


def _anchored_folders(lab: Lab, group: int) -> list[Path]:
    return [folder for folder in sorted(_folder(lab, group).glob("*")) if folder.is_dir() and folder.name != _OPEN]


def _anchored_proof(lab: Lab, record_id: str) -> Path | None:
    for scope in _scopes(lab):
        for file in scope.glob(f"*/{record_id}.json"):
            group = int(scope.name.split("-")[2])
            if file.parent.name != _OPEN and _entry(lab, group, file.parent.name):
                return file
    return None


def _entry(lab: Lab, group: int, root: str) -> Entry | None:
    """The journal's entry of a batch; None if it was never entered, or was refused."""
    entries = lab.outbox.entries_in(lab.domain, *ANCHORS)
    return next((entry for entry in entries if (entry.write["root"], entry.write["group"]) == (root, group)), None)
