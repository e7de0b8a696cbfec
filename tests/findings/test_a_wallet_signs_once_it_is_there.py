"""A wallet that is not deployed yet wraps its signature by ERC-6492, with a call that would deploy it. The registry
makes no call of a stranger's and refuses it: nothing said that the wallet's own is taken once it is there."""

from __future__ import annotations

import pytest
from eth_abi import encode

from blockchaintracer.core.chain.reverts import in_words
from tests.findings.conftest import ALICE, BOB, CAROL, DATA, MALLORY, domain, join, refusal
from tests.model.registry import NO_END, RECORDER, REVIEWER, ZERO, Signature
from tests.support.actors import Actor

pytestmark = pytest.mark.evm
DAVE = Actor.named("dave")
ABSENT = "0x" + "ab" * 20


def wrapped(inner: bytes, factory: str) -> Signature:
    """The signature as ERC-6492 has it: a factory, what to call it with, and what the wallet signed."""
    return Signature(encode(["address", "bytes", "bytes"], [factory, b"deploy it", inner]) + bytes.fromhex("6492" * 16))


def test_a_wrapped_signature_records_and_attests_nothing(registry) -> None:
    wallet = registry.chain.deploy("Wallet", DAVE.address)
    for account in (ABSENT, wallet.address):
        join(registry, account, RECORDER | REVIEWER)
        join(registry, account, RECORDER | REVIEWER, group=2, inviter=BOB)
        key = DATA._replace(author=account)
        signed = DAVE.sign(domain(registry).record_authorization(key, NO_END))
        for factory in (wallet.address, CAROL.address, ABSENT):
            for inner in (signed.raw, b"", b"\0" * 65):
                call = ("recordBySig", key, NO_END, wrapped(inner, factory))
                met = refusal(lambda call=call: registry.send(MALLORY.address, *call))
                assert met == ("InvalidSignature", (account,))
    # the wallet is there: what it signed is taken as it is
    record, _ = registry.send(MALLORY.address, "recordBySig", key, NO_END, signed)
    agreed = DAVE.sign(domain(registry).attestation_authorization(2, wallet.address, record, 1, ZERO, 0, NO_END))
    verdict = ("attestBySig", 2, wallet.address, record, 1, NO_END)
    for given in (wrapped(agreed.raw, wallet.address), wrapped(agreed.raw, ABSENT)):
        met = refusal(lambda given=given: registry.send(MALLORY.address, *verdict, given))
        assert met == ("InvalidSignature", (wallet.address,))
    registry.send(MALLORY.address, *verdict, agreed)


def test_the_way_out_is_told() -> None:
    assert "ERC-6492" in str(in_words("InvalidSignature", {"signer": ALICE.address}).hint)
