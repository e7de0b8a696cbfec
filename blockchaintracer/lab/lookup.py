"""Records and manifests that a lab looks up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.core.record import GLOBAL_PREFIX, GlobalId
from blockchaintracer.core.record_view import RecordView
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.store.store import Store

if TYPE_CHECKING:
    from blockchaintracer.core.manifest import Manifest


def foreign_id(lab: Lab, text: str) -> GlobalId | None:
    """Read the id of a record of another registry or chain; None for an id of the lab's own registry."""
    if not text.startswith(GLOBAL_PREFIX):
        return None
    record = GlobalId.parse(text)
    return None if (record.chain_id, record.registry) == (lab.chain_id, lab.domain.registry) else record


def required_record(lab: Lab, record_id: str) -> RecordView:
    """A record by its id."""
    record = lab.registry.find_record(lab.parse_id(record_id))
    if record is None:
        # recording, which batches need, needs this module
        from blockchaintracer.lab.kept_proofs import batch_hint

        raise InputError(
            f"record {record_id} is not stored in {lab.registry.address} on {lab.chain.name}",
            hint=batch_hint(lab, record_id) or "Check the id, the registry (--registry) and the network (--rpc).",
        )
    return record


def stored_or_batched(lab: Lab, record_id: str) -> RecordView:
    """A record by its id, also one that is only in an anchored batch whose proof is kept here."""
    from blockchaintracer.lab.kept_proofs import find_proof

    record_id = lab.parse_id(record_id)
    proof = None if lab.registry.status(record_id).exists else find_proof(lab, record_id)
    return RecordView(id=record_id, key=proof.key, batch=proof.root) if proof else required_record(lab, record_id)


def read_manifest(store: Store, record: RecordView) -> Manifest:
    """A record's manifest from the lab's store, held against its key."""
    from blockchaintracer.core.manifest import MAX_BYTES, check_against_key, parse_manifest

    manifest = parse_manifest(store.get_bytes(record.key.manifest, MAX_BYTES))
    if problems := check_against_key(manifest, record.key):
        raise NotVerified(f"the manifest of {record.id} contradicts the record: {'; '.join(problems)}")
    return manifest
