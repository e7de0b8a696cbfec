"""The registry's whole state from its events alone."""

from __future__ import annotations

from collections.abc import Iterable

from .eip712 import Invitation, Key
from .registry import (
    NOBODY,
    Attestation,
    Batch,
    Event,
    ForeignAttestation,
    ForeignRecord,
    Group,
    Membership,
    Record,
    State,
)


def replay(history: Iterable[tuple[int, Event]]) -> State:
    """Folds (block time, event) in order into the state that the registry must be in."""
    state = State(owner=NOBODY)
    for time, (name, values) in history:
        match name, values:
            case "OwnershipTransferStarted", (_, to):
                state.pending_owner = to
            case "OwnershipTransferred", (_, owner):
                state.owner, state.pending_owner = owner, NOBODY
            case "SuccessorAnnounced", (chain_id, successor):
                state.successor = chain_id, successor
            case "GroupCreated", (group, owner, _):
                state.groups[group] = Group(owner, NOBODY, time)
            case "GroupDescribed", _:
                pass
            case "GroupTransferStarted", (group, _, to):
                state.groups[group] = state.groups[group]._replace(pending_owner=to)
            case "GroupTransferred", (group, _, owner):
                state.groups[group] = state.groups[group]._replace(owner=owner, pending_owner=NOBODY)
            case "Invited", invitation:
                state.invitations.add(Invitation(*invitation))
            case "MembershipChanged", (group, _, account, *membership):
                state.memberships[group, account] = Membership(*membership)
            case "Recorded", (group, author, record, subject_type, subject, kind, manifest, parents):
                key = Key(group, author, subject_type, subject, kind, manifest, parents)
                state.records[record] = Record(key, time)
                state.cancelled.discard(record)
            case "RecordCancelled", (_, _, record):
                state.cancelled.add(record)
            case "Retracted", (_, _, record, _):
                state.records[record] = state.records[record]._replace(retracted_at=time)
                state.drop_foreign_verdicts_on(record)
            case "Attested", (group, _, record, verdict, evidence, version):
                state.attestations[group, record] = Attestation(verdict, evidence, time, 0, version)
            case "VerdictWithdrawn", (group, _, record, _, version):
                state.attestations[group, record] = Attestation(version=version)
            case "Sealed", (group, author, commitment):
                state.seals[group, author, commitment] = time
            case "Revealed", (record, _, sealed_at):
                state.records[record] = state.records[record]._replace(sealed_at=sealed_at)
            case "VerdictRevealed", (group, record, _, sealed_at):
                current = state.attestations[group, record]
                state.attestations[group, record] = current._replace(sealed_at=sealed_at)
            case "Anchored", (group, author, root, count, _):
                state.batches[group, author, root] = Batch(time, count, counted=False)
            case "LeavesAnchored", (group, author, root, count):
                state.batches[group, author, root] = Batch(time, count, counted=True)
            case "BatchEnded", (group, _, author, root):
                state.batches[group, author, root] = state.batches[group, author, root]._replace(ended_at=time)
            case "Materialized", (record, _, recorded_at):
                state.records[record] = state.records[record]._replace(recorded_at=recorded_at, batched=True)
            case "ForeignAttested", (group, _, record, chain_id, registry, verdict, evidence, version):
                place = group, ForeignRecord(chain_id, registry, record)
                state.foreign_attestations[place] = ForeignAttestation(
                    verdict, evidence, time if verdict else 0, version
                )
            case _:
                raise ValueError(f"expected an event of the registry, got {name}{values}")
    return state
