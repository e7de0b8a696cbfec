"""Accounts with code sign by ERC-1271, whose answer can change at any time and be anything at all. What is stored
stays; what is not the one right answer is a refusal."""

from __future__ import annotations

import pytest

from tests.findings.conftest import ALICE, BOB, CAROL, DATA, MALLORY, domain, refusal
from tests.model.eip712 import Invitation
from tests.model.registry import NO_END, NOBODY, RECORDER, REVIEWER, Signature

pytestmark = pytest.mark.evm

REVERT, NOTHING, SHORT, DIRTY, FLOOD, BURN, CALL = range(7)


@pytest.fixture
def wallet(registry):
    """A member of Bob's group whose key is Carol's."""
    wallet = registry.chain.deploy("Wallet", CAROL.address)
    invitation = Invitation(2, BOB.address, wallet.address, RECORDER | REVIEWER, NO_END, 1, 0, NO_END)
    registry.send(wallet.address, "joinBySig", invitation, BOB.sign(domain(registry).invitation(invitation)))
    return wallet


def test_a_wallet_that_changes_its_answer_changes_nothing_stored(registry, wallet) -> None:
    record, _ = registry.send(ALICE.address, "record", DATA)
    own = DATA._replace(group=2, author=wallet.address)
    authorization = CAROL.sign(domain(registry).record_authorization(own, NO_END))
    stored, _ = registry.send(MALLORY.address, "recordBySig", own, NO_END, authorization)
    fields = (2, wallet.address, record, 1, bytes(32), 0, NO_END)
    signature = CAROL.sign(domain(registry).attestation_authorization(*fields))
    registry.send(MALLORY.address, "attestBySig", 2, wallet.address, record, 1, NO_END, signature)
    before = registry.read("statusOf", stored), registry.read("verdictOf", 2, record)

    wallet.send(CAROL.address, "replaceKey", NOBODY)

    assert (registry.read("statusOf", stored), registry.read("verdictOf", 2, record)) == before
    refused = refusal(lambda: registry.send(MALLORY.address, "recordBySig", own, NO_END, authorization))
    assert refused == ("RecordExists", (stored, before[0][4]))
    later = own._replace(subject=b"\7" * 32)
    authorization = CAROL.sign(domain(registry).record_authorization(later, NO_END))
    refused = refusal(lambda: registry.send(MALLORY.address, "recordBySig", later, NO_END, authorization))
    assert refused == ("InvalidSignature", (wallet.address,))
    wallet.send(CAROL.address, "replaceKey", CAROL.address)
    registry.send(MALLORY.address, "recordBySig", later, NO_END, authorization)


def test_a_wallet_can_own_invite_and_cancel(registry, wallet) -> None:
    registry.send(wallet.address, "createGroup", 0, bytes(32))
    invitation = Invitation(3, wallet.address, ALICE.address, RECORDER, NO_END, 0, 0, NO_END)
    signature = CAROL.sign(domain(registry).invitation(invitation))
    registry.send(ALICE.address, "joinBySig", invitation, signature)
    own = DATA._replace(group=2, author=wallet.address)
    registry.send(wallet.address, "cancel", own)
    authorization = CAROL.sign(domain(registry).record_authorization(own, NO_END))
    name, _ = refusal(lambda: registry.send(MALLORY.address, "recordBySig", own, NO_END, authorization))
    assert name == "RecordIsCancelled"


def test_a_wallet_that_accepts_everything_is_still_bound_by_role_cancel_and_once(registry) -> None:
    careless = registry.chain.deploy("CarelessWallet")
    own = DATA._replace(author=careless.address)
    anything = Signature(b"anything", plain=False)
    refused = refusal(lambda: registry.send(MALLORY.address, "recordBySig", own, NO_END, anything))
    assert refused == ("MissingRole", (1, careless.address, RECORDER))


@pytest.mark.parametrize("answer", [REVERT, NOTHING, SHORT, DIRTY, FLOOD, BURN])
def test_a_wrong_answer_is_no_consent(registry, answer) -> None:
    hostile = registry.chain.deploy("HostileWallet")
    hostile.send(MALLORY.address, "set", answer, NOBODY, b"")
    own = DATA._replace(author=hostile.address)
    signature = MALLORY.sign(domain(registry).record_authorization(own, NO_END))
    refused = refusal(lambda: registry.send(MALLORY.address, "recordBySig", own, NO_END, signature))
    assert refused == ("InvalidSignature", (hostile.address,))


def test_a_wallet_cannot_act_while_it_is_asked(registry) -> None:
    """The question is a static call: answering it can't create a group, and so fails as a whole."""
    hostile = registry.chain.deploy("HostileWallet")
    create = registry.interface.encode_call("createGroup", 0, bytes(32))
    hostile.send(MALLORY.address, "set", CALL, registry.address, create)
    own = DATA._replace(author=hostile.address)
    signature = MALLORY.sign(domain(registry).record_authorization(own, NO_END))
    refused = refusal(lambda: registry.send(MALLORY.address, "recordBySig", own, NO_END, signature))
    assert refused == ("InvalidSignature", (hostile.address,))
    assert registry.read("lastGroup") == 2


@pytest.mark.parametrize("number", [*range(1, 18), 0x100])
def test_a_precompile_consents_to_nothing(registry, number) -> None:
    """The identity precompile echoes what it is asked; zero has no key."""
    for address in (f"0x{number:040x}", NOBODY):
        own = DATA._replace(author=address)
        signature = MALLORY.sign(domain(registry).record_authorization(own, NO_END))
        refused = refusal(
            lambda key=own, given=signature: registry.send(MALLORY.address, "recordBySig", key, NO_END, given)
        )
        assert refused == ("InvalidSignature", (address,))
