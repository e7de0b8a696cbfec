"""`type(I).interfaceId` omits what I inherits: the registry answered ERC-165 to the id of two functions alone. One id
of everything was no better: a version with one more function would have answered to another one."""

from __future__ import annotations

import pytest
from eth_hash.auto import keccak

from tests.support.artifacts import artifact
from tests.support.evm import abi_type

pytestmark = pytest.mark.evm

PARTS = ("IRecords", "IGroups", "IAttestations", "ISeals", "IBatches", "ILineage", "IForeignAttestations")


def selectors(interface: str) -> set[bytes]:
    return {
        keccak(f"{entry['name']}({','.join(map(abi_type, entry['inputs']))})".encode())[:4]
        for entry in artifact(interface).abi
        if entry["type"] == "function"
    }


def interface_id(functions: set[bytes]) -> bytes:
    value = 0
    for selector in functions:
        value ^= int.from_bytes(selector)
    return value.to_bytes(4, "big")


@pytest.mark.parametrize("interface", PARTS)
def test_each_interface_is_answered_by_itself(registry, interface) -> None:
    assert registry.read("supportsInterface", interface_id(selectors(interface)))


def test_the_registry_answers_its_own_functions_and_nothing_that_it_has_not(registry) -> None:
    own = selectors("ILabRegistry").difference(*map(selectors, PARTS))
    assert len(own) == 2, "announceSuccessor and successor"
    assert registry.read("supportsInterface", interface_id(own))
    assert registry.read("supportsInterface", bytes.fromhex("01ffc9a7"))
    for other in (b"\xff" * 4, bytes(4), interface_id(selectors("IReplicationBounty"))):
        assert not registry.read("supportsInterface", other)
