"""Proof bundles of a lab's registry: made here, verified anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from blockchaintracer.errors import StoreError
from blockchaintracer.files import write_whole
from blockchaintracer.operations.lab import Lab
from blockchaintracer.operations.verdicts import required_record
from blockchaintracer.proof import ProvenBundle, export_bundle, verify_bundle
from blockchaintracer.proof.exporter import Progress, Wanted


@dataclass(frozen=True, slots=True)
class Exported:
    """A bundle that was written.

    Args:
        file: where.
        size: in bytes.
        proven: what it proves.
        without_manifest: records whose manifest isn't in the lab's store and so not in the bundle.
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
        record_ids: of records that are stored in the lab's registry.
        file: written whole or not at all.
        block: number of the block whose state is proven; the newest if not said.
    """
    wanted, missing = [], []
    for record_id in dict.fromkeys(record_ids):
        found = required_record(lab, record_id)
        try:
            manifest = lab.store.get_bytes(found.key.manifest)
        except StoreError:
            manifest = None
            missing.append(found.id)
        wanted.append(Wanted(found.key, manifest, found.transaction))
    data = export_bundle(lab.registry, wanted, block, progress)
    proven = verify_bundle(data)
    write_whole(file, data)
    return Exported(str(file), len(data), proven, tuple(missing))
