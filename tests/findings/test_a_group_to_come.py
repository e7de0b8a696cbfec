"""A stranger wrote memberships of a group that did not exist yet. Creating the group set the version back from 2 to 1,
and every index that takes versions as growing stopped for good."""

from __future__ import annotations

import pytest

from tests.findings.conftest import ALICE, MALLORY, refusal
from tests.model.registry import ALL_ROLES

pytestmark = pytest.mark.evm


@pytest.mark.parametrize("ahead", [0, 1, 7])
def test_nobody_writes_into_a_group_that_does_not_exist(registry, ahead) -> None:
    group = registry.read("lastGroup") + ahead if ahead else 0
    for account in (MALLORY.address, ALICE.address):
        met = refusal(lambda account=account: registry.send(MALLORY.address, "removeMember", group, account))
        assert met == ("UnknownGroup", (group,))
    assert registry.read("membershipOf", group, MALLORY.address)[3] == 0


def test_versions_grow_strictly_from_a_groups_creation_on(registry) -> None:
    events = []
    for _ in range(2):
        refusal(lambda: registry.send(MALLORY.address, "removeMember", registry.read("lastGroup") + 1, MALLORY.address))
    group, emitted = registry.send(MALLORY.address, "createGroup", ALL_ROLES, bytes(32))
    events += emitted
    for _ in range(3):
        _, emitted = registry.send(MALLORY.address, "removeMember", group, MALLORY.address)
        events += emitted
    versions = [event.arguments[-1] for event in events if event.name == "MembershipChanged"]
    assert versions == [1, 2, 3, 4]
