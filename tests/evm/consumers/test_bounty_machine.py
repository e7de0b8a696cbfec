"""Random histories of bounties: money in is money out and held, nobody is paid twice, who earned a share gets it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
from hypothesis import seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from tests.model.registry import DISPUTED, NOBODY, NOT_REPRODUCED, REPRODUCED, REVIEWED, Refused
from tests.support.market import (
    AUTHOR,
    DAY,
    MIN_VERDICT_WINDOW,
    REPRODUCERS,
    RESULT,
    RICH,
    SPONSOR,
    STRANGER,
    Bounty,
    Market,
    Work,
)

PURSE = "0x" + "aa" * 20
"""Where claims and refunds are paid to: nothing else reaches it."""
DONATED = 12345
PAID_FOR = (REPRODUCED, NOT_REPRODUCED)
EXAMPLES, STEPS = (20_000, 60) if os.environ.get("FUZZ") else (140, 50)

GROUPS = st.sampled_from(sorted(REPRODUCERS))
PEOPLE = st.sampled_from([actor.address for actor in (SPONSOR, AUTHOR, STRANGER, *REPRODUCERS.values())])
OWNER_MOSTLY = st.one_of(st.none(), st.none(), st.none(), PEOPLE)
NUMBERS = st.integers(0, 7)


@dataclass
class Round:
    """What is known of one bounty: its terms, who entered with what, who has its share, what is left."""

    terms: Bounty
    held: int
    entries: dict[int, Work] = field(default_factory=dict)
    paid: set[int] = field(default_factory=set)


class BountyMachine(RuleBasedStateMachine):
    """Whatever is tried, the rules as they stand here say whether it succeeds."""

    done: ClassVar[Counter[str]] = Counter()
    refused: ClassVar[Counter[str]] = Counter()

    rounds = Bundle("rounds")
    works = Bundle("works")

    def __init__(self) -> None:
        super().__init__()
        self.market = Market()
        self.known: list[Round] = []
        self.records: list[bytes] = []
        self.owners = {group: actor.address for group, actor in REPRODUCERS.items()}
        self.committed: dict[tuple[bytes, int], Work] = {}
        self.said: dict[tuple[bytes, int], list[tuple[Work | None, int]]] = {}
        self.retracted: set[bytes] = set()
        self.received = {NOBODY: 0, self.market.token.address: 0}
        self.donated = {NOBODY: 0, self.market.token.address: 0}

    # what the rules say

    def open_for(self, round_: Round, work: Work, by: str) -> bool:
        return (
            round_.held > 0
            and self.market.chain.now <= round_.terms.entry_until
            and work.group in round_.terms.groups
            and by == self.owners[work.group]
            and work.group not in round_.entries
            and self.committed.get((round_.terms.record, work.group), work) is work
            and not self.said.get((round_.terms.record, work.group))
        )

    def earned(self, round_: Round, work: Work) -> bool:
        """The group entered with this work, revealed it in time, and has said nothing else."""
        terms = round_.terms
        words = self.said.get((terms.record, work.group), [])
        return (
            round_.entries.get(work.group) is work
            and work.verdict in PAID_FOR
            and len(words) == 1
            and words[0][0] is work
            and terms.entry_until < words[0][1] <= terms.verdict_until
        )

    def payable(self, round_: Round, work: Work, by: str) -> bool:
        open_now = round_.terms.verdict_until < self.market.chain.now <= round_.terms.claim_until
        return (
            self.earned(round_, work) and work.group not in round_.paid and by == self.owners[work.group] and open_now
        )

    def attempt(self, name: str, allowed: bool, act: Callable[[], Any]) -> bool:
        if allowed:
            act()
            self.done[name] += 1
        else:
            with pytest.raises(Refused) as refused:
                act()
            self.refused[refused.value.name] += 1
        return allowed

    # what people do

    @initialize()
    def record(self) -> None:
        for number in range(8):
            key = RESULT._replace(subject=bytes([100 + number]) * 32)
            self.records.append(self.market.registry.send(AUTHOR.address, "record", key)[0])

    @rule(
        target=rounds,
        number=NUMBERS,
        groups=st.sets(GROUPS, min_size=2),
        token=st.booleans(),
        share=st.integers(1, 10**6),
        entry=st.sampled_from([1, DAY]),
        verdict=st.sampled_from([MIN_VERDICT_WINDOW, 8 * DAY]),
        error=st.sampled_from([0, 0, 0, 0, 1]),
    )
    def fund(self, number: int, groups: set[int], token: bool, share: int, entry: int, verdict: int, error: int) -> Any:
        now, record = self.market.chain.now, self.records[number]
        currency = self.market.token.address if token else NOBODY
        terms = Bounty(
            SPONSOR.address, record, tuple(sorted(groups)), currency, share, now + entry, now + entry + verdict
        )
        value = error + (0 if token else terms.total)
        allowed = not (
            error
            or any(self.said.get((record, group)) for group in groups)
            or any(round_.terms == terms for round_ in self.known)
        )
        if not self.attempt("fund", allowed, lambda: self.market.fund(terms, value=value)):
            return multiple()
        round_ = Round(terms, terms.total)
        self.known.append(round_)
        return round_

    @rule(target=works, group=GROUPS, verdict=st.sampled_from([*PAID_FOR, *PAID_FOR, REVIEWED]), number=NUMBERS)
    def seal(self, group: int, verdict: int, number: int) -> Work:
        return self.market.work(group, verdict, record=self.records[number])

    @rule(target=works, round_=rounds, verdict=st.sampled_from(PAID_FOR))
    def enter_all(self, round_: Round, verdict: int) -> Any:
        record = round_.terms.record
        works = [
            self.committed.get((record, group)) or self.market.work(group, verdict, record=record)
            for group in round_.terms.groups
        ]
        for work in works:
            self.enter(round_, work, None)
        return multiple(*works)

    @rule(round_=rounds, work=works, by=OWNER_MOSTLY)
    def enter(self, round_: Round, work: Work, by: str | None) -> None:
        by = by or self.owners[work.group]
        allowed = self.open_for(round_, work, by)
        if self.attempt("enter", allowed, lambda: self.market.enter(round_.terms, work, by=by)):
            round_.entries[work.group] = work
            self.committed[round_.terms.record, work.group] = work

    @rule(work=works)
    def reveal(self, work: Work) -> None:
        if work.evidence in self.retracted:
            return
        record = work.run.parents[0][0]
        self.market.reveal(work, record)
        self.said.setdefault((record, work.group), []).append((work, self.market.chain.now))

    @rule(round_=rounds, late=st.sampled_from([1, 1, 1, DAY, 9 * DAY]))
    def reveal_all(self, round_: Round, late: int) -> None:
        self.market.chain.now = max(self.market.chain.now, round_.terms.entry_until + late)
        for work in round_.entries.values():
            self.reveal(work)

    @rule(round_=rounds, group=GROUPS)
    def say_something_else(self, round_: Round, group: int) -> None:
        record = round_.terms.record
        self.market.registry.send(REPRODUCERS[group].address, "attest", group, record, DISPUTED)
        self.said.setdefault((record, group), []).append((None, self.market.chain.now))

    @rule(work=works, how=st.sampled_from(["withdraw", "retract"]))
    def take_back(self, work: Work, how: str) -> None:
        record = work.run.parents[0][0]
        words = self.said.get((record, work.group), [])
        if not words or words[-1][0] is not work or work.verdict not in PAID_FOR:
            return
        reviewer = REPRODUCERS[work.group].address
        if how == "withdraw":
            self.market.registry.send(reviewer, "withdraw", work.group, record)
        else:
            self.market.registry.send(reviewer, "retract", work.run, bytes(32))
            self.retracted.add(work.evidence)
        words.append((None, self.market.chain.now))

    @rule(round_=rounds, work=works, by=OWNER_MOSTLY)
    def claim(self, round_: Round, work: Work, by: str | None) -> None:
        by = by or self.owners[work.group]
        allowed = self.payable(round_, work, by)
        if self.attempt("claim", allowed, lambda: self.market.claim(round_.terms, work, by=by, to=PURSE)):
            round_.paid.add(work.group)
            round_.held -= round_.terms.share
            self.received[round_.terms.token] += round_.terms.share

    @rule(round_=rounds)
    def claim_all(self, round_: Round) -> None:
        for work in round_.entries.values():
            self.claim(round_, work, None)

    @rule(round_=rounds, by=st.sampled_from([SPONSOR.address, SPONSOR.address, STRANGER.address]))
    def refund(self, round_: Round, by: str) -> None:
        over = self.market.chain.now > round_.terms.claim_until
        allowed = by == SPONSOR.address and over and round_.held > 0
        if self.attempt("refund", allowed, lambda: self.market.refund(round_.terms, by=by, to=PURSE)):
            self.received[round_.terms.token] += round_.held
            round_.held = 0

    @rule(group=GROUPS, to=PEOPLE)
    def transfer(self, group: int, to: str) -> None:
        self.market.registry.send(self.owners[group], "transferGroup", group, to)
        self.market.registry.send(to, "acceptGroup", group)
        self.owners[group] = to

    @rule(token=st.booleans())
    def donate(self, token: bool) -> None:
        """Money that comes by force, or by mistake."""
        bounty, currency = self.market.bounty.address, self.market.token.address
        if token:
            self.market.token.send(STRANGER.address, "mint", bounty, DONATED)
        else:
            currency = NOBODY
            self.market.chain.evm.set_balance(bounty, self.market.ether(bounty) + DONATED)
        self.donated[currency] += DONATED

    @rule(seconds=st.sampled_from([0, 1, DAY, 4 * DAY]))
    def wait(self, seconds: int) -> None:
        self.market.chain.now += seconds

    @rule(
        round_=rounds,
        when=st.sampled_from(["entry_until"] * 3 + ["verdict_until"] * 2 + ["claim_until"]),
        after=st.integers(0, 1),
    )
    def wait_for(self, round_: Round, when: str, after: int) -> None:
        self.market.chain.now = max(self.market.chain.now, getattr(round_.terms, when) + after)

    # what always holds

    def balance(self, currency: str, account: str) -> int:
        if currency == NOBODY:
            return self.market.ether(account)
        return self.market.tokens(account)

    @invariant()
    def money_in_is_money_out_and_held(self) -> None:
        for currency, received in self.received.items():
            rounds = [round_ for round_ in self.known if round_.terms.token == currency]
            held = sum(round_.held for round_ in rounds)
            assert self.balance(currency, self.market.bounty.address) == held + self.donated[currency]
            assert self.balance(currency, PURSE) == received
            assert self.balance(currency, SPONSOR.address) == RICH - received - held

    @invariant()
    def each_bounty_holds_what_it_owes(self) -> None:
        for round_ in self.known:
            assert self.market.held(round_.terms) == round_.held
            unpaid = [group for group, work in round_.entries.items() if self.earned(round_, work)]
            if self.market.chain.now <= round_.terms.claim_until:
                assert round_.held >= round_.terms.share * len(set(unpaid) - round_.paid)

    def teardown(self) -> None:
        """Whatever was done before: who keeps to the rules from here on is paid, once; the sponsor has the rest."""
        for round_ in sorted(self.known, key=lambda round_: round_.terms.verdict_until):
            terms = round_.terms
            if self.market.chain.now <= terms.verdict_until:
                self.market.chain.now = max(self.market.chain.now, terms.entry_until + 1)
                for work in round_.entries.values():
                    if not self.said.get((terms.record, work.group)):
                        self.reveal(work)
            self.market.chain.now = max(self.market.chain.now, terms.verdict_until + 1)
            self.claim_all(round_)
            self.claim_all(round_)
        for round_ in self.known:
            self.wait_for(round_, "claim_until", 1)
            self.refund(round_, SPONSOR.address)
        self.money_in_is_money_out_and_held()
        assert all(round_.held == 0 for round_ in self.known)


def test_random_histories() -> None:
    # the same histories each time, in which everything below is met
    run_state_machine_as_test(
        seed(0)(BountyMachine), settings=settings(max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None)
    )
    print(BountyMachine.done, BountyMachine.refused)
    assert {"fund", "enter", "claim", "refund"} <= BountyMachine.done.keys()
    met = {"AlreadyEntered", "AlreadyPaid", "VerdictNotStanding", "TooEarly", "TooLate"}
    assert met <= BountyMachine.refused.keys()
