"""Records and members at a place on the chain, from events."""

from __future__ import annotations

from dataclasses import dataclass, replace

from blockchaintracer.core.chain import Membership, Registry
from blockchaintracer.core.networks import when
from blockchaintracer.core.record import Role, checksummed, label
from blockchaintracer.core.record_view import Position


@dataclass(frozen=True)
class MemberAt:
    """A membership at a place on the chain.

    Args:
        membership: the one in force there; None if there was none.
        later: text on how it changed since, or None.
        unknown: why the membership is unknown, or None.
    """

    membership: Membership | None
    later: str | None
    unknown: str | None = None

    def problem(self, role: Role, time: int) -> str | None:
        """Return why the membership did not give a role at a time, or None."""
        if self.membership is None:
            return "it was no member of the group"
        if role not in self.membership.roles:
            return f"its roles were {role_names(self.membership.roles)}"
        if not self.membership.holds(role, time):
            return "its membership had ended"
        return None


def member_at(registry: Registry, group: int, account: str, position: Position, time: int = 0) -> MemberAt:
    """Return the membership of an account just before a place on the chain, from the registry's events; where the node
    has forgotten them, from the state, if that tells of `time` (Unix seconds)."""
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
    if current is None and (gap := registry.history.gap):
        now = registry.membership(group, account)
        # roles given before that second and not changed since were in force then; one that changed in it may have done
        # so behind this place
        is_told = now.version and now.since < time != now.until
        return MemberAt(now, ended_by_state(registry, now)) if is_told else MemberAt(None, None, gap)
    if last is not None and last.until <= registry.chain.head().timestamp:
        later = later or [f"its membership ended {when(last.until)}, as agreed"]
    elif last and (current is None or replace(last, version=current.version) != current):
        later.append(f"its roles are now {role_names(last.roles)}")
    return MemberAt(current, "; ".join(later) or None)


def ended_by_state(registry: Registry, membership: Membership) -> str | None:
    """Say when a membership ended, by the state alone. None if it did not end, or never was."""
    if not membership.version or membership.until > registry.chain.head().timestamp:
        return None
    return f"its membership ended {when(membership.until)} (state), by whom and why is forgotten"


def role_names(roles: Role) -> str:
    """Return the names of roles, separated by commas."""
    return ", ".join(label(role) for role in Role if role in roles) or "none"
