"""Groups are numbered in order. A reorganisation that put a stranger's `createGroup` in front gave the stranger the
number that a sponsor's terms named, and the stranger earned the share."""

from __future__ import annotations

import pytest

from tests.findings.conftest import MALLORY, refusal
from tests.model.registry import ALL_ROLES
from tests.support.actors import Actor
from tests.support.market import GROUP_AGE, Market

pytestmark = pytest.mark.evm


def test_a_group_that_a_reorganisation_can_undo_is_not_eligible() -> None:
    market = Market()
    before = market.chain.evm.snapshot()
    trusted = Actor.named("a lab that the sponsor trusts")
    group, _ = market.registry.send(trusted.address, "createGroup", ALL_ROLES, bytes(32))
    bounty = market.terms(groups=(group,))
    market.chain.evm.revert(before)
    again, _ = market.registry.send(MALLORY.address, "createGroup", ALL_ROLES, bytes(32))
    assert again == group, "the stranger has the number now"
    created = market.chain.now
    assert refusal(lambda: market.fund(bounty)) == ("GroupTooYoung", (group, created))


@pytest.mark.parametrize(("age", "funds"), [(GROUP_AGE - 1, False), (GROUP_AGE, True)])
def test_a_group_is_eligible_from_a_day_on(age, funds) -> None:
    market = Market()
    group, _ = market.registry.send(MALLORY.address, "createGroup", ALL_ROLES, bytes(32))
    created = market.chain.now
    market.chain.now += age
    bounty = market.terms(groups=(2, group))
    if funds:
        market.fund(bounty)
        assert market.held(bounty) == bounty.total
    else:
        assert refusal(lambda: market.fund(bounty)) == ("GroupTooYoung", (group, created))
