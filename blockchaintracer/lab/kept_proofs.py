"""The batch proofs that a lab keeps: its own, and those of others that it was given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from blockchaintracer.core.record import checksummed
from blockchaintracer.core.record_key_file import Proof
from blockchaintracer.lab.files import write_json
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.outbox import ANCHORS, Entry

OPEN = "open"
"""Name of the folder of the open batch, beside those of the anchored ones."""
ANCHOR_FIRST = "It's in the open batch: `blockchaintracer batch anchor` first."


def find_proof(lab: Lab, record_id: str) -> Proof | None:
    """Return the proof that this lab keeps of a record in an anchored batch of the registry, or None."""
    file = anchored_proof(lab, record_id)
    return Proof.read_file(file) if file else None


def batch_hint(lab: Lab, record_id: str) -> str | None:
    """Say what to do about a record that is not stored but in a batch here, anchored or open; None if it is in none."""
    record_id = lab.parse_id(record_id)
    if proof := find_proof(lab, record_id):
        return f"It's in batch {proof.root}: `blockchaintracer materialize {record_id}` stores it."
    return ANCHOR_FIRST if is_open(lab, record_id) else None


def anchored_proofs(lab: Lab) -> Iterator[Proof]:
    """List the proof of every record in this lab's anchored batches of the registry, of the newest batch first."""
    for entry in reversed(lab.outbox.entries_in(lab.domain, *ANCHORS)):
        for scope in _scopes(lab):
            if _group(scope) == entry.write["group"]:
                yield from map(Proof.read_file, sorted((scope / entry.write["root"]).glob("*.json")))


def kept_proofs(lab: Lab) -> Iterator[Proof]:
    """List every proof of the registry that is kept here, of any group and author, anchored or not."""
    yield from map(Proof.read_file, (file for scope in _scopes(lab) for file in sorted(scope.glob("0x*/*.json"))))


def proofs_beginning(lab: Lab, start: str) -> list[str]:
    """Return the ids that begin so of records in this lab's batches of the registry, also in open ones."""
    return [file.stem for scope in _scopes(lab) for file in sorted(scope.glob(f"*/{start}*.json"))]


def keep_proof(home: Home, proof: Proof) -> Path:
    """Keep a proof that came from elsewhere beside those that were made here; return its file."""
    scope = f"{proof.chain_id}-{proof.registry}-{proof.key.group}-{checksummed(proof.key.author)}"
    file = home.batches / scope / proof.root / f"{proof.id}.json"
    if not file.exists():
        write_json(file, proof.as_json())
    return file


def is_open(lab: Lab, record_id: str) -> bool:
    """Whether a record is in an open batch of the registry."""
    return any((scope / OPEN / f"{record_id}.json").exists() for scope in _scopes(lab))


def batches_folder(lab: Lab, group: int) -> Path:
    """Return the folder of the signer's batches for a group of the registry."""
    domain = lab.domain
    return lab.home.batches / f"{domain.chain_id}-{domain.registry}-{group}-{lab.signer.address}"


def _scopes(lab: Lab) -> list[Path]:
    """The folders as `batches_folder`, of all groups and authors."""
    domain = lab.domain
    return sorted(lab.home.batches.glob(f"{domain.chain_id}-{domain.registry}-*"))


def _group(scope: Path) -> int:
    return int(scope.name.split("-")[2])


def anchored_proof(lab: Lab, record_id: str) -> Path | None:
    """Return the file of the proof as `find_proof` reads it, or None."""
    for scope in _scopes(lab):
        for file in scope.glob(f"*/{record_id}.json"):
            if file.parent.name != OPEN and file.parent.name in batch_entries(lab, _group(scope)):
                return file
    return None


def batch_entries(lab: Lab, group: int) -> dict[str, Entry]:
    """Return the outbox's entry of each batch of a group that was entered and not refused, by its root."""
    entries = [entry for entry in lab.outbox.entries_in(lab.domain, *ANCHORS) if entry.write["group"] == group]
    return {entry.write["root"]: entry for entry in reversed(entries)}
