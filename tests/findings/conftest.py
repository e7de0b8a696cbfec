"""Two labs in a registry: what most findings begin with."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.model.eip712 import Domain, Invitation, Key
from tests.model.registry import ALL_ROLES, NO_END, Refused
from tests.support.actors import Actor
from tests.support.evm import Chain, Contract

ALICE, BOB, CAROL, MALLORY = (Actor.named(name) for name in ("alice", "bob", "carol", "mallory"))
DATA = Key(1, ALICE.address, 1, b"\1" * 32, 1, b"\2" * 32)
RUN = 3


def found(registry: Contract) -> Contract:
    """Alice's group 1 and Bob's group 2, each with all roles for its founder."""
    for founder in (ALICE, BOB):
        registry.chain.tick()
        registry.send(founder.address, "createGroup", ALL_ROLES, bytes(32))
    return registry


def domain(registry: Contract) -> Domain:
    return Domain(registry.chain.chain_id, registry.address)


def join(registry: Contract, member: Actor | str, roles: int, group: int = 1, inviter: Actor = ALICE) -> None:
    """Makes an account, or the contract at an address, a member."""
    address = member if isinstance(member, str) else member.address
    version = registry.read("membershipOf", group, address)[3]
    invitation = Invitation(group, inviter.address, address, roles, NO_END, 1, version, NO_END)
    registry.chain.tick()
    registry.send(address, "joinBySig", invitation, inviter.sign(domain(registry).invitation(invitation)))


def run_reproducing(*records: bytes, author: Actor = BOB, group: int = 2, subject: int = 1) -> Key:
    parents = tuple((record, 8) for record in sorted(records))
    return Key(group, author.address, 4, subject.to_bytes(32, "big"), RUN, b"\4" * 32, parents)


def refusal(act: Callable[[], object]) -> tuple[str, tuple[object, ...]]:
    """The error that an act meets, and its values."""
    with pytest.raises(Refused) as refused:
        act()
    return refused.value.name, refused.value.arguments


@pytest.fixture
def chain() -> Chain:
    return Chain()


@pytest.fixture
def registry(chain: Chain) -> Contract:
    return found(chain.deploy("LabRegistry", CAROL.address, True))
