"""One participant of a blind round can end it for all others, if the first reveal closes it: here showing early costs
only who does it. And whoever could spoil a bounty from outside (a retraction, a new owner, a stranger) is tried."""

from __future__ import annotations

import pytest

from tests.findings.conftest import refusal
from tests.model.registry import DISPUTED, NOT_REPRODUCED, REPRODUCED, REVIEWED
from tests.support.market import AUTHOR, BOB, DAVE, RESULT, SHARE, STRANGER, Market

pytestmark = pytest.mark.evm


@pytest.fixture
def market() -> Market:
    return Market()


def test_who_reveals_early_locks_nobody_out_and_earns_nothing(market: Market) -> None:
    bounty = market.funded()
    early = market.entered(bounty, 3)
    market.reveal(early)
    late = market.work(2, NOT_REPRODUCED)
    market.enter(bounty, late)
    market.chain.now = bounty.entry_until + 1
    market.reveal(late)
    market.reveal(early)
    market.chain.now = bounty.verdict_until + 1
    market.claim(bounty, late)
    name, (_, current) = refusal(lambda: market.claim(bounty, early))
    assert (name, current[-1]) == ("VerdictNotStanding", 2), "the verdict is in time, but is not its first"


@pytest.mark.parametrize("verdict", [REVIEWED, DISPUTED])
def test_who_has_spoken_does_not_enter(market: Market, verdict: int) -> None:
    bounty = market.funded()
    work = market.work()
    market.registry.send(BOB.address, "attest", 2, market.record, verdict)
    assert refusal(lambda: market.enter(bounty, work)) == ("VerdictAlreadyGiven", (2, 1))
    market.entered(bounty, 3)


def test_retracting_the_record_takes_nobodys_share(market: Market) -> None:
    """The sponsor and the author can be one: they would retract when they see that they must pay."""
    bounty = market.funded()
    works = [market.entered(bounty, group) for group in (2, 3, 4)]
    market.chain.now = bounty.entry_until + 1
    market.reveal(works[0])
    market.registry.send(AUTHOR.address, "retract", RESULT, bytes(32))
    for work in works[1:]:
        market.reveal(work)
    market.chain.now = bounty.verdict_until + 1
    for work in works:
        market.claim(bounty, work)
    assert market.held(bounty) == 0


def test_a_retraction_before_the_entry_keeps_nobody_out(market: Market) -> None:
    bounty = market.funded()
    market.registry.send(AUTHOR.address, "retract", RESULT, bytes(32))
    market.claim(bounty, market.earned(bounty))


def test_the_share_goes_with_the_group(market: Market) -> None:
    bounty = market.funded()
    work = market.earned(bounty)
    market.registry.send(BOB.address, "transferGroup", 2, STRANGER.address)
    market.registry.send(STRANGER.address, "acceptGroup", 2)
    assert refusal(lambda: market.claim(bounty, work, by=BOB.address)) == ("NotGroupOwner", (2, BOB.address))
    market.claim(bounty, work, by=STRANGER.address)
    assert market.ether(STRANGER.address) == SHARE


def test_an_offer_of_a_group_is_not_the_group(market: Market) -> None:
    bounty = market.funded()
    work = market.earned(bounty)
    market.registry.send(BOB.address, "transferGroup", 2, STRANGER.address)
    assert refusal(lambda: market.claim(bounty, work, by=STRANGER.address))[0] == "NotGroupOwner"
    market.claim(bounty, work)


def test_a_new_owner_keeps_what_the_old_one_entered(market: Market) -> None:
    bounty = market.funded()
    work = market.entered(bounty)
    market.registry.send(BOB.address, "transferGroup", 2, STRANGER.address)
    market.registry.send(STRANGER.address, "acceptGroup", 2)
    assert refusal(lambda: market.enter(bounty, work, by=STRANGER.address))[0] == "AlreadyEntered"
    market.chain.now = bounty.entry_until + 1
    market.reveal(work)
    market.chain.now = bounty.verdict_until + 1
    market.claim(bounty, work, by=STRANGER.address)


def test_a_stranger_with_a_group_of_its_own_stops_nobody(market: Market) -> None:
    """A verdict, a seal of the same commitment, an entry, a claim: of somebody whom the sponsor didn't name."""
    bounty = market.funded(groups=(2, 4))
    work = market.work()
    market.registry.send(DAVE.address, "seal", 3, work.commitment)
    market.registry.send(DAVE.address, "attest", 3, market.record, DISPUTED)
    assert refusal(lambda: market.enter(bounty, work._replace(group=3, attester=DAVE.address), by=DAVE.address)) == (
        "NotEligible",
        (3,),
    )
    market.enter(bounty, work)
    market.chain.now = bounty.entry_until + 1
    market.reveal(work)
    market.chain.now = bounty.verdict_until + 1
    assert refusal(lambda: market.claim(bounty, work, by=DAVE.address, to=DAVE.address))[0] == "NotGroupOwner"
    market.claim(bounty, work)


def test_one_groups_evidence_falls_alone(market: Market) -> None:
    bounty = market.funded()
    works = [market.entered(bounty, group, REPRODUCED) for group in (2, 3)]
    market.chain.now = bounty.entry_until + 1
    for work in works:
        market.reveal(work)
    market.registry.send(DAVE.address, "retract", works[1].run, bytes(32))
    market.chain.now = bounty.verdict_until + 1
    assert refusal(lambda: market.claim(bounty, works[1]))[0] == "VerdictNotStanding"
    market.claim(bounty, works[0])


def test_ids_of_bounties_survive_a_reorganisation(market: Market) -> None:
    """Counted ids would point elsewhere when two fundings change places, and a group would enter other terms."""
    one, other = market.terms(), market.terms(share=2 * SHARE)
    expected = [market.id_of(one), market.id_of(other)]
    before = market.chain.evm.snapshot()
    assert [market.fund(bounty)[0] for bounty in (one, other)] == expected
    market.chain.evm.revert(before)
    assert [market.fund(bounty)[0] for bounty in (other, one)] == expected[::-1]
