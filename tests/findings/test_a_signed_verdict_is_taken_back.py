"""A reviewer signed a verdict and regretted it. Nothing but another public verdict made the signature worthless."""

from __future__ import annotations

import pytest

from tests.findings.conftest import ALICE, BOB, DATA, MALLORY, domain, refusal
from tests.model.registry import DISPUTED, NO_END, REVIEWED

pytestmark = pytest.mark.evm


@pytest.fixture
def signed(registry):
    record, _ = registry.send(ALICE.address, "record", DATA)
    fields = (2, BOB.address, record, DISPUTED, bytes(32), 0, NO_END)
    signature = BOB.sign(domain(registry).attestation_authorization(*fields))
    return record, (2, BOB.address, record, DISPUTED, NO_END, signature)


def test_withdrawing_without_a_verdict_ends_what_was_signed(registry, signed) -> None:
    record, relayed = signed
    _, events = registry.send(BOB.address, "withdraw", 2, record)
    assert [(event.name, event.arguments) for event in events] == [("VerdictWithdrawn", (2, BOB.address, record, 0, 1))]
    assert refusal(lambda: registry.send(MALLORY.address, "attestBySig", *relayed))[0] == "InvalidSignature"
    assert registry.read("verdictOf", 2, record) == (0, 0, 0, 0, 1)
    # the counts of the record are as they were, and the group still has its word
    assert registry.read("statusOf", record)[-4:] == (0, 0, 0, 0)
    registry.send(BOB.address, "attest", 2, record, REVIEWED)
    assert registry.read("statusOf", record)[-4:] == (1, 0, 0, 0)


def test_only_a_reviewer_of_the_group_takes_back(registry, signed) -> None:
    record, relayed = signed
    for stranger in (MALLORY, ALICE):
        assert refusal(lambda by=stranger: registry.send(by.address, "withdraw", 2, record))[0] == "MissingRole"
    registry.send(MALLORY.address, "attestBySig", *relayed)
    assert registry.read("verdictOf", 2, record)[0] == DISPUTED


def test_nothing_is_taken_back_of_a_record_that_does_not_exist(registry) -> None:
    unknown = b"\xab" * 32
    assert refusal(lambda: registry.send(BOB.address, "withdraw", 2, unknown)) == ("UnknownRecord", (unknown,))
