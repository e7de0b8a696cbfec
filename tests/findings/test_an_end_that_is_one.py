"""The last version of a verdict on a foreign record, and a registry whose owner gave it up."""

from __future__ import annotations

import pytest
from eth_abi import encode
from eth_utils import keccak

from tests.findings.conftest import BOB, CAROL, MALLORY, refusal
from tests.findings.test_a_chain_that_takes_another_id import place
from tests.model.registry import DISPUTED, NOBODY, NONE

pytestmark = pytest.mark.evm

FOREIGN = (1, "0x" + "ab" * 20, b"\x07" * 32)
LAST = 2**32 - 1


def test_at_the_last_version_a_foreign_verdict_is_taken_back_and_none_is_given(registry) -> None:
    evidence = place("_foreignAttestations", keccak(encode(["uint256", "address", "bytes32"], FOREIGN)), bytes([2]))
    registry.store(evidence + 1, (LAST - 1) << 48)
    registry.send(BOB.address, "attestForeign", 2, FOREIGN, DISPUTED)
    assert registry.read("foreignVerdictOf", 2, FOREIGN)[3] == LAST
    again = refusal(lambda: registry.send(BOB.address, "attestForeign", 2, FOREIGN, DISPUTED))
    assert again == ("Panic", (0x11,))
    registry.send(BOB.address, "attestForeign", 2, FOREIGN, NONE)
    assert registry.read("foreignVerdictOf", 2, FOREIGN) == (NONE, bytes(32), 0, LAST)


def test_an_open_registry_is_given_up_by_its_owner_alone(registry) -> None:
    refused = ("OwnableUnauthorizedAccount", (MALLORY.address,))
    assert refusal(lambda: registry.send(MALLORY.address, "renounceOwnership")) == refused
    registry.send(CAROL.address, "renounceOwnership")
    assert registry.read("owner") == NOBODY
    assert refusal(lambda: registry.send(CAROL.address, "announceSuccessor", 1, BOB.address))[0] == refused[0]
