"""The registry's whole state from its events alone."""

from __future__ import annotations

from collections.abc import Iterable

from .eip712 import Key
from .registry import NOBODY, Attestation, Event, Group, Membership, Record, State


def replay(history: Iterable[tuple[int, Event]]) -> State:
    """Folds (block time, event) in order into the state that the registry must be in."""
    state = State(owner=NOBODY)
    for time, (name, values) in history:
        match name, values:
            case "OwnershipTransferStarted", (_, to):
                state.pending_owner = to
            case "OwnershipTransferred", (_, owner):
                state.owner, state.pending_owner = owner, NOBODY
            case "SuccessorAnnounced", (successor,):
                state.successor = successor
            case "GroupCreated", (group, owner, _):
                state.groups[group] = Group(owner, NOBODY, time)
            case "GroupDescribed", _:
                pass
            case "GroupTransferStarted", (group, _, to):
                state.groups[group] = state.groups[group]._replace(pending_owner=to)
            case "GroupTransferred", (group, _, owner):
                state.groups[group] = state.groups[group]._replace(owner=owner, pending_owner=NOBODY)
            case "MembershipChanged", (group, account, _, *membership):
                state.memberships[group, account] = Membership(*membership)
            case "Recorded", (record, group, subject, author, kind, subject_type, manifest, parents):
                key = Key(group, kind, subject_type, author, subject, manifest, parents)
                state.records[record] = Record(key, time)
                state.cancelled.discard(record)
            case "RecordCancelled", (record, _):
                state.cancelled.add(record)
            case "Retracted", (record, _, _, _):
                state.records[record] = state.records[record]._replace(retracted_at=time)
            case "Attested", (record, group, _, verdict, evidence, version):
                state.attestations[record, group] = Attestation(evidence, time, verdict, version)
            case "VerdictWithdrawn", (record, group, _, _, version):
                state.attestations[record, group] = Attestation(version=version)
            case _:
                raise ValueError(f"expected an event of the registry, got {name}{values}")
    return state
