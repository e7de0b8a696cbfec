"""Groups and registries that go to another account, in two steps, and what their owners say of them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from blockchaintracer.core.errors import BlockchainTracerError, InputError
from blockchaintracer.core.record import GlobalId, checksummed
from blockchaintracer.lab.groups import store_profile
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.outbox import Entry, Op, Transaction


def offer_group(lab: Lab, group: int, to: str) -> Entry:
    """Offer a group that the signer owns to another account, which accepts it; until then nothing changes.

    An offer takes the place of an older one: one to the signer takes it back.
    """
    return _write(lab, Op.TRANSFER_GROUP, group=group, to=_account(to))


def accept_group(lab: Lab, group: int) -> Entry | None:
    """Accept a group that was offered to the signer. Returns None if the signer owns it already."""
    state = lab.registry.group(group)
    if _is_owner(lab, f"group {group}", state.owner, state.pending_owner):
        return None
    return _write(lab, Op.ACCEPT_GROUP, group=group, owner=lab.signer.address)


def rename_group(lab: Lab, group: int, name: str, description: str | None = None) -> Entry:
    """Give a group of the signer's another description; its SHA-256 goes on chain."""
    return _write(lab, Op.DESCRIBE_GROUP, group=group, manifest=store_profile(lab, name, description))


def registry_facts(lab: Lab) -> dict[str, Any]:
    """Return who owns the registry, to whom it is offered, and the successor that its owner announced, or None."""
    registry = lab.registry
    offered = registry.read_function("pendingOwner")
    return {
        "registry": registry.address,
        "chainId": lab.chain_id,
        "owner": checksummed(registry.read_function("owner")),
        "offeredTo": checksummed(offered) if int(offered, 16) else None,
        "openGroupCreation": registry.read_function("openGroupCreation"),
        "successor": _successor(lab),
    }


def told_successor(lab: Lab) -> str | None:
    """Return the successor that the registry's owner announced; None if there is none, or the node does not tell."""
    with suppress(BlockchainTracerError):
        return _successor(lab)
    return None


def _successor(lab: Lab) -> str | None:
    chain_id, registry = lab.registry.read_function("successor")
    return f"eip155:{chain_id}:{registry.lower()}" if chain_id else None


def offer_registry(lab: Lab, to: str) -> Entry:
    """Offer the registry, which the signer owns, to another account. Over groups and records an owner has no power."""
    return _write(lab, Op.TRANSFER_REGISTRY, to=_account(to))


def accept_registry(lab: Lab) -> Entry | None:
    """Accept the registry, which was offered to the signer. Returns None if the signer owns it already."""
    facts = registry_facts(lab)
    if _is_owner(lab, "the registry", facts["owner"], facts["offeredTo"]):
        return None
    return _write(lab, Op.ACCEPT_REGISTRY, owner=lab.signer.address)


def announce_successor(lab: Lab, successor: str) -> Entry:
    """Say which registry takes the place of this one, as its owner: ``eip155:CHAIN:REGISTRY`` or an address."""
    place = successor if successor.startswith("eip155:") else f"eip155:{lab.chain_id}:{successor}"
    # the id is of no matter: place and id together are what is read strictly
    named = GlobalId.parse(f"{place}/0x{'0' * 64}")
    if (named.chain_id, named.registry.lower()) == (lab.chain_id, lab.registry.address.lower()):
        raise InputError("expected another registry as the successor, got this one")
    return _write(lab, Op.ANNOUNCE_SUCCESSOR, chain_id=named.chain_id, successor=checksummed(named.registry))


def _account(address: str) -> str:
    account = checksummed(address, "the account's address")
    if not int(account, 16):
        raise InputError(
            "expected an account that can accept, got the zero address",
            hint="To take an offer back, offer it to yourself.",
        )
    return account


def _is_owner(lab: Lab, what: str, owner: str, offered: str | None) -> bool:
    mine = lab.signer.address.lower()
    if mine not in (owner.lower(), (offered or "").lower()):
        to = f"is offered to {offered}" if offered else "is offered to nobody"
        raise InputError(
            f"{what} {to}, and not to {lab.signer.address}",
            hint=f"Its owner, {owner}, offers it to you first; --key NAME chooses another key.",
        )
    return mine == owner.lower()


def _write(lab: Lab, op: Op, **fields: Any) -> Entry:
    # the block makes the same change a new one after another has undone it
    seen = lab.chain.head().number
    [entry] = lab.write(Transaction(op, lab.registry.address, seen=seen, **fields))
    return entry
