"""The rules of ReplicationBounty, one by one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.findings.conftest import refusal
from tests.model.registry import DISPUTED, NOBODY, NOT_REPRODUCED, REPRODUCED, RETRACTED, REVIEWED, UNKNOWN
from tests.support.market import (
    AUTHOR,
    BOB,
    DAVE,
    DAY,
    ERIN,
    GROUP_AGE,
    MAX_DURATION,
    MIN_VERDICT_WINDOW,
    OWN_GROUP,
    RESULT,
    SHARE,
    SPONSOR,
    STRANGER,
    Market,
)

SALT = b"\7" * 32


# funding


def test_a_bounty_is_known_by_its_terms(market: Market) -> None:
    bounty = market.terms()
    bounty_id, (event,) = market.fund(bounty)
    assert bounty_id == market.id_of(bounty)
    assert event.name == "Funded"
    assert event.arguments == (bounty_id, SPONSOR.address, market.record, tuple(bounty))
    assert market.held(bounty) == market.ether(market.bounty.address) == 3 * SHARE
    assert market.id_of(bounty._replace(verdict_until=bounty.verdict_until + 1)) != bounty_id


def test_the_same_terms_are_funded_once(market: Market) -> None:
    bounty = market.funded()
    assert refusal(lambda: market.fund(bounty)) == ("BountyExists", (market.id_of(bounty),))
    market.funded(entry_until=bounty.entry_until + 1)


def test_only_the_sponsor_in_the_terms_funds(market: Market) -> None:
    bounty = market.terms(sponsor=STRANGER.address)
    assert refusal(lambda: market.fund(bounty)) == ("NotSponsor", (STRANGER.address, SPONSOR.address))


@pytest.mark.parametrize("error", [-1, 1])
def test_ether_is_paid_exactly(market: Market, error: int) -> None:
    value = 3 * SHARE + error
    assert refusal(lambda: market.fund(market.terms(), value=value)) == ("WrongPayment", (3 * SHARE, value))


def test_a_share_is_something(market: Market) -> None:
    assert refusal(lambda: market.fund(market.terms(share=0))) == ("NoShare", ())


def test_the_largest_share_does_not_overflow(market: Market) -> None:
    largest = market.terms(share=2**128 - 1, token=market.token.address)
    market.token.send(SPONSOR.address, "mint", SPONSOR.address, 2**130)
    market.fund(largest)
    assert market.held(largest) == 3 * (2**128 - 1)


@pytest.mark.parametrize("act", ["cancel", "retract", None])
def test_the_record_must_stand(market: Market, act: str | None) -> None:
    key = RESULT._replace(subject=b"\x09" * 32)
    record = market.domain.record_id(key)
    status = UNKNOWN
    if act == "cancel":
        market.registry.send(AUTHOR.address, "cancel", key)
        status = 1
    if act == "retract":
        market.registry.send(AUTHOR.address, "record", key)
        market.registry.send(AUTHOR.address, "retract", key, bytes(32))
        status = RETRACTED
    assert refusal(lambda: market.fund(market.terms(record=record))) == ("RecordNotStanding", (record, status))


@pytest.mark.parametrize(
    ("groups", "error"),
    [
        ((), ("GroupCountOutOfRange", (0, 32))),
        (tuple(range(2, 35)), ("GroupCountOutOfRange", (33, 32))),
        ((2, 2), ("GroupsNotAscending", (1,))),
        ((3, 2), ("GroupsNotAscending", (1,))),
        ((0, 2), ("GroupsNotAscending", (0,))),
        ((2, 99), ("UnknownGroup", (99,))),
    ],
)
def test_groups_are_named_once_and_exist(market: Market, groups: tuple[int, ...], error: tuple[object, ...]) -> None:
    assert refusal(lambda: market.fund(market.terms(groups=groups))) == error


def test_the_records_own_group_is_not_eligible(market: Market) -> None:
    terms = market.terms(groups=(OWN_GROUP, 2))
    assert refusal(lambda: market.fund(terms)) == ("OwnRecord", (OWN_GROUP, market.record))


def test_as_many_groups_as_can_be_named(market: Market) -> None:
    for _ in range(30):
        market.registry.send(ERIN.address, "createGroup", 7, bytes(32))
    market.chain.now += GROUP_AGE
    bounty = market.funded(groups=tuple(range(2, 34)))
    assert market.held(bounty) == 32 * SHARE
    assert market.chain.evm.result.gas_used < 1_000_000


@pytest.mark.parametrize("withdrawn", [False, True])
def test_a_verdict_that_is_known_is_not_paid_for(market: Market, withdrawn: bool) -> None:
    market.registry.send(DAVE.address, "attest", 3, market.record, REVIEWED)
    if withdrawn:
        market.registry.send(DAVE.address, "withdraw", 3, market.record)
    assert refusal(lambda: market.fund(market.terms())) == ("VerdictAlreadyGiven", (3, 1 + withdrawn))
    market.funded(groups=(2, 4))


@pytest.mark.parametrize(
    ("entry", "verdict"),
    [
        (0, 8 * DAY),
        (-DAY, 8 * DAY),
        (DAY, DAY + MIN_VERDICT_WINDOW - 1),
        (8 * DAY, DAY),
        (DAY, MAX_DURATION + 1),
    ],
)
def test_windows_lie_ahead_and_are_long_enough(market: Market, entry: int, verdict: int) -> None:
    now = market.chain.now
    terms = market.terms(entry_until=now + entry, verdict_until=now + verdict)
    assert refusal(lambda: market.fund(terms)) == ("InvalidTimes", (now, now + entry, now + verdict))


def test_the_largest_times_do_not_overflow(market: Market) -> None:
    end = 2**40 - 1
    terms = market.terms(entry_until=end, verdict_until=end)
    assert refusal(lambda: market.fund(terms)) == ("InvalidTimes", (market.chain.now, end, end))


@pytest.mark.parametrize(("entry", "verdict"), [(1, 1 + MIN_VERDICT_WINDOW), (DAY, MAX_DURATION)])
def test_windows_at_their_limits(market: Market, entry: int, verdict: int) -> None:
    now = market.chain.now
    market.funded(entry_until=now + entry, verdict_until=now + verdict)


# entering


def test_a_group_enters_with_what_its_reviewer_sealed(market: Market) -> None:
    bounty = market.funded()
    work = market.work()
    sealed = market.chain.now
    market.chain.now += 5
    (event,) = market.enter(bounty, work)
    bounty_id = market.id_of(bounty)
    assert event.arguments == (bounty_id, 2, BOB.address, work.commitment)
    assert market.bounty.read("entryOf", bounty_id, 2) == (BOB.address, work.commitment, sealed, False)


def test_only_the_groups_owner_enters(market: Market) -> None:
    bounty, work = market.funded(), market.work()
    for account in (SPONSOR, DAVE, AUTHOR):
        assert refusal(lambda account=account: market.enter(bounty, work, by=account.address)) == (
            "NotGroupOwner",
            (2, account.address),
        )


def test_a_group_that_was_not_named_does_not_enter(market: Market) -> None:
    bounty = market.funded(groups=(2, 4))
    assert refusal(lambda: market.enter(bounty, market.work(3))) == ("NotEligible", (3,))


def test_a_group_commits_once(market: Market) -> None:
    bounty = market.funded()
    first, second = market.work(verdict=REPRODUCED), market.work(verdict=NOT_REPRODUCED)
    market.enter(bounty, first)
    for work in (first, second):
        assert refusal(lambda work=work: market.enter(bounty, work)) == ("AlreadyEntered", (2, first.commitment))


def test_what_is_entered_was_sealed(market: Market) -> None:
    bounty, work = market.funded(), market.work()
    for changes in ({"commitment": SALT}, {"attester": DAVE.address}):
        changed = work._replace(**changes)
        expected = ("NotSealed", (2, changed.attester, changed.commitment))
        assert refusal(lambda changes=changes: market.enter(bounty, work, **changes)) == expected


def test_entry_ends(market: Market) -> None:
    bounty, work, late = market.funded(), market.work(), market.work(3)
    market.chain.now = bounty.entry_until
    market.enter(bounty, work)
    market.chain.now += 1
    assert refusal(lambda: market.enter(bounty, late)) == ("TooLate", (bounty.entry_until, market.chain.now))


def test_terms_that_were_not_funded_are_no_bounty(market: Market) -> None:
    bounty, work = market.funded(), market.work()
    other = bounty._replace(share=2 * SHARE)
    assert refusal(lambda: market.enter(other, work)) == ("UnknownBounty", (market.id_of(other),))
    assert refusal(lambda: market.claim(other, work)) == ("NotEntered", (market.id_of(other), 2))
    assert refusal(lambda: market.refund(other)) == ("UnknownBounty", (market.id_of(other),))


# claiming


@pytest.mark.parametrize("verdict", [REPRODUCED, NOT_REPRODUCED])
def test_either_outcome_is_paid(market: Market, verdict: int) -> None:
    bounty = market.funded()
    work = market.earned(bounty, 2, verdict)
    (event,) = market.claim(bounty, work)
    assert event.arguments == (market.id_of(bounty), 2, BOB.address, verdict)
    assert market.ether(BOB.address) == SHARE
    assert market.held(bounty) == market.ether(market.bounty.address) == 2 * SHARE


def test_each_group_has_a_share_of_its_own(market: Market) -> None:
    bounty = market.funded()
    works = [market.entered(bounty, group, verdict) for group, verdict in ((2, 2), (3, 3), (4, 2))]
    market.chain.now = bounty.verdict_until
    for work in works:
        market.reveal(work)
    market.chain.now += 1
    for work in reversed(works):
        market.claim(bounty, work)
    assert [market.ether(actor.address) for actor in (BOB, DAVE, ERIN)] == [SHARE] * 3
    assert market.ether(market.bounty.address) == 0


def test_nobody_is_paid_twice(market: Market) -> None:
    bounty = market.funded()
    work = market.earned(bounty)
    market.claim(bounty, work)
    assert refusal(lambda: market.claim(bounty, work)) == ("AlreadyPaid", (market.id_of(bounty), 2))


def test_the_owner_says_where_the_money_goes(market: Market) -> None:
    bounty = market.funded()
    market.claim(bounty, market.earned(bounty), to=STRANGER.address)
    assert (market.ether(STRANGER.address), market.ether(BOB.address)) == (SHARE, 0)


def test_money_is_not_sent_where_it_would_be_lost(market: Market) -> None:
    bounty = market.funded()
    work = market.earned(bounty)
    for to in (NOBODY, market.bounty.address):
        assert refusal(lambda to=to: market.claim(bounty, work, to=to)) == ("InvalidRecipient", (to,))


def test_only_the_owner_claims(market: Market) -> None:
    bounty = market.funded()
    work = market.earned(bounty)
    for account in (SPONSOR, DAVE, STRANGER):
        name, _ = refusal(lambda account=account: market.claim(bounty, work, by=account.address))
        assert name == "NotGroupOwner"


def test_claims_wait_for_the_last_verdict_and_end(market: Market) -> None:
    bounty = market.funded()
    work = market.earned(bounty)
    early, last, late = bounty.verdict_until, bounty.claim_until, bounty.claim_until + 1
    market.chain.now = early
    assert refusal(lambda: market.claim(bounty, work)) == ("TooEarly", (early, early))
    market.chain.now = late
    assert refusal(lambda: market.claim(bounty, work)) == ("TooLate", (last, late))
    market.chain.now = last
    market.claim(bounty, work)


def test_who_did_not_enter_is_not_paid(market: Market) -> None:
    bounty = market.funded()
    work = market.work()
    market.chain.now = bounty.entry_until + 1
    market.reveal(work)
    market.chain.now = bounty.verdict_until + 1
    assert refusal(lambda: market.claim(bounty, work)) == ("NotEntered", (market.id_of(bounty), 2))


def test_who_did_not_reveal_is_not_paid(market: Market) -> None:
    bounty = market.funded()
    work = market.entered(bounty)
    market.chain.now = bounty.verdict_until + 1
    assert refusal(lambda: market.claim(bounty, work)) == ("VerdictNotStanding", (2, (0, 0, 0, 0, 0)))


@pytest.mark.parametrize("late", [False, True])
def test_verdicts_are_given_between_the_windows(market: Market, late: bool) -> None:
    bounty = market.funded()
    work = market.entered(bounty)
    given = bounty.verdict_until + 1 if late else bounty.entry_until
    market.chain.now = given
    market.reveal(work)
    market.chain.now = bounty.verdict_until + 2
    expected = ("VerdictOutOfTime", (given, bounty.entry_until, bounty.verdict_until))
    assert refusal(lambda: market.claim(bounty, work)) == expected


@pytest.mark.parametrize("verdict", [REVIEWED, DISPUTED])
def test_opinions_are_not_paid(market: Market, verdict: int) -> None:
    bounty = market.funded()
    work = market.earned(bounty, verdict=verdict)
    assert refusal(lambda: market.claim(bounty, work)) == ("VerdictNotPaid", (verdict,))


def test_what_is_shown_is_what_was_committed_to(market: Market) -> None:
    bounty = market.funded()
    work = market.earned(bounty)
    for changes in ({"salt": SALT}, {"evidence": SALT}, {"verdict": NOT_REPRODUCED}):
        name, (committed, _) = refusal(lambda changes=changes: market.claim(bounty, work._replace(**changes)))
        assert (name, committed) == ("NotTheCommitment", work.commitment)


# the verdict must stand


def withdraw(market: Market, work) -> None:
    market.registry.send(BOB.address, "withdraw", 2, market.record)


def retract_evidence(market: Market, work) -> None:
    market.registry.send(BOB.address, "retract", work.run, bytes(32))


def give_another(market: Market, work) -> None:
    market.registry.send(BOB.address, "attest", 2, market.record, DISPUTED)


def reveal_again(market: Market, work) -> None:
    """The same verdict from the same seal, so that everything but the version is as it was."""
    market.reveal(work)


@pytest.mark.parametrize("change", [withdraw, retract_evidence, give_another, reveal_again])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_verdict_that_was_changed_is_not_paid(
    market: Market, change: Callable[[Market, object], None], when: str
) -> None:
    bounty = market.funded()
    work = market.earned(bounty)
    market.chain.now = bounty.verdict_until + (1 if when == "after" else 0)
    change(market, work)
    market.chain.now = bounty.verdict_until + 2
    name, (group, current) = refusal(lambda: market.claim(bounty, work))
    assert (name, group, current[-1]) == ("VerdictNotStanding", 2, 2)


def test_a_verdict_given_without_its_seal_is_not_paid(market: Market) -> None:
    bounty = market.funded()
    work = market.entered(bounty)
    market.chain.now = bounty.entry_until + 1
    market.registry.send(BOB.address, "record", work.run)
    market.registry.send(BOB.address, "attestWithEvidence", 2, market.record, REPRODUCED, work.run)
    market.chain.now = bounty.verdict_until + 1
    name, (_, current) = refusal(lambda: market.claim(bounty, work))
    assert (name, current[3]) == ("VerdictNotStanding", 0)


# refunds


def test_the_sponsor_takes_the_rest_after_everybody_had_time(market: Market) -> None:
    bounty = market.funded()
    work = market.earned(bounty)
    market.claim(bounty, work)
    before = market.ether(SPONSOR.address)
    for time in (bounty.entry_until, bounty.verdict_until + 1, bounty.claim_until):
        market.chain.now = time
        assert refusal(lambda time=time: market.refund(bounty)) == ("TooEarly", (bounty.claim_until, time))
    market.chain.now = bounty.claim_until + 1
    assert refusal(lambda: market.refund(bounty, by=STRANGER.address))[0] == "NotSponsor"
    (event,) = market.refund(bounty)
    assert event.arguments == (market.id_of(bounty), SPONSOR.address, 2 * SHARE)
    assert market.ether(SPONSOR.address) - before == 2 * SHARE
    assert market.ether(market.bounty.address) == 0
    assert refusal(lambda: market.refund(bounty)) == ("UnknownBounty", (market.id_of(bounty),))


def test_a_bounty_is_not_opened_again(market: Market) -> None:
    bounty = market.funded()
    market.chain.now = bounty.claim_until + 1
    market.refund(bounty)
    assert refusal(lambda: market.fund(bounty))[0] == "InvalidTimes"


@pytest.mark.parametrize("word", [1, 4, 5, 6, 7, 9], ids=["sponsor", "token", "share", "entry", "verdict", "group"])
def test_dirt_above_a_field_is_no_second_spelling_of_terms(market: Market, word: int) -> None:
    """Each field is narrower than its word of calldata: the same terms must not be funded twice under two ids."""
    bounty = market.funded()
    clean = market.bounty.interface.encode_call("fund", bounty)
    at = 4 + 32 * word
    dirty = clean[:at] + b"\1" + clean[at + 1 :]
    market.chain.value = bounty.total
    assert refusal(lambda: market.bounty.send_raw(SPONSOR.address, dirty)) == ("", ())


def test_a_group_has_one_commitment_for_a_record_in_all_bounties(market: Market) -> None:
    """With a commitment for each outcome, each in a bounty of its own, a group watched a rival's reveal and chose."""
    first, second = market.funded(), market.funded(share=2 * SHARE)
    reproduced, not_reproduced = (market.work(2, verdict) for verdict in (REPRODUCED, NOT_REPRODUCED))
    market.enter(first, reproduced)
    met = refusal(lambda: market.enter(second, not_reproduced))
    assert met == ("OtherCommitment", (2, reproduced.commitment))
    # the same blind verdict may earn in both, and another group has a commitment of its own
    market.enter(second, reproduced)
    market.enter(second, market.work(3, NOT_REPRODUCED))


def test_a_group_that_took_back_what_it_signed_has_spent_its_word(market: Market) -> None:
    """Only version 0 enters and only version 1 claims, whatever raised it."""
    bounty, work = market.funded(), market.work()
    market.registry.send(work.attester, "withdraw", 2, market.record)
    assert refusal(lambda: market.enter(bounty, work)) == ("VerdictAlreadyGiven", (2, 1))
    late = market.work(3)
    market.enter(bounty, late)
    market.registry.send(late.attester, "withdraw", 3, market.record)
    market.chain.now = bounty.entry_until + 1
    market.reveal(late)
    market.chain.now = bounty.verdict_until + 1
    assert refusal(lambda: market.claim(bounty, late))[0] == "VerdictNotStanding"
