"""Single promises of the registry, each by itself and with values of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.actors import FORGERIES, Actor
from tests.artifacts import artifact
from tests.evm import START, Chain, Contract
from tests.model.eip712 import Domain, Invitation, Key, keccak
from tests.model.registry import ALL_ROLES, MAINTAINER, NO_END, RECORDER, REVIEWER, Event, Refused, Signature

OWNER, ALICE, BOB, MALLORY = (Actor.named(name) for name in ("owner", "alice", "bob", "mallory"))
DATA = Key(1, 1, 1, ALICE.address, b"\1" * 32, b"\2" * 32)
quick = settings(max_examples=60, deadline=None)


def two_labs() -> Contract:
    """Two groups, Alice's and Bob's, with all roles for themselves; the registry is somebody else's."""
    registry = Chain().deploy("LabRegistry", OWNER.address, True)
    for founder in (ALICE, BOB):
        registry.send(founder.address, "createGroup", bytes(32), ALL_ROLES)
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


keys = st.builds(
    Key,
    st.just(1),
    st.sampled_from([1, 2, 3, 10, 128, 255]),
    st.integers(1, 4),
    st.just(ALICE.address),
    st.integers(0, 3).map(lambda value: value.to_bytes(32, "big")),
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
        if not looped.read("statusOf", record)[0]:
            expected += looped.send(ALICE.address, "record", key)[1]
    assert (list(returned), events) == (ids, expected)
    assert batched.read("statusOfMany", tuple(ids)) == looped.read("statusOfMany", tuple(ids))


def test_a_batch_is_all_or_nothing(registry: Contract) -> None:
    bad = DATA._replace(kind=11)
    assert refusal(registry, ALICE, "recordMany", (DATA, bad)) == ("InvalidKind", (11,))
    assert registry.read("statusOf", domain(registry).record_id(DATA))[0] == 0


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
        here.attestation_authorization(here.record_id(DATA), 1, 1, bytes(32), ALICE.address, 0, deadline),
        here.invitation(Invitation(1, ALICE.address, RECORDER, NO_END, 0, ALICE.address, deadline)),
        keccak(b"\x19Ethereum Signed Message:\n32" + here.record_authorization(DATA, deadline)),
    ]
    for digest in others:
        refused = refusal(registry, BOB, "recordBySig", DATA, deadline, ALICE.sign(digest))
        assert refused == ("InvalidSignature", (ALICE.address,))


def test_the_owner_of_the_registry_can_neither_create_nor_alter_a_record(registry: Contract) -> None:
    record, _ = registry.send(ALICE.address, "record", DATA)
    run = Key(2, 3, 4, BOB.address, b"\3" * 32, b"\4" * 32, ((record, 8),))
    registry.send(BOB.address, "record", run)
    registry.send(BOB.address, "attest", record, 2, 2, run)
    before = registry.read("statusOf", record), registry.read("verdictOf", record, 2), registry.read("groupOf", 1)
    own = DATA._replace(author=OWNER.address)
    invitation = Invitation(1, OWNER.address, ALL_ROLES, NO_END, 0, OWNER.address, NO_END)
    invited = OWNER.sign(domain(registry).invitation(invitation))
    forged = OWNER.sign(domain(registry).record_authorization(DATA._replace(kind=2), NO_END))
    attempts = {
        ("record", DATA): ("NotAuthor", (ALICE.address, OWNER.address)),
        ("record", own): ("MissingRole", (1, OWNER.address, RECORDER)),
        ("recordMany", (own,)): ("MissingRole", (1, OWNER.address, RECORDER)),
        ("recordBySig", DATA._replace(kind=2), NO_END, forged): ("InvalidSignature", (ALICE.address,)),
        ("cancel", DATA): ("NotAuthor", (ALICE.address, OWNER.address)),
        ("retract", DATA, bytes(32)): ("NotAllowedToRetract", (record, OWNER.address)),
        ("attest", record, 2, 4): ("MissingRole", (2, OWNER.address, REVIEWER)),
        ("withdraw", record, 2): ("MissingRole", (2, OWNER.address, REVIEWER)),
        ("describeGroup", 1, bytes(32)): ("NotGroupOwner", (1, OWNER.address)),
        ("transferGroup", 1, OWNER.address): ("NotGroupOwner", (1, OWNER.address)),
        ("acceptGroup", 1): ("NotPendingGroupOwner", (1, OWNER.address)),
        ("joinBySig", invitation, invited): ("NotAllowedToManage", (1, OWNER.address, OWNER.address)),
        ("removeMember", 1, ALICE.address): ("NotAllowedToManage", (1, ALICE.address, OWNER.address)),
    }
    for (function, *arguments), expected in attempts.items():
        assert refusal(registry, OWNER, function, *arguments) == expected
    registry.send(OWNER.address, "announceSuccessor", MALLORY.address)
    registry.send(OWNER.address, "renounceOwnership")
    after = registry.read("statusOf", record), registry.read("verdictOf", record, 2), registry.read("groupOf", 1)
    assert after == before
    tried = {function for function, *_ in attempts} | {"announceSuccessor", "renounceOwnership"}
    untried = {"attestBySig", "createGroup", "transferOwnership", "acceptOwnership"}
    changing = [entry for entry in artifact("LabRegistry").abi if entry.get("stateMutability") == "nonpayable"]
    assert {entry["name"] for entry in changing if entry["type"] == "function"} == tried | untried


@pytest.mark.parametrize("role", [MAINTAINER, RECORDER, REVIEWER])
def test_no_role_reaches_into_another_group(registry: Contract, role: int) -> None:
    """Mallory owns group 3 and holds every role there; in group 1 she can do nothing."""
    registry.send(MALLORY.address, "createGroup", bytes(32), ALL_ROLES)
    record, _ = registry.send(ALICE.address, "record", DATA)
    other, _ = registry.send(BOB.address, "record", DATA._replace(group=2, author=BOB.address))
    invitation = Invitation(1, BOB.address, role, NO_END, 0, MALLORY.address, NO_END)
    signature = MALLORY.sign(domain(registry).invitation(invitation))
    refused = refusal(registry, BOB, "joinBySig", invitation, signature)
    assert refused == ("NotAllowedToManage", (1, BOB.address, MALLORY.address))
    for function, *arguments in (
        ("retract", DATA, bytes(32)),
        ("record", DATA._replace(author=MALLORY.address)),
        ("attest", other, 1, 1),
        ("withdraw", other, 1),
        ("removeMember", 1, ALICE.address),
    ):
        name, _ = refusal(registry, MALLORY, function, *arguments)
        assert name in {"NotAllowedToRetract", "MissingRole", "NotAllowedToManage"}
    assert registry.read("statusOf", record)[5] == 0


@pytest.mark.parametrize("verdict", [1, 2, 3, 4])
def test_a_counter_fills_and_never_runs_over(registry: Contract, verdict: int) -> None:
    """Four million groups can't be made here, so the counter is set to what they would leave."""
    record, _ = registry.send(ALICE.address, "record", DATA)
    run = Key(2, 3, 4, BOB.address, b"\3" * 32, b"\4" * 32, ((record, 8),))
    registry.send(BOB.address, "record", run)
    slot = int.from_bytes(keccak(record + artifact("LabRegistry").slots["_records"].to_bytes(32, "big")))
    full, shift = 2**22 - 1, 168 + 22 * (verdict - 1)
    empty = registry.load(slot)
    registry.store(slot, empty | (full - 1) << shift)
    registry.send(BOB.address, "attest", record, 2, verdict, run)
    assert registry.load(slot) == empty | full << shift
    registry.send(BOB.address, "attest", record, 2, verdict, run)
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
