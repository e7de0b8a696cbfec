"""Money in every form that people send it, and receivers that fight back."""

from __future__ import annotations

import pytest

from tests.findings.conftest import refusal
from tests.model.registry import NOBODY
from tests.support.artifacts import artifact
from tests.support.evm import DEPLOYER, Contract, Reverted, interface_of
from tests.support.market import BOB, DAVE, RICH, SHARE, SPONSOR, STRANGER, Bounty, Market, Work

PLAIN, SILENT, DENYING, TAXED, GENEROUS, FROZEN, CALLING = range(7)
ACCEPT, REFUSE, BURN, CALL = range(4)


def awkward(market: Market, manner: int, target: str = NOBODY, data: bytes = b"") -> str:
    market.token.send(DEPLOYER, "set", manner, target, data)
    return market.token.address


def execute(market: Market, payee: Contract, function: str, *arguments: object, value: int = 0) -> None:
    """The payee calls the bounty."""
    data = market.bounty.interface.encode_call(function, *arguments)
    payee.send(DEPLOYER, "execute", market.bounty.address, value, data)


def refused(market: Market, payee: Contract, data: bytes) -> None:
    """The payee calls the bounty, and its own receive function is what reverts."""
    execute = payee.interface.encode_call("execute", market.bounty.address, 0, data)
    with pytest.raises(Reverted) as reverted:
        market.chain.call(DEPLOYER, payee.address, execute, static=False)
    manner = payee.read("manner")
    expected = {REFUSE: ("Error", ("not wanted",)), BURN: ("FailedCall", ())}[manner]
    error = market.bounty.interface.decode_error(reverted.value.data)
    assert (error.name, error.arguments) == expected


def assert_guarded(market: Market, payee: Contract) -> None:
    """What the payee tried when money came was refused because money was moving."""
    assert payee.read("called") is False
    assert market.bounty.interface.decode_error(payee.read("answer")).name == "ReentrancyGuardReentrantCall"


def earned_by_contract(market: Market, manner: int) -> tuple[Bounty, Work, Contract]:
    """A bounty of which groups 2 and 3 earned their shares; a contract owns group 2."""
    bounty = market.funded()
    payee = market.chain.deploy("Payee")
    works = [market.entered(bounty, group) for group in (2, 3)]
    market.registry.send(BOB.address, "transferGroup", 2, payee.address)
    accept = market.registry.interface.encode_call("acceptGroup", 2)
    payee.send(DEPLOYER, "execute", market.registry.address, 0, accept)
    market.chain.now = bounty.entry_until + 1
    for work in works:
        market.reveal(work)
    market.chain.now = bounty.verdict_until + 1
    payee.send(DEPLOYER, "set", manner, NOBODY, b"")
    market.claim(bounty, works[1])
    assert market.ether(DAVE.address) == SHARE
    return bounty, works[0], payee


# tokens


@pytest.mark.parametrize("manner", [PLAIN, SILENT])
def test_tokens_are_paid_in_and_out(market: Market, manner: int) -> None:
    bounty = market.funded(token=awkward(market, manner))
    assert market.tokens(market.bounty.address) == market.held(bounty) == 3 * SHARE
    market.claim(bounty, market.earned(bounty))
    market.chain.now = bounty.claim_until + 1
    market.refund(bounty, to=STRANGER.address)
    assert [market.tokens(account) for account in (BOB.address, STRANGER.address, market.bounty.address)] == [
        SHARE,
        2 * SHARE,
        0,
    ]


def test_a_token_that_says_no_is_believed(market: Market) -> None:
    terms = market.terms(token=awkward(market, DENYING))
    assert refusal(lambda: market.fund(terms)) == ("SafeERC20FailedOperation", (market.token.address,))
    awkward(market, PLAIN)
    market.fund(terms)
    work = market.earned(terms)
    awkward(market, DENYING)
    assert refusal(lambda: market.claim(terms, work)) == ("SafeERC20FailedOperation", (market.token.address,))
    assert market.held(terms) == 3 * SHARE
    awkward(market, PLAIN)
    market.claim(terms, work)


@pytest.mark.parametrize(("manner", "received"), [(TAXED, 3 * SHARE * 99 // 100), (GENEROUS, 3 * SHARE + 1)])
def test_a_token_that_does_not_bring_the_exact_sum_is_refused(market: Market, manner: int, received: int) -> None:
    terms = market.terms(token=awkward(market, manner))
    assert refusal(lambda: market.fund(terms)) == ("WrongPayment", (3 * SHARE, received))


def test_no_ether_comes_with_tokens(market: Market) -> None:
    terms = market.terms(token=market.token.address)
    assert refusal(lambda: market.fund(terms, value=1)) == ("WrongPayment", (0, 1))


def test_an_account_is_no_token(market: Market) -> None:
    assert refusal(lambda: market.fund(market.terms(token=STRANGER.address))) == ("NotAToken", (STRANGER.address,))


def test_a_frozen_token_keeps_only_its_own_bounties_waiting(market: Market) -> None:
    frozen = market.funded(token=awkward(market, PLAIN))
    ether = market.funded()
    work = market.work()
    for bounty in (frozen, ether):
        market.enter(bounty, work)
    market.chain.now = ether.entry_until + 1
    market.reveal(work)
    market.chain.now = ether.verdict_until + 1
    awkward(market, FROZEN)
    assert refusal(lambda: market.claim(frozen, work)) == ("Error", ("frozen",))
    market.claim(ether, work)
    awkward(market, PLAIN)
    market.claim(frozen, work)


def test_a_token_cannot_count_one_payment_twice(market: Market) -> None:
    """While it is asked to pay for one bounty, it lets its accomplice pay for another with the same transfer."""
    payee = market.chain.deploy("Payee")
    market.token.send(DEPLOYER, "mint", payee.address, RICH)
    approve = market.token.interface.encode_call("approve", market.bounty.address, RICH)
    payee.send(DEPLOYER, "execute", market.token.address, 0, approve)
    inner = market.terms(token=market.token.address, sponsor=payee.address)
    fund_inner = market.bounty.interface.encode_call("fund", inner)
    through_payee = payee.interface.encode_call("execute", market.bounty.address, 0, fund_inner)
    outer = market.funded(token=awkward(market, CALLING, payee.address, through_payee))
    assert market.token.read("called") is False
    assert market.held(inner) == 0
    assert market.held(outer) == market.tokens(market.bounty.address) == 3 * SHARE


# receivers


@pytest.mark.parametrize("manner", [REFUSE, BURN])
def test_a_group_that_refuses_money_hurts_only_itself(market: Market, manner: int) -> None:
    bounty, work, payee = earned_by_contract(market, manner)
    claim = market.bounty.interface.encode_call("claim", bounty, 2, work.opening, payee.address)
    refused(market, payee, claim)
    assert market.held(bounty) == 2 * SHARE
    execute(market, payee, "claim", bounty, 2, work.opening, STRANGER.address)
    assert market.ether(STRANGER.address) == SHARE


def test_a_receiver_that_calls_back_is_paid_once(market: Market) -> None:
    bounty, work, payee = earned_by_contract(market, CALL)
    again = market.bounty.interface.encode_call("claim", bounty, 2, work.opening, payee.address)
    payee.send(DEPLOYER, "set", CALL, market.bounty.address, again)
    execute(market, payee, "claim", bounty, 2, work.opening, payee.address)
    assert market.chain.evm.get_balance(payee.address) == SHARE
    assert_guarded(market, payee)
    assert market.held(bounty) == market.ether(market.bounty.address) == SHARE


def test_a_sponsor_can_be_a_contract_that_refuses_money(market: Market) -> None:
    payee = market.chain.deploy("Payee")
    market.chain.evm.set_balance(payee.address, RICH)
    bounty = market.terms(sponsor=payee.address)
    execute(market, payee, "fund", bounty, value=bounty.total)
    work = market.earned(bounty)
    payee.send(DEPLOYER, "set", REFUSE, NOBODY, b"")
    market.claim(bounty, work)
    market.chain.now = bounty.claim_until + 1
    refund = market.bounty.interface.encode_call("refund", bounty, payee.address)
    refused(market, payee, refund)
    execute(market, payee, "refund", bounty, STRANGER.address)
    assert market.ether(STRANGER.address) == 2 * SHARE


def test_a_sponsor_that_calls_back_is_refunded_once(market: Market) -> None:
    payee = market.chain.deploy("Payee")
    market.chain.evm.set_balance(payee.address, 3 * SHARE)
    bounty, other = market.terms(sponsor=payee.address), market.funded()
    execute(market, payee, "fund", bounty, value=bounty.total)
    market.chain.now = bounty.claim_until + 1
    again = market.bounty.interface.encode_call("refund", bounty, payee.address)
    payee.send(DEPLOYER, "set", CALL, market.bounty.address, again)
    execute(market, payee, "refund", bounty, payee.address)
    assert_guarded(market, payee)
    assert market.ether(payee.address) == 3 * SHARE
    assert market.held(other) == market.ether(market.bounty.address) == 3 * SHARE


# ether that nobody owes


def test_forced_ether_changes_nothing(market: Market) -> None:
    bounty = market.funded()
    market.chain.evm.set_balance(DEPLOYER, RICH)
    forcer = market.chain.evm.deploy(DEPLOYER, forcing(market.bounty.address), value=SHARE)
    assert forcer
    assert market.ether(market.bounty.address) == 4 * SHARE
    market.claim(bounty, market.earned(bounty))
    market.chain.now = bounty.claim_until + 1
    market.refund(bounty)
    assert market.ether(market.bounty.address) == SHARE
    assert market.held(bounty) == 0


def test_ether_is_not_taken_without_a_bounty(market: Market) -> None:
    for data in (b"", b"\1\2\3\4", market.bounty.interface.encode_call("refund", market.terms(), SPONSOR.address)):
        market.chain.value = 1
        with pytest.raises(Reverted):
            market.chain.call(SPONSOR.address, market.bounty.address, data, static=False)
    assert market.ether(market.bounty.address) == 0


def forcing(to: str) -> bytes:
    """Creation code that gives its ether to an account, whether it wants it or not."""
    return artifact("Forcer").bytecode + interface_of("Forcer").encode_constructor(to)
