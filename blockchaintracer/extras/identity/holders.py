"""Who stands behind a record: the claims of its author and its group, and what the other side says of them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from blockchaintracer.core.errors import BlockchainTracerError, InputError
from blockchaintracer.core.formats import read_limited
from blockchaintracer.core.manifest.predicates import IdentityClaimPredicate, IdentityStatement, RecordPredicate
from blockchaintracer.core.networks import when
from blockchaintracer.core.plain_json import fields_json
from blockchaintracer.core.record import Domain, Kind, Relation, checksummed
from blockchaintracer.core.record_view import RecordStatus, RecordView
from blockchaintracer.core.verify.locate import check_key, key_identifier
from blockchaintracer.core.verify.outcomes import Outcome
from blockchaintracer.extras.identity.identity_claims import (
    check_on_chain,
    holder_of,
    require_timely,
    speaks_for,
    title,
)
from blockchaintracer.extras.identity.other_side import Asking, Named, method, methods
from blockchaintracer.lab.formats import IDENTITIES
from blockchaintracer.lab.kept_identities import (
    FOLDER,
    LIMIT,
    IdentityEvidence,
    IdentityRecord,
    file_name,
    holders_of,
    kept_files,
)
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.store.stored_copies import StoredCopies

CONFIRMED, SEEN, GONE, NEVER = "confirmed now", "seen", "gone", "never confirmed"
REVOKED, REFUSED, SIGNED, UNDECIDED = "revoked", "refused", "signed", "unknown"
_MAX_FILES = 1000
CHECKED = "identityCheck"
"""The name among the values of a Document under which a group says what it fetched."""


@dataclass(frozen=True)
class SeenClaim:
    """That a group recorded that it saw the other side name a claim. It is the word of that group.

    Args:
        at: when the record was stored, Unix seconds, by the chain.
        own: it is the group of the claim's own record.
        judged: whether the page is here and was judged again.
        proven: the page is signed by the other side itself (DNSSEC), when it was recorded: it convinces others.
        who: the account that had the name then; empty if the page does not say it.
    """

    group: int
    at: int
    record: str
    method: str
    own: bool
    judged: bool
    proven: bool = False
    who: str = ""


@dataclass(frozen=True)
class Holder:
    """A claim about an account or a group, and how far it is confirmed.

    Args:
        title: the identifier as people call it.
        state: `CONFIRMED`, `SEEN`, `GONE`, `NEVER`, `REVOKED`, `REFUSED` or `UNDECIDED`; in a bundle, without a chain,
            `SIGNED`.
        account: who claims.
        group: whose identifier it is; None for the account's own.
        record: id of the claim's record.
        claimed_at: when it was recorded, Unix seconds; None if it is not.
        revoked_at: when its record was retracted, or that of an equal statement; None if it was not.
        asked: what the other side said just now, or why it could not be asked; empty if it was not asked.
        reason: why it is refused or undecided.
        where: the source that gave it; empty for the lab's own folder.
        unknown: what could not be found out; empty if nothing.
        forged: it is refused by itself, whatever the chain says: a wrong signature, another registry, damaged bytes.
    """

    scheme: str
    identifier: str
    title: str
    state: str
    account: str
    group: int | None
    claim: str
    record: str
    claimed_at: int | None = None
    revoked_at: int | None = None
    seen: tuple[SeenClaim, ...] = ()
    asked: str = ""
    reason: str = ""
    where: str = ""
    unknown: str = ""
    forged: bool = False

    @classmethod
    def of(cls, said: IdentityStatement, state: str, record: str, where: str) -> Holder:
        """Return the holder that a statement names."""
        names = (said.scheme, said.identifier, title(said), state, said.account, said.group)
        return cls(*names, claim=f"0x{said.digest()}", record=record, where=where)

    @property
    def counts(self) -> bool:
        """Whether the claim is signed, recorded, not revoked, and not denied by the other side."""
        return self.state in (CONFIRMED, SEEN, NEVER)

    def as_json(self) -> dict[str, Any]:
        """Return the holder as JSON-ready values."""
        return fields_json(self) | {"seen": [fields_json(it) for it in self.seen]}

    def lines(self, records: Iterable[RecordView] = ()) -> Iterator[str]:
        """Yield the holder in words.

        Args:
            records: those that are shown; a claim that is later, or was revoked before, is marked.
        """
        whose = f"of group {self.group}" if self.group is not None else f"of {checksummed(self.account)}"
        yield f"holder {whose}: {self.title} ({self.standing})"
        if self.asked and self.state != CONFIRMED:
            yield f"  asked now: {self.asked}"
        about = [it for it in records if self.is_about(it)]
        if self.unknown:
            yield f"  unknown: {self.unknown}"
        if self.claimed_at and any(it.time and it.time < self.claimed_at for it in about):
            yield f"  claimed after the record, on {when(self.claimed_at)}"
        if self.revoked_at and any(it.time >= self.revoked_at for it in about):
            yield "  the record is later than the revocation"
        if self.state == SEEN and all(it.own and not it.proven for it in self.seen):
            yield "  seen only by the group of the claim itself"

    def is_about(self, record: RecordView) -> bool:
        """Return whether a record is of this account, or of this group."""
        return record.group == self.group if self.group is not None else record.key.author == self.account

    @property
    def standing(self) -> str:
        """How far it is confirmed, in words."""
        if self.state == REVOKED:
            return f"revoked on {when(self.revoked_at or 0)}"
        if self.state == REFUSED:
            return f"refused: {self.reason}"
        if self.state == UNDECIDED:
            return f"unknown: {self.reason}"
        if self.state == SIGNED:
            return "signed; neither the chain nor the other side was asked"
        if not self.seen or self.state == CONFIRMED:
            return self.state
        last = max(self.seen, key=lambda it: it.at)
        told = f"{'proven' if last.proven else 'seen'} on {when(last.at)} by group {last.group}"
        return f"gone; {told}" if self.state == GONE else told


def holders(
    lab: Lab,
    records: Sequence[RecordView],
    *,
    sources: Sequence[str] = (),
    asking: Asking | None = None,
    handed: Iterable[IdentityEvidence] = (),
) -> tuple[Holder, ...]:
    """Return who stands behind records, by the claims in the lab's folder, in sources and in what was handed in.

    Args:
        asking: how the other sides are asked now; None if they are not.
        handed: evidence from elsewhere, such as a bundle.
    """
    names, groups = holders_of(lab.domain, records), {record.group for record in records}
    return of_names(lab, names, groups, sources=sources, asking=asking, handed=handed)


def of_names(
    lab: Lab,
    names: Iterable[str],
    groups: Iterable[int] = (),
    *,
    sources: Sequence[str] = (),
    asking: Asking | None = None,
    handed: Iterable[IdentityEvidence] = (),
    wanted: Callable[[Holder], bool] = lambda holder: True,
) -> tuple[Holder, ...]:
    """Return the holders of accounts and groups, which are named as `holder_name` does.

    Args:
        wanted: which of them are returned, and asked about.
        groups: whose statements on a lost or stolen key count, beside those of the group that a claim is recorded for:
            who has a stolen key could record a claim for a group of their own.
    """
    given: list[Holder] = []
    others = [*handed]
    for name in names:
        evidence = [("a proof", it) for it in others if it.holder == name]
        for where, data in kept_files(lab.home, sources, name):
            try:
                path = f"{where or lab.home.path}/{file_name(name)}"
                evidence.append((where, IdentityEvidence.parse(data, path)))
            except InputError as error:
                # a file of another form may be what a server answered for a name that it does not have
                is_forged = IDENTITIES.prefix.encode() in data
                given.append(_damaged(name, where, error, is_forged))
        given += _holders(lab, name, evidence, frozenset(groups), sources, asking, wanted)
    return tuple(given)


def _damaged(name: str, where: str, error: InputError, is_forged: bool) -> Holder:
    kind, _, tail = name.rpartition("/")
    group = int(tail) if kind.endswith("group") else None
    account = tail if group is None else "0x" + "00" * 20
    about = ("", "", "a file of identities", REFUSED, account, group, "", "")
    return Holder(*about, reason=error.message, where=where, forged=is_forged)


def _holders(
    lab: Lab,
    name: str,
    evidence: list[tuple[str, IdentityEvidence]],
    groups: frozenset[int],
    sources: Sequence[str],
    asking: Asking | None,
    wanted: Callable[[Holder], bool],
) -> list[Holder]:
    domain = lab.domain
    placed = {
        domain.record_id(entry.key): (where, entry)
        for where, it in reversed(evidence)
        if is_same(it.domain, domain)
        for entry in it.entries
    }
    claims = {
        record: (where, entry)
        for record, (where, entry) in placed.items()
        if isinstance(entry.manifest.predicate, IdentityClaimPredicate)
    }
    checks = [(record, entry) for record, (_, entry) in placed.items() if CHECKED in _values(entry)]
    made = [_claim(lab, name, record, *claims[record], groups, sources) for record in sorted(claims)]
    made.sort(key=lambda it: (it.claimed_at or 0, it.record))
    revoked = {(it.scheme, it.identifier) for it in made if it.state == REVOKED}
    told = []
    for holder in filter(wanted, made):
        if holder.state == NEVER:
            entry = claims[holder.record][1]
            named_only = (holder.scheme, holder.identifier) in revoked
            holder = _confirmed(lab, holder, entry, checks, asking, named_only, sources)  # noqa: PLW2901
        told.append(holder)
    return told


def is_same(ours: Domain, other: Domain) -> bool:
    """Return whether two domains are of one registry on one chain."""
    return (ours.chain_id, ours.registry.lower()) == (other.chain_id, other.registry.lower())


def _values(entry: IdentityRecord) -> dict[str, Any]:
    predicate = entry.manifest.predicate
    return predicate.values if isinstance(predicate, RecordPredicate) and entry.key.kind == Kind.DOCUMENT else {}


def _claim(
    lab: Lab, name: str, record: str, where: str, entry: IdentityRecord, groups: frozenset[int], sources: Sequence[str]
) -> Holder:
    """Judge a claim by itself and by the registry's state. What stands is not confirmed yet."""
    predicate = entry.manifest.predicate
    assert isinstance(predicate, IdentityClaimPredicate)  # noqa: S101 -- the caller chose it
    said = predicate.statement
    holder = Holder.of(said, NEVER, record, where)
    try:
        _, by_code, undecided = check_on_chain(lab, entry.manifest, entry.key)
        if holder_of(lab.domain, said) != name:
            raise InputError("it is a claim about another account or group")
    except InputError as error:
        return replace(holder, state=REFUSED, reason=error.message, forged=True)
    try:
        stored = lab.registry.status(record)
        if not stored.exists:
            raise InputError("its record is not stored in the registry")
        require_timely(said, stored.recorded_at)
        holder = replace(holder, claimed_at=stored.recorded_at)
        times = [lab.chain.head().timestamp]
        if ended := _revoked_at(lab, entry, record):
            times.append(stored.recorded_at)
        if said.group is not None and not any(speaks_for(lab, said.group, said.account, time) for time in times):
            raise InputError(f"{checksummed(said.account)} is neither owner nor maintainer of group {said.group} now")
        if ended:
            return replace(holder, state=REVOKED, revoked_at=ended)
        unknown = _require_own_key(lab, entry, stored.recorded_at, groups, sources)
    except InputError as error:
        return replace(holder, state=REFUSED, reason=error.message)
    if undecided:
        return replace(holder, state=UNDECIDED, reason=undecided)
    if by_code:
        unknown = unknown or "who signs for the account: it was a contract, and its code took the signature (ERC-1271)"
    if gap := lab.registry.history.gap:
        unknown = f"whether an equal statement was revoked, or its key lost: {gap}"
    return replace(holder, unknown=unknown)


def _require_own_key(
    lab: Lab, entry: IdentityRecord, recorded_at: int, groups: Iterable[int], sources: Sequence[str]
) -> str:
    """Refuse what was recorded with a lost or stolen key. Returns what could not be found out.

    The groups that the account had joined before are asked, too: who has its key records for a group of their own.
    """
    copies, author = StoredCopies(lab.store, sources), checksummed(entry.key.author)
    subject = hashlib.sha256(key_identifier(author).encode()).hexdigest()
    stating = {it.group for it in lab.registry.find_subject(subject)}
    joined = ((group, lab.registry.membership(group, author)) for group in stating)
    its = {group for group, member in joined if member.version and member.since <= recorded_at}
    unknown = ""
    for check in check_key(lab.registry, copies, sorted({entry.key.group, *groups, *its}), author, recorded_at):
        if check.verdict is Outcome.FAIL:
            raise InputError(f"it was made with a key that was lost or stolen: {check.detail}")
        unknown = unknown or (check.detail if check.verdict is Outcome.UNKNOWN else "")
    return unknown


def _is_own_key(lab: Lab, entry: IdentityRecord, recorded_at: int, sources: Sequence[str]) -> bool:
    try:
        _require_own_key(lab, entry, recorded_at, (), sources)
    except InputError:
        return False
    return True


def _revoked_at(lab: Lab, entry: IdentityRecord, record: str) -> int | None:
    """Return when a claim was revoked: also one that is recorded again, whose statement has the digest of one that was
    retracted. Anyone can record and retract an equal statement: those of the account, and of the group if it is the
    group's, count."""
    assert isinstance(entry.manifest.predicate, IdentityClaimPredicate)  # noqa: S101 -- as in `_claim`
    said = entry.manifest.predicate.statement

    def is_own(it: RecordView) -> bool:
        of_group = said.group in (None, it.group)
        return it.key.kind == Kind.IDENTITY_CLAIM and it.key.author.lower() == said.account and of_group

    ids = [record, *(it.id for it in lab.registry.find_subject(entry.key.subject) if is_own(it))]
    ends = [status.retracted_at for status in lab.registry.statuses(list(dict.fromkeys(ids))) if status.retracted_at]
    return min(ends, default=None)


def _confirmed(
    lab: Lab,
    holder: Holder,
    entry: IdentityRecord,
    checks: list[tuple[str, IdentityRecord]],
    asking: Asking | None,
    named_only: bool,
    sources: Sequence[str],
) -> Holder:
    """Add what groups saw, and what the other side says now.

    Args:
        named_only: an earlier claim to the same identifier was revoked. So the other side has to name this claim: an
            account that it still names may be what it forgot to take out.
    """
    predicate = entry.manifest.predicate
    assert isinstance(predicate, IdentityClaimPredicate)  # noqa: S101 -- as in `_claim`
    said = predicate.statement
    about = [(record, document) for record, document in checks if _is_check_of(lab, entry, document)]
    stored = lab.registry.statuses([record for record, _ in about])
    pairs = zip(about, stored, strict=True)
    judged = ((check[1], _seen(entry, said, *check, status, named_only)) for check, status in pairs)
    seen = tuple(it for document, it in judged if it and _is_own_key(lab, document, it.at, sources))
    holder = replace(holder, seen=seen, state=SEEN if seen else NEVER)
    if asking is None:
        return holder
    named, _ = ask(said, asking, named_only)
    if named is None or isinstance(named, str):
        return replace(holder, asked=str(named))
    # what its own group saw: anybody else could name another account to spoil the claim
    before = next((it for it in seen if it.own and it.who and named.who not in ("", it.who)), None)
    if named.says and before:
        told = f"{named.reason}, and the name is {named.who} now: on {when(before.at)} it was {before.who}"
        return replace(holder, state=GONE, asked=told)
    if named.says:
        return replace(holder, state=CONFIRMED, asked=named.reason)
    return replace(holder, state=GONE if seen else NEVER, asked=named.reason)


def ask(
    said: IdentityStatement, asking: Asking, named_only: bool = False
) -> tuple[Named | str, tuple[str, str, bytes] | None]:
    """Ask the other side of a claim now, by each method until one names it.

    Returns:
        What it says, or why it could not be asked. And method, address and bytes of the page that names it.
    """
    denied: list[str] = []
    away: list[str] = []
    for way in methods(said.scheme):
        try:
            asking.require_time()
            data = way.fetch(said, asking)
        except BlockchainTracerError as error:
            away.append(f"{way.name}: {error.message}")
            continue
        named = Named(False, "nothing is published there") if data is None else way.names(data, said, int(time.time()))
        named = _strict(named, named_only)
        if named.says and data is not None:
            return named, (way.name, way.address(said), data)
        denied.append(f"{way.name}: {named.reason}")
    if away:
        return "could not be asked: " + "; ".join([*away, *denied]), None
    return Named(False, "; ".join(denied) or "this version has no method to ask"), None


def _strict(named: Named, named_only: bool) -> Named:
    if named.says and named_only and named.by != "claim":
        return Named(False, f"{named.reason}, and after a revocation only the claim itself counts")
    return named


def _is_check_of(lab: Lab, entry: IdentityRecord, document: IdentityRecord) -> bool:
    told, claim = _values(document)[CHECKED], lab.domain.record_id(entry.key)
    linked = any(it.parent == claim and it.relation == Relation.CONFIRMS for it in document.key.parents)
    return linked and isinstance(told, dict)


def _seen(
    entry: IdentityRecord,
    said: IdentityStatement,
    record: str,
    document: IdentityRecord,
    stored: RecordStatus,
    named_only: bool,
) -> SeenClaim | None:
    """Return what a group recorded that it saw of a claim, None if that does not stand."""
    told, page = _values(document)[CHECKED], document.page
    if not stored.exists or stored.retracted_at or (page is None and named_only):
        return None
    way, fetched = method(said.scheme, str(told.get("method"))), told.get("fetchedAt")
    if page is not None:
        # what a signature proves counts at a time that the chain knows; the rest at the group's own word
        at = stored.recorded_at if way and way.proves else fetched if isinstance(fetched, int) else 0
        if way is None or not (judged := _strict(way.names(page, said, at), named_only)).says:
            return None
    own = document.key.group == entry.key.group
    named = str(told.get("method"))[:40]
    proven = page is not None and way is not None and way.proves
    who = judged.who if page is not None else ""
    return SeenClaim(document.key.group, stored.recorded_at, record, named, own, page is not None, proven, who)


def by_identifier(
    lab: Lab, scheme: str, identifier: str, sources: Sequence[str] = (), asking: Asking | None = None
) -> tuple[Holder, ...]:
    """Return the claims to an identifier that are known here and confirmed: now if the other side is asked, else by the
    word of a group that is not the claim's own."""

    def is_it(holder: Holder) -> bool:
        return (holder.scheme, holder.identifier) == (scheme, identifier)

    known = of_names(lab, known_names(lab), sources=sources, asking=asking, wanted=is_it)
    is_seen = {it.record for it in known if it.state == SEEN and any(seen.proven or not seen.own for seen in it.seen)}
    return tuple(it for it in known if is_it(it) and (it.state == CONFIRMED or (not asking and it.record in is_seen)))


def known_names(lab: Lab) -> list[str]:
    """Name the accounts and groups of the registry of which the lab's folder keeps claims."""
    return names_in(lab.home.path, lab.domain)


def names_in(folder: Path, domain: Domain) -> list[str]:
    """Name the accounts and groups of a registry of which a home or a published folder has claims. What is no such file
    is left out."""
    names = []
    for path in sorted((folder / FOLDER).glob("*.json"))[:_MAX_FILES]:
        with suppress(InputError, OSError):
            evidence = IdentityEvidence.parse(read_limited(path, LIMIT, "a file of identities"), str(path))
            if is_same(evidence.domain, domain):
                names.append(evidence.holder)
    return names
