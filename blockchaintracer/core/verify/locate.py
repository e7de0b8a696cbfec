"""Members of a group: their roles at a place on the chain, and what the group states of their keys."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256

from blockchaintracer.core.chain import Membership, Registry
from blockchaintracer.core.manifest import RecordPredicate
from blockchaintracer.core.networks import when
from blockchaintracer.core.record import Kind, Role, Status, checksummed, from_hex, label
from blockchaintracer.core.record_view import Position, RecordView
from blockchaintracer.core.verify.content_checks import checked_manifest
from blockchaintracer.core.verify.copies import Copies
from blockchaintracer.core.verify.outcomes import Check, Outcome


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
    later, is_placed = [], True
    for event in registry.events("MembershipChanged", group=group, account=checksummed(account)):
        values, before = event.args, last
        last = Membership(Role(values["roles"]), values["since"], values["until"], values["version"])
        if is_before := event.position.precedes(position):
            current = last
        elif is_before is None:
            is_placed = False
        elif before and (before.roles, before.since) == (last.roles, last.since) and last.until < before.until:
            # only the end of a membership changes its end and nothing else
            by = "itself" if values["by"] == checksummed(account) else values["by"]
            later.append(f"its membership was ended {when(last.until)} by {by}")
    if not is_placed or (current is None and registry.history.gap):
        now = registry.membership(group, account)
        # roles given before that second and not changed since were in force then; one that changed in it may have done
        # so behind this place
        told = now.version and now.since < time != now.until
        return MemberAt(now, ended_by_state(registry, now)) if told else MemberAt(None, None, registry.history.reason)
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


def key_identifier(account: str) -> str:
    """Return the text whose SHA-256 is the subject of every statement on a key: so anyone finds them by its address."""
    return f"lost-or-stolen-key:{account.lower()}"


def check_key(registry: Registry, copies: Copies, groups: Collection[int], account: str, time: int) -> Iterator[Check]:
    """Compare when a member of groups signed something with what the groups state of the member's key.

    The statement of another maintainer of a group, or of its owner, counts. What others state is named: anyone with
    the stolen key could state something, too.
    """
    statements = registry.find_subject(sha256(key_identifier(account).encode()).hexdigest())
    for group in groups if (gap := registry.history.gap) else ():
        detail = f"whether group {group} stated that the key of {account} was lost or stolen is unknown: {gap}"
        if ended := ended_by_state(registry, registry.membership(group, account)):
            detail += f"; {ended}"
        yield Check("key", Outcome.UNKNOWN, detail, {"history": gap})
    for statement in statements:
        if (group := statement.group) not in groups or statement.key.kind != Kind.DOCUMENT:
            continue
        stored = registry.status(statement.id)
        # who has the key that it is about cannot take it back
        by = (event.args["by"] for event in registry.events("Retracted", id=from_hex(statement.id)))
        if stored.status is not Status.RECORDED and (statement.author == account or account not in by):
            continue
        since = _since(copies, statement, stored.recorded_at)
        said = f"{statement.author} stated for group {group}, {when(stored.recorded_at)} in record {statement.id}"
        said += f", that the key of {account} was lost or stolen"
        said += "" if stored.status is Status.RECORDED else "; that key itself retracted the statement"
        values = {"statement": statement.id, "statedAt": stored.recorded_at, "since": since}
        member = member_at(registry, group, statement.author, statement.position, stored.recorded_at)
        manages = member.problem(Role.MAINTAINER, stored.recorded_at) is None
        manages |= registry.group(group).owner == statement.author
        if since is None:
            yield Check("key", Outcome.UNKNOWN, f"{said}; since when is in its manifest, which is not here", values)
        elif time < since:
            yield Check("key", Outcome.PASS, f"{said} since {when(since)}: this was committed to before", values)
        elif manages and statement.author != account:
            detail = f"{said} since {when(since)}: this was committed to after, so perhaps by somebody else"
            yield Check("key", Outcome.FAIL, detail, values)
        else:
            why = member.unknown or "they are not another maintainer of the group"
            detail = f"{said} since {when(since)}; but {why}"
            yield Check("key", Outcome.UNKNOWN, detail, values)


def _since(copies: Copies, statement: RecordView, stated_at: int) -> int | None:
    """Return the time that a statement names, Unix seconds; None if its manifest is missing or says no such time."""
    manifest, checks = checked_manifest(copies, statement.key)
    if manifest is None or any(check.verdict is Outcome.FAIL for check in checks):
        return None
    since = manifest.predicate.values.get("since") if isinstance(manifest.predicate, RecordPredicate) else None
    return since if isinstance(since, int) and 0 <= since <= stated_at else None
