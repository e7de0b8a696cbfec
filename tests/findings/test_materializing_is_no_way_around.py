"""Anyone may store a batched record, and it gets a time from the past. So nothing may be stored this way that its
author didn't commit to, in a role, at that time, after all of its parents."""

from __future__ import annotations

import pytest

from tests.findings.conftest import ALICE, BOB, CAROL, DATA, MALLORY, domain, join, refusal, run_reproducing
from tests.model import merkle
from tests.model.eip712 import Invitation, Key, record_commitment
from tests.model.registry import ALL_ROLES, NO_END, RECORDED, RECORDER, REVIEWER

pytestmark = pytest.mark.evm

OTHER = DATA._replace(subject=b"\7" * 32)
SALT = b"\x5a" * 32


class Batch:
    """Keys under a root that somebody has anchored."""

    def __init__(self, registry, *keys: Key, by=ALICE, group: int = 1) -> None:
        self.ids = sorted(domain(registry).record_id(key) for key in keys)
        self.root, _ = registry.send(by.address, "anchorLeaves", group, self.ids)
        self.registry, self.time = registry, registry.chain.now

    def proof(self, key: Key) -> tuple[bytes, ...]:
        return merkle.proof(self.ids, self.ids.index(domain(self.registry).record_id(key)))

    def materialize(self, key: Key, by=MALLORY) -> bytes:
        return self.registry.send(by.address, "materialize", key, self.root, self.proof(key))[0]


@pytest.mark.parametrize("group", [1, 2])
def test_a_batch_of_somebody_else(registry, group) -> None:
    """Carol is a member of the record's group or of another one, and anchors what is Alice's."""
    join(registry, CAROL, RECORDER, group=group, inviter=ALICE if group == 1 else BOB)
    batch = Batch(registry, DATA, OTHER, by=CAROL, group=group)
    record = domain(registry).record_id(DATA)
    assert registry.read("batchedAt", group, CAROL.address, record, batch.root, batch.proof(DATA)) == (batch.time, 0)
    assert registry.read("batchedAt", 1, ALICE.address, record, batch.root, batch.proof(DATA)) == (0, 0)
    for by in (ALICE, CAROL, MALLORY):
        assert refusal(lambda by=by: batch.materialize(DATA, by)) == (
            "UnknownBatch",
            (1, ALICE.address, batch.root),
        )


def test_a_batch_of_the_same_author_for_another_group(registry) -> None:
    join(registry, CAROL, RECORDER)
    join(registry, CAROL, RECORDER, group=2, inviter=BOB)
    own = DATA._replace(author=CAROL.address)
    batch = Batch(registry, own, by=CAROL, group=2)
    assert refusal(lambda: batch.materialize(own)) == ("UnknownBatch", (1, CAROL.address, batch.root))
    moved = own._replace(group=2)
    met = refusal(lambda: registry.send(MALLORY.address, "materialize", moved, batch.root, ()))
    assert met == ("NotInBatch", (domain(registry).record_id(moved), batch.root))


def test_anchored_in_a_role_and_materialized_after_it(registry) -> None:
    """The author was a RECORDER when they committed, which is what a record's time speaks of."""
    join(registry, CAROL, RECORDER)
    own = DATA._replace(author=CAROL.address)
    batch = Batch(registry, own, by=CAROL)
    registry.send(ALICE.address, "removeMember", 1, CAROL.address)
    registry.chain.now += 1000
    record = batch.materialize(own)
    # group, kind, status, flags, recordedAt
    assert registry.read("statusOf", record)[:5] == (1, 1, RECORDED, 1, batch.time)
    # and the group keeps its own remedy
    registry.send(ALICE.address, "retract", own, bytes(32))
    assert refusal(lambda: batch.materialize(own)) == ("RecordExists", (record, batch.time))


@pytest.mark.parametrize("lost", ["removed", "ended", "never"])
def test_anchoring_without_the_role(registry, lost) -> None:
    roles = REVIEWER if lost == "never" else ALL_ROLES
    join(registry, CAROL, roles)
    if lost == "removed":
        registry.send(CAROL.address, "removeMember", 1, CAROL.address)
    if lost == "ended":
        until = registry.chain.now + 10
        registry.send(ALICE.address, "removeMember", 1, CAROL.address)
        version = registry.read("membershipOf", 1, CAROL.address)[3]
        invitation = Invitation(1, ALICE.address, CAROL.address, RECORDER, until, 1, version, NO_END)
        registry.send(CAROL.address, "joinBySig", invitation, ALICE.sign(domain(registry).invitation(invitation)))
        registry.chain.now = until
    record = domain(registry).record_id(DATA._replace(author=CAROL.address))
    for call in (("anchor", 1, merkle.root([record]), 1, bytes(32)), ("anchorLeaves", 1, [record])):
        met = refusal(lambda call=call: registry.send(CAROL.address, *call))
        assert met == ("MissingRole", (1, CAROL.address, RECORDER))


@pytest.mark.parametrize("first", ["anchored", "cancelled"])
def test_a_cancelled_record_stays_out(registry, first) -> None:
    """Whichever came first. Its author alone can store it, as of now."""
    if first == "cancelled":
        registry.send(ALICE.address, "cancel", DATA)
    batch = Batch(registry, DATA, OTHER)
    if first == "anchored":
        registry.send(ALICE.address, "cancel", DATA)
    record = domain(registry).record_id(DATA)
    for by in (MALLORY, ALICE):
        assert refusal(lambda by=by: batch.materialize(DATA, by)) == ("RecordIsCancelled", (record,))
    batch.materialize(OTHER)
    registry.chain.now += 100
    registry.send(ALICE.address, "record", DATA)
    assert registry.read("statusOf", record)[3:5] == (0, batch.time + 100)


def test_a_parent_recorded_after_the_batch(registry) -> None:
    """An id is known before it is stored, so a child could be anchored before its parent: the child would be older."""
    parent = domain(registry).record_id(OTHER)
    child = DATA._replace(parents=((parent, 1),))
    batch = Batch(registry, child)
    assert refusal(lambda: batch.materialize(child)) == ("UnknownParent", (parent,))
    registry.chain.now += 1
    registry.send(ALICE.address, "record", OTHER)
    assert refusal(lambda: batch.materialize(child)) == (
        "ParentRecordedLater",
        (parent, batch.time + 1, batch.time),
    )
    # a record now, with the time of now, is all that it can be
    registry.send(ALICE.address, "record", child)
    assert registry.read("statusOf", domain(registry).record_id(child))[4] == batch.time + 1


@pytest.mark.parametrize("order", ["parent first", "batch first"])
def test_a_parent_recorded_in_the_block_of_the_batch(registry, order) -> None:
    """Within one block there is no earlier and later."""
    child = DATA._replace(parents=((domain(registry).record_id(OTHER), 1),))
    if order == "parent first":
        registry.send(ALICE.address, "record", OTHER)
    batch = Batch(registry, child)
    if order == "batch first":
        registry.send(ALICE.address, "record", OTHER)
    registry.chain.now += 1000
    stored = batch.materialize(child)
    assert registry.read("statusOf", stored)[4] == batch.time


def test_a_parent_in_the_batch_and_one_in_a_later_batch(registry) -> None:
    """A parent from a batch has the time of its batch, however late it is stored."""
    late = OTHER._replace(subject=b"\x08" * 32)
    child = DATA._replace(parents=((domain(registry).record_id(OTHER), 1),))
    other_child = DATA._replace(parents=((domain(registry).record_id(late), 1),))
    batch = Batch(registry, OTHER, child, other_child)
    registry.chain.now += 10
    later = Batch(registry, late)
    registry.chain.now += 1000
    assert refusal(lambda: batch.materialize(child))[0] == "UnknownParent"
    batch.materialize(OTHER)
    assert registry.read("statusOf", batch.materialize(child))[4] == batch.time
    late_id = later.materialize(late)
    met = refusal(lambda: batch.materialize(other_child))
    assert met == ("ParentRecordedLater", (late_id, later.time, batch.time))


def test_a_reproduction_older_than_its_record(registry) -> None:
    """A Run anchored beforehand, under the id that the record was going to have, is never evidence."""
    record = domain(registry).record_id(DATA)
    run = run_reproducing(record)
    batch = Batch(registry, run, by=BOB, group=2)
    registry.chain.now += 100
    registry.send(ALICE.address, "record", DATA)
    assert refusal(lambda: batch.materialize(run))[0] == "ParentRecordedLater"
    assert refusal(lambda: registry.send(BOB.address, "attestWithEvidence", 2, record, 2, run))[0] == "EvidenceUnusable"


def test_a_batch_anchored_again_keeps_its_first_time(registry) -> None:
    batch = Batch(registry, DATA, OTHER)
    registry.chain.now += 100
    for call in (("anchor", 1, batch.root, 9, bytes(32)), ("anchorLeaves", 1, batch.ids)):
        met = refusal(lambda call=call: registry.send(ALICE.address, *call))
        assert met == ("BatchExists", (batch.root, batch.time))
    assert registry.read("batchOf", 1, ALICE.address, batch.root) == (batch.time, 2, True, 0)
    # in another batch of the author, the record can be stored with that one's time, later but never earlier
    third = OTHER._replace(subject=b"\x08" * 32)
    later = Batch(registry, DATA, third)
    assert registry.read("statusOf", later.materialize(DATA))[4] == batch.time + 100
    record = domain(registry).record_id(DATA)
    assert refusal(lambda: batch.materialize(DATA)) == ("RecordExists", (record, batch.time + 100))


def test_what_no_record_may_be_stays_out(registry) -> None:
    for wrong, error in (
        (DATA._replace(kind=15), "InvalidKind"),
        (DATA._replace(subject_type=7), "InvalidSubjectType"),
        (DATA._replace(parents=((bytes(32), 0),)), "InvalidRelation"),
    ):
        registry.chain.now += 1
        batch = Batch(registry, wrong)
        assert refusal(lambda batch=batch, wrong=wrong: batch.materialize(wrong))[0] == error


def test_a_batched_record_has_no_seal(registry) -> None:
    """A seal is proven by its salt; without it nobody says since when."""
    registry.send(ALICE.address, "seal", 1, record_commitment(domain(registry).record_id(DATA), SALT))
    registry.chain.now += 100
    batch = Batch(registry, DATA)
    assert registry.read("statusOf", batch.materialize(DATA))[4:7] == (batch.time, 0, 0)
