"""A paymaster relays many users' signatures in one transaction. It can drop, reorder, repeat or lose a race, and one of
its users may be hostile: nothing is lost, nothing is stored in another's name, and one refusal leaves the others."""

from __future__ import annotations

from itertools import permutations

import pytest

from tests.findings.conftest import ALICE, BOB, CAROL, DATA, MALLORY, domain, join, refusal
from tests.model.eip712 import Key
from tests.model.registry import NO_END, NOBODY, RECORDED, RECORDER, UNKNOWN, Event, Signature
from tests.support.actors import Actor
from tests.support.evm import Reverted, interface_of

pytestmark = pytest.mark.evm

BURN, TRY_AND_CONSENT = 5, 7
SHARE = 300_000
PARENT = DATA
CHILD = Key(1, CAROL.address, 1, b"\x0c" * 32, 2, b"\2" * 32)
STORED = DATA._replace(subject=b"\x55" * 32)
THEIRS = DATA._replace(group=2, author=BOB.address)

Order = tuple[Key, int, Signature]


@pytest.fixture
def registry(registry):
    join(registry, CAROL, RECORDER)
    return registry


@pytest.fixture
def relayer(registry):
    return registry.chain.deploy("Relayer", registry.address)


def order(registry, key: Key, by: Actor) -> Order:
    return key, NO_END, by.sign(domain(registry).record_authorization(key, NO_END)).raw


@pytest.fixture
def orders(registry) -> list[Order]:
    """Of three people in two groups; Carol's record is the child of Alice's."""
    child = CHILD._replace(parents=((domain(registry).record_id(PARENT), 1),))
    return [order(registry, key, by) for key, by in ((PARENT, ALICE), (THEIRS, BOB), (child, CAROL))]


def relay(relayer, orders: list[Order], share: int = SHARE) -> tuple[list[bytes], dict[int, str]]:
    """The ids of what was stored, and the errors that the others met, by their places."""
    _, events = relayer.send(MALLORY.address, "relay", orders, share)
    stored = [event.arguments[1] for event in events if event.name == "Relayed"]
    return stored, {event.arguments[0]: name_of(relayer, event) for event in events if event.name == "Dropped"}


def name_of(relayer, event: Event) -> str:
    return interface_of("LabRegistry").decode_error(event.arguments[1]).name


def statuses(registry, orders: list[Order]) -> list[int]:
    return [registry.read("statusOf", domain(registry).record_id(key))[2] for key, _, _ in orders]


def test_in_any_order(registry, relayer, orders) -> None:
    """A child that comes before its parent is refused alone and stored the next time."""
    ids = [domain(registry).record_id(key) for key, _, _ in orders]
    for places in permutations(range(3)):
        snapshot = registry.chain.evm.snapshot()
        stored, dropped = relay(relayer, [orders[place] for place in places])
        early = places.index(2) < places.index(0)
        assert dropped == ({places.index(2): "UnknownParent"} if early else {})
        assert stored == [ids[place] for place in places if not (early and place == 2)]
        again, dropped = relay(relayer, orders)
        assert again == ([ids[2]] if early else [])
        assert set(dropped.values()) == {"RecordExists"}
        assert [registry.read("statusOf", record)[0] for record in ids] == [1, 2, 1]
        registry.chain.evm.revert(snapshot)


def test_one_is_front_run(registry, relayer, orders) -> None:
    first = domain(registry).record_id(PARENT)
    registry.send(BOB.address, "recordBySig", *orders[0][:2], Signature(orders[0][2]))
    stored, dropped = relay(relayer, orders)
    assert dropped == {0: "RecordExists"}
    assert stored == [domain(registry).record_id(key) for key, _, _ in orders[1:]]
    assert registry.read("statusOf", first)[2] == RECORDED


def test_all_or_none_is_the_relayers_own_choice(registry, relayer, orders) -> None:
    """Without a catch one front-run order takes the rest along. Nothing is lost: the signatures are still good."""
    registry.send(BOB.address, "recordBySig", *orders[1][:2], Signature(orders[1][2]))
    data = relayer.interface.encode_call("relayAll", orders)
    with pytest.raises(Reverted):
        registry.chain.call(MALLORY.address, relayer.address, data, static=False)
    assert statuses(registry, orders) == [UNKNOWN, RECORDED, UNKNOWN]
    relayer.send(MALLORY.address, "relayAll", [orders[0], orders[2]])
    assert statuses(registry, orders) == [RECORDED] * 3


def test_one_is_dropped(registry, relayer, orders) -> None:
    """Whoever has the signature can bring it later, the author always."""
    relay(relayer, orders[:1] + orders[2:])
    assert statuses(registry, orders) == [RECORDED, UNKNOWN, RECORDED]
    registry.chain.now += 10_000
    registry.send(BOB.address, "record", orders[1][0])
    assert statuses(registry, orders) == [RECORDED] * 3


def test_signatures_are_swapped(registry, relayer, orders) -> None:
    """Neither another's signature makes a record in a user's name, nor the user's one in another's."""
    for shift in (1, 2):
        swapped = [(key, end, orders[(i + shift) % 3][2]) for i, (key, end, _) in enumerate(orders)]
        assert relay(relayer, swapped) == ([], dict.fromkeys(range(3), "InvalidSignature"))
    renamed = [(key._replace(author=MALLORY.address), end, signature) for key, end, signature in orders]
    assert relay(relayer, renamed) == ([], dict.fromkeys(range(3), "InvalidSignature"))
    for field, value in (("manifest", b"\x66" * 32), ("group", 2), ("kind", 5)):
        altered = [(key._replace(**{field: value}), end, signature) for key, end, signature in orders]
        changed = [place for place, (key, _, _) in enumerate(altered) if key != orders[place][0]]
        stored, dropped = relay(relayer, [altered[place] for place in changed])
        assert (stored, set(dropped.values())) == ([], {"InvalidSignature"})


def test_too_little_gas_stores_nothing_by_halves(registry, relayer, orders) -> None:
    """At whatever point the gas ends, an order is stored with its event, or it is as if it had never come."""
    seen = set()
    for share in range(0, 80_000, 1_000):
        snapshot = registry.chain.evm.snapshot()
        _, events = relayer.send(MALLORY.address, "relay", orders, share)
        outcome = [RECORDED if event.name == "Relayed" else UNKNOWN for event in events]
        assert statuses(registry, orders) == outcome
        seen.update(outcome)
        relay(relayer, orders)
        assert statuses(registry, orders) == [RECORDED] * 3
        registry.chain.evm.revert(snapshot)
    assert seen == {UNKNOWN, RECORDED}


def hostile(registry, answer: int, target: str = NOBODY, data: bytes = b"") -> tuple[str, Order]:
    """A wallet that is a member, and its order."""
    wallet = registry.chain.deploy("HostileWallet")
    registry.chain.at("Wallet", wallet.address)
    join(registry, wallet.address, 1 | RECORDER)
    wallet.send(MALLORY.address, "set", answer, target, data)
    return wallet.address, (DATA._replace(author=wallet.address), NO_END, b"anything")


def test_a_wallet_that_burns_gas_burns_its_own_share(registry, relayer, orders) -> None:
    _, burning = hostile(registry, BURN)
    _, events = relayer.send(MALLORY.address, "relay", [burning, *orders], SHARE)
    assert [(event.name, event.arguments[0]) for event in events] == [("Dropped", 0)] + [
        ("Relayed", place) for place in (1, 2, 3)
    ]
    assert registry.chain.evm.result.gas_used < SHARE + 3 * 90_000


@pytest.mark.parametrize(
    "attempt",
    [
        ("createGroup", 7, bytes(32)),
        ("removeMember", 1, CAROL.address),
        ("retract", STORED, bytes(32)),
        ("record", "own"),
        ("seal", 1, b"\1" * 32),
        ("anchor", 1, b"\1" * 32, 1, bytes(32)),
        ("cancel", "own"),
    ],
    ids=lambda attempt: attempt[0],
)
def test_a_wallet_that_calls_back(registry, attempt) -> None:
    """While it is asked, a wallet can call the registry, in whose eyes it is a member and MAINTAINER; but the question
    is a static call. It could do each of these by a transaction of its own, which the last lines show."""
    registry.send(ALICE.address, "record", STORED)
    wallet, _ = hostile(registry, TRY_AND_CONSENT)
    own = DATA._replace(author=wallet, subject=b"\x77" * 32)
    call = tuple(own if argument == "own" else argument for argument in attempt)
    data = registry.interface.encode_call(*call)
    contract = registry.chain.at("HostileWallet", wallet)
    contract.send(MALLORY.address, "set", TRY_AND_CONSENT, registry.address, data)
    outer = DATA._replace(author=wallet)
    _, events = registry.send(MALLORY.address, "recordBySig", outer, NO_END, Signature(b"anything"))
    assert [(event.name, event.arguments[1]) for event in events] == [("Recorded", wallet)]
    _, events = registry.send(wallet, *call)
    assert len(events) > 0


def test_a_wallet_that_calls_back_with_a_signature(registry, orders) -> None:
    """Relaying the same order, or another one, from within the question."""
    wallet, _ = hostile(registry, TRY_AND_CONSENT)
    contract = registry.chain.at("HostileWallet", wallet)
    own = (DATA._replace(author=wallet), NO_END, Signature(b"anything"))
    for place, inner in enumerate((own, (*orders[0][:2], Signature(orders[0][2])))):
        data = registry.interface.encode_call("recordBySig", *inner)
        contract.send(MALLORY.address, "set", TRY_AND_CONSENT, registry.address, data)
        outer = (own[0]._replace(subject=bytes([0x70 + place]) * 32), *own[1:])
        _, events = registry.send(MALLORY.address, "recordBySig", *outer)
        assert [event.name for event in events] == ["Recorded"]
        inner_id = domain(registry).record_id(inner[0])
        assert registry.read("statusOf", inner_id)[2] == UNKNOWN


def test_a_wallet_that_says_yes_to_everything_speaks_for_itself_alone(registry) -> None:
    careless = registry.chain.deploy("CarelessWallet")
    registry.chain.at("Wallet", careless.address)
    join(registry, careless.address, RECORDER)
    anything = Signature(b"anything")
    own = DATA._replace(author=careless.address)
    stored, events = registry.send(MALLORY.address, "recordBySig", own, NO_END, anything)
    assert events[0].arguments[1] == careless.address
    met = refusal(lambda: registry.send(MALLORY.address, "recordBySig", own, NO_END, anything))
    assert met == ("RecordExists", (stored, registry.chain.now))
    for author in (ALICE, CAROL, BOB):
        key = own._replace(author=author.address)
        met = refusal(lambda key=key: registry.send(MALLORY.address, "recordBySig", key, NO_END, anything))
        assert met == ("InvalidSignature", (author.address,))
    # what it cancelled, and what is past its deadline, it doesn't sign away
    other = own._replace(subject=b"\7" * 32)
    registry.send(careless.address, "cancel", other)
    met = refusal(lambda: registry.send(MALLORY.address, "recordBySig", other, NO_END, anything))
    assert met[0] == "RecordIsCancelled"
    third, end = own._replace(subject=b"\x08" * 32), registry.chain.now
    registry.chain.now += 1
    met = refusal(lambda: registry.send(MALLORY.address, "recordBySig", third, end, anything))
    assert met == ("SignatureExpired", (end, end + 1))
    registry.send(ALICE.address, "removeMember", 1, careless.address)
    met = refusal(lambda: registry.send(MALLORY.address, "recordBySig", third, NO_END, anything))
    assert met == ("MissingRole", (1, careless.address, RECORDER))
