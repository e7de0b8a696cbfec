"""What a small change of a consumer would alter and the tests of its rules do not see."""

from __future__ import annotations

from tests.evm.consumers.test_record_resolver import Service, states
from tests.findings.conftest import refusal
from tests.model.registry import RETRACTED
from tests.support.market import SPONSOR, STRANGER, Market


def test_the_first_of_many_attestations_is_checked_too(market: Market) -> None:
    """EAS asks about each schema in turn, and about many of one at once."""
    record = states(market)[RETRACTED]
    expected = ("RecordNotStanding", (record, RETRACTED))
    assert refusal(lambda: Service(market).attest_many(record, market.record)) == expected


def test_a_refund_says_whose_it_is_and_who_asked(market: Market) -> None:
    bounty = market.funded()
    market.chain.now = bounty.claim_until + 1
    expected = ("NotSponsor", (SPONSOR.address, STRANGER.address))
    assert refusal(lambda: market.refund(bounty, by=STRANGER.address)) == expected
