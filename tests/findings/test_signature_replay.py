"""Sign Protocol accepted a signature on another chain, in another contract, and for ever. Here it names all three."""

from __future__ import annotations

import pytest

from tests.findings.conftest import ALICE, BOB, CAROL, DATA, MALLORY, domain, found, refusal
from tests.model.eip712 import Invitation, verdict_commitment
from tests.model.registry import DISPUTED, NO_END, RECORDER
from tests.support.evm import Chain

pytestmark = pytest.mark.evm


def relayed(signed_for, deadline: int = NO_END) -> dict[str, tuple[object, ...]]:
    """One of each signed operation, signed for one registry, with a signer that it must name when it refuses."""
    here = domain(signed_for)
    invitation = Invitation(1, ALICE.address, CAROL.address, RECORDER, NO_END, 1, 0, deadline)
    record = here.record_id(DATA._replace(group=2, author=BOB.address))
    verdict = (1, ALICE.address, record, 1, bytes(32), 0, deadline)
    return {
        "recordBySig": (DATA, deadline, ALICE.sign(here.record_authorization(DATA, deadline))),
        "joinBySig": (invitation, ALICE.sign(here.invitation(invitation))),
        "attestBySig": (
            1,
            ALICE.address,
            record,
            1,
            deadline,
            ALICE.sign(here.attestation_authorization(*verdict)),
        ),
    }


@pytest.mark.parametrize("function", ["recordBySig", "joinBySig", "attestBySig"])
def test_a_signature_is_for_one_chain_and_one_registry(registry, function) -> None:
    sender = CAROL if function == "joinBySig" else MALLORY
    other_chain = found(Chain(chain_id=5).deploy("LabRegistry", CAROL.address, True))
    assert other_chain.address == registry.address
    other_registry = found(registry.chain.deploy("LabRegistry", CAROL.address, True))
    for elsewhere in (other_chain, other_registry):
        # the record that the verdict is about exists everywhere, under the id that it has there
        elsewhere.send(BOB.address, "record", DATA._replace(group=2, author=BOB.address))
        arguments = relayed(registry)[function]
        met = refusal(lambda where=elsewhere, given=arguments: where.send(sender.address, function, *given))
        assert met == ("InvalidSignature", (ALICE.address,))
    registry.send(BOB.address, "record", DATA._replace(group=2, author=BOB.address))
    registry.send(sender.address, function, *relayed(registry)[function])


@pytest.mark.parametrize("function", ["recordBySig", "joinBySig", "attestBySig"])
def test_a_signature_has_an_end(registry, function) -> None:
    sender, deadline = CAROL if function == "joinBySig" else MALLORY, registry.chain.now + 60
    registry.send(BOB.address, "record", DATA._replace(group=2, author=BOB.address))
    arguments = relayed(registry, deadline)[function]
    registry.chain.now = deadline + 1
    met = refusal(lambda: registry.send(sender.address, function, *arguments))
    assert met == ("SignatureExpired", (deadline, deadline + 1))
    registry.chain.now = deadline
    registry.send(sender.address, function, *arguments)


@pytest.mark.parametrize("function", ["recordBySig", "joinBySig", "attestBySig"])
def test_a_signature_is_used_once(registry, function) -> None:
    sender = CAROL if function == "joinBySig" else MALLORY
    registry.send(BOB.address, "record", DATA._replace(group=2, author=BOB.address))
    arguments = relayed(registry)[function]
    registry.send(sender.address, function, *arguments)
    met, _ = refusal(lambda: registry.send(sender.address, function, *arguments))
    assert met == {"recordBySig": "RecordExists", "joinBySig": "StaleInvitation"}.get(function, "InvalidSignature")


def test_a_withdrawn_verdict_does_not_come_back(registry) -> None:
    registry.send(BOB.address, "record", DATA._replace(group=2, author=BOB.address))
    arguments = relayed(registry)["attestBySig"]
    registry.send(MALLORY.address, "attestBySig", *arguments)
    registry.send(ALICE.address, "withdraw", 1, arguments[2])
    met = refusal(lambda: registry.send(MALLORY.address, "attestBySig", *arguments))
    assert met == ("InvalidSignature", (ALICE.address,))


def test_a_signed_verdict_is_overtaken_by_a_revealed_one(registry) -> None:
    """Signed before the group revealed what it had sealed, it names the version of then."""
    record, _ = registry.send(BOB.address, "record", DATA._replace(group=2, author=BOB.address))
    arguments, salt = relayed(registry)["attestBySig"], b"\x5a" * 32
    registry.send(ALICE.address, "seal", 1, verdict_commitment(1, ALICE.address, record, DISPUTED, bytes(32), salt))
    registry.send(ALICE.address, "revealVerdict", 1, record, DISPUTED, salt)
    met = refusal(lambda: registry.send(MALLORY.address, "attestBySig", *arguments))
    assert met == ("InvalidSignature", (ALICE.address,))
    assert registry.read("verdictOf", 1, record)[0] == DISPUTED
