"""Replaces a signing key, or states that one was lost or stolen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import Manifest, RecordPredicate
from blockchaintracer.core.record import Kind, Role, checksummed, counted, label
from blockchaintracer.core.verify.commitments import seals_of, unrevealed
from blockchaintracer.core.verify.locate import key_identifier
from blockchaintracer.lab.chain.questions import in_groups
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.groups import invite, join, remove_member
from blockchaintracer.lab.handover import accept_group, offer_group
from blockchaintracer.lab.keys import KeyStore
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.commit import commit
from blockchaintracer.lab.recording.content import not_before


@dataclass
class Handover:
    """What became of one group.

    Args:
        left: what is still to be done, in words.
    """

    group: int
    roles: list[str] = field(default_factory=list)
    owner: bool = False
    old_ended: bool = False
    left: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Rotated:
    """A key and its successor."""

    old: str
    new: str
    old_address: str
    new_address: str
    groups: list[Handover]
    stays: list[str]


def rotate(lab: Lab, old: str, new: str) -> Rotated:
    """Replace a key in all groups of the registry. Stopped anywhere, the same call goes on from there.

    In a group that it owns, the old key invites the new one with its own roles, gives it the group, and ends its own
    membership. As a maintainer it can give what a maintainer can. In others it can give nothing: their owners must.
    A membership that the old key needs, to reveal its seals or to send what waits, is kept until then.

    Args:
        new: name of its successor, which is made if there is none.

    Raises:
        KeyStoreError: if there is no key `old`, or `new` can't be made.
        InputError: if the new key has no coin to accept with.
    """
    if old == new:
        raise InputError(f"expected another name for the new key than {old!r}")
    keys = KeyStore(lab.home, lab.ask)
    keys.signer(old)
    if new not in keys.names():
        keys.create(new, devnet=lab.is_embedded)
    giving, taking = replace(lab, key_name=old), replace(lab, key_name=new)
    taking.fund_on_devnet()
    before, after = giving.signer.address, taking.signer.address
    if not lab.chain.balance(after):
        raise InputError(
            f"the new key {after} has no coin of this chain, and accepts its invitations by transactions of its own",
            hint="Send it some and type the same again.",
        )
    groups, now = [], lab.chain.head().timestamp
    every = range(1, lab.registry.last_group() + 1)
    for number, held in zip(every, in_groups(lab.registry, every, before), strict=True):
        owns = lab.registry.group(number).owner.lower() == before.lower()
        if owns or (held.roles and held.since <= now < held.until):
            groups.append(_hand_over(giving, taking, number, owns=owns))
    # the key that was chosen last signs from now on
    taking.choose(key=new)
    return Rotated(old, new, before, after, groups, _stays(giving))


def _hand_over(giving: Lab, taking: Lab, group: int, *, owns: bool) -> Handover:
    registry, before, after = giving.registry, giving.signer.address, taking.signer.address
    done = Handover(group)
    roles, has = _roles(giving, group, before), _roles(giving, group, after)
    may_give = roles if owns else roles & ~Role.MAINTAINER if Role.MAINTAINER in roles else Role(0)
    if may_give & ~has:
        join(taking, invite(giving, group, after, may_give | has, until=registry.membership(group, before).until))
        has |= may_give
    if owns:
        offer_group(giving, group, after)
        accept_group(taking, group)
    done.owner = registry.group(group).owner.lower() == after.lower()
    done.roles = [label(role) for role in Role if role in has]
    if missing := [label(role) for role in Role if role in roles & ~has]:
        done.left.append(f"ask the owner, {registry.group(group).owner}, to invite {after} as {', '.join(missing)}")
    hidden = unrevealed(seals_of(registry, group, before))
    waiting = [entry for entry in giving.outbox.pending(giving.chain_id) if entry.sender.lower() == before.lower()]
    if hidden:
        seals = counted(hidden, "seal")
        done.left.append(f"reveal the old key's {seals}, which only {before} can, as a recorder of the group")
    if waiting:
        writes = counted(len(waiting), "write")
        done.left.append(f"the outbox still holds {writes} of the old key: `blockchaintracer outbox flush`")
    if roles and not done.left:
        remove_member(giving, group, before)
        done.old_ended = True
    elif roles:
        done.left.append(f"then type the same again, or `blockchaintracer group remove {before} --group {group}`")
    return done


def _roles(lab: Lab, group: int, account: str) -> Role:
    held, now = lab.registry.membership(group, account), lab.chain.head().timestamp
    return held.roles if held.since <= now < held.until else Role(0)


def _stays(giving: Lab) -> list[str]:
    address = giving.signer.address
    stays = [
        f"{address} stays the author of what it recorded, sealed, anchored and attested: no key can take that over",
        f"only {address} reveals its seals; a maintainer of the group can retract its records",
        "keep the old key file: it still signs for whatever else its address holds or owns",
    ]
    if giving.registry.read_function("owner").lower() == address.lower():
        stays.append(
            f"{address} owns the registry, which means creating groups and announcing a successor: hand it over by the"
            " contract's transferOwnership and acceptOwnership"
        )
    return stays


def report_key(lab: Lab, account: str, since: str, reason: str | None = None) -> Recorded:
    """State in the group's name that a member's key was lost or stolen: a document that anyone finds by the address.

    Args:
        since: when, ISO 8601; UTC if it names no zone.

    Raises:
        InputError: if the time is none, or in the future, or the account is the signer or never was a member.
    """
    account, now = checksummed(account, "the key's address"), lab.chain.head().timestamp
    try:
        moment = datetime.fromisoformat(since)
        time = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise InputError(f"expected a date such as 2026-03-01 or 2026-03-01T12:00:00Z, got {since!r}") from None
    if not 0 <= time <= now:
        raise InputError(f"expected a date from 1970 until now by the chain, got {since!r}")
    group = lab.group(Role.MAINTAINER)
    if account == lab.signer.address:
        raise InputError(
            f"{account} would sign this itself, and so could who has it", hint="Choose another with --key."
        )
    if not lab.registry.membership(group, account).version:
        raise InputError(f"{account} never was a member of group {group}", hint="Choose the group with --group NUMBER.")
    record = RecordPredicate(
        name=f"Statement on the key of {account}",
        description=reason,
        subject_type="identifier",
        identifier=key_identifier(account),
        values={"account": account, "since": time},
        not_before=not_before(lab),
    )
    return commit(lab, Manifest.of(int(Kind.DOCUMENT), record), ())
