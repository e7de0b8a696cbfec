"""Makes the proof bundle of some records of a lab's registry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blockchaintracer.core.chain import Registry, factory_registry
from blockchaintracer.core.errors import ChainUnavailable, InputError, NotVerified, StoreError
from blockchaintracer.core.formats import read_limited
from blockchaintracer.core.plain_json import parse_json
from blockchaintracer.core.record_key_file import Proof
from blockchaintracer.core.verify.bundle import ProvenBundle, read_bundle
from blockchaintracer.lab.bundle.exporter import BatchPath, Progress, ProofRequest, export_bundle
from blockchaintracer.lab.chain.factory import Settings, settings_of
from blockchaintracer.lab.deployments import registries
from blockchaintracer.lab.files import write_output
from blockchaintracer.lab.kept_evidence import RENEWAL_ROOT, kept_evidence
from blockchaintracer.lab.kept_identities import of_a_bundle
from blockchaintracer.lab.kept_proofs import find_proof
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lookup import required_record
from blockchaintracer.lab.store.store import Store

_RECEIPTS = 1 << 20
_LARGEST_RENEWAL = 100_000


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
    records = [_request(lab, lab.parse_id(record_id)) for record_id in dict.fromkeys(record_ids)]
    identities = of_a_bundle(lab.home, lab.domain, [record.key for record in records])
    evidence = _kept(lab, records) | ({"identities": identities} if identities else {})
    data = _export(lab, records, block, progress, evidence)
    proven = read_bundle(data)
    write_output(file, data)
    missing = tuple(record.id for record in proven.records if record.manifest is None)
    return ExportedProof(str(file), len(data), proven, missing)


def _kept(lab: Lab, records: Sequence[ProofRequest]) -> dict[str, list[Any]]:
    """Return the receipts of witnesses and the renewals that are kept of records and of their batches, as a bundle has
    them. A large renewal is left out: `publish` takes it along."""
    ids = [lab.domain.record_id(it.key) for it in records]
    names = [*ids, *(it.batch.root for it in records if it.batch)]
    found: dict[str, list[Any]] = {}
    for name, file in kept_evidence(lab.home.path, names).items():
        kind, limit = name.partition("/")[0], _RECEIPTS if name.startswith("witnesses/") else _LARGEST_RENEWAL
        if kind not in ("witnesses", "renewals") or file.stat().st_size > limit:
            continue
        data = parse_json(read_limited(file, limit, kind), str(file))
        found.setdefault(kind, []).extend(data["receipts"] if kind == "witnesses" else [data])
    texts = {RENEWAL_ROOT, *names}
    if witnesses := [it for it in found.get("witnesses", ()) if any(text in it["subject"] for text in texts)]:
        found["witnesses"] = witnesses
    else:
        found.pop("witnesses", None)
    return found


def _export(
    lab: Lab,
    records: Sequence[ProofRequest],
    block: int | None,
    progress: Progress | None,
    evidence: dict[str, list[Any]],
) -> bytes:
    """Export as of the newest final block if all records were in one by then and the node still has its state: such a
    bundle can be verified at once. Else as of the newest block."""
    settings = factory_settings(lab)
    final = lab.chain.finalized() if block is None else None
    if final is not None:
        try:
            data = export_bundle(lab.registry, records, final.number, progress, settings, evidence)
            read_bundle(data)
            return data
        except (ChainUnavailable, NotVerified):
            pass  # a record is newer, or the state is forgotten
    return export_bundle(lab.registry, records, block, progress, settings, evidence)


def factory_settings(lab: Lab) -> Settings | None:
    """Return the settings that the factory made the registry of, None if it did not or they are not found."""
    registry = lab.registry.address.lower()
    for known in registries(lab.chain_id, lab.home):
        if known.address.lower() == registry and known.salt and known.open_group_creation is not None:
            settings = (known.owner.lower(), known.open_group_creation, known.salt)
            if factory_registry(*settings) == registry:
                return settings
    return settings_of(lab.registry)


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
        return BatchPath(proof.root, proof.path, event.transaction)
    raise InputError(
        f"expected the batch {proof.root} in {registry.address}, got none",
        hint="It waits in the outbox, or a reorganisation dropped it: `blockchaintracer outbox flush`.",
    )


def _manifest(store: Store, digest: str) -> bytes | None:
    try:
        return store.get_bytes(digest)
    except StoreError:
        return None
