"""Records and members at a place on the chain, from events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from blockchaintracer.core.chain import Membership, Registry
from blockchaintracer.core.chain.registry import recorded_event
from blockchaintracer.core.record import Role, checksummed, from_hex, label
from blockchaintracer.core.record_view import Position, RecordView
from blockchaintracer.core.verify.commitments import when

_AT_ONCE = 100
"""ids asked for in one question: nodes limit the length of a filter"""


def locate(registry: Registry, ids: Iterable[str]) -> dict[str, RecordView]:
    """Return the records with these ids, without those that are not stored."""
    unique = list(dict.fromkeys(ids))
    records = {}
    for start in range(0, len(unique), _AT_ONCE):
        part = [from_hex(record_id) for record_id in unique[start : start + _AT_ONCE]]
        for event in registry.events("Recorded", id=part):
            record = recorded_event(event)
            records[record.id] = record
    return records


def locate_subject(registry: Registry, subject: str) -> list[RecordView]:
    """Return all records of a digest by any author, oldest first."""
    return list(registry.recorded(subject=bytes.fromhex(subject)))


@dataclass(frozen=True)
class MemberAt:
    """A membership at a place on the chain.

    Args:
        membership: the one in force there; None if there was none.
        later: text on how it changed since, or None.
    """

    membership: Membership | None
    later: str | None

    def problem(self, role: Role, time: int) -> str | None:
        """Return why the membership did not give a role at a time, or None."""
        if self.membership is None:
            return "it was no member of the group"
        if role not in self.membership.roles:
            return f"its roles were {role_names(self.membership.roles)}"
        if not self.membership.holds(role, time):
            return "its membership had ended"
        return None


def member_at(registry: Registry, group: int, account: str, position: Position) -> MemberAt:
    """Return the membership of an account just before a place on the chain, from the registry's events."""
    current: Membership | None = None
    last: Membership | None = None
    later = []
    for event in registry.events("MembershipChanged", group=group, account=checksummed(account)):
        values, before = event.args, last
        last = Membership(Role(values["roles"]), values["since"], values["until"], values["version"])
        if event.position < position:
            current = last
        elif before and (before.roles, before.since) == (last.roles, last.since) and last.until < before.until:
            # only the end of a membership changes its end and nothing else
            by = "itself" if values["by"] == checksummed(account) else values["by"]
            later.append(f"its membership was ended {when(last.until)} by {by}")
    if last is not None and last.until <= registry.chain.head().timestamp:
        later = later or [f"its membership ended {when(last.until)}, as agreed"]
    elif last and (current is None or replace(last, version=current.version) != current):
        later.append(f"its roles are now {role_names(last.roles)}")
    return MemberAt(current, "; ".join(later) or None)


def role_names(roles: Role) -> str:
    """Return the names of roles, separated by commas."""
    return ", ".join(label(role) for role in Role if role in roles) or "none"
