"""A chain with a registry that has a past, and forks of it. No network is needed: the upstream is a node of ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from blockchaintracer.core.networks import DEVNET
from tests.evm.property.machine import ALICE, BOB, CAROL, DAVE, ELSEWHERE, OWNER, Setting
from tests.model import merkle
from tests.model.eip712 import Domain, Invitation, Key, record_commitment
from tests.model.registry import ALL_ROLES, NO_END, RECORDER, REVIEWER, Event, ForeignRecord
from tests.support.evm import Chain
from tests.support.node import NodeChain, NodeContract, anvil

FORK_SECONDS = 100
"""A fork goes on this much later than its upstream stopped."""
PLAN = Key(1, ALICE.address, 1, b"\xb1" * 32, 5, b"\xb2" * 32)
"""Sealed in the past with this salt, and not revealed."""
SALT = b"\xb3" * 32
BATCHED = tuple(Key(1, CAROL.address, 1, bytes([0xC0 + index]) * 32, 4, b"\xb4" * 32) for index in range(5))
"""Anchored in the past, in the order of their ids; the first one is stored."""


class Upstream(NamedTuple):
    """The chain that is forked, and what happened in its registry."""

    chain: NodeChain
    registry: NodeContract
    wallet: NodeContract
    history: list[tuple[int, Event]]

    def forked(self) -> Setting:
        """A fork of its own in this process."""
        chain = Chain(self.chain.chain_id, fork_url=self.chain.url, now=self.chain.now + FORK_SECONDS)
        wallet = chain.at("Wallet", self.wallet.address)
        return Setting(chain, chain.at("LabRegistry", self.registry.address), wallet, self.history)

    def continued(self, chain: NodeChain) -> Setting:
        """A fork on another node."""
        chain.now = max(chain.now, self.chain.now + FORK_SECONDS)
        wallet = chain.at("Wallet", self.wallet.address)
        return Setting(chain, chain.at("LabRegistry", self.registry.address), wallet, self.history)


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    with anvil(chain_id=DEVNET.chain_id) as chain:
        registry = chain.deploy("LabRegistry", OWNER.address, True)
        wallet = chain.deploy("Wallet", DAVE.address)
        live(chain, registry)
        yield Upstream(chain, registry, wallet, registry.history())


def ids_of(domain: Domain) -> tuple[bytes, ...]:
    """What BATCHED's tree is over."""
    return tuple(sorted(map(domain.record_id, BATCHED)))


def live(chain: NodeChain, registry: NodeContract) -> None:
    """Two groups, a member, lineage, a reproduction, a retraction, a cancelled record; seals, batches and more."""

    def send(caller: str, function: str, *arguments: object) -> bytes:
        chain.tick()
        return registry.send(caller, function, *arguments)[0]

    send(ALICE.address, "createGroup", ALL_ROLES, bytes(32))
    send(BOB.address, "createGroup", RECORDER | REVIEWER, bytes(32))
    invitation = Invitation(1, ALICE.address, CAROL.address, RECORDER, NO_END, 1, 0, NO_END)
    domain = Domain(chain.chain_id, registry.address)
    send(CAROL.address, "joinBySig", invitation, ALICE.sign(domain.invitation(invitation)))
    data = Key(1, ALICE.address, 1, b"\xa1" * 32, 1, b"\xa2" * 32)
    dataset = send(ALICE.address, "record", data)
    model = Key(1, CAROL.address, 1, b"\xa3" * 32, 2, b"\xa4" * 32, ((dataset, 1),))
    trained = send(CAROL.address, "record", model)
    run = Key(2, BOB.address, 4, b"\xa5" * 32, 3, b"\xa6" * 32, ((trained, 8),))
    send(BOB.address, "record", run)
    send(BOB.address, "attestWithEvidence", 2, trained, 2, run)
    send(BOB.address, "attest", 2, dataset, 1)
    send(ALICE.address, "retract", data, b"\xa7" * 32)
    send(CAROL.address, "cancel", model._replace(kind=4))
    send(ALICE.address, "seal", 1, record_commitment(domain.record_id(PLAN), SALT))
    shown = PLAN._replace(kind=8)
    send(ALICE.address, "seal", 1, record_commitment(domain.record_id(shown), SALT))
    send(ALICE.address, "reveal", shown, SALT)
    ids = ids_of(domain)
    root = send(CAROL.address, "anchorLeaves", 1, ids)
    send(ALICE.address, "anchor", 1, b"\xa8" * 32, 1000, b"\xa9" * 32)
    send(BOB.address, "materialize", BATCHED[0], root, merkle.proof(ids, ids.index(domain.record_id(BATCHED[0]))))
    foreign = ForeignRecord(5, ELSEWHERE, b"\xaa" * 32)
    send(BOB.address, "attestForeign", 2, foreign, 4)
