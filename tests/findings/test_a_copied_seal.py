"""A commitment waits in the mempool for everyone to see, and so does its reveal. Whoever copies either has nothing: a
seal belongs to its author, and what it commits to names the author."""

from __future__ import annotations

import pytest

from tests.findings.conftest import ALICE, BOB, CAROL, DATA, MALLORY, domain, found, join, refusal, run_reproducing
from tests.model.eip712 import record_commitment, verdict_commitment
from tests.model.registry import ALL_ROLES, NO_END, REPRODUCED, REVIEWED
from tests.support.evm import Chain

pytestmark = pytest.mark.evm

SALT = b"\x5a" * 32


def sealed(registry, key=DATA, salt=SALT) -> bytes:
    return record_commitment(domain(registry).record_id(key), salt)


@pytest.mark.parametrize("same_group", [True, False])
def test_a_copied_commitment_can_be_revealed_by_its_author_alone(registry, same_group) -> None:
    """Mallory seals what she sees before it is mined, in Alice's group or in her own, and later copies the reveal."""
    if same_group:
        join(registry, MALLORY, ALL_ROLES)
        group = 1
    else:
        group, _ = registry.send(MALLORY.address, "createGroup", ALL_ROLES, bytes(32))
    commitment, start = sealed(registry), registry.chain.now
    registry.send(MALLORY.address, "seal", group, commitment)
    registry.chain.now += 10
    registry.send(ALICE.address, "seal", 1, commitment)
    assert registry.read("sealedAt", 1, ALICE.address, commitment) == start + 10

    # the key and the salt are in the mempool now
    registry.chain.now += 10
    met = refusal(lambda: registry.send(MALLORY.address, "reveal", DATA, SALT))
    assert met == ("NotAuthor", (ALICE.address, MALLORY.address))
    as_her_own = DATA._replace(group=group, author=MALLORY.address)
    met = refusal(lambda: registry.send(MALLORY.address, "reveal", as_her_own, SALT))
    assert met == ("NotSealed", (group, MALLORY.address, sealed(registry, as_her_own)))
    # to seal and reveal it now is to say that she has it since now
    registry.send(MALLORY.address, "seal", group, sealed(registry, as_her_own))
    copy, _ = registry.send(MALLORY.address, "reveal", as_her_own, SALT)
    record, _ = registry.send(ALICE.address, "reveal", DATA, SALT)
    assert registry.read("statusOf", copy)[6] == start + 20
    assert registry.read("statusOf", record)[6] == start + 10


def test_a_copied_verdict_is_not_the_copiers(registry) -> None:
    """Mallory reviews for Bob's group too: its verdict, evidence and salt are not hers to reveal."""
    join(registry, MALLORY, ALL_ROLES, group=2, inviter=BOB)
    record, _ = registry.send(ALICE.address, "record", DATA)
    run = run_reproducing(record)
    run_id = domain(registry).record_id(run)
    commitment = verdict_commitment(2, BOB.address, record, REPRODUCED, run_id, SALT)
    registry.send(BOB.address, "seal", 2, commitment)
    registry.send(MALLORY.address, "seal", 2, commitment)
    arguments = (2, record, REPRODUCED, run, SALT)
    hers = verdict_commitment(2, MALLORY.address, record, REPRODUCED, run_id, SALT)
    met = refusal(lambda: registry.send(MALLORY.address, "revealVerdictWithEvidence", *arguments))
    assert met == ("NotSealed", (2, MALLORY.address, hers))
    registry.send(MALLORY.address, "seal", 2, hers)
    met = refusal(lambda: registry.send(MALLORY.address, "revealVerdictWithEvidence", *arguments))
    assert met == ("NotAuthor", (BOB.address, MALLORY.address)), "the evidence is not stored, and Bob's"
    _, events = registry.send(BOB.address, "revealVerdictWithEvidence", *arguments)
    assert [event.name for event in events] == ["Recorded", "Revealed", "Attested", "VerdictRevealed"]
    assert registry.read("verdictOf", 2, record)[1] == int.from_bytes(run_id[15:])


@pytest.mark.parametrize("way", ["relayed", "materialized"])
def test_a_record_stored_before_its_reveal(registry, way) -> None:
    """What its author consented to earlier can be used against the reveal, unless the author cancels it, which takes
    nothing from the reveal."""
    record = domain(registry).record_id(DATA)
    signature = ALICE.sign(domain(registry).record_authorization(DATA, NO_END))
    registry.send(ALICE.address, "seal", 1, sealed(registry))
    (root, _) = registry.send(ALICE.address, "anchorLeaves", 1, [record])
    overtaking = {"relayed": ("recordBySig", DATA, NO_END, signature), "materialized": ("materialize", DATA, root, ())}

    snapshot = registry.chain.evm.snapshot()
    registry.send(MALLORY.address, *overtaking[way])
    met = refusal(lambda: registry.send(ALICE.address, "reveal", DATA, SALT))
    assert met == ("RecordExists", (record, registry.chain.now))
    registry.chain.evm.revert(snapshot)

    registry.send(ALICE.address, "cancel", DATA)
    assert refusal(lambda: registry.send(MALLORY.address, *overtaking[way])) == ("RecordIsCancelled", (record,))
    registry.send(ALICE.address, "reveal", DATA, SALT)
    assert registry.read("statusOf", record)[6] == registry.chain.now


def test_a_seal_is_for_one_chain_and_one_registry(registry) -> None:
    other_chain = found(Chain(chain_id=5).deploy("LabRegistry", CAROL.address, True))
    other_registry = found(registry.chain.deploy("LabRegistry", CAROL.address, True))
    for elsewhere in (other_chain, other_registry):
        elsewhere.send(ALICE.address, "seal", 1, sealed(registry))
        met = refusal(lambda where=elsewhere: where.send(ALICE.address, "reveal", DATA, SALT))
        assert met == ("NotSealed", (1, ALICE.address, sealed(elsewhere)))


def test_another_salt_key_or_verdict(registry) -> None:
    registry.send(ALICE.address, "seal", 1, sealed(registry))
    for key, salt in ((DATA, b"\x5b" + SALT[1:]), (DATA._replace(manifest=b"\3" * 32), SALT)):
        met = refusal(lambda key=key, salt=salt: registry.send(ALICE.address, "reveal", key, salt))
        assert met == ("NotSealed", (1, ALICE.address, sealed(registry, key, salt)))
    theirs, _ = registry.send(BOB.address, "record", DATA._replace(group=2, author=BOB.address))
    registry.send(ALICE.address, "seal", 1, verdict_commitment(1, ALICE.address, theirs, REVIEWED, bytes(32), SALT))
    other = verdict_commitment(1, ALICE.address, theirs, 4, bytes(32), SALT)
    met = refusal(lambda: registry.send(ALICE.address, "revealVerdict", 1, theirs, 4, SALT))
    assert met == ("NotSealed", (1, ALICE.address, other))


def test_a_seal_outlasts_the_role_and_a_reveal_needs_it(registry) -> None:
    join(registry, MALLORY, ALL_ROLES)
    own = DATA._replace(author=MALLORY.address)
    registry.send(MALLORY.address, "seal", 1, sealed(registry, own))
    since = registry.chain.now
    registry.send(ALICE.address, "removeMember", 1, MALLORY.address)
    registry.chain.now += 100
    met = refusal(lambda: registry.send(MALLORY.address, "reveal", own, SALT))
    assert met == ("MissingRole", (1, MALLORY.address, 2))
    met = refusal(lambda: registry.send(MALLORY.address, "seal", 1, b"\1" * 32))
    assert met == ("MissingRole", (1, MALLORY.address, 2 | 4))
    join(registry, MALLORY, ALL_ROLES)
    record, _ = registry.send(MALLORY.address, "reveal", own, SALT)
    assert registry.read("statusOf", record)[4:7:2] == (since + 100, since)


def test_a_seal_is_not_renewed(registry) -> None:
    """Neither before nor after its reveal: its time is the first."""
    commitment, start = sealed(registry), registry.chain.now
    registry.send(ALICE.address, "seal", 1, commitment)
    registry.chain.now += 10
    again = ("AlreadySealed", (commitment, start))
    assert refusal(lambda: registry.send(ALICE.address, "seal", 1, commitment)) == again
    record, _ = registry.send(ALICE.address, "reveal", DATA, SALT)
    assert refusal(lambda: registry.send(ALICE.address, "seal", 1, commitment)) == again
    assert registry.read("statusOf", record)[6] == start
