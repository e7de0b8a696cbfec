"""Registries, groups and members: what has to be there before anything is recorded."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from unicodedata import normalize

from blockchaintracer.core.chain.known_code import lens_address
from blockchaintracer.core.chain.reverts import in_words
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.networks import when
from blockchaintracer.core.plain_json import MAX_BYTES, parse_json
from blockchaintracer.core.record import DOMAIN_VERSION, NO_END, Role, checksummed, from_hex, keccak, label, to_hex
from blockchaintracer.lab.capture.secret_masking import mask
from blockchaintracer.lab.chain.factory import Factory, require_cancun, require_owner
from blockchaintracer.lab.chain.questions import of_accounts
from blockchaintracer.lab.deployments import KnownRegistry, note_for_others, remember_registry
from blockchaintracer.lab.formats import GROUP, INVITATION
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.outbox import Entry, Op, Transaction, deployment, factory_steps

_ADDRESS_FIELDS = ("inviter", "account")
_INVITATION_FIELDS = ("group", *_ADDRESS_FIELDS, "roles", "until", "inviterVersion", "version", "deadline")
_ALL_ROLES = Role.MAINTAINER | Role.RECORDER | Role.REVIEWER


@dataclass(frozen=True)
class Deployed:
    """A registry and its place on the chain.

    Args:
        salt: 0x-hex; with factory, owner and rule it leads to the same address on every chain.
        genesis: hash of the chain's first block (0x-hex); None if the node doesn't have it any more.
        existing: whether it was there already and nothing was paid for it.
        noted_in: the file that names it; commit it for a public network.
        in_use: address of the registry that this lab records to: one that was in use before stays in use.
        lens: address of the RegistryLens; None with a named factory, because then the chain can't have it there.
    """

    registry: str
    chain_id: int
    network: str | None
    factory: str
    owner: str
    open_group_creation: bool
    salt: str
    transaction: str
    block: int
    genesis: str | None
    code_hash: str
    existing: bool
    noted_in: str
    in_use: str
    lens: str | None


def deploy(
    lab: Lab,
    *,
    open_group_creation: bool = False,
    name: str = "registry",
    owner: str | None = None,
    factory: str | None = None,
) -> Deployed:
    """Deploy the lab's registry, or return the one that is there: same owner, rule and name, same address.

    The deployment proxy, the factory and the RegistryLens are deployed first where the chain lacks them.

    Args:
        name: tells several registries of one owner apart.
        owner: who owns it; the signer if not said.
        factory: another factory's address than the usual, on a chain that couldn't have it there.
    """
    owner = lab.signer.address if owner is None else checksummed(owner, "the owner's address")
    require_owner(owner)
    used = lab.registry_in_use()
    salt = salt_of(name)
    write = deployment(lab.chain, owner, open_group_creation=open_group_creation, salt=salt, factory=factory)
    existing = write.is_done(lab.chain)
    maker = Factory(lab.chain, factory) if factory else deploy_factory(lab)
    maker.require()
    [entry] = lab.write(write)
    block = entry.block
    if block is None or entry.transaction is None or not maker.is_genuine(write.registry):
        raise InputError(f"the registry {write.registry} is not in a block yet")
    genesis = lab.chain.block(0)
    network = lab.chain.network
    facts: dict[str, Any] = {
        "owner": owner,
        "block": block.number,
        "factory": maker.address,
        "open_group_creation": open_group_creation,
        "salt": salt,
        "genesis": genesis.hash if genesis else None,
        "code_hash": to_hex(keccak(lab.chain.code(write.registry))),
    }
    transaction = entry.transaction
    registry = KnownRegistry(address=write.registry, transaction=transaction, version=DOMAIN_VERSION, **facts)
    noted = remember_registry(lab.chain_id, lab.home, registry)
    noted = note_for_others(lab.chain_id, registry) or noted
    if used is None or used.lower() == write.registry.lower() or not lab.chain.has_code(used):
        used = write.registry
    lab.choose(registry=used)
    lab.__dict__.pop("registry", None)
    return Deployed(
        registry=write.registry,
        chain_id=lab.chain_id,
        network=network.name if network else None,
        transaction=entry.transaction,
        existing=existing,
        noted_in=str(noted),
        in_use=used,
        lens=None if factory else lens_address(),
        **facts,
    )


def make_ready(lab: Lab) -> None:
    """Deploy a registry and create a group on the lab's own devnet if it has none yet: there it costs nothing."""
    if not lab.is_embedded or lab.hand_over or lab.registry_address or lab.group_number:
        return
    if not lab.registry_in_use():
        made = deploy(lab, open_group_creation=True)
        lab.say(f"deployed the registry {made.registry} on this lab's devnet, a private test chain")
    if not lab.registry.last_group():
        group = create_group(lab, "My lab")
        lab.say(f"created the group {group.group}, {group.name!r}, that records are for")


def make_first(lab: Lab, tell: Callable[[str], None]) -> None:
    """As `make_ready`, for a lab that has written to no chain yet; `tell` is told what it got."""
    if lab.settings().get("last") is None:
        said, lab.say = lab.say, tell
        try:
            make_ready(lab)
        finally:
            lab.say = said


def deploy_factory(lab: Lab) -> Factory:
    """Return the factory of registries on the chain. Factory and Lens are deployed if missing, the deployment proxy
    before them."""
    steps = factory_steps(lab.chain)
    if not all(step.is_done(lab.chain) for step in steps):
        # several transactions are not checked before they are entered: the first is wasted if the next is refused
        require_cancun(lab.chain)
        if steps[0].op is Op.FUND_PROXY:
            steps[0].check(lab.chain, lab.signer.address)
    lab.write(*steps)
    return Factory(lab.chain).require()


def salt_of(name: str) -> str:
    """Return the salt of a registry's name, 0x-hex."""
    return to_hex(sha256(name.encode()).digest())


@dataclass(frozen=True)
class GroupCreated:
    """A group of the signer."""

    group: int
    name: str
    manifest: str
    owner: str
    transaction: str
    existing: bool


def create_group(lab: Lab, name: str, *, description: str | None = None, roles: Role = _ALL_ROLES) -> GroupCreated:
    """Create a group, or return the signer's group of that name and description.

    The description stays off chain; its SHA-256 goes on chain.
    """
    manifest = store_profile(lab, name, description)
    fields = {"owner": lab.signer.address, "manifest": manifest, "roles": int(roles)}
    write = Transaction(Op.CREATE_GROUP, lab.registry.address, **fields)
    existing = write.is_done(lab.chain)
    [entry] = lab.write(write)
    event = write.event(lab.chain)
    if event is None:
        raise InputError(f"the group {name!r} is not in a block yet")
    group = int(event.args["group"])
    lab.choose(group=group)
    return GroupCreated(group, name, manifest, lab.signer.address, entry.transaction or "", existing)


def store_profile(lab: Lab, name: str, description: str | None) -> str:
    """Store a group's description, which stays off chain; return its SHA-256."""
    import rfc8785

    from blockchaintracer.core.manifest.predicates import plain_name

    if not name.strip():
        raise InputError("expected a name for the group, got an empty one")
    try:
        name = plain_name(normalize("NFC", name.strip()))
    except ValueError as error:
        raise InputError(f"expected for the group {error}, got {name[:300]!r}") from None
    profile = {"type": str(GROUP), "name": mask(name)} | ({"description": mask(description)} if description else {})
    return lab.store.put_bytes(rfc8785.dumps(profile))


def describe_group(lab: Lab, group: int) -> dict[str, Any]:
    """Describe a group: owner, time of creation, and its description if the store has it."""
    known = lab.registry.group(group)
    manifest, profile = _profile(lab, group)
    return {
        "group": group,
        "name": profile.get("name"),
        "description": profile.get("description"),
        "owner": known.owner,
        "offeredTo": known.pending_owner,
        "createdAt": known.created_at,
        "manifest": manifest,
    }


def known_profile(lab: Lab, group: int) -> str | None:
    """Return the SHA-256 of a group's description if the store has it. A group's owner can name any digest: what is not
    a description is none."""
    manifest, profile = _profile(lab, group)
    return manifest if profile.get("type") == str(GROUP) else None


def _profile(lab: Lab, group: int) -> tuple[str | None, dict[str, str]]:
    """Return the digest that a group's owner named, and the texts of it if they are those of a description alone."""
    manifest: str | None = None
    for name in ("GroupCreated", "GroupDescribed"):
        for event in lab.registry.events(name, group=group):
            manifest = event.args["manifest"].hex()
    profile: Any = {}
    if manifest and lab.store.has(manifest):
        # what a stranger wrote is shown where it is a description, and never stops the others from being shown
        with suppress(InputError):
            profile = parse_json(lab.store.get_bytes(manifest, MAX_BYTES), "description")
    is_one = isinstance(profile, dict) and profile.keys() <= {"type", "name", "description"}
    return manifest, profile if is_one and all(isinstance(it, str) for it in profile.values()) else {}


def members(lab: Lab, group: int) -> list[dict[str, Any]]:
    """List the members of a group, ended memberships included."""
    now = lab.chain.head().timestamp
    events = lab.registry.events("MembershipChanged", group=group)
    accounts = list(dict.fromkeys(event.args["account"] for event in events))
    rows = []
    for account, membership in zip(accounts, of_accounts(lab.registry, group, accounts), strict=True):
        if not membership.roles:
            # only what had been offered to the account, or by it, has ended
            continue
        rows.append(
            {
                "account": account,
                "roles": [label(role) for role in Role if role in membership.roles],
                "since": membership.since,
                "until": None if membership.until == NO_END else membership.until,
                "active": membership.since <= now < membership.until,
            }
        )
    return rows


def invite(
    lab: Lab, group: int, account: str, roles: Role, *, until: int = NO_END, valid_s: int = 7 * 24 * 3600
) -> dict[str, Any]:
    """Sign an invitation, which the account accepts with `join`. Nothing goes on chain yet."""
    account = checksummed(account, "the account's address")
    now = max(int(time.time()), lab.chain.head().timestamp)
    if until <= now or valid_s <= 0:
        raise InputError(f"expected an end after {when(now)}, got an invitation that would have expired")
    mine, held = (lab.registry.membership(group, one) for one in (lab.signer.address, account))
    touches = Role.MAINTAINER in roles or held.holds(Role.MAINTAINER, now)
    manages = mine.holds(Role.MAINTAINER, now) and not touches
    if not manages and lab.registry.group(group).owner.lower() != lab.signer.address.lower():
        raise in_words("NotAllowedToManage", {"group": group, "account": account, "by": lab.signer.address})
    if held.roles and held.since <= now < held.until and held.roles != roles:
        lab.say(f"{account} is {named(held.roles)} of group {group} now; accepting makes it {named(roles)} alone")
    message = {
        "group": group,
        "inviter": lab.signer.address,
        "account": account,
        "roles": int(roles),
        "until": until,
        "inviterVersion": mine.version,
        "version": held.version,
        "deadline": now + valid_s,
    }
    document = lab.registry.domain.typed_data("Invitation", message)
    return _invitation(lab, message, to_hex(lab.signer.sign_typed_data(document)))


def invited_on_chain(lab: Lab, group: int) -> dict[str, Any]:
    """Return the signer's newest invitation that was made by a transaction, as `join` takes it."""
    events = [*lab.registry.events("Invited", group=group, account=lab.signer.address)]
    if not events:
        raise InputError(
            f"nobody invited {lab.signer.address} to group {group} by a transaction",
            hint="Type `group join FILE` with the file that the inviter sent.",
        )
    message = {name: events[-1].args[name] for name in _INVITATION_FIELDS}
    return _invitation(lab, message, "0x")


def named(roles: Role) -> str:
    """Name roles in words."""
    return " and ".join(label(role) for role in Role if role in roles)


def _invitation(lab: Lab, message: dict[str, Any], signature: str) -> dict[str, Any]:
    place = {"chainId": str(lab.chain_id), "registry": lab.registry.address}
    return INVITATION.header() | place | {"invitation": message, "signature": signature}


def join(lab: Lab, invitation: dict[str, Any]) -> Entry:
    """Accept an invitation for the signer: signed, as `invite` makes it, or made by a transaction (signature 0x)."""
    INVITATION.check_header(invitation, "the invitation")
    try:
        message = {name: invitation["invitation"][name] for name in _INVITATION_FIELDS}
        if any(type(value) is not (str if name in _ADDRESS_FIELDS else int) for name, value in message.items()):
            raise TypeError("a field has another type")
        signature = str(invitation["signature"])
        from_hex(signature)
        where = (int(invitation["chainId"]), str(invitation["registry"]).lower())
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"expected an invitation as `group invite` prints it: {type(error).__name__} {error}"
        ) from None
    if where != (lab.chain_id, lab.registry.address.lower()):
        raise InputError(
            f"the invitation is for registry {where[1]} on chain {where[0]}, "
            f"not for {lab.registry.address} on chain {lab.chain_id}"
        )
    if str(message["account"]).lower() != lab.signer.address.lower():
        raise in_words("NotInvited", {"account": message["account"], "caller": lab.signer.address})
    [entry] = lab.write(Transaction(Op.JOIN_GROUP, lab.registry.address, invitation=message, signature=signature))
    held = lab.registry.membership(message["group"], lab.signer.address)
    if not (held.roles and held.since <= lab.chain.head().timestamp < held.until):
        raise InputError(
            f"the invitation was accepted before, and the membership in group {message['group']} has ended since",
            hint="Ask for a new invitation.",
        )
    lab.choose(group=message["group"])
    return entry


def remove_member(lab: Lab, group: int, account: str) -> Entry:
    """End a membership: one's own, or another's where the signer may."""
    account = checksummed(account, "the account's address")
    version = lab.registry.membership(group, account).version
    fields = {"group": group, "account": account, "version": version}
    [entry] = lab.write(Transaction(Op.REMOVE_MEMBER, lab.registry.address, **fields))
    return entry
