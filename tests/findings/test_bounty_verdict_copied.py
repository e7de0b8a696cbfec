"""Bounties for verdicts are emptied by those who wait and repeat what others found. Here a group is paid for what it
was committed to before anything that is paid was shown."""

from __future__ import annotations

import pytest

from tests.findings.conftest import refusal
from tests.model.eip712 import Invitation, verdict_commitment
from tests.model.registry import ALL_ROLES, NO_END, NOT_REPRODUCED, REPRODUCED
from tests.support.market import BOB, DAVE, ERIN, REPRODUCERS, SHARE, Market, run_by

pytestmark = pytest.mark.evm

SALT = b"\7" * 32


@pytest.fixture
def market() -> Market:
    return Market()


def accept(market: Market, group: int, account: str) -> None:
    """The account becomes a member with all roles by its owner's invitation."""
    owner = REPRODUCERS[group]
    invitation = Invitation(group, owner.address, account, ALL_ROLES, NO_END, 1, 0, NO_END)
    signature = owner.sign(market.domain.invitation(invitation))
    market.registry.send(account, "joinBySig", invitation, signature)


def test_who_copies_what_was_revealed_gets_nothing(market: Market) -> None:
    bounty = market.funded()
    market.entered(bounty, 2, REPRODUCED)
    honest = market.work(3, NOT_REPRODUCED)
    market.enter(bounty, honest)
    market.chain.now = bounty.entry_until + 1
    market.reveal(honest)

    copied = market.work(4, NOT_REPRODUCED)
    assert refusal(lambda: market.enter(bounty, copied))[0] == "TooLate"
    other = market.work(2, NOT_REPRODUCED)
    assert refusal(lambda: market.enter(bounty, other))[0] == "TooLate"
    for work in (copied, other):
        market.reveal(work)

    market.chain.now = bounty.verdict_until + 1
    assert refusal(lambda: market.claim(bounty, copied))[0] == "NotEntered"
    assert refusal(lambda: market.claim(bounty, other))[0] == "NotTheCommitment"
    market.claim(bounty, honest)
    assert market.held(bounty) == 2 * SHARE


@pytest.mark.parametrize("chosen", [REPRODUCED, NOT_REPRODUCED])
def test_sealing_both_verdicts_gives_no_choice(market: Market, chosen: int) -> None:
    """Both seals are of one block, so their times are equal; one of them is noted."""
    bounty = market.funded()
    both = {verdict: market.work(2, verdict) for verdict in (REPRODUCED, NOT_REPRODUCED)}
    market.enter(bounty, both[REPRODUCED])
    market.chain.now = bounty.entry_until + 1
    market.reveal(both[chosen])
    market.chain.now = bounty.verdict_until + 1
    if chosen == REPRODUCED:
        market.claim(bounty, both[REPRODUCED])
    else:
        assert refusal(lambda: market.claim(bounty, both[NOT_REPRODUCED]))[0] == "NotTheCommitment"
        assert refusal(lambda: market.claim(bounty, both[REPRODUCED]))[0] == "VerdictNotStanding"


def test_one_run_does_not_carry_the_other_verdict(market: Market) -> None:
    """Both verdicts sealed in one block on the same Run: in the registry they differ in nothing but the verdict."""
    bounty = market.funded()
    noted = market.work(2, REPRODUCED)
    other = verdict_commitment(2, BOB.address, market.record, NOT_REPRODUCED, noted.evidence, SALT)
    market.registry.send(BOB.address, "seal", 2, other)
    market.enter(bounty, noted)
    market.chain.now = bounty.entry_until + 1
    market.reveal(noted._replace(verdict=NOT_REPRODUCED, salt=SALT))
    market.chain.now = bounty.verdict_until + 1
    name, (_, current) = refusal(lambda: market.claim(bounty, noted))
    assert (name, current[:2]) == ("VerdictNotStanding", (NOT_REPRODUCED, int.from_bytes(noted.evidence[15:])))


def test_two_seals_of_one_verdict_are_two(market: Market) -> None:
    """The same verdict on other evidence, sealed in the same block: only the noted evidence counts."""
    bounty = market.funded()
    noted, other = market.work(), market.work()
    market.enter(bounty, noted)
    market.chain.now = bounty.entry_until + 1
    market.reveal(other)
    market.chain.now = bounty.verdict_until + 1
    name, (_, current) = refusal(lambda: market.claim(bounty, noted))
    assert name == "VerdictNotStanding"
    assert current[1] == int.from_bytes(other.evidence[15:])


def test_a_seal_of_another_time_is_another(market: Market) -> None:
    """Two reviewers of one group seal the same verdict on the same evidence; the one who was noted must reveal."""
    bounty = market.funded()
    accept(market, group=2, account=ERIN.address)
    run = run_by(2, BOB.address, market.record, SALT)
    evidence = market.registry.read("idOf", run)
    commitments = {
        actor: verdict_commitment(2, actor.address, market.record, REPRODUCED, evidence, SALT) for actor in (BOB, ERIN)
    }
    for actor, commitment in commitments.items():
        market.registry.send(actor.address, "seal", 2, commitment)
        market.chain.now += 1
    market.bounty.send(BOB.address, "enter", bounty, 2, BOB.address, commitments[BOB])
    market.registry.send(BOB.address, "record", run)
    market.chain.now = bounty.entry_until + 1
    market.registry.send(ERIN.address, "revealVerdictWithEvidence", 2, market.record, REPRODUCED, run, SALT)
    market.chain.now = bounty.verdict_until + 1
    opening = (REPRODUCED, evidence, SALT)
    name, _ = refusal(lambda: market.bounty.send(BOB.address, "claim", bounty, 2, opening, BOB.address))
    assert name == "VerdictNotStanding"


def test_a_copied_commitment_opens_for_nobody_else(market: Market) -> None:
    """Dave seals and enters what he saw Bob enter: the commitment names Bob and his group."""
    bounty = market.funded()
    work = market.entered(bounty, 2)
    stolen = work._replace(group=3, attester=DAVE.address)
    assert refusal(lambda: market.enter(bounty, work._replace(group=3)))[0] == "NotSealed"
    market.registry.send(DAVE.address, "seal", 3, work.commitment)
    market.enter(bounty, stolen)
    market.chain.now = bounty.entry_until + 1
    market.reveal(work)
    assert refusal(lambda: market.reveal(stolen._replace(run=run_by(3, DAVE.address, market.record, SALT))))[0] == (
        "NotSealed"
    )
    market.chain.now = bounty.verdict_until + 1
    assert refusal(lambda: market.claim(bounty, stolen))[0] == "NotTheCommitment"
    market.claim(bounty, work)


def test_a_commitment_for_another_record_opens_nothing(market: Market) -> None:
    bounty = market.funded()
    second, _ = market.registry.send(REPRODUCERS[4].address, "record", run_by(4, ERIN.address, market.record, SALT))
    work = market.work(2, record=second)
    market.enter(bounty, work)
    market.chain.now = bounty.entry_until + 1
    market.reveal(work, record=second)
    market.chain.now = bounty.verdict_until + 1
    assert refusal(lambda: market.claim(bounty, work))[0] == "NotTheCommitment"


def test_a_seal_older_than_the_bounty_is_as_blind(market: Market) -> None:
    work = market.work()
    market.chain.now += 100
    bounty = market.funded()
    market.enter(bounty, work)
    market.chain.now = bounty.entry_until + 1
    market.reveal(work)
    market.chain.now = bounty.verdict_until + 1
    market.claim(bounty, work)


def test_two_sponsors_both_pay_for_one_blind_verdict(market: Market) -> None:
    """As each promised. A third, who comes after the verdict, can't be made to."""
    first, second = market.funded(), market.funded(share=2 * SHARE)
    work = market.entered(first)
    market.enter(second, work)
    market.chain.now = first.entry_until + 1
    market.reveal(work)
    third = market.terms()
    assert refusal(lambda: market.fund(third)) == ("VerdictAlreadyGiven", (2, 1))
    market.chain.now = first.verdict_until + 1
    market.claim(first, work)
    market.claim(second, work)
    assert market.ether(BOB.address) == 3 * SHARE
    assert (market.held(first), market.held(second)) == (2 * SHARE, 4 * SHARE)
