"""Single promises of the registry, each by itself and with values of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.model import merkle
from tests.model.eip712 import (
    INVITATION_TYPE,
    Domain,
    Invitation,
    Key,
    keccak,
    record_commitment,
    struct,
    verdict_commitment,
)
from tests.model.registry import (
    ALL_ROLES,
    MAINTAINER,
    NO_END,
    NOBODY,
    RECORDER,
    REVIEWER,
    Event,
    ForeignRecord,
    Refused,
    Registry,
    Signature,
)
from tests.model.replay import replay
from tests.support.actors import FORGERIES, Actor
from tests.support.artifacts import artifact
from tests.support.evm import START, Chain, Contract

OWNER, ALICE, BOB, MALLORY = (Actor.named(name) for name in ("owner", "alice", "bob", "mallory"))
DATA = Key(1, ALICE.address, 1, b"\1" * 32, 1, b"\2" * 32)
SALT = b"\5" * 32
ELSEWHERE = ForeignRecord(5, "0x" + "f0" * 20, b"\x0e" * 32)
quick = settings(max_examples=60, deadline=None)


def two_labs() -> Contract:
    """Two groups, Alice's and Bob's, with all roles for themselves; the registry is somebody else's."""
    registry = Chain().deploy("LabRegistry", OWNER.address, True)
    for founder in (ALICE, BOB):
        registry.send(founder.address, "createGroup", ALL_ROLES, bytes(32))
    return registry


@pytest.fixture
def registry() -> Contract:
    return two_labs()


def domain(registry: Contract) -> Domain:
    return Domain(registry.chain.chain_id, registry.address)


def refusal(registry: Contract, caller: Actor, function: str, *arguments: object) -> tuple[str, tuple[object, ...]]:
    with pytest.raises(Refused) as refused:
        registry.send(caller.address, function, *arguments)
    return refused.value.name, refused.value.arguments


def run_reproducing(record: bytes, **other: object) -> Key:
    return Key(2, BOB.address, 4, b"\3" * 32, 3, b"\4" * 32, ((record, 8),))._replace(**other)


def reference_to(foreign: ForeignRecord) -> Key:
    """Bob's, for his group."""
    return Key(2, BOB.address, 4, hashlib.sha256(foreign.name.encode()).digest(), 10, bytes(32))


def state_of(registry: Contract, record: bytes) -> Any:
    return registry.read("statusOf", record)


RECORDED_AT, RETRACTED_AT, SEALED_AT = 4, 5, 6


def test_a_record_is_written_once(registry: Contract) -> None:
    """Whatever way it came, there is no second way to store it; what comes later leaves it as it was."""
    here = domain(registry)
    record = here.record_id(DATA)
    registry.send(ALICE.address, "seal", 1, record_commitment(record, SALT))
    registry.send(ALICE.address, "anchorLeaves", 1, (record,))
    signature = ALICE.sign(here.record_authorization(DATA, NO_END))
    ways: dict[str, tuple[Any, ...]] = {
        "record": (DATA,),
        "recordBySig": (DATA, NO_END, signature),
        "reveal": (DATA, SALT),
        "materialize": (DATA, merkle.root((record,)), ()),
    }
    start = registry.chain.evm.snapshot()
    for first, arguments in ways.items():
        registry.chain.now = START + 10
        registry.send(ALICE.address, first, *arguments)
        written = state_of(registry, record)
        for again, others in ways.items():
            registry.chain.now += 10
            refused = refusal(registry, ALICE, again, *others)
            assert refused == ("RecordExists", (record, written[RECORDED_AT]))
        assert registry.send(ALICE.address, "recordMany", (DATA,)) == ((record,), [])
        assert refusal(registry, ALICE, "cancel", DATA)[0] == "RecordExists"
        assert state_of(registry, record) == written
        registry.chain.evm.revert(start)
        start = registry.chain.evm.snapshot()


def test_recorded_at_and_sealed_at_never_change(registry: Contract) -> None:
    """Not by verdicts, retraction, children, another seal, another batch."""
    here, chain = domain(registry), registry.chain
    record = here.record_id(DATA)
    registry.send(ALICE.address, "seal", 1, record_commitment(record, SALT))
    chain.now += 10
    registry.send(ALICE.address, "reveal", DATA, SALT)
    times = (START + 10, START)
    run = run_reproducing(record)
    for caller, function, *arguments in (
        (ALICE, "seal", 1, record_commitment(record, bytes(32))),
        (ALICE, "anchorLeaves", 1, (record,)),
        (ALICE, "record", DATA._replace(kind=2, parents=((record, 4),))),
        (BOB, "record", run),
        (BOB, "attestWithEvidence", 2, record, 2, run),
        (BOB, "attest", 2, record, 4),
        (BOB, "withdraw", 2, record),
        (ALICE, "retract", DATA, bytes(32)),
    ):
        chain.now += 10
        registry.send(caller.address, function, *arguments)
        status = state_of(registry, record)
        assert (status[RECORDED_AT], status[SEALED_AT]) == times, function
    assert refusal(registry, ALICE, "seal", 1, record_commitment(record, SALT))[0] == "AlreadySealed"
    assert registry.read("sealedAt", 1, ALICE.address, record_commitment(record, SALT)) == START


@pytest.mark.parametrize("way", ["record", "reveal", "materialize"])
def test_a_record_is_retracted_once_and_for_good(registry: Contract, way: str) -> None:
    record = domain(registry).record_id(DATA)
    registry.send(ALICE.address, "seal", 1, record_commitment(record, SALT))
    registry.send(ALICE.address, "anchorLeaves", 1, (record,))
    arguments = {"record": (), "reveal": (SALT,), "materialize": (merkle.root((record,)), ())}[way]
    registry.send(ALICE.address, way, DATA, *arguments)
    registry.chain.now += 10
    registry.send(ALICE.address, "retract", DATA, bytes(32))
    retracted = state_of(registry, record)
    assert retracted[RETRACTED_AT] == START + 10
    registry.chain.now += 10
    assert refusal(registry, ALICE, "retract", DATA, SALT) == ("AlreadyRetracted", (record, START + 10))
    assert refusal(registry, ALICE, way, DATA, *arguments) == ("RecordExists", (record, START))
    registry.send(BOB.address, "attest", 2, record, 1)
    assert state_of(registry, record)[:7] == retracted[:7], "a verdict may still be given, and unretracts nothing"


def test_a_signature_is_used_once_on_one_chain_and_one_registry(registry: Contract) -> None:
    """Each of the three kinds: a second time, in another registry, on another chain."""
    record, _ = registry.send(ALICE.address, "record", DATA)
    second = registry.chain.deploy("LabRegistry", OWNER.address, True)
    other_chain = Chain(chain_id=5).deploy("LabRegistry", OWNER.address, True)
    assert other_chain.address == registry.address
    for other in (second, other_chain):
        for founder in (ALICE, BOB):
            other.send(founder.address, "createGroup", ALL_ROLES, bytes(32))
        other.send(ALICE.address, "record", DATA)
    here, key = domain(registry), DATA._replace(kind=2)
    invitation = Invitation(1, ALICE.address, MALLORY.address, RECORDER, NO_END, 1, 0, NO_END)
    verdict = (2, BOB.address, record, 1, bytes(32), 0, NO_END)
    calls: list[tuple[Actor, str, tuple[Any, ...], Signature]] = [
        (MALLORY, "recordBySig", (key, NO_END), ALICE.sign(here.record_authorization(key, NO_END))),
        (
            MALLORY,
            "attestBySig",
            (2, BOB.address, record, 1, NO_END),
            BOB.sign(here.attestation_authorization(*verdict)),
        ),
        (MALLORY, "joinBySig", (invitation,), ALICE.sign(here.invitation(invitation))),
    ]
    for caller, function, arguments, signature in calls:
        for other in (second, other_chain):
            assert refusal(other, caller, function, *arguments, signature)[0] == "InvalidSignature"
        for form in FORGERIES:
            assert refusal(registry, caller, function, *arguments, form(signature))[0] == "InvalidSignature"
        registry.send(caller.address, function, *arguments, signature)
        for form in (lambda used: used, *FORGERIES):
            name, _ = refusal(registry, caller, function, *arguments, form(signature))
            assert name in {"RecordExists", "InvalidSignature", "StaleInvitation"}


@pytest.mark.parametrize("way", ["record", "recordMany", "recordBySig", "reveal", "materialize"])
def test_every_parent_precedes_its_child(registry: Contract, way: str) -> None:
    """By whatever way the child comes, its parent is stored then, and its own time is not before the parent's."""
    here = domain(registry)
    child = DATA._replace(kind=2, parents=((here.record_id(DATA), 4),))
    record = here.record_id(child)
    registry.send(ALICE.address, "seal", 1, record_commitment(record, SALT))
    registry.send(ALICE.address, "anchorLeaves", 1, (record,))
    arguments: dict[str, tuple[Any, ...]] = {
        "record": (child,),
        "recordMany": ((child,),),
        "recordBySig": (child, NO_END, ALICE.sign(here.record_authorization(child, NO_END))),
        "reveal": (child, SALT),
        "materialize": (child, merkle.root((record,)), ()),
    }
    assert refusal(registry, ALICE, way, *arguments[way]) == ("UnknownParent", child.parents[0][:1])
    registry.chain.now += 10
    registry.send(ALICE.address, "record", DATA)
    if way == "materialize":
        later = (here.record_id(DATA), START + 10, START)
        assert refusal(registry, ALICE, way, *arguments[way]) == ("ParentRecordedLater", later)
    else:
        registry.send(ALICE.address, way, *arguments[way])
        assert state_of(registry, record)[RECORDED_AT] >= state_of(registry, here.record_id(DATA))[RECORDED_AT]


@pytest.mark.parametrize("late", [0, 1, 1000])
@pytest.mark.parametrize("parent_way", ["record", "materialize", "reveal"])
def test_nothing_is_stored_with_a_time_before_its_parents(registry: Contract, parent_way: str, late: int) -> None:
    """A batch's records take the batch's time, so that a parent stored later keeps its child out of that batch."""
    here, chain = domain(registry), registry.chain
    parent, child = here.record_id(DATA), DATA._replace(kind=2, parents=((here.record_id(DATA), 4),))
    registry.send(ALICE.address, "seal", 1, record_commitment(parent, SALT))
    first, _ = registry.send(ALICE.address, "anchorLeaves", 1, (here.record_id(child),))
    chain.now += late
    second, _ = registry.send(ALICE.address, "anchorLeaves", 1, (parent,))
    third, _ = registry.send(ALICE.address, "anchorLeaves", 1, tuple(sorted((parent, here.record_id(child)))))
    arguments = {"record": (), "materialize": (second, ()), "reveal": (SALT,)}[parent_way]
    registry.send(ALICE.address, parent_way, DATA, *arguments)
    if late:
        refused = refusal(registry, BOB, "materialize", child, first, ())
        assert refused == ("ParentRecordedLater", (parent, START + late, START))
        registry.send(BOB.address, "materialize", child, third, (merkle.leaf(parent),))
    else:
        registry.send(BOB.address, "materialize", child, first, ())
    assert state_of(registry, here.record_id(child))[RECORDED_AT] == START + late


def test_a_group_always_has_an_owner(registry: Contract) -> None:
    """Offered, taken back, left by its owner as a member, offered to nobody: somebody owns it."""
    for caller, function, *arguments in (
        (ALICE, "transferGroup", 1, BOB.address),
        (ALICE, "transferGroup", 1, NOBODY),
        (ALICE, "removeMember", 1, ALICE.address),
        (ALICE, "transferGroup", 1, BOB.address),
    ):
        registry.send(caller.address, function, *arguments)
        assert registry.read("groupOf", 1)[0] == ALICE.address
    registry.send(BOB.address, "acceptGroup", 1)
    assert registry.read("groupOf", 1) == (BOB.address, NOBODY, START)
    assert refusal(registry, ALICE, "acceptGroup", 1) == ("NotPendingGroupOwner", (1, ALICE.address))


@quick
@given(st.lists(st.tuples(st.integers(2, 4), st.integers(0, 4)), max_size=12))
def test_counters_equal_the_groups_with_that_verdict(verdicts: list[tuple[int, int]]) -> None:
    """Any groups change their minds any number of times; 0 takes a verdict back."""
    registry = two_labs()
    for _ in range(2):
        registry.send(BOB.address, "createGroup", ALL_ROLES, bytes(32))
    record, _ = registry.send(ALICE.address, "record", DATA)
    current: dict[int, int] = {}
    for group, verdict in verdicts:
        run = run_reproducing(record, group=group)
        if not state_of(registry, domain(registry).record_id(run))[2]:
            registry.send(BOB.address, "record", run)
        if verdict:
            registry.send(BOB.address, "attestWithEvidence", group, record, verdict, run)
        elif current.get(group):
            registry.send(BOB.address, "withdraw", group, record)
        current[group] = verdict
        assert list(state_of(registry, record)[-4:]) == [list(current.values()).count(which) for which in range(1, 5)]


@pytest.mark.parametrize("verdict", [2, 3])
@pytest.mark.parametrize("way", ["attestWithEvidence", "attestWithEvidenceBySig", "revealVerdictWithEvidence"])
def test_a_finding_stands_on_its_unretracted_run(registry: Contract, way: str, verdict: int) -> None:
    """However it was given, it goes with its Run and does not come back on it."""
    here = domain(registry)
    record, _ = registry.send(ALICE.address, "record", DATA)
    run = run_reproducing(record)
    evidence = here.record_id(run)
    registry.send(BOB.address, "seal", 2, verdict_commitment(2, BOB.address, record, verdict, evidence, SALT))
    if way != "revealVerdictWithEvidence":
        registry.send(BOB.address, "record", run)
    signature = BOB.sign(here.attestation_authorization(2, BOB.address, record, verdict, evidence, 0, NO_END))
    arguments: dict[str, tuple[Any, ...]] = {
        "attestWithEvidence": (2, record, verdict, run),
        "attestWithEvidenceBySig": (2, BOB.address, record, verdict, run, NO_END, signature),
        "revealVerdictWithEvidence": (2, record, verdict, run, SALT),
    }
    registry.send(BOB.address, way, *arguments[way])
    assert state_of(registry, record)[-4:].count(1) == 1
    registry.send(BOB.address, "retract", run, bytes(32))
    assert state_of(registry, record)[-4:] == (0, 0, 0, 0)
    assert registry.read("verdictOf", 2, record) == (0, 0, 0, 0, 2)
    for again in ("attestWithEvidence", "revealVerdictWithEvidence"):
        assert refusal(registry, BOB, again, *arguments[again]) == ("EvidenceUnusable", (evidence, 1))


@pytest.mark.parametrize("verdict", [2, 3])
def test_a_finding_on_a_foreign_record_stands_on_its_unretracted_run(registry: Contract, verdict: int) -> None:
    here, reference = domain(registry), reference_to(ELSEWHERE)
    run = run_reproducing(here.record_id(reference))
    evidence = (reference, run)
    assert (
        refusal(registry, BOB, "attestForeignWithEvidence", 2, ELSEWHERE, verdict, *evidence)[0] == "EvidenceUnusable"
    )
    registry.send(BOB.address, "recordMany", (reference, run))
    registry.send(BOB.address, "attestForeignWithEvidence", 2, ELSEWHERE, verdict, *evidence)
    assert registry.read("foreignVerdictOf", 2, ELSEWHERE) == (verdict, here.record_id(run), START, 1)
    registry.send(BOB.address, "retract", run, bytes(32))
    assert registry.read("foreignVerdictOf", 2, ELSEWHERE) == (0, bytes(32), 0, 1)
    refused = refusal(registry, BOB, "attestForeignWithEvidence", 2, ELSEWHERE, verdict, *evidence)
    assert refused == ("EvidenceUnusable", (here.record_id(run), 1))
    refused = refusal(registry, BOB, "attestForeign", 2, ELSEWHERE, 0)
    assert refused == ("NoVerdict", (2, ELSEWHERE.record)), "what has fallen can't be taken back"


@pytest.mark.parametrize("caller", [MALLORY, BOB, OWNER])
def test_nobody_causes_a_record_in_anothers_name(registry: Contract, caller: Actor) -> None:
    """A stranger stores another's record only where that other signed or anchored it, as what it was then."""
    here = domain(registry)
    record = here.record_id(DATA)
    root = merkle.root((record,))
    registry.send(ALICE.address, "seal", 1, record_commitment(record, SALT))
    registry.send(BOB.address, "anchorLeaves", 2, (record,))
    for function, *arguments in (
        ("record", DATA),
        ("recordMany", (DATA,)),
        ("recordBySig", DATA, NO_END, caller.sign(here.record_authorization(DATA, NO_END))),
        ("reveal", DATA, SALT),
        ("revealVerdictWithEvidence", 2, record, 1, DATA, SALT),
        ("materialize", DATA, root, ()),
        # the same record of another group or author is another record
        ("materialize", DATA._replace(group=2), root, ()),
        ("materialize", DATA._replace(group=2, author=BOB.address), root, ()),
    ):
        name, _ = refusal(registry, caller, function, *arguments)
        assert name in {"NotAuthor", "InvalidSignature", "NotSealed", "UnknownBatch", "NotInBatch"}, function
        assert state_of(registry, record)[2] == 0
    registry.send(ALICE.address, "anchorLeaves", 1, (record,))
    _, (recorded, _) = registry.send(caller.address, "materialize", DATA, root, ())
    assert recorded.arguments[1] == ALICE.address


def test_a_cancelled_record_comes_from_no_batch(registry: Contract) -> None:
    record = domain(registry).record_id(DATA)
    root, _ = registry.send(ALICE.address, "anchorLeaves", 1, (record,))
    registry.send(ALICE.address, "cancel", DATA)
    assert refusal(registry, MALLORY, "materialize", DATA, root, ()) == ("RecordIsCancelled", (record,))


words = st.binary(min_size=32, max_size=32).filter(any)


@quick
@given(st.sets(words, min_size=1, max_size=40))
def test_anchor_leaves_equals_the_tree_off_chain(ids: set[bytes]) -> None:
    registry, in_order = two_labs(), tuple(sorted(ids))
    root, (event,) = registry.send(ALICE.address, "anchorLeaves", 1, in_order)
    assert root == merkle.root(in_order)
    assert event == Event("LeavesAnchored", (1, ALICE.address, root, len(ids)))
    for index, value in enumerate(in_order):
        asked = (1, ALICE.address, value, root, merkle.proof(in_order, index))
        assert registry.read("batchedAt", *asked) == (START, 0)


@quick
@given(st.sets(words, min_size=1, max_size=12), st.data())
def test_a_verified_leaf_is_in_the_set_and_an_inner_node_never_is(ids: set[bytes], data: st.DataObject) -> None:
    """Any value with any nodes of the tree as its path: what is not in the set is never verified."""
    registry, in_order = two_labs(), tuple(sorted(ids))
    root, _ = registry.send(ALICE.address, "anchorLeaves", 1, in_order)
    nodes = merkle.tree(in_order)

    def verified(value: bytes, path: tuple[bytes, ...]) -> bool:
        return registry.read("batchedAt", 1, ALICE.address, value, root, path) != (0, 0)

    for node, value in enumerate(nodes):
        assert not verified(value, merkle.siblings(nodes, node)), "a node, and the hash of an id, is no id"
    value = data.draw(st.sampled_from([*in_order, *nodes, *map(keccak, in_order), bytes(32)]))
    path = tuple(data.draw(st.lists(st.sampled_from([*nodes, *in_order]), max_size=6)))
    assert not verified(value, path) or value in ids
    index = data.draw(st.integers(0, len(in_order) - 1))
    right = merkle.proof(in_order, index)
    assert verified(in_order[index], right)
    assert not verified(in_order[index], (*right, root))
    if right:
        assert not verified(in_order[index], right[:-1])
        assert not verified(in_order[index - 1], right)


def test_the_state_can_be_rebuilt_from_the_events(registry: Contract) -> None:
    """Every event that the registry can emit, and every view of its state afterwards."""
    here, chain = domain(registry), registry.chain
    history = [(START, Event("OwnershipTransferred", (NOBODY, OWNER.address)))]
    # what the fixture did
    for group, founder in ((1, ALICE), (2, BOB)):
        membership = (group, founder.address, founder.address, ALL_ROLES, START, NO_END, 1)
        history += [(START, Event("GroupCreated", (group, founder.address, bytes(32))))]
        history += [(START, Event("MembershipChanged", membership))]
    record, plan, batched = here.record_id(DATA), DATA._replace(kind=5), DATA._replace(kind=9)
    reference, cancelled = reference_to(ELSEWHERE), DATA._replace(kind=4)
    foreign_run = run_reproducing(here.record_id(reference))
    run = run_reproducing(record)
    commitments = (
        record_commitment(here.record_id(plan), SALT),
        verdict_commitment(2, BOB.address, record, 2, here.record_id(run), SALT),
    )
    elsewhere = ELSEWHERE._replace(chain_id=6)
    root = merkle.root((here.record_id(batched),))
    for caller, function, *arguments in (
        (ALICE, "describeGroup", 1, b"\7" * 32),
        (ALICE, "transferGroup", 1, OWNER.address),
        (OWNER, "acceptGroup", 1),
        (OWNER, "announceSuccessor", 8453, BOB.address),
        (OWNER, "transferOwnership", BOB.address),
        (BOB, "acceptOwnership"),
        (BOB, "transferOwnership", MALLORY.address),
        (BOB, "invite", Invitation(2, BOB.address, ALICE.address, RECORDER, NO_END, 1, 0, NO_END)),
        (ALICE, "join", Invitation(2, BOB.address, ALICE.address, RECORDER, NO_END, 1, 0, NO_END)),
        (ALICE, "record", DATA),
        (ALICE, "seal", 1, commitments[0]),
        (BOB, "seal", 2, commitments[1]),
        (ALICE, "anchorLeaves", 1, (here.record_id(batched),)),
        (ALICE, "anchor", 1, b"\6" * 32, 77, bytes(32)),
        (ALICE, "cancel", cancelled),
        (ALICE, "cancel", batched._replace(kind=128)),
        (ALICE, "record", cancelled),
        (ALICE, "reveal", plan, SALT),
        (BOB, "revealVerdictWithEvidence", 2, record, 2, run, SALT),
        (MALLORY, "materialize", batched, root, ()),
        (ALICE, "endBatch", 1, ALICE.address, b"\6" * 32),
        (BOB, "recordMany", (reference, foreign_run)),
        (BOB, "attestForeignWithEvidence", 2, ELSEWHERE, 2, reference, foreign_run),
        (BOB, "attestForeign", 2, elsewhere, 4),
        (BOB, "retract", foreign_run, bytes(32)),
        (BOB, "attest", 2, here.record_id(plan), 1),
        (BOB, "withdraw", 2, here.record_id(plan)),
        (BOB, "removeMember", 2, BOB.address),
    ):
        chain.now += 10
        _, events = registry.send(caller.address, function, *arguments)
        history += [(chain.now, event) for event in events]
    declared = {entry["name"] for entry in artifact("LabRegistry").abi if entry["type"] == "event"}
    assert {event.name for _, event in history} == declared - {"EIP712DomainChanged"}

    model = Registry(here, OWNER.address, open_groups=True)
    model.state, model.now = replay(history), chain.now
    for key in (DATA, plan, batched, cancelled, batched._replace(kind=128), run, reference, foreign_run):
        assert model.status_of(here.record_id(key)) == state_of(registry, here.record_id(key))
    for name in (record, here.record_id(plan)):
        assert model.verdict_of(2, name) == registry.read("verdictOf", 2, name)
    for foreign in (ELSEWHERE, elsewhere):
        assert model.foreign_verdict_of(2, foreign) == registry.read("foreignVerdictOf", 2, foreign)
    for group, author, commitment in ((1, ALICE, commitments[0]), (2, BOB, commitments[1]), (1, BOB, commitments[0])):
        place = (group, author.address, commitment)
        assert model.sealed_at(*place) == registry.read("sealedAt", *place)
    for name in (root, b"\6" * 32, bytes(32)):
        assert model.batch(1, ALICE.address, name) == registry.read("batchOf", 1, ALICE.address, name)
    for group in (1, 2):
        assert model.state.groups[group] == registry.read("groupOf", group)
        for actor in (OWNER, ALICE, BOB):
            assert model.membership(group, actor.address) == registry.read("membershipOf", group, actor.address)
    owners = (model.state.owner, model.state.pending_owner, model.state.successor)
    assert owners == tuple(registry.read(name) for name in ("owner", "pendingOwner", "successor"))


keys = st.builds(
    Key,
    st.just(1),
    st.just(ALICE.address),
    st.integers(1, 6),
    st.integers(0, 3).map(lambda value: value.to_bytes(32, "big")),
    st.sampled_from([1, 2, 3, 10, 14, 128, 255]),
    st.binary(min_size=32, max_size=32),
    st.just(()),
)


@quick
@given(st.lists(keys, min_size=1, max_size=6), st.sets(st.integers(0, 5)))
def test_a_batch_equals_a_loop(keys: list[Key], already: set[int]) -> None:
    """recordMany does what record does for each key that isn't stored yet; children may follow parents in one batch."""
    batched, looped = two_labs(), two_labs()
    first = domain(batched).record_id(keys[0])
    batch = [*keys, keys[0]._replace(kind=3, parents=((first, 7),))]
    ids = [domain(batched).record_id(key) for key in batch]
    for registry in (batched, looped):
        for key in {keys[index % len(keys)] for index in already}:
            registry.send(ALICE.address, "record", key)

    returned, events = batched.send(ALICE.address, "recordMany", tuple(batch))

    expected: list[Event] = []
    for record, key in zip(ids, batch, strict=True):
        if not looped.read("statusOf", record)[2]:
            expected += looped.send(ALICE.address, "record", key)[1]
    assert (list(returned), events) == (ids, expected)
    assert batched.read("statusOfRecords", tuple(ids)) == looped.read("statusOfRecords", tuple(ids))


def test_a_batch_is_all_or_nothing(registry: Contract) -> None:
    bad = DATA._replace(kind=15)
    assert refusal(registry, ALICE, "recordMany", (DATA, bad)) == ("InvalidKind", (15,))
    assert registry.read("statusOf", domain(registry).record_id(DATA))[2] == 0


@pytest.mark.parametrize("form", FORGERIES)
def test_other_forms_of_a_good_signature_are_refused(
    registry: Contract, form: Callable[[Signature], Signature]
) -> None:
    """The malleable twin, EIP-2098, v of 0 or 1, a longer, an empty, a changed one; the good one is accepted."""
    signature = ALICE.sign(domain(registry).record_authorization(DATA, NO_END))
    refused = refusal(registry, BOB, "recordBySig", DATA, NO_END, form(signature))
    assert refused == ("InvalidSignature", (ALICE.address,))
    registry.send(BOB.address, "recordBySig", DATA, NO_END, signature)


@quick
@given(st.integers(1, NO_END - 1), st.integers(0, NO_END))
@example(START, START)
@example(START, START - 1)
def test_a_signature_ends_at_its_deadline(now: int, deadline: int) -> None:
    registry = two_labs()
    registry.chain.now = now
    signature = ALICE.sign(domain(registry).record_authorization(DATA, deadline))
    if now > deadline:
        refused = refusal(registry, BOB, "recordBySig", DATA, deadline, signature)
        assert refused == ("SignatureExpired", (deadline, now))
    else:
        registry.send(BOB.address, "recordBySig", DATA, deadline, signature)


def test_a_signature_names_one_operation(registry: Contract) -> None:
    """What authorises one thing authorises nothing else: not the bare id, another deadline, another structure."""
    here, deadline = domain(registry), NO_END
    others = [
        here.record_id(DATA),
        here.record_authorization(DATA, deadline - 1),
        here.record_authorization(DATA._replace(manifest=b"\3" * 32), deadline),
        here.attestation_authorization(1, ALICE.address, here.record_id(DATA), 1, bytes(32), 0, deadline),
        here.invitation(Invitation(1, ALICE.address, ALICE.address, RECORDER, NO_END, 1, 0, deadline)),
        keccak(b"\x19Ethereum Signed Message:\n32" + here.record_authorization(DATA, deadline)),
    ]
    for digest in others:
        refused = refusal(registry, BOB, "recordBySig", DATA, deadline, ALICE.sign(digest))
        assert refused == ("InvalidSignature", (ALICE.address,))


def test_the_owner_of_the_registry_can_neither_create_nor_alter_a_record(registry: Contract) -> None:
    record, _ = registry.send(ALICE.address, "record", DATA)
    run = Key(2, BOB.address, 4, b"\3" * 32, 3, b"\4" * 32, ((record, 8),))
    registry.send(BOB.address, "record", run)
    registry.send(BOB.address, "attestWithEvidence", 2, record, 2, run)
    before = registry.read("statusOf", record), registry.read("verdictOf", 2, record), registry.read("groupOf", 1)
    own = DATA._replace(author=OWNER.address)
    invitation = Invitation(1, OWNER.address, OWNER.address, ALL_ROLES, NO_END, 0, 0, NO_END)
    invited = OWNER.sign(domain(registry).invitation(invitation))
    from_alice = invitation._replace(inviter=ALICE.address, inviter_version=1)
    plan = DATA._replace(kind=5)
    registry.send(ALICE.address, "seal", 1, record_commitment(domain(registry).record_id(plan), SALT))
    registry.send(BOB.address, "seal", 2, verdict_commitment(2, BOB.address, record, 1, bytes(32), SALT))
    blind = verdict_commitment(2, OWNER.address, record, 1, bytes(32), SALT)
    registry.send(ALICE.address, "anchorLeaves", 1, (record,))
    forged = OWNER.sign(domain(registry).record_authorization(DATA._replace(kind=2), NO_END))
    attempts = {
        ("record", DATA): ("NotAuthor", (ALICE.address, OWNER.address)),
        ("record", own): ("MissingRole", (1, OWNER.address, RECORDER)),
        ("recordMany", (own,)): ("MissingRole", (1, OWNER.address, RECORDER)),
        ("recordBySig", DATA._replace(kind=2), NO_END, forged): ("InvalidSignature", (ALICE.address,)),
        ("cancel", plan): ("MissingRole", (1, OWNER.address, MAINTAINER)),
        ("endBatch", 1, ALICE.address, merkle.root((record,))): ("MissingRole", (1, OWNER.address, MAINTAINER)),
        ("retract", DATA, bytes(32)): ("MissingRole", (1, OWNER.address, MAINTAINER)),
        ("attest", 2, record, 4): ("MissingRole", (2, OWNER.address, REVIEWER)),
        ("withdraw", 2, record): ("MissingRole", (2, OWNER.address, REVIEWER)),
        ("describeGroup", 1, bytes(32)): ("NotGroupOwner", (1, OWNER.address)),
        ("transferGroup", 1, OWNER.address): ("NotGroupOwner", (1, OWNER.address)),
        ("acceptGroup", 1): ("NotPendingGroupOwner", (1, OWNER.address)),
        ("invite", invitation): ("NotAllowedToManage", (1, OWNER.address, OWNER.address)),
        ("invite", from_alice): ("NotInviter", (ALICE.address, OWNER.address)),
        ("join", invitation): ("UnknownInvitation", (struct(INVITATION_TYPE, *invitation),)),
        ("joinBySig", invitation, invited): ("NotAllowedToManage", (1, OWNER.address, OWNER.address)),
        ("removeMember", 1, ALICE.address): ("NotAllowedToManage", (1, ALICE.address, OWNER.address)),
        ("seal", 1, SALT): ("MissingRole", (1, OWNER.address, RECORDER | REVIEWER)),
        ("reveal", plan, SALT): ("NotAuthor", (ALICE.address, OWNER.address)),
        ("revealVerdict", 2, record, 1, SALT): ("NotSealed", (2, OWNER.address, blind)),
        ("anchor", 1, SALT, 1, SALT): ("MissingRole", (1, OWNER.address, RECORDER)),
        ("anchorLeaves", 1, (SALT,)): ("MissingRole", (1, OWNER.address, RECORDER)),
        ("materialize", own, merkle.root((record,)), ()): (
            "UnknownBatch",
            (1, OWNER.address, merkle.root((record,))),
        ),
        ("attestForeign", 1, ELSEWHERE, 1): ("MissingRole", (1, OWNER.address, REVIEWER)),
        ("attestForeignWithEvidence", 1, ELSEWHERE, 2, DATA, DATA): ("MissingRole", (1, OWNER.address, REVIEWER)),
    }
    for (function, *arguments), expected in attempts.items():
        assert refusal(registry, OWNER, function, *arguments) == expected
    registry.send(OWNER.address, "announceSuccessor", 8453, MALLORY.address)
    registry.send(OWNER.address, "renounceOwnership")
    after = registry.read("statusOf", record), registry.read("verdictOf", 2, record), registry.read("groupOf", 1)
    assert after == before
    tried = {function for function, *_ in attempts} | {"announceSuccessor", "renounceOwnership"}
    untried = {
        "attestBySig",
        "attestWithEvidence",
        "attestWithEvidenceBySig",
        "revealVerdictWithEvidence",
        "createGroup",
        "transferOwnership",
        "acceptOwnership",
    }
    changing = [entry for entry in artifact("LabRegistry").abi if entry.get("stateMutability") == "nonpayable"]
    assert {entry["name"] for entry in changing if entry["type"] == "function"} == tried | untried


@pytest.mark.parametrize("role", [MAINTAINER, RECORDER, REVIEWER])
def test_no_role_reaches_into_another_group(registry: Contract, role: int) -> None:
    """Mallory owns group 3 and holds every role there; in group 1 she can do nothing."""
    registry.send(MALLORY.address, "createGroup", ALL_ROLES, bytes(32))
    record, _ = registry.send(ALICE.address, "record", DATA)
    other, _ = registry.send(BOB.address, "record", DATA._replace(group=2, author=BOB.address))
    invitation = Invitation(1, MALLORY.address, BOB.address, role, NO_END, 0, 0, NO_END)
    signature = MALLORY.sign(domain(registry).invitation(invitation))
    refused = refusal(registry, BOB, "joinBySig", invitation, signature)
    assert refused == ("NotAllowedToManage", (1, BOB.address, MALLORY.address))
    for function, *arguments in (
        ("retract", DATA, bytes(32)),
        ("cancel", DATA._replace(kind=4)),
        ("endBatch", 1, ALICE.address, SALT),
        ("record", DATA._replace(author=MALLORY.address)),
        ("seal", 1, SALT),
        ("anchor", 1, SALT, 1, SALT),
        ("anchorLeaves", 1, (SALT,)),
        ("attestForeign", 1, ELSEWHERE, 1),
        ("attest", 1, other, 1),
        ("withdraw", 1, other),
        ("removeMember", 1, ALICE.address),
    ):
        name, _ = refusal(registry, MALLORY, function, *arguments)
        assert name in {"MissingRole", "NotAllowedToManage"}
    assert registry.read("statusOf", record)[5] == 0


@pytest.mark.parametrize("verdict", [1, 2, 3, 4])
def test_a_counter_fills_and_never_runs_over(registry: Contract, verdict: int) -> None:
    """Four million groups can't be made here, so the counter is set to what they would leave."""
    record, _ = registry.send(ALICE.address, "record", DATA)
    run = Key(2, BOB.address, 4, b"\3" * 32, 3, b"\4" * 32, ((record, 8),))
    registry.send(BOB.address, "record", run)
    slot = int.from_bytes(keccak(record + artifact("LabRegistry").slots["_records"].to_bytes(32, "big")))
    full, shift = 2**22 - 1, 168 + 22 * (verdict - 1)
    empty = registry.load(slot)
    registry.store(slot, empty | (full - 1) << shift)
    registry.send(BOB.address, "attestWithEvidence", 2, record, verdict, run)
    assert registry.load(slot) == empty | full << shift
    registry.send(BOB.address, "attestWithEvidence", 2, record, verdict, run)
    assert registry.load(slot) == empty | full << shift


def test_a_record_has_at_most_1024_parents(registry: Contract) -> None:
    keys = tuple(DATA._replace(subject=index.to_bytes(32, "big")) for index in range(1025))
    ids, _ = registry.send(ALICE.address, "recordMany", keys)
    most = DATA._replace(kind=2, parents=tuple(sorted((parent, 7) for parent in ids[:1024])))
    registry.send(ALICE.address, "record", most)
    more = most._replace(parents=tuple(sorted((parent, 7) for parent in ids)))
    assert refusal(registry, ALICE, "record", more) == ("TooManyParents", (1025, 1024))


def test_no_function_takes_value(registry: Contract) -> None:
    assert "payable" not in {entry.get("stateMutability") for entry in artifact("LabRegistry").abi}
    registry.chain.evm.set_balance(ALICE.address, 10)
    with pytest.raises(RuntimeError):
        registry.chain.evm.message_call(ALICE.address, registry.address, b"", value=1)


def test_the_code_can_neither_delegate_nor_end_nor_be_replaced() -> None:
    """No DELEGATECALL, CALLCODE, SELFDESTRUCT, CREATE or CREATE2 in the runtime code; and the only call is static."""
    code, opcodes, index = artifact("LabRegistry").runtime, set(), 0
    code = code[: -int.from_bytes(code[-2:]) - 2]
    while index < len(code):
        opcodes.add(code[index])
        index += 1 + (code[index] - 0x5F if 0x60 <= code[index] <= 0x7F else 0)
    assert not opcodes & {0xF0, 0xF1, 0xF2, 0xF4, 0xF5, 0xFF}
    assert 0xFA in opcodes
