"""Proof bundles: made from a lab's registry, verified by anybody who has the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from blockchaintracer.chain import KnownCode, Registry, known_code
from blockchaintracer.errors import InputError, StoreError
from blockchaintracer.files import write_whole
from blockchaintracer.model import checksummed, normal_digest
from blockchaintracer.operations.batches import Proof, find_proof
from blockchaintracer.operations.lab import Lab
from blockchaintracer.operations.verdicts import required_record
from blockchaintracer.proof import ProvenBundle, export_bundle, verify_bundle
from blockchaintracer.proof.exporter import BatchPath, Progress, Wanted

_START = b'{"blocks":{"'
"""how every bundle begins, as its canonical form has its keys in order"""


@dataclass(frozen=True, slots=True)
class Exported:
    """A bundle that was written.

    Args:
        file: where.
        size: in bytes.
        proven: what it proves.
        without_manifest: records whose manifest isn't in the lab's store, and so not in the bundle.
    """

    file: str
    size: int
    proven: ProvenBundle
    without_manifest: tuple[str, ...]


def export_proof(
    lab: Lab, record_ids: Sequence[str], file: Path, *, block: int | None = None, progress: Progress | None = None
) -> Exported:
    """Writes a bundle that proves records as of one block, and verifies it before it is written.

    Args:
        record_ids: of records that are stored in the lab's registry, or in a batch whose proofs the lab keeps.
        file: written whole or not at all.
        block: number of the block whose state is proven; the newest if not said.

    Raises:
        InputError: if a record is in neither, or `file` can't be written.
        ChainUnavailable: if the chain is away, or the node has forgotten the block's state.
    """
    wanted = [_wanted(lab, normal_digest(record_id, "record id")) for record_id in dict.fromkeys(record_ids)]
    data = export_bundle(lab.registry, wanted, block, progress)
    proven = verify_bundle(data)
    try:
        write_whole(file, data, 0o644)
    except OSError as error:
        raise InputError(f"expected a file that can be written, got {file}: {error.strerror}") from None
    missing = tuple(record.id for record in proven.records if record.manifest is None)
    return Exported(str(file), len(data), proven, missing)


def is_bundle(path: Path) -> bool:
    """Whether a file looks like a proof bundle; `verify_proof` tells whether it is one."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_START)) == _START


def verify_proof(path: Path) -> ProvenBundle:
    """Everything that a bundle proves, without lab, chain or network.

    Raises:
        BundleRefused: if it proves nothing, with the place of the fault.
    """
    return verify_bundle(path.read_bytes())


def code_of(proven: ProvenBundle) -> KnownCode | None:
    """Which version's code the registry of a bundle has, reckoned without a network; None if none that is known."""
    return known_code(proven.chain_id, proven.registry, proven.code_hash)


def _wanted(lab: Lab, record_id: str) -> Wanted:
    proof = find_proof(lab, record_id)
    batch = _batch_path(lab.registry, proof) if proof else None
    stored = lab.registry.find(record_id)
    if stored is None and proof is not None:
        return Wanted(proof.key, _manifest(lab, proof.key.manifest), None, batch)
    found = stored or required_record(lab, record_id)
    return Wanted(found.key, _manifest(lab, found.key.manifest), found.transaction, batch)


def _batch_path(registry: Registry, proof: Proof) -> BatchPath:
    author, root = checksummed(proof.key.author), bytes.fromhex(proof.root)
    for name in ("Anchored", "LeavesAnchored"):
        for event in registry.events(name, group=proof.key.group, author=author, root=root):
            return BatchPath(proof.root, proof.path, bytes(event["transactionHash"]).hex())
    raise InputError(
        f"expected the batch {proof.root} in {registry.address}, got none",
        hint="It waits in the outbox, or a reorganisation dropped it: `blockchaintracer outbox flush`.",
    )


def _manifest(lab: Lab, digest: str) -> bytes | None:
    try:
        return lab.store.get_bytes(digest)
    except StoreError:
        return None
