"""Only its author could cancel a batched record, and nobody could end a batch. So a group could never disown what a
stolen key had anchored in one block and shows years later, nor what can't be stored and so can't be retracted. And
who had left a lab could destroy its batched records: cancelling asked for no role."""

from __future__ import annotations

import pytest

from tests.findings.conftest import ALICE, CAROL, DATA, MALLORY, join, refusal
from tests.model import merkle
from tests.model.registry import CANCELLED, MAINTAINER, RECORDER, REVIEWER, UNKNOWN

pytestmark = pytest.mark.evm

YEARS = 10 * 365 * 86400
OF_MALLORY = DATA._replace(author=MALLORY.address)
UNSTORABLE = {
    "kind": {"kind": 99},
    "subject type": {"subject_type": 7},
    "parent": {"parents": ((b"\x77" * 32, 1),)},
}


@pytest.fixture
def asker(registry):
    """Mallory is a RECORDER of group 1, and a contract asks as `ProvenanceConsumer` does."""
    join(registry, MALLORY, RECORDER)
    return registry.chain.deploy("Asker", registry.address)


@pytest.mark.parametrize("how", UNSTORABLE)
def test_a_maintainer_cancels_a_batched_record_that_cannot_be_stored(registry, asker, how) -> None:
    key = OF_MALLORY._replace(**UNSTORABLE[how])
    record = registry.read("idOf", key)
    root, _ = registry.send(MALLORY.address, "anchorLeaves", 1, (record,))
    registry.send(ALICE.address, "removeMember", 1, MALLORY.address)
    assert asker.read("batched", key, root, ())[0] == record
    _, (event,) = registry.send(ALICE.address, "cancel", key)
    assert event == ("RecordCancelled", (1, ALICE.address, record))
    assert refusal(lambda: asker.read("batched", key, root, ()))[0] == "RecordNotStanding"


@pytest.mark.parametrize("by", [ALICE, MALLORY])
def test_a_batch_that_was_ended_stores_nothing_any_more(registry, asker, by) -> None:
    """What is under the root, its group need not know. What was stored before stays, and can be retracted."""
    keys = [OF_MALLORY._replace(subject=bytes([index]) * 32) for index in range(1, 9)]
    ids = sorted(registry.read("idOf", key) for key in keys)
    root, paths = merkle.root(ids), {}
    registry.send(MALLORY.address, "anchor", 1, root, 1, bytes(32))
    anchored_at = registry.chain.now
    for key in keys:
        paths[key] = merkle.proof(ids, ids.index(registry.read("idOf", key)))
    registry.send(CAROL.address, "materialize", keys[0], root, paths[keys[0]])
    if by is ALICE:
        registry.send(ALICE.address, "removeMember", 1, MALLORY.address)
    registry.chain.now += 1
    _, (event,) = registry.send(by.address, "endBatch", 1, MALLORY.address, root)
    assert event == ("BatchEnded", (1, by.address, MALLORY.address, root))
    ended_at = registry.chain.now
    registry.chain.now += YEARS
    for key in keys[1:]:
        record = registry.read("idOf", key)
        call = (CAROL.address, "materialize", key, root, paths[key])
        assert refusal(lambda call=call: registry.send(*call)) == ("BatchHasEnded", (root, ended_at))
        met = refusal(lambda key=key: asker.read("batched", key, root, paths[key]))
        assert met == ("BatchHasEnded", (root, ended_at))
        # that it was anchored, and when, stays true
        asked = (1, MALLORY.address, record, root, paths[key])
        assert registry.read("batchedAt", *asked) == (anchored_at, ended_at)
        assert registry.read("statusOf", record)[2] == UNKNOWN
    assert registry.read("batchOf", 1, MALLORY.address, root) == (anchored_at, 1, False, ended_at)
    again = (ALICE.address, "endBatch", 1, MALLORY.address, root)
    assert refusal(lambda: registry.send(*again)) == ("BatchHasEnded", (root, ended_at))
    registry.send(ALICE.address, "retract", keys[0], bytes(32))


def test_nobody_else_ends_a_batch_or_cancels_a_record(registry, asker) -> None:
    join(registry, CAROL, RECORDER | REVIEWER)
    record = registry.read("idOf", OF_MALLORY)
    root, _ = registry.send(MALLORY.address, "anchorLeaves", 1, (record,))
    for call in (("cancel", OF_MALLORY), ("endBatch", 1, MALLORY.address, root)):
        met = refusal(lambda call=call: registry.send(CAROL.address, *call))
        assert met == ("MissingRole", (1, CAROL.address, MAINTAINER))
    unknown = (ALICE.address, "endBatch", 1, CAROL.address, root)
    assert refusal(lambda: registry.send(*unknown)) == ("UnknownBatch", (1, CAROL.address, root))


def test_who_left_destroys_nothing(registry, asker) -> None:
    record = registry.read("idOf", OF_MALLORY)
    root, _ = registry.send(MALLORY.address, "anchorLeaves", 1, (record,))
    registry.send(ALICE.address, "removeMember", 1, MALLORY.address)
    for call in (("cancel", OF_MALLORY), ("endBatch", 1, MALLORY.address, root)):
        met = refusal(lambda call=call: registry.send(MALLORY.address, *call))
        assert met == ("MissingRole", (1, MALLORY.address, MAINTAINER | RECORDER))
    registry.send(ALICE.address, "materialize", OF_MALLORY, root, ())


def test_a_stranger_writes_nothing_of_a_group_that_does_not_exist(registry) -> None:
    key = OF_MALLORY._replace(group=999)
    assert refusal(lambda: registry.send(MALLORY.address, "cancel", key))[0] == "MissingRole"
    assert registry.read("statusOf", registry.read("idOf", key))[2:4] == (UNKNOWN, 0)
    registry.send(ALICE.address, "cancel", DATA)
    assert registry.read("statusOf", registry.read("idOf", DATA))[2] == CANCELLED


def test_what_was_stored_before_its_batch_ended_stands_and_is_told_apart(registry, asker) -> None:
    """The end is for good, also if a stolen key made it: the time stays told, the root can't be anchored again."""
    record = registry.read("idOf", OF_MALLORY)
    root, _ = registry.send(MALLORY.address, "anchorLeaves", 1, (record,))
    registry.send(CAROL.address, "materialize", OF_MALLORY, root, ())
    registry.send(MALLORY.address, "endBatch", 1, MALLORY.address, root)
    assert asker.read("recorded", OF_MALLORY) == record
    assert refusal(lambda: asker.read("batched", OF_MALLORY, root, ()))[0] == "BatchHasEnded"
    again = (MALLORY.address, "anchor", 1, root, 1, bytes(32))
    assert refusal(lambda: registry.send(*again))[0] == "BatchExists"
    assert registry.read("batchedAt", 1, MALLORY.address, record, root, ())[0] == registry.chain.now


def test_the_author_stores_what_was_cancelled_only_while_a_recorder(registry, asker) -> None:
    """So the roles of a stolen key are ended first."""
    registry.send(ALICE.address, "cancel", OF_MALLORY)
    registry.send(MALLORY.address, "record", OF_MALLORY)
    other = OF_MALLORY._replace(subject=b"\x55" * 32)
    registry.send(ALICE.address, "cancel", other)
    registry.send(ALICE.address, "removeMember", 1, MALLORY.address)
    assert refusal(lambda: registry.send(MALLORY.address, "record", other))[0] == "MissingRole"
