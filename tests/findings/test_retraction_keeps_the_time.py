"""In Sign Protocol a revocation destroyed the time of what it revoked. Here a retracted record keeps its own, that of
its seal or of its batch as well, and so does everything else that was committed to."""

from __future__ import annotations

import pytest

from tests.findings.conftest import ALICE, BOB, CAROL, DATA, MALLORY, domain, join, refusal, run_reproducing
from tests.model.eip712 import record_commitment
from tests.model.registry import MAINTAINER, RECORDER, RETRACTED, REVIEWER

pytestmark = pytest.mark.evm

SALT = b"\x5a" * 32


def test_a_retracted_record_still_says_when_it_was_made(registry) -> None:
    made = registry.chain.now
    record, _ = registry.send(ALICE.address, "record", DATA)
    registry.chain.now += 1000
    run = run_reproducing(record)
    registry.send(BOB.address, "record", run)
    registry.send(BOB.address, "attestWithEvidence", 2, record, 2, run)
    registry.chain.now += 1000
    registry.send(ALICE.address, "retract", DATA, bytes(32))
    # status, kind, flags, group, recordedAt, retractedAt, sealedAt and the four counts
    assert registry.read("statusOf", record) == (1, 1, 3, 0, made, made + 2000, 0, 0, 1, 0, 0)
    assert registry.read("isParent", run, record, 8)


def test_a_sealed_record_keeps_the_time_of_its_seal(registry) -> None:
    start, commitment = registry.chain.now, record_commitment(domain(registry).record_id(DATA), SALT)
    registry.send(ALICE.address, "seal", 1, commitment)
    registry.chain.now += 100
    record, _ = registry.send(ALICE.address, "reveal", DATA, SALT)
    registry.chain.now += 100
    registry.send(ALICE.address, "retract", DATA, bytes(32))
    assert registry.read("statusOf", record)[4:7] == (start + 100, start + 200, start)
    assert registry.read("sealedAt", 1, ALICE.address, commitment) == start


def test_a_batched_record_keeps_the_time_of_its_batch(registry) -> None:
    start, record = registry.chain.now, domain(registry).record_id(DATA)
    root, _ = registry.send(ALICE.address, "anchorLeaves", 1, [record])
    registry.chain.now += 100
    registry.send(ALICE.address, "materialize", DATA, root, ())
    registry.chain.now += 100
    registry.send(ALICE.address, "retract", DATA, bytes(32))
    assert registry.read("statusOf", record)[3:7] == (1, start, start + 200, 0)
    assert registry.read("batchedAt", 1, ALICE.address, record, root, ()) == (start, 0)


def test_a_verdict_keeps_its_times_when_its_record_is_retracted(registry) -> None:
    record, _ = registry.send(ALICE.address, "record", DATA)
    run = run_reproducing(record)
    registry.send(BOB.address, "record", run)
    registry.send(BOB.address, "attestWithEvidence", 2, record, 2, run)
    before = registry.read("verdictOf", 2, record)
    registry.chain.now += 100
    registry.send(ALICE.address, "retract", DATA, bytes(32))
    assert registry.read("verdictOf", 2, record) == before


def test_a_recorder_cannot_retract_anothers_record(registry) -> None:
    registry.send(ALICE.address, "record", DATA)
    for member, roles in ((CAROL, RECORDER | REVIEWER), (MALLORY, 0)):
        if roles:
            join(registry, member, roles)
        met = refusal(lambda by=member: registry.send(by.address, "retract", DATA, bytes(32)))
        assert met == ("MissingRole", (1, member.address, MAINTAINER))


def test_an_author_who_is_no_recorder_any_more_cannot_retract_but_a_maintainer_can(registry) -> None:
    join(registry, CAROL, RECORDER)
    data = DATA._replace(author=CAROL.address)
    record, _ = registry.send(CAROL.address, "record", data)
    join(registry, CAROL, REVIEWER)
    met = refusal(lambda: registry.send(CAROL.address, "retract", data, bytes(32)))
    assert met == ("MissingRole", (1, CAROL.address, MAINTAINER | RECORDER))
    join(registry, CAROL, MAINTAINER)
    registry.send(CAROL.address, "retract", data, bytes(32))
    assert registry.read("statusOf", record)[2] == RETRACTED
