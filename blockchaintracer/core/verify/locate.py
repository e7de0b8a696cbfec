"""Events with their places on the chain, and what they say of records and members at a place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from blockchaintracer.core.chain import Membership, RecordedEvent, Registry
from blockchaintracer.core.chain.registry import recorded_event
from blockchaintracer.core.record import Role, label

_AT_ONCE = 100
"""ids asked for in one question: nodes limit the length of a filter"""


@dataclass(frozen=True, order=True)
class Position:
    """Where an event is; earlier is less."""

    block: int
    transaction: int
    log: int

    @classmethod
    def of(cls, event: Any) -> Position:
        """The place of a decoded event."""
        return cls(event["blockNumber"], event["transactionIndex"], event["logIndex"])


@dataclass(frozen=True)
class Located:
    """A record by its event, and where the event is."""

    record: RecordedEvent
    position: Position


def locate(registry: Registry, ids: Iterable[str]) -> dict[str, Located]:
    """The records of these ids; those that are not stored are left out."""
    wanted = list(dict.fromkeys(ids))
    found = {}
    for start in range(0, len(wanted), _AT_ONCE):
        part = [bytes.fromhex(record_id) for record_id in wanted[start : start + _AT_ONCE]]
        for event in registry.events("Recorded", id=part):
            located = Located(recorded_event(event), Position.of(event))
            found[located.record.id] = located
    return found


def locate_subject(registry: Registry, subject: str) -> list[Located]:
    """All records of a digest, by whomever, oldest first."""
    events = registry.events("Recorded", subject=bytes.fromhex(subject))
    return [Located(recorded_event(event), Position.of(event)) for event in events]


@dataclass(frozen=True)
class MemberAt:
    """A membership at a place on the chain.

    Args:
        membership: the one in force there; None if there was none.
        later: what became of it since, in words; None if nothing.
    """

    membership: Membership | None
    later: str | None

    def problem(self, role: Role, time: int) -> str | None:
        """Why it didn't give a role at a time; None if it did."""
        if self.membership is None:
            return "it was no member of the group"
        if role not in self.membership.roles:
            return f"its roles were {_names(self.membership.roles)}"
        if not self.membership.holds(role, time):
            return "its membership had ended"
        return None


def member_at(registry: Registry, group: int, account: str, position: Position) -> MemberAt:
    """The membership of an account just before a place on the chain, by the registry's events."""
    from eth_utils.address import to_checksum_address

    current, last = None, None
    for event in registry.events("MembershipChanged", group=group, account=to_checksum_address(account)):
        values = event["args"]
        last = Membership(Role(values["roles"]), values["since"], values["until"], values["version"])
        if Position.of(event) < position:
            current = last
    if last is None or last == current:
        return MemberAt(current, None)
    ended = last.until <= registry.chain.head().timestamp
    return MemberAt(current, "it is no member any more" if ended else f"its roles are now {_names(last.roles)}")


def _names(roles: Role) -> str:
    return ", ".join(label(role) for role in Role if role in roles) or "none"
