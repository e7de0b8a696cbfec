"""Each thing that a bundle can have wrong: the place that its refusal names, and the words. And what it shows if all of
it fits, at its limits."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
import rfc8785
from eth_utils import keccak

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import UnknownVersion
from blockchaintracer.core.plain_json import MAX_DEPTH
from blockchaintracer.core.record import Link, Relation, Status, from_hex
from blockchaintracer.core.verify import bundle as subject
from blockchaintracer.core.verify.bundle import BundleRefused, ProvenBundle, read_bundle
from blockchaintracer.lab import proof_file
from tests.support.forged_bundles import OWNER, SALT, TIME, Forged, bloom

Change = Callable[[Any], Any]
NUMBER = 18_000_000


def refusal(plain: Any) -> tuple[str, str]:
    """The place that the refusal of a document, or of bytes, names, and its words."""
    with pytest.raises(BundleRefused) as refused:
        read_bundle(plain if isinstance(plain, bytes) else rfc8785.dumps(plain))
    assert refused.value.message.startswith(f"{refused.value.place}: ")
    assert refused.value.values == {"place": refused.value.place}
    return refused.value.place, refused.value.message[len(refused.value.place) + 2 :]


def shown(plain: Any) -> ProvenBundle:
    return read_bundle(rfc8785.dumps(plain))


def block_hashes(plain: Any) -> tuple[str, str]:
    """The block with the records, and the one whose state is read."""
    state = plain["records"][0]["state"]
    [inclusion] = set(plain["blocks"]) - {state}
    return inclusion, state


def joined(*parts: Any) -> Any:
    """One bundle of the blocks, nodes and records of several."""
    blocks = {block: text for part in parts for block, text in part["blocks"].items()}
    nodes = sorted({node for part in parts for node in part["nodes"]})
    return parts[0] | {"blocks": blocks, "nodes": nodes, "records": [it for part in parts for it in part["records"]]}


WHOLE = Forged().plain()
DATA = rfc8785.dumps(WHOLE)
INCLUSION, STATE = block_hashes(WHOLE)

# -- its bytes


def test_a_bundle_is_no_larger_than_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert subject.BUNDLE_BYTES == 64 * 2**20
    monkeypatch.setattr(subject, "BUNDLE_BYTES", len(DATA))
    assert read_bundle(DATA).chain_id == 1
    monkeypatch.setattr(subject, "BUNDLE_BYTES", len(DATA) - 1)
    assert refusal(DATA) == ("byte 0", f"expected at most {len(DATA) - 1:,} bytes, got {len(DATA):,}")


def test_a_bundle_is_nested_no_deeper_than_a_manifest_in_it() -> None:
    for depth, told in (
        (MAX_DEPTH + 4, "the bundle: expected an object"),
        (MAX_DEPTH + 5, "expected JSON that is nes"),
    ):
        place, message = refusal(b"[" * depth + b"]" * depth)
        assert place == "byte 0"
        assert message.startswith(told)
    assert message == f"expected JSON that is nested at most {MAX_DEPTH + 4} deep"


@pytest.mark.parametrize(
    ("data", "place", "message"),
    [
        (b'{"a":"\xff"}', "byte 6", "expected UTF-8"),
        (b'{"a" 1}', "byte 5", "expected JSON: Expecting ':' delimiter"),
        ('{"ä":"ä",x'.encode(), "byte 11", "expected JSON: Expecting property name enclosed in double quotes"),
        (b'{"a":NaN}', "byte 0", "expected canonical JSON (RFC 8785): nan"),
        (b'{"a":"\\ud800"}', "byte 0", "expected canonical JSON (RFC 8785): "),
        (b'{"a":' + b"9" * 5000 + b"}", "byte 0", "expected canonical JSON (RFC 8785): "),
        (b"[]", "byte 0", "the bundle: expected an object of urn:blockchaintracer:bundle:v1"),
        (b"{}", "byte 0", "the bundle: expected urn:blockchaintracer:bundle:v1, got 'None'"),
        (DATA + b"\n", f"byte {len(DATA)}", "expected the canonical form of JSON (RFC 8785)"),
        (DATA[:1] + b" " + DATA[1:], "byte 1", "expected the canonical form of JSON (RFC 8785)"),
        (DATA[:-1] + b" }", f"byte {len(DATA) - 1}", "expected the canonical form of JSON (RFC 8785)"),
    ],
    ids=str,
)
def test_a_bundle_has_one_form(data: bytes, place: str, message: str) -> None:
    told = refusal(data)
    assert (told[0], told[1][: len(message)]) == (place, message)


def test_a_bundle_of_another_version_is_named() -> None:
    with pytest.raises(UnknownVersion):
        shown(WHOLE | {"type": "urn:blockchaintracer:bundle:v2"})
    place, message = refusal(WHOLE | {"algorithms": ["md5"]})
    assert place == "byte 0"
    assert message.startswith("the bundle: expected the algorithms eip-712, keccak-256")
    assert DATA.startswith(proof_file.START)
    assert proof_file.START.endswith(b'"sha2-256"],"blocks":{"')
    assert not issubclass(BundleRefused, InputError)


def edited(*path: Any, value: Any = None, drop: bool = False) -> Any:
    """The whole bundle, with one field set or dropped."""
    plain = json.loads(DATA)
    parent = plain
    for part in path[:-1]:
        parent = parent[part]
    if drop:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return plain


@pytest.mark.parametrize(
    ("path", "value", "place", "message"),
    [
        (("more",), 1, "more", "Extra inputs are not permitted"),
        (("records", 0, "more"), 1, "records[0].more", "Extra inputs are not permitted"),
        (("records",), [], "records", "List should have at least 1 item after validation, not 0"),
        (("records", 0, "recorded", "log"), -1, "records[0].recorded.log",
         "Input should be greater than or equal to 0"),
        (("records", 0, "recorded", "log"), 2**32, "records[0].recorded.log", "Input should be less than 4294967296"),
        (("chainId",), "0", "chainId", "String should match pattern '^[1-9][0-9]{0,76}$'"),
        (("chainId",), "1" * 78, "chainId", "String should match pattern '^[1-9][0-9]{0,76}$'"),
        (("nodes", 0), "0x", "nodes[0]", "String should match pattern '^0x([0-9a-f]{2})+$'"),
        (("deployment",), None, "deployment", "Input should be a valid dictionary or instance of _Deployment"),
        (("witnesses",), [], "witnesses", "List should have at least 1 item after validation, not 0"),
        (("renewals",), [{"type": ""}], "renewals[0].type", "String should match pattern '^[!-~]{1,200}$'"),
        (("records", 0, "batched"), {"root": INCLUSION, "path": [INCLUSION] * 65,
          "anchored": WHOLE["records"][0]["recorded"]}, "records[0].batched.path",
         "List should have at most 64 items after validation, not 65"),
    ],
)  # fmt: skip
def test_each_field_has_its_shape(path: tuple[Any, ...], value: Any, place: str, message: str) -> None:
    assert refusal(edited(*path, value=value)) == (place, message)


def test_what_is_not_checked_is_listed() -> None:
    evidence = {"witnesses": [{"type": "a"}, {"type": "b", "more": 1}], "identities": [{"type": "c"}]}
    told = shown(WHOLE | evidence | {"renewals": [{"type": "d"}]})
    assert told.unchecked == (("witness", "a"), ("witness", "b"), ("identity", "c"), ("renewal", "d"))
    assert shown(WHOLE).unchecked == ()
    assert shown(WHOLE).deployment == (OWNER, True, SALT)
    assert shown(edited("deployment", drop=True)).deployment is None
    # the largest chain and index: refused further on
    assert shown(Forged(chain_id=10**77 - 1, is_genuine=False, registry=OWNER).plain()).chain_id == 10**77 - 1
    place, message = refusal(edited("records", 0, "recorded", "transaction", value=2**32 - 1))
    assert (place, message) == ("records[0].recorded.transaction", f"block {NUMBER} has no transaction {2**32 - 1}")


# -- blocks and nodes


def test_blocks_are_of_one_chain() -> None:
    told = shown(WHOLE)
    assert [(block.hash, block.number, block.timestamp) for block in told.blocks] == [
        (INCLUSION, NUMBER, TIME),
        (STATE, NUMBER + 1, TIME + 12),
    ]
    assert shown(Forged(later=0).plain()).records[0].as_of.timestamp == TIME
    of_one_chain = "expected blocks of one chain: number and time grow"
    back = Forged(later=-1).plain()
    assert refusal(back) == (f"blocks.{block_hashes(back)[1]}", of_one_chain)
    same = Forged(header={8: 5}).plain()
    assert refusal(same) == (f"blocks.{max(same['blocks'])}", of_one_chain)
    other = "0x" + "ab" * 32
    for name in (INCLUSION, STATE):
        for wrong in ("0x" + "00" * 31 + "01", "0x" + "ff" * 32):
            plain = json.loads(DATA.replace(name.encode(), wrong.encode()))
            assert refusal(plain) == (f"blocks.{wrong}", f"expected a header with this Keccak-256, got {name}")
    assert refusal(edited("records", 0, "state", value=other)) == (
        "records[0].state",
        f"expected a block of the bundle, got {other}",
    )
    assert refusal(edited("records", 0, "recorded", "block", value=other)) == (
        "records[0].recorded.block",
        f"expected a block of the bundle, got {other}",
    )
    place, message = refusal(edited("blocks", STATE, value="0x00"))
    assert (place, message) == (
        f"blocks.{STATE}",
        "expected the fields of a block header of a known fork, got none",
    )


def test_every_block_and_node_is_needed() -> None:
    later = Forged(number=NUMBER + 9, time=TIME + 90).plain()
    more = joined(WHOLE, later) | {"records": WHOLE["records"], "nodes": WHOLE["nodes"]}
    first = min(later["blocks"])
    assert refusal(more) == (f"blocks.{first}", "expected a block that something rests on, nothing does")
    needless = "expected a node that a proof needs, no proof does"
    assert refusal(WHOLE | {"nodes": [*WHOLE["nodes"], "0xff", "0xffff"]}) == (
        f"nodes[{len(WHOLE['nodes'])}]",
        needless,
    )
    once = "expected each node once, in ascending order"
    assert refusal(WHOLE | {"nodes": WHOLE["nodes"][::-1]}) == ("nodes", once)
    assert refusal(WHOLE | {"nodes": [*WHOLE["nodes"], WHOLE["nodes"][-1]]}) == ("nodes", once)


def test_a_node_that_is_gone_or_changed_is_named() -> None:
    plain = Forged(count=3).plain()
    nodes = plain["nodes"]
    for index, node in enumerate(nodes):
        missing = f"a node of a proof is missing, with Keccak-256 0x{keccak(from_hex(node)).hex()}, for records["
        place, message = refusal(plain | {"nodes": [*nodes[:index], *nodes[index + 1 :]]})
        assert message.startswith(missing)
        changed = sorted([*nodes[:index], node[:-2] + ("00" if node[-2:] != "00" else "01"), *nodes[index + 1 :]])
        place, message = refusal(plain | {"nodes": changed})
        assert message.startswith(missing)
        name = keccak(from_hex(changed[int(place.removeprefix("nodes[").removesuffix("]"))])).hex()
        assert not any(name in other for other in changed)
    # a leaf alone that is gone: no other node is left over
    leaf = next(index for index, node in enumerate(WHOLE["nodes"]) if not named_by(WHOLE, node))
    place, message = refusal(WHOLE | {"nodes": [*WHOLE["nodes"][:leaf], *WHOLE["nodes"][leaf + 1 :]]})
    assert not place.startswith("nodes")
    assert message.endswith(f", for {place}")


def named_by(plain: Any, node: str) -> list[str]:
    """The nodes of a bundle that a node names."""
    return [other for other in plain["nodes"] if keccak(from_hex(other)).hex() in node]


def test_a_state_without_the_registry_proves_nothing() -> None:
    plain = Forged(account_at="0x" + "55" * 20).plain()
    assert refusal(plain) == ("records[0].state", f"block {NUMBER + 1} has no account {plain['registry']}")
    account = Forged(account=[b"", b"", ..., b"\x02" * 31]).plain()
    assert refusal(account) == ("records[0].state", "expected a code hash of 32 bytes")


def test_a_registry_has_one_code() -> None:
    parts = [Forged().plain(), Forged(number=NUMBER + 5, time=TIME + 60, author=OWNER, code=b"other").plain()]
    same = Forged(number=NUMBER + 5, time=TIME + 60, author=OWNER).plain()
    told = shown(joined(parts[0], same))
    assert len(told.records) == 2
    assert told.code_hash == shown(WHOLE).code_hash
    assert shown(parts[1]).code_hash == f"0x{keccak(b'other').hex()}"
    for first, second in (parts, parts[::-1]):
        expected = "expected the same code in every block, as a registry can't change"
        assert refusal(joined(first, second)) == ("records[1].state", expected)


# -- records


def test_what_a_stored_record_shows() -> None:
    [record] = shown(Forged(word=1000 << 190 | (TIME + 12) << 40 | TIME << 80).plain()).records
    assert record.status is Status.RETRACTED
    assert record.stored
    assert (record.stored.retracted_at, record.stored.sealed_at) == (TIME + 12, TIME)
    assert record.committed_at == TIME
    assert record.recorded
    assert (record.recorded.number, record.as_of.number, record.batch) == (NUMBER, NUMBER + 1, None)
    assert record.manifest
    assert record.id == WHOLE["records"][0]["id"]
    assert record.key.as_json() == WHOLE["records"][0]["key"]
    assert shown(Forged(word=TIME << 40).plain()).records[0].status is Status.RETRACTED
    assert shown(edited("records", 0, "manifest", value=None)).records[0].manifest is None
    # the state of the very block
    plain = json.loads(DATA)
    plain["records"][0]["state"] = INCLUSION
    del plain["blocks"][STATE]
    assert shown(plain).records[0].as_of.hash == INCLUSION


WORD = "expected a word that a registry writes: sealed, recorded, retracted, in this order"


@pytest.mark.parametrize(
    ("forged", "place", "message"),
    [
        ({"word": 1}, "records[0].recorded", f"expected a record of time {TIME}, got one of {TIME + 1}"),
        ({"word": -1}, "records[0].recorded", f"expected a record of time {TIME}, got one of {TIME - 1}"),
        ({"word": 1 << 120}, "records[0].recorded", "the stored word is not of this key's group and kind"),
        ({"word": -1 << 120}, "records[0].recorded", "the stored word is not of this key's group and kind"),
        ({"word": 1 << 152}, "records[0].recorded", "the stored word is not of this key's group and kind"),
        ({"word": -1 << 152}, "records[0].recorded", "the stored word is not of this key's group and kind"),
        ({"word": 2 << 160}, "records[0].state", WORD), ({"word": 128 << 160}, "records[0].state", WORD),
        ({"word": (TIME - 1) << 40}, "records[0].state", WORD), ({"word": (TIME + 13) << 40}, "records[0].state", WORD),
        ({"word": (TIME + 1) << 80}, "records[0].state", WORD),
        ({"word": 1 << 160}, "records[0].recorded.log", "expected one of the transaction's 1 logs, got 1"),
    ],
)  # fmt: skip
def test_a_word_is_of_the_record_and_its_times(forged: dict[str, Any], place: str, message: str) -> None:
    assert refusal(Forged(**forged).plain()) == (place, message)


def test_a_state_is_not_older_than_the_record() -> None:
    plain = Forged(later=0).plain()
    inclusion, state = block_hashes(plain)
    plain["records"][0]["state"] = inclusion
    plain["records"][0]["recorded"]["block"] = state
    assert refusal(plain) == ("records[0].state", WORD)


def test_a_record_has_an_event_or_a_batch() -> None:
    assert refusal(edited("records", 0, "recorded", value=None)) == (
        "records[0]",
        "expected the event that recorded it, or a batch that holds it, got neither",
    )
    for word, place, message in (
        (TIME, "records[0].recorded", "expected the event that recorded it, as it is stored, got none"),
        (1 << 160, "records[0].state", "expected an empty word or a cancelled one, got another"),
        (3 << 160, "records[0].state", "expected an empty word or a cancelled one, got another"),
        (2 << 160 | 1 << 120, "records[0].state", "expected an empty word or a cancelled one, got another"),
    ):
        assert refusal(Forged(batched=True, stored=word).plain()) == (place, message)
    twice = json.loads(DATA)
    twice["records"] *= 2
    expected = f"expected each record once, got {twice['records'][0]['id']} again"
    assert refusal(twice) == ("records[1].id", expected)


def test_a_key_has_the_id_and_one_form() -> None:
    plain = edited("records", 0, "key", "group", value=2**32)
    assert refusal(plain)[0] == "records[0].key"
    parents = (Link("0x" + "01" * 32, Relation.USES), Link("0x" + "02" * 32, Relation.USES))
    plain = Forged(parents=parents).plain()
    assert shown(plain).records[0].key.parents == parents
    plain["records"][0]["key"]["parents"] = plain["records"][0]["key"]["parents"][::-1]
    assert refusal(plain) == ("records[0].key", "expected the one form of a key, its parents ascending, each once")
    for wrong in ("0x" + "00" * 32, "0x" + "ff" * 32):
        assert refusal(edited("records", 0, "id", value=wrong)) == (
            "records[0].key",
            f"expected the key of {wrong}, got that of {WHOLE['records'][0]['id']} in registry {WHOLE['registry']}"
            " of chain 1",
        )


def test_a_manifest_is_the_keys() -> None:
    expected, seen = WHOLE["records"][0]["key"]["manifest"], set()
    for name in range(12):
        digest = sha256(rfc8785.dumps({"name": name})).hexdigest()
        seen.add(digest > expected)
        assert refusal(edited("records", 0, "manifest", value={"name": name})) == (
            "records[0].manifest",
            f"expected a manifest with SHA-256 {expected}, got {digest}",
        )
    assert seen == {True, False}
    place, message = refusal(Forged(of_manifest=lambda plain: {"type": "none"}).plain())
    assert place == "records[0].manifest"
    assert message.startswith("predicateType: expected a value, got nothing; ")
    other = Forged(of_manifest=lambda plain: json.loads(json.dumps(plain).replace(f"{1:064x}", f"{2:064x}"))).plain()
    assert refusal(other) == (
        "records[0].manifest",
        f"it disagrees with the key: subject: the manifest says {2:064x}, the record {1:064x}",
    )


# -- events


def log_of(change: Change) -> Any:
    return lambda logs: [change(log) for log in logs]


def emitted_by(address: str) -> Any:
    return log_of(lambda log: [bytes.fromhex(address[2:]), *log[1:]])


def with_data(change: Change) -> Any:
    return log_of(lambda log: [log[0], log[1], change(log[2])])


def with_topics(change: Change) -> Any:
    return log_of(lambda log: [log[0], change(log[1]), log[2]])


def nudged(data: bytes, at: int, by: int) -> bytes:
    return data[:at] + bytes([data[at] + by]) + data[at + 1 :]


@pytest.mark.parametrize("by", [1, -1])
def test_the_event_is_that_of_the_record(by: int) -> None:
    another = f"expected the event that recorded {WHOLE['records'][0]['id']}, got another"
    for of_logs in (
        with_data(lambda data: nudged(data, 31, by)),
        with_data(lambda data: data + b"\0" if by > 0 else data[:-1]),
        with_topics(lambda topics: [*topics[:2], nudged(topics[2], 31, by)]),
        with_topics(lambda topics: [*topics, bytes(32)] if by > 0 else topics[:2]),
        with_topics(lambda topics: [topics[0], nudged(topics[1], 1, by), topics[2]]),
    ):
        assert refusal(Forged(of_logs=of_logs).plain()) == ("records[0].recorded.log", another)
    emitter = "0x" + ("ff" if by > 0 else "00") * 20
    message = f"expected a log of {WHOLE['registry']}, got one of {emitter}"
    assert refusal(Forged(of_logs=emitted_by(emitter)).plain()) == ("records[0].recorded.log", message)


def test_an_event_has_a_place() -> None:
    place = "records[0].recorded"
    plain = edited("records", 0, "recorded", "transaction", value=1)
    assert refusal(plain) == (f"{place}.transaction", f"block {NUMBER} has no transaction 1")
    for log in (1, 2):
        message = f"expected one of the transaction's 1 logs, got {log}"
        assert refusal(edited("records", 0, "recorded", "log", value=log)) == (f"{place}.log", message)
    failed = "expected the receipt of a transaction that succeeded"
    assert refusal(Forged(status=b"").plain()) == (place, failed)


def test_the_blooms_of_receipt_and_block_hold_the_log() -> None:
    filled, message = b"\xff" * 256, "expected a log that the blooms of its receipt and block hold"
    assert shown(Forged(header={6: filled}).plain()).chain_id == 1
    logs: list[Any] = []
    Forged(of_logs=lambda made: [*map(logs.append, made)] and made).plain()
    emitter, topics = bloom([[logs[0][0], [], b""]]), bloom([[logs[0][1][0], logs[0][1][1:], b""]])
    for wrong in ({"header": {6: emitter}}, {"header": {6: topics}}, {"header": {6: filled}, "with_bloom": False}):
        assert refusal(Forged(**wrong).plain()) == ("records[0].recorded.log", message)


def test_what_was_decoded_once_is_used_again() -> None:
    for count in (2, 20):
        told = shown(Forged(count=count).plain())
        assert [record.recorded for record in told.records] == [told.blocks[0]] * count
        assert [record.as_of for record in told.records] == [told.blocks[1]] * count


MATERIALIZED = keccak(text="Materialized(bytes32,bytes32,uint40)")


def materialized(time: int = TIME - 100, change: Change = lambda log: log) -> Any:
    """Put the event that takes a record from its batch behind each record's own."""

    def of_logs(logs: list[Any]) -> list[Any]:
        [recorded] = logs
        return [recorded, change([recorded[0], [MATERIALIZED, recorded[1][1], b"\x07" * 32], time.to_bytes(32)])]

    return of_logs


def test_a_record_from_a_batch_has_the_batchs_time() -> None:
    earlier = (1 << 160) - 100
    told = shown(Forged(word=earlier, of_logs=materialized()).plain()).records[0]
    assert told.stored
    assert (told.stored.recorded_at, told.stored.is_batched, told.committed_at) == (TIME - 100, True, TIME - 100)
    assert shown(Forged(word=1 << 160, of_logs=materialized(TIME)).plain()).records[0].committed_at == TIME
    later = Forged(word=(1 << 160) + 1, of_logs=materialized(TIME + 1)).plain()
    assert refusal(later) == ("records[0].state", WORD)
    sealed = Forged(word=earlier + (TIME << 80), of_logs=materialized()).plain()
    assert refusal(sealed) == ("records[0].state", WORD)
    early = Forged(word=earlier + (TIME - 1 << 40), of_logs=materialized()).plain()
    assert refusal(early) == ("records[0].state", WORD), "it was retracted before it was stored"
    next_to_it = "expected the event that took the record from its batch next to it, with its time"
    for change in (
        lambda log: [log[0], log[1][:2], log[2]],
        lambda log: [log[0], [*log[1], bytes(32)], log[2]],
        lambda log: [log[0], [log[1][0], bytes(32), log[1][2]], log[2]],
        lambda log: [log[0], [log[1][0], b"\xff" * 32, log[1][2]], log[2]],
        lambda log: [log[0], [bytes(32), *log[1][1:]], log[2]],
        lambda log: [log[0], [b"\xff" * 32, *log[1][1:]], log[2]],
        lambda log: [*log[:2], (TIME - 99).to_bytes(32)],
        lambda log: [*log[:2], (TIME - 101).to_bytes(32)],
        lambda log: [*log[:2], log[2][1:]],
    ):
        plain = Forged(word=earlier, of_logs=materialized(change=change)).plain()
        assert refusal(plain) == ("records[0].recorded.log", next_to_it)


# -- batches

COUNTED = keccak(text="LeavesAnchored(uint32,address,bytes32,uint48)")


def counted(logs: list[Any]) -> list[Any]:
    [[emitter, topics, data]] = logs
    return [[emitter, [COUNTED, *topics[1:]], data[:64]]]


def test_what_a_batch_shows() -> None:
    told = shown(Forged(batched=True, count=3).plain())
    for record in told.records:
        assert (record.status, record.stored, record.recorded) == (Status.UNKNOWN, None, None)
        assert record.batch
        assert record.batch.anchored == told.blocks[0]
        assert record.committed_at == TIME
        assert (record.batch.batch.anchored_at, record.batch.batch.count) == (TIME, 3)
        assert not record.batch.batch.counted
    assert shown(Forged(batched=True, cancelled=True).plain()).records[0].status is Status.CANCELLED
    [record] = shown(Forged(batched=True, batch_word=1 << 88, of_logs=counted).plain()).records
    assert record.batch
    assert record.batch.batch.counted
    both = Forged(batched=True).plain()
    both["records"][0]["state"] = both["records"][0]["batched"]["anchored"]["block"]
    both["blocks"] = {both["records"][0]["state"]: both["blocks"][both["records"][0]["state"]]}
    assert shown(both).records[0].as_of.number == NUMBER


@pytest.mark.parametrize("by", [1, -1])
def test_a_batch_is_anchored_by_its_event(by: int) -> None:
    place = "records[0].batched"
    message = "expected the event that anchored this root for this group and author"
    for forged in (
        {"of_logs": with_data(lambda data: nudged(data, 31, by))},
        {"of_logs": with_data(lambda data: nudged(data, 63, by))},
        {"of_logs": with_data(lambda data: data + b"\0" if by > 0 else data[:-1])},
        {"of_logs": with_topics(lambda topics: [*topics[:2], b"\x80" * 32] if by > 0 else topics[:2])},
        {"of_logs": with_topics(lambda topics: [*topics, bytes(32)] if by > 0 else topics[:1])},
        {"of_logs": with_topics(lambda topics: [topics[0], nudged(topics[1], 20, by), topics[2]])},
        {"of_logs": with_topics(lambda topics: [] if by > 0 else [MATERIALIZED, *topics[1:]])},
        {"batch_word": 1 << 88}, {"of_logs": counted}, {"batch_word": by << 40},
        {"batch_word": 1 << 88, "of_logs": lambda logs: with_data(lambda data: data + bytes(32))(counted(logs))},
        {"batch_word": 1 << 88, "of_logs": lambda logs: with_data(lambda data: data[:-32])(counted(logs))},
    ):  # fmt: skip
        assert refusal(Forged(batched=True, **forged).plain()) == (f"{place}.anchored.log", message)
    late = f"expected a batch of time {TIME}, of a block up to {NUMBER + 1}, got time {TIME + by}, block {NUMBER}"
    assert refusal(Forged(batched=True, batch_word=by).plain()) == (place, late)


def test_a_batch_is_not_younger_than_the_state() -> None:
    plain = Forged(batched=True, later=0).plain()
    inclusion, state = block_hashes(plain)
    plain["records"][0]["state"] = inclusion
    plain["records"][0]["batched"]["anchored"]["block"] = state
    late = f"expected a batch of time {TIME}, of a block up to {NUMBER}, got time {TIME}, block {NUMBER + 1}"
    assert refusal(plain) == ("records[0].batched", late)


def test_a_path_leads_to_the_root() -> None:
    plain = Forged(batched=True, count=2).plain()
    [first, second] = plain["records"]
    root, sibling = first["batched"]["root"], first["batched"]["path"]
    for path in ([], [*sibling, "0x" + "00" * 32], ["0x" + "01" * 32], ["0x" + "02" * 32], ["0x" + "03" * 32]):
        first["batched"]["path"] = path
        place, message = refusal(plain)
        assert place == "records[0].batched.path"
        assert message.startswith(f"expected a path to the root {root}, got one to 0x")
    assert second["batched"]["root"] == root
