"""Proof bundles: made from a lab's registry, verified by anybody who has the file."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from blockchaintracer.core.batch_proof import Proof, is_proof
from blockchaintracer.core.chain import KnownCode, Registry, known_code
from blockchaintracer.core.digest import Progress as Bytes
from blockchaintracer.core.errors import InputError, StoreError
from blockchaintracer.core.manifest import Manifest, parse_manifest
from blockchaintracer.core.manifest.base import canonical
from blockchaintracer.core.record import normal_digest
from blockchaintracer.core.verify import Check, Outcome
from blockchaintracer.core.verify.bundle import MAX_BYTES, ProvenBundle, ProvenRecord, verify_bundle
from blockchaintracer.core.verify.content_checks import Shown
from blockchaintracer.lab.bundle.exporter import BatchPath, Progress, ProofRequest, export_bundle
from blockchaintracer.lab.files import write_output
from blockchaintracer.lab.kept_proofs import find_proof
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lookup import required_record
from blockchaintracer.lab.private.disclose import is_disclosure
from blockchaintracer.lab.store.store import Store
from blockchaintracer.lab.store.stored_copies import StoredCopies

SUFFIX = ".proof"
"""of a file that is taken for a bundle by its name"""
_START = b'{"blocks":{"'
"""how every bundle begins, as its canonical form has its keys in order"""
_FORMAT = b'"format":"blockchaintracer-proof-'
"""what stands in every bundle behind its blocks, in its canonical form"""
_LOOKED_AT = 16 << 20
"""bytes in which that is looked for: headers of 10,000 blocks"""


@dataclass(frozen=True, slots=True)
class ExportedProof:
    """A bundle that was written."""

    file: str
    size: int
    proven: ProvenBundle
    without_manifest: tuple[str, ...]


def export_proof(
    lab: Lab, record_ids: Sequence[str], file: Path, *, block: int | None = None, progress: Progress | None = None
) -> ExportedProof:
    """Writes a bundle that proves records as of one block, and verifies it before it is written.

    Args:
        file: written whole or not at all.

    Raises:
        InputError: if a record is in neither, or `file` can't be written.
        ChainUnavailable: if the chain is away, or the node has forgotten the block's state.
    """
    records = [_request(lab, normal_digest(record_id, "record id")) for record_id in dict.fromkeys(record_ids)]
    data = export_bundle(lab.registry, records, block, progress)
    proven = verify_bundle(data)
    write_output(file, data)
    missing = tuple(record.id for record in proven.records if record.manifest is None)
    return ExportedProof(str(file), len(data), proven, missing)


def is_bundle(path: Path) -> bool:
    """Whether a file looks like a proof bundle, whole or damaged; `verify_proof` tells whether it is one.

    It does if it begins like one; if it is called ``*.proof`` and is nothing else of ours; or if it names a bundle's
    format and its beginning at least resembles one's: a tar that holds a bundle is none.
    """
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            start = file.read(_LOOKED_AT)
    except OSError:
        return False
    if start.startswith(_START):
        return True
    if path.suffix == SUFFIX:
        return not is_disclosure(path) and not is_proof(path)
    alike = sum(byte == other for byte, other in zip(start, _START, strict=False)) > len(_START) // 2
    return (alike or b"blocks" in start[: 2 * len(_START)]) and _FORMAT in start


def verify_proof(path: Path) -> ProvenBundle:
    """Everything that a bundle proves, without lab, chain or network."""
    try:
        with path.open("rb") as file:
            # one byte more than a bundle may have is refused, and no more is taken into memory
            return verify_bundle(file.read(MAX_BYTES + 1))
    except OSError as error:
        raise InputError(f"expected a proof bundle in {path}: {error.strerror}") from None


def hold_against(proven: ProvenBundle, path: Path, progress: Bytes | None = None) -> list[Check]:
    """Compare a file or folder with what the records of a bundle commit to. Return the checks of the records that it is
    of, all of which pass, or if it is of none the checks of all records.
    """
    if not path.exists():
        raise InputError(f"expected an existing file or folder, got {str(path)!r}")
    same: list[Check] = []
    other: list[Check] = []
    with tempfile.TemporaryDirectory(prefix="blockchaintracer-") as nothing:
        shown = Shown(path, StoredCopies(Store(nothing), (), progress))
        for record in proven.records:
            checks = shown.compare(record.key, manifest_in(record))
            held = all(check.verdict is Outcome.PASS for check in checks)
            (same if held else other).extend(replace(check, record=record.id) for check in checks)
    return same or other


def manifest_in(record: ProvenRecord) -> Manifest | None:
    """The manifest of a record in a bundle; None if the bundle doesn't hold it."""
    return None if record.manifest is None else parse_manifest(canonical(record.manifest))


def code_of(proven: ProvenBundle) -> KnownCode | None:
    """Which version's code the registry of a bundle has, reckoned without a network; None if none that is known."""
    return known_code(proven.chain_id, proven.registry, proven.code_hash)


def _request(lab: Lab, record_id: str) -> ProofRequest:
    proof = find_proof(lab, record_id)
    batch = _batch_path(lab.registry, proof) if proof else None
    stored = lab.registry.find_record(record_id)
    if stored is None and proof is not None:
        return ProofRequest(proof.key, _manifest(lab.store, proof.key.manifest), None, batch)
    record = stored or required_record(lab, record_id)
    return ProofRequest(record.key, _manifest(lab.store, record.key.manifest), record.transaction, batch)


def _batch_path(registry: Registry, proof: Proof) -> BatchPath:
    if event := registry.anchored(proof.key.group, proof.key.author, proof.root):
        return BatchPath(proof.root, proof.path, bytes(event["transactionHash"]).hex())
    raise InputError(
        f"expected the batch {proof.root} in {registry.address}, got none",
        hint="It waits in the outbox, or a reorganisation dropped it: `blockchaintracer outbox flush`.",
    )


def _manifest(store: Store, digest: str) -> bytes | None:
    try:
        return store.get_bytes(digest)
    except StoreError:
        return None
