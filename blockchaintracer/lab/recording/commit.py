"""Committing to a manifest: store it, then record it on the chain or leave it in the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from blockchaintracer.core.digest import cid_of_sha256
from blockchaintracer.core.errors import BlockchainTracerError, ChainUnavailable
from blockchaintracer.core.manifest import Manifest, parse_manifest
from blockchaintracer.core.record import Kind, Link, RecordKey, Role, checksummed, label
from blockchaintracer.lab.capture.secret_masking import masked_values
from blockchaintracer.lab.drafts import Draft, Recorded
from blockchaintracer.lab.lab import Lab, Until, require_role
from blockchaintracer.lab.outbox import Entry, Op, Transaction


def require_recorder(lab: Lab) -> None:
    """Check before any work is done that the signer may record for the group; not while the chain is unavailable."""
    with suppress(ChainUnavailable):
        require_role(lab, lab.group(Role.RECORDER), Role.RECORDER)


_CAPTURED = frozenset(
    {
        "environment",
        "hardware",
        "code",
        "reads",
        "metrics",
        "seeds",
        "private",
        "parents",
        "inputs",
        "identifier",
        "runId",
        "roots",
        "statement",
        "signature",
    }
)
"""What is no text of a person, was masked when it was captured, or is what the record is of."""


def without_secrets(lab: Lab, manifest: Manifest) -> Manifest:
    """Return a manifest without what looks like a secret in a text of it; the user is told which."""
    predicate = manifest.predicate
    values = {name: value for name, value in predicate.to_json().items() if name not in _CAPTURED}
    masked = masked_values(values, "", lambda field: lab.say(f"{field[1:]} looks like a secret: it is recorded masked"))
    changed = [name for name in values if masked[name] != values[name]]
    if not changed:
        return manifest
    names = dict(zip(predicate.to_json(), predicate.model_dump(mode="json", exclude_none=True), strict=True))
    read = type(predicate).from_plain(predicate.to_json() | masked)
    shown = predicate.model_copy(update={names[name]: getattr(read, names[name]) for name in changed})
    return Manifest.of(manifest.kind, shown, manifest.subject_digest)


def draft(lab: Lab, manifest: Manifest, parents: Sequence[Link]) -> Draft:
    """Return the record that a manifest becomes: of the signer, for the group."""
    manifest = without_secrets(lab, manifest)
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
            # of a chain that was reset nothing is asked, and nothing is sent to it
            _ = lab.registry
            parents = [link.parent for link in made.key.parents]
            if any(not entry.is_on_chain for parent in parents for entry in lab.outbox.entries_about(parent)):
                # if one is refused, the chain says what the new record lacks
                try:
                    lab.send(*parents, entries=())
                except ChainUnavailable:
                    raise
                except BlockchainTracerError as error:
                    lab.say(error.message)
            existing = write.is_done(lab.chain)
            if not existing:
                require_role(lab, made.key.group, Role.RECORDER)
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


def _keep(lab: Lab, write: Transaction, manifest: bytes) -> Entry:
    """Enter a record into the outbox, then store its manifest: from the first on, no end of the process loses it."""
    if not lab.store.has(write.key.manifest):
        lab.enter(write, manifest)
        lab.outbox.store_captured(lab.store.put_bytes)
        return lab.outbox.find_entry(lab.chain_id, write)
    return lab.enter(write)


def reached(lab: Lab, records: Sequence[Recorded], until: Until) -> list[Recorded]:
    """Return records of the lab, once they have come that far (see `Lab.reach`)."""
    lab.reach(until)
    return [
        replace(record, **progress_of(entry))
        for record in records
        for entry in lab.outbox.entries_about(record.id, Op.RECORD)
        if entry.chain_id == record.chain_id
    ]


def recorded(lab: Lab, made: Draft, entry: Entry, existing: bool) -> Recorded:
    """A draft's record, as the outbox knows it."""
    return Recorded(**described(lab, made.id, made.key, made.name), **progress_of(entry), existing=existing)


def existing_record(lab: Lab, entry: Entry) -> Recorded:
    """Return a record that the outbox has already."""
    write = entry.write
    manifest = parse_manifest(lab.store.get_bytes(write.key.manifest))
    return recorded(lab, Draft(manifest, write.key, write["record_id"]), entry, existing=True)


def described(lab: Lab, record_id: str, key: RecordKey, name: str | None) -> dict[str, Any]:
    """Return what a `Recorded` says of a record, whatever becomes of it."""
    return {
        "id": record_id,
        "kind": label(key.kind, Kind),
        "name": name,
        "group": key.group,
        "author": checksummed(key.author),
        "subject": key.subject,
        "manifest": key.manifest,
        "cid": cid_of_sha256(key.manifest),
        "registry": lab.domain.registry,
        "chain_id": lab.chain_id,
    }


def progress_of(entry: Entry | None, state: str = "") -> dict[str, Any]:
    """Return how far a transaction has come, and where and when it happened; `state` if it is not in the outbox."""
    block = entry.block if entry else None
    return {
        "state": str(entry.state) if entry else state,
        "transaction": entry.transaction if entry else None,
        "block": block.number if block else None,
        "time": block.timestamp if block else None,
    }
