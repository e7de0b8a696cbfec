"""A maintainer manages members, and no other maintainer: neither their roles nor whether they stay."""

from __future__ import annotations

import pytest

from tests.findings.conftest import ALICE, CAROL, MALLORY, join, refusal
from tests.model.eip712 import Invitation
from tests.model.registry import MAINTAINER, NO_END, RECORDER

pytestmark = pytest.mark.evm


def test_a_maintainer_changes_no_other_maintainer(registry) -> None:
    for member in (CAROL, MALLORY):
        join(registry, member, MAINTAINER)
    before = registry.read("membershipOf", 1, CAROL.address)
    refused = ("NotAllowedToManage", (1, CAROL.address, MALLORY.address))
    assert refusal(lambda: registry.send(MALLORY.address, "removeMember", 1, CAROL.address)) == refused
    lower = Invitation(1, MALLORY.address, CAROL.address, RECORDER, NO_END, 1, before[3], NO_END)
    assert refusal(lambda: registry.send(MALLORY.address, "invite", lower)) == refused
    assert registry.read("membershipOf", 1, CAROL.address) == before
    registry.send(CAROL.address, "removeMember", 1, CAROL.address)
    registry.send(ALICE.address, "removeMember", 1, MALLORY.address)
