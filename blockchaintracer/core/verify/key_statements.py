"""What a group states of a member's key: that it was lost or stolen, and since when."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from blockchaintracer.core.chain.registry import Registry
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import MAX_BYTES, RecordPredicate, check_against_key, parse_manifest
from blockchaintracer.core.networks import when
from blockchaintracer.core.record import Kind, Role, Status, from_hex
from blockchaintracer.core.record_view import RecordView
from blockchaintracer.core.verify.copies import Copies
from blockchaintracer.core.verify.locate import ended_by_state, member_at
from blockchaintracer.core.verify.outcomes import Check, Outcome


def key_identifier(account: str) -> str:
    """Return the text whose SHA-256 is the subject of every statement on a key: so anyone finds them by its address."""
    return f"lost-or-stolen-key:{account.lower()}"


def check_key(registry: Registry, copies: Copies, group: int, account: str, time: int) -> Iterator[Check]:
    """Compare when a member of a group signed something with what the group states of the member's key.

    The statement of another maintainer of the group, or of its owner, counts. What others state is named: anyone with
    the stolen key could state something, too.
    """
    statements = registry.find_subject(sha256(key_identifier(account).encode()).hexdigest())
    if gap := registry.history.gap:
        detail = f"whether group {group} stated that the key of {account} was lost or stolen is unknown: {gap}"
        if ended := ended_by_state(registry, registry.membership(group, account)):
            detail += f"; {ended}"
        yield Check("key", Outcome.UNKNOWN, detail, {"history": gap})
    for statement in statements:
        stored = registry.status(statement.id)
        # who has the key that it is about cannot take it back
        by = (event.args["by"] for event in registry.events("Retracted", id=from_hex(statement.id)))
        counts = stored.status is Status.RECORDED or (statement.author != account and account in by)
        if (statement.group, statement.key.kind) != (group, Kind.DOCUMENT) or not counts:
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
    data, _ = copies.read_bytes(statement.key.manifest, MAX_BYTES)
    try:
        manifest = parse_manifest(data) if data else None
    except InputError:
        return None
    if manifest is None or check_against_key(manifest, statement.key):
        return None
    since = manifest.predicate.values.get("since") if isinstance(manifest.predicate, RecordPredicate) else None
    return since if isinstance(since, int) and 0 <= since <= stated_at else None
