"""Eight bits count a group's changes of verdict. A REVIEWER could use them up in one transaction, and the group could
never again say anything of that record, long after the REVIEWER was gone."""

from __future__ import annotations

import pytest

from tests.findings.conftest import ALICE, BOB, CAROL, DATA, domain
from tests.model.eip712 import Invitation
from tests.model.registry import DISPUTED, NO_END, REVIEWED, REVIEWER

pytestmark = pytest.mark.evm


def test_a_group_outlasts_a_rogue_reviewer(registry) -> None:
    record, _ = registry.send(ALICE.address, "record", DATA)
    invitation = Invitation(2, BOB.address, CAROL.address, REVIEWER, NO_END, 1, 0, NO_END)
    registry.send(CAROL.address, "joinBySig", invitation, BOB.sign(domain(registry).invitation(invitation)))
    for _ in range(254):
        registry.send(CAROL.address, "attest", 2, record, REVIEWED)
    registry.send(BOB.address, "removeMember", 2, CAROL.address)
    registry.send(BOB.address, "attest", 2, record, DISPUTED)
    assert registry.read("verdictOf", 2, record)[0] == DISPUTED
    assert registry.read("statusOf", record)[-4:] == (0, 0, 0, 1)
