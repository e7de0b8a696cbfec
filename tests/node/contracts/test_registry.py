"""The registry as a whole: its interfaces, its domain, its owner, its size."""

from __future__ import annotations

import ape
import pytest

from blockchaintracer.core.record import DOMAIN_NAME, DOMAIN_VERSION
from tests.node.contracts.conftest import container, lower
from tests.support.artifacts import artifact

RUNTIME_LIMIT = 24_576
"""EIP-170"""
INITCODE_LIMIT = 49_152
"""EIP-3860"""


def test_the_constructor_sets_owner_and_openness(owner, alice):
    closed = owner.deploy(container("LabRegistry"), alice, False)
    assert closed.owner() == alice.address
    assert not closed.openGroupCreation()
    assert closed.lastGroup() == 0
    with ape.reverts(closed.GroupCreationRestricted, caller=owner.address):
        closed.createGroup(0, bytes(32), sender=owner)
    closed.createGroup(0, bytes(32), sender=alice)
    assert closed.lastGroup() == 1


def test_a_registry_has_an_owner_when_it_begins(owner):
    with ape.reverts():
        owner.deploy(container("LabRegistry"), "0x" + "00" * 20, True)


def test_only_the_owner_announces_a_successor(lab, registry, owner, alice, mallory):
    receipt = registry.announceSuccessor(8453, mallory, sender=owner)
    assert lab.events(receipt) == [("SuccessorAnnounced", (8453, lower(mallory)))]
    assert tuple(registry.successor()) == (8453, mallory.address)
    with lab.refuses("OwnableUnauthorizedAccount", account=alice.address):
        registry.announceSuccessor(1, alice, sender=alice)


def test_the_registry_changes_hands_in_two_steps(lab, registry, owner, alice, mallory):
    receipt = registry.transferOwnership(alice, sender=owner)
    assert lab.events(receipt) == [("OwnershipTransferStarted", (lower(owner), lower(alice)))]
    assert (registry.owner(), registry.pendingOwner()) == (owner.address, alice.address)
    with lab.refuses("OwnableUnauthorizedAccount", account=mallory.address):
        registry.acceptOwnership(sender=mallory)
    receipt = registry.acceptOwnership(sender=alice)
    assert lab.events(receipt) == [("OwnershipTransferred", (lower(owner), lower(alice)))]
    with lab.refuses("OwnableUnauthorizedAccount", account=owner.address):
        registry.announceSuccessor(1, owner, sender=owner)


def test_erc5267_describes_the_domain(lab, registry):
    fields, name, version, chain_id, contract, salt, extensions = registry.eip712Domain()
    # name, version, chainId and verifyingContract
    assert bytes(fields) == b"\x0f"
    assert (name, version, chain_id) == (DOMAIN_NAME, DOMAIN_VERSION, ape.chain.chain_id)
    assert contract == registry.address
    assert (bytes(salt), list(extensions)) == (bytes(32), [])


def test_erc165_knows_itself_and_no_more(registry):
    assert registry.supportsInterface("0x01ffc9a7")
    assert not registry.supportsInterface("0xffffffff")
    assert not registry.supportsInterface("0xdeadbeef")


def test_it_takes_no_money(registry, alice):
    with ape.reverts():
        alice.transfer(registry, 1)


def test_it_fits():
    code = artifact("LabRegistry")
    arguments = 2 * 32
    remaining = {
        "EIP-170 runtime": RUNTIME_LIMIT - len(code.runtime),
        "EIP-3860 creation": INITCODE_LIMIT - len(code.bytecode) - arguments,
    }
    print("bytes left:", remaining)
    # optimization_runs is as high as fits (docs/decisions/0003): 1,000 runs leave 2,900 bytes for a repair
    assert min(remaining.values()) >= 0


def test_the_compiled_contract_is_what_runs(registry):
    """Immutables aside, which are zeros in the compiler's output."""
    runs, compiled = bytes(ape.chain.provider.get_code(registry.address)), artifact("LabRegistry").runtime
    assert len(runs) == len(compiled)
    assert all(one == other for one, other in zip(runs, compiled, strict=True) if other)


@pytest.mark.parametrize("selector", ["0x", "0x00000000", "0xffffffff"])
def test_it_has_no_fallback(registry, alice, selector):
    with ape.reverts():
        alice.transfer(registry, 0, data=selector, gas_limit=100_000)
