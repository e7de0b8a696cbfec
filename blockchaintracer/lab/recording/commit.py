"""Committing to a manifest: store it, then record it on the chain or leave it in the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from blockchaintracer.core.errors import BlockchainTracerError, ChainUnavailable
from blockchaintracer.core.manifest import Manifest
from blockchaintracer.core.record import Kind, Link, RecordKey, Role, checksummed, label
from blockchaintracer.lab.drafts import Draft, Recorded
from blockchaintracer.lab.lab import Lab, Until, role_problem
from blockchaintracer.lab.outbox import Entry, Op, Transaction


def require_recorder(lab: Lab) -> None:
    """Check before any work is done that the signer may record for the group; not while the chain is unavailable.

    Raises:
        ContractRevert: if it may not.
    """
    try:
        problem = role_problem(lab, lab.group(Role.RECORDER), Role.RECORDER)
    except ChainUnavailable:
        return
    if problem:
        raise problem


def draft(lab: Lab, manifest: Manifest, parents: Sequence[Link]) -> Draft:
    """Return the record that a manifest becomes: of the signer, for the group."""
    key = RecordKey(
        group=lab.group(Role.RECORDER),
        kind=manifest.kind,
        subject_type=int(manifest.subject_type),
        author=lab.signer.address,
        subject=manifest.subject_digest,
        manifest=manifest.digest(),
        parents=tuple(parents),
    )
    return Draft(manifest, key, lab.domain.record_id(key))


def commit(lab: Lab, manifest: Manifest, parents: Sequence[Link]) -> Recorded:
    """Store a manifest and commit to it on the chain, or as the lab's committer does. If the chain is unavailable, the
    record waits in the outbox.

    Raises:
        ContractRevert: before anything is written, if the signer lacks the role or a parent isn't recorded.
    """
    made = draft(lab, manifest, parents)
    return lab.committer(lab, made) if lab.committer else send(lab, made)


def send(lab: Lab, made: Draft) -> Recorded:
    """Store a draft's manifest and record it on the chain, as `commit` does without a committer."""
    data = made.manifest.to_bytes()
    write = Transaction(Op.RECORD, lab.domain.registry, record_id=made.id, key=made.key)
    existing = False
    try:
        if not lab.hand_over:
            if lab.outbox.pending(lab.chain_id):
                _flush_what_waits(lab)
            existing = write.is_done(lab.chain)
            if not existing:
                if problem := role_problem(lab, made.key.group, Role.RECORDER):
                    raise problem
                lab.fund_on_devnet()
                write.check(lab.chain, lab.signer.address)
        entry = _keep(lab, write, data)
        if not lab.hand_over:
            [entry] = lab.write(write, check=False)
    except ChainUnavailable as error:
        existing = False
        entry = _keep(lab, write, data)
        lab.say(f"{error.message}\nThe record is kept and waits: `blockchaintracer outbox flush` sends it.")
    return recorded(lab, made, entry, existing)


def _flush_what_waits(lab: Lab) -> None:
    """Send waiting records first: one may be a parent. If one is refused, the new record is not refused for it."""
    try:
        lab.flush()
    except ChainUnavailable:
        raise
    except BlockchainTracerError as error:
        lab.say(error.message)


def _keep(lab: Lab, write: Transaction, manifest: bytes) -> Entry:
    """Enter a record into the outbox, then store its manifest: from the first on, no end of the process loses it."""
    if not lab.store.has(write.key.manifest):
        lab.outbox.add_transaction(lab.chain_id, write, lab.signer.address, manifest)
        lab.outbox.store_captured(lab.store.put_bytes)
        return lab.outbox.find_entry(lab.chain_id, write)
    return lab.outbox.add_transaction(lab.chain_id, write, lab.signer.address)


def reached(lab: Lab, records: Sequence[Recorded], until: Until) -> list[Recorded]:
    """Return records of the lab, once they have come that far (see `Lab.reach`).

    Raises:
        ChainUnavailable, ContractRevert: as `Lab.reach`.
    """
    lab.reach(until)
    return [
        replace(record, **progress_of(entry))
        for record in records
        for entry in lab.outbox.entries_about(record.id, Op.RECORD)
        if entry.chain_id == record.chain_id
    ]


def recorded(lab: Lab, made: Draft, entry: Entry, existing: bool) -> Recorded:
    """Return a draft's record, as the outbox knows it."""
    return Recorded(**described(lab, made), **progress_of(entry), existing=existing)


def described(lab: Lab, made: Draft) -> dict[str, Any]:
    """Return what a draft says of its record, whatever becomes of it."""
    key = made.key
    return {
        "id": made.id,
        "kind": label(key.kind, Kind),
        "name": made.name,
        "group": key.group,
        "author": checksummed(key.author),
        "subject": key.subject,
        "manifest": key.manifest,
        "cid": made.manifest.cid(),
        "registry": lab.domain.registry,
        "chain_id": lab.chain_id,
    }


def progress_of(entry: Entry) -> dict[str, Any]:
    """Return how far a write has come, and where and when it happened."""
    return {
        "state": str(entry.state),
        "transaction": entry.transaction,
        "block": entry.block.number if entry.block else None,
        "time": entry.block.timestamp if entry.block else None,
    }
