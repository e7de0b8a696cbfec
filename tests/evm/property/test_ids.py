"""Record ids: equal in the contract, in wallets' EIP-712 and in the model; unequal for whatever differs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_account.messages import encode_typed_data
from hypothesis import example, given, settings
from hypothesis import strategies as st

from blockchaintracer.core.record import TYPES, Domain, Link, RecordKey, record_message, to_hex
from tests.model import eip712, merkle
from tests.model.eip712 import Invitation, Key
from tests.model.registry import NO_END, RECORDER, REVIEWER, ForeignRecord, Refused
from tests.support.actors import Actor
from tests.support.artifacts import artifact
from tests.support.evm import CHAIN_ID, Chain, Contract

ALICE = Actor.named("alice")
uint8, uint32, uint40 = (st.integers(0, 2**bits - 1) for bits in (8, 32, 40))
words = st.binary(min_size=32, max_size=32)
addresses = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
keys = st.builds(
    Key, uint32, addresses, uint8, words, uint8, words, st.lists(st.tuples(words, uint8), max_size=5).map(tuple)
)
many = settings(max_examples=300, deadline=None)


@pytest.fixture(scope="module")
def registry() -> Contract:
    return Chain().deploy("LabRegistry", ALICE.address, True)


def client_key(key: Key) -> RecordKey:
    """The client's form of a key, which sorts the parents and drops repetitions."""
    links = tuple(Link(to_hex(parent), relation) for parent, relation in key.parents)
    return RecordKey(*key[:3], key.subject.hex(), key.kind, key.manifest.hex(), links)


def in_order(key: Key) -> Key:
    return key._replace(parents=tuple(sorted(set(key.parents))))


@many
@given(keys)
@example(Key(0, "0x" + "00" * 20, 0, bytes(32), 0, bytes(32)))
@example(Key(2**32 - 1, "0x" + "ff" * 20, 255, b"\xff" * 32, 255, b"\xff" * 32, ((b"\xff" * 32, 255),)))
def test_contract_model_client_and_wallet_agree(registry: Contract, key: Key) -> None:
    key = in_order(key)
    expected = registry.read("idOf", key)
    assert eip712.Domain(registry.chain.chain_id, registry.address).record_id(key) == expected
    assert Domain(registry.chain.chain_id, registry.address).record_id(client_key(key)) == to_hex(expected)


@many
@given(keys)
def test_an_id_is_defined_for_parents_in_any_order(registry: Contract, key: Key) -> None:
    """So that signatures over keys that can't be stored are still unambiguous."""
    assert eip712.Domain(registry.chain.chain_id, registry.address).record_id(key) == registry.read("idOf", key)


@many
@given(keys, uint40, st.binary(min_size=20, max_size=20), words)
def test_what_is_signed_is_what_a_wallet_shows(key: Key, deadline: int, contract: bytes, evidence: bytes) -> None:
    """Every signed structure, hashed by eth_account from its document, equals the model's and so the contract's."""
    key, address = in_order(key), "0x" + contract.hex()
    client, model = Domain(CHAIN_ID, address), eip712.Domain(CHAIN_ID, address)
    record = {"record": record_message(client_key(key)), "deadline": deadline}
    assert client.typed_digest("RecordAuthorization", record) == model.record_authorization(key, deadline)
    verdict = (key.group, key.author, evidence, key.kind, key.subject, key.subject_type, deadline)
    names = ("group", "attester", "recordId", "verdict", "evidence", "version", "deadline")
    message = dict(zip(names, verdict, strict=True))
    assert client.typed_digest("AttestationAuthorization", message) == model.attestation_authorization(*verdict)
    invitation = Invitation(key.group, address, key.author, key.group, deadline, key.kind, key.group, deadline)
    signed = dict(zip([field["name"] for field in TYPES["Invitation"]], invitation, strict=True))
    assert client.typed_digest("Invitation", signed) == model.invitation(invitation)
    document = encode_typed_data(full_message=client.typed_data("RecordAuthorization", record))
    assert document.version == b"\x01"


@many
@given(keys, keys)
def test_different_keys_have_different_ids(registry: Contract, one: Key, other: Key) -> None:
    same = registry.read("idOf", one) == registry.read("idOf", other)
    assert same == (one == other)


@many
@given(keys, st.data())
def test_every_field_is_in_the_id(registry: Contract, key: Key, data: st.DataObject) -> None:
    field = data.draw(st.sampled_from(Key._fields))
    other = key._replace(**{field: getattr(data.draw(keys), field)})
    assert (registry.read("idOf", key) == registry.read("idOf", other)) == (key == other)


@many
@given(keys, st.permutations(range(5)))
def test_a_lineage_has_one_order(key: Key, order: list[int]) -> None:
    """The client gives one id to one set of parents in whatever order they come; the registry stores that one only."""
    links = client_key(key).parents
    shuffled = tuple(links[index] for index in order if index < len(links))
    assert replace(client_key(key), parents=shuffled) == client_key(key)


@many
@given(keys, st.integers(1, 2**64 - 1), addresses)
def test_ids_are_bound_to_chain_and_registry(key: Key, chain_id: int, address: str) -> None:
    here = eip712.Domain(1, "0x" + "11" * 20)
    for there in (eip712.Domain(chain_id, here.registry), eip712.Domain(here.chain_id, address)):
        assert (here.record_id(key) == there.record_id(key)) == (here == there)


def test_another_chain_and_another_registry_give_another_id() -> None:
    key = Key(1, ALICE.address, 1, b"\1" * 32, 1, b"\2" * 32)
    chain = Chain()
    first, second = (chain.deploy("LabRegistry", ALICE.address, True) for _ in range(2))
    elsewhere = Chain(chain_id=5).deploy("LabRegistry", ALICE.address, True)
    assert elsewhere.address == first.address
    ids = [registry.read("idOf", key) for registry in (first, second, elsewhere)]
    assert len(set(ids)) == 3


HEAD = 7 * 32
"""Bytes of a key before the parents: six fields and the offset of the seventh."""


@pytest.mark.parametrize("field", ["group", "author", "kind", "subject_type"])
def test_dirt_above_a_field_is_no_second_spelling_of_a_key(field: str) -> None:
    """Calldata words have more bits than the fields; a key with dirt there must not be stored, under any id."""
    registry = Chain().deploy("LabRegistry", ALICE.address, True)
    registry.send(ALICE.address, "createGroup", RECORDER, bytes(32))
    key = Key(1, ALICE.address, 1, b"\1" * 32, 1, b"\2" * 32)
    registry.send(ALICE.address, "seal", 1, eip712.record_commitment(registry.read("idOf", key), bytes(32)))

    def dirty(function: str, *arguments: object) -> bytes:
        clean = registry.interface.encode_call(function, key, *arguments)
        start = 4 + int.from_bytes(clean[4:36])
        at = start + Key._fields.index(field) * 32
        return clean[:at] + b"\1" + clean[at + 1 :]

    value = getattr(key, field)
    soiled = key._replace(**{field: (int(value, 16) if field == "author" else value) | 1 << 248})
    here = eip712.Domain(registry.chain.chain_id, registry.address)
    digest = here.record_id(soiled)
    assert registry.send_raw(ALICE.address, dirty("idOf"))[0] == digest
    # what can be committed to as bare words, for an id that no key has
    registry.send(ALICE.address, "seal", 1, eip712.record_commitment(digest, bytes(32)))
    registry.send(ALICE.address, "anchorLeaves", 1, (digest,))
    for attempt in (
        dirty("record"),
        dirty("reveal", bytes(32)),
        dirty("materialize", merkle.root((digest,)), ()),
        dirty("recordBySig", NO_END, ALICE.sign(here.record_authorization(soiled, NO_END))),
    ):
        with pytest.raises(Refused) as refusal:
            registry.send_raw(ALICE.address, attempt)
        assert refusal.value.name == "", "refused by the ABI, without words"
        assert registry.read("statusOf", digest)[2] == 0
    registry.send(ALICE.address, "reveal", key, bytes(32))


def test_dirt_above_a_relation_is_refused() -> None:
    registry = Chain().deploy("LabRegistry", ALICE.address, True)
    registry.send(ALICE.address, "createGroup", RECORDER, bytes(32))
    parent, _ = registry.send(ALICE.address, "record", Key(1, ALICE.address, 1, b"\1" * 32, 1, b"\2" * 32))
    child = Key(1, ALICE.address, 1, b"\3" * 32, 1, b"\2" * 32, ((parent, 4),))
    clean = registry.interface.encode_call("record", child)
    relation = len(clean) - 32
    with pytest.raises(Refused) as refusal:
        registry.send_raw(ALICE.address, clean[:relation] + b"\1" + clean[relation + 1 :])
    assert refusal.value.name == ""
    assert registry.send_raw(ALICE.address, clean)[0] == registry.read("idOf", child)


def test_parents_may_lie_anywhere_in_calldata() -> None:
    """The ABI lets an encoder put them where it likes; the id and the event must not depend on it."""
    registry = Chain().deploy("LabRegistry", ALICE.address, True)
    registry.send(ALICE.address, "createGroup", RECORDER, bytes(32))
    parent, _ = registry.send(ALICE.address, "record", Key(1, ALICE.address, 1, b"\1" * 32, 1, b"\2" * 32))
    child = Key(1, ALICE.address, 1, b"\3" * 32, 1, b"\2" * 32, ((parent, 4),))
    clean = registry.interface.encode_call("record", child)
    start = 4 + 32
    offset = start + 6 * 32
    assert int.from_bytes(clean[offset : offset + 32]) == HEAD
    moved = clean[:offset] + (HEAD + 64).to_bytes(32, "big") + b"\xee" * 64 + clean[start + HEAD :]
    expected = registry.read("idOf", child)
    recorded, (event,) = registry.send_raw(ALICE.address, moved)
    assert recorded == expected
    assert event.arguments[-1] == child.parents


def bits(word: int, *widths: int) -> list[int]:
    """Fields of a word from the lowest bit, as the pictures in contracts/types show them."""
    fields = []
    for width in widths:
        fields.append(word & (1 << width) - 1)
        word >>= width
    assert word == 0
    return fields


def place(base: int, *keys: bytes) -> int:
    """Where Solidity keeps a mapping's value."""
    where = base.to_bytes(32, "big")
    for key in keys:
        where = eip712.keccak(key + where)
    return int.from_bytes(where)


def test_each_word_of_storage_is_as_its_picture_shows() -> None:
    slots = artifact("LabRegistry").slots
    chain = Chain()
    registry = chain.deploy("LabRegistry", ALICE.address, True)
    began, bob = chain.now, Actor.named("bob")
    for founder in (ALICE, bob):
        registry.send(founder.address, "createGroup", RECORDER | REVIEWER, bytes(32))
    chain.now += 7
    data = Key(1, ALICE.address, 1, b"\1" * 32, 2, b"\2" * 32)
    record, _ = registry.send(ALICE.address, "record", data)
    chain.now += 7
    run = Key(2, bob.address, 4, b"\3" * 32, 3, b"\4" * 32, ((record, 8),))
    evidence, _ = registry.send(bob.address, "record", run)
    registry.send(bob.address, "attestWithEvidence", 2, record, 3, run)
    chain.now += 7
    registry.send(ALICE.address, "retract", data, bytes(32))
    cancelled, _ = registry.send(ALICE.address, "cancel", data._replace(kind=128))
    here, salt = eip712.Domain(chain.chain_id, registry.address), b"\5" * 32
    plan, batched = data._replace(kind=5), data._replace(kind=9)
    commitment = eip712.record_commitment(here.record_id(plan), salt)
    registry.send(ALICE.address, "seal", 1, commitment)
    blind = eip712.verdict_commitment(2, bob.address, record, 1, bytes(32), salt)
    registry.send(bob.address, "seal", 2, blind)
    root, _ = registry.send(ALICE.address, "anchorLeaves", 1, (here.record_id(batched),))
    registry.send(ALICE.address, "anchor", 1, b"\6" * 32, 2**32 - 1, bytes(32))
    chain.now += 7
    registry.send(ALICE.address, "reveal", plan, salt)
    registry.send(ALICE.address, "materialize", batched, root, ())
    other = data._replace(subject=b"\7" * 32)
    registry.send(ALICE.address, "record", other)
    unseen = eip712.verdict_commitment(2, bob.address, here.record_id(other), 1, bytes(32), salt)
    registry.send(bob.address, "seal", 2, unseen)
    chain.now += 7
    registry.send(bob.address, "revealVerdict", 2, here.record_id(other), 1, salt)
    foreign = ForeignRecord(5, registry.address, b"\x0b" * 32)
    registry.send(bob.address, "attestForeign", 2, foreign, 4)

    picture = (40, 40, 40, 32, 8, 8, 22, 22, 22, 22)
    records = {name: registry.load(place(slots["_records"], name)) for name in (record, evidence, cancelled)}
    assert bits(records[record], *picture) == [began + 7, began + 21, 0, 1, 2, 0, 0, 0, 1, 0]
    assert bits(records[evidence], *picture) == [began + 14, 0, 0, 2, 3, 0, 0, 0, 0, 0]
    assert bits(records[cancelled], *picture) == [0, 0, 0, 0, 0, 2, 0, 0, 0, 0]
    group = (2).to_bytes(32, "big")
    verdict = registry.load(place(slots["_attestations"], record, group))
    assert bits(verdict, 8, 136, 40, 40, 32) == [3, int.from_bytes(evidence[15:]), began + 14, 0, 1]
    member = (2 << 160 | int(bob.address, 16)).to_bytes(32, "big")
    owned = registry.load(place(slots["_groups"], group))
    assert bits(owned, 160, 40) == [int(bob.address, 16), began]
    membership = registry.load(place(slots["_memberships"], member))
    assert bits(membership, 32, 40, 40, 32) == [RECORDER | REVIEWER, began, NO_END, 1]

    revealed, stored = (registry.load(place(slots["_records"], here.record_id(key))) for key in (plan, batched))
    assert bits(revealed, *picture) == [began + 28, 0, began + 21, 1, 5, 0, 0, 0, 0, 0]
    assert bits(stored, *picture) == [began + 21, 0, 0, 1, 9, 1, 0, 0, 0, 0]
    verdict = registry.load(place(slots["_attestations"], here.record_id(other), group))
    assert bits(verdict, 8, 136, 40, 40, 32) == [1, 0, began + 35, began + 28, 1]
    author = (1 << 160 | int(ALICE.address, 16)).to_bytes(32, "big")
    assert registry.load(place(slots["_sealedAt"], author, commitment)) == began + 21
    assert registry.load(place(slots["_sealedAt"], member, blind)) == began + 21
    batches = [registry.load(place(slots["_batches"], author, name)) for name in (root, b"\6" * 32)]
    assert bits(batches[0], 40, 48, 8) == [began + 21, 1, 1]
    assert bits(batches[1], 40, 48, 8) == [began + 21, 2**32 - 1, 0]
    at = place(slots["_foreignAttestations"], eip712.keccak(b"".join(map(eip712.word, foreign))), group)
    assert (registry.load(at), bits(registry.load(at + 1), 8, 40, 32)) == (0, [4, began + 35, 1])
