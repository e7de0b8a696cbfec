"""The shapes of a chain's bytes, each at its limits: what is read, and which words refuse the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import rlp
from eth_utils import keccak
from trie import HexaryTrie

from blockchaintracer.core.networks import MAX_TIME
from blockchaintracer.core.verify.chain_shapes import (
    Header,
    Malformed,
    MissingNode,
    Receipt,
    ReceiptLog,
    TrieNodes,
    bloom_holds,
    decode_rlp,
    index_key,
    integer,
    read_account,
    read_header,
    read_receipt,
    read_word,
)
from tests.support.forged_bundles import FIELDS_AFTER_NONCE, bloom


def refusal(read: Callable[..., Any], *given: Any) -> str:
    with pytest.raises(Malformed) as refused:
        read(*given)
    return str(refused.value)


LONG = bytes(range(1, 57))
SHORTEST, BYTE, PART = (
    "expected the shortest form of an RLP length",
    "expected the shortest form of an RLP byte",
    "expected an RLP item, got a part of one",
)


@pytest.mark.parametrize(
    "item",
    [
        b"", b"\0", b"\x01", b"\x7f", b"\x80", b"\xff", b"ab", LONG[:55], LONG, LONG * 5, LONG * 2000, [], [b""], [[]],
        [b"\0", b"\x80", [b"a", [b""]], LONG[:55], LONG], [LONG[:54]], [LONG[:55]], [LONG * 5, LONG * 6], [b"a"] * 300,
    ],
)  # fmt: skip
def test_rlp_is_read(item: Any) -> None:
    assert decode_rlp(rlp.encode(item), 3) == item


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected an RLP item, got the end"), (b"\0\0", "expected one RLP item, got bytes after it"),
        (b"\xc0\xc0", "expected one RLP item, got bytes after it"), (b"\xc1", PART), (b"\xc2\0", PART),
        (b"\x81\0", BYTE), (b"\x81\x7f", BYTE), (b"\xc2\x81\x05", BYTE), (b"\x81", PART), (b"\x82a", PART),
        (b"\xc1\x81\x80", PART), (b"\xb8", SHORTEST),
        (b"\xf8", SHORTEST), (b"\xb9\x01", SHORTEST), (b"\xb8\x37" + bytes(55), SHORTEST), (b"\xb8\0", SHORTEST),
        (b"\xb9\0\x38" + bytes(56), SHORTEST), (b"\xf8\x37" + bytes(55), SHORTEST), (b"\xb8\x38", PART),
        (b"\xb8\x38" + bytes(55), PART), (b"\xf8\x38" + bytes(55), PART),
        (b"\xb8\x38" + bytes(57), "expected one RLP item, got bytes after it"),
    ],
)  # fmt: skip
def test_rlp_in_another_form_is_malformed(data: bytes, message: str) -> None:
    assert refusal(decode_rlp, data, 3) == message


def test_rlp_is_nested_as_deep_as_is_asked_for() -> None:
    assert decode_rlp(b"a", 0) == b"a"
    assert decode_rlp(b"\xc0", 1) == []
    assert decode_rlp(b"\xc2\xc0\xc0", 2) == [[], []]
    for data, depth in ((b"\xc0", 0), (b"\xc1\xc0", 1), (b"\xc2a\xc0", 1)):
        assert refusal(decode_rlp, data, depth) == "expected RLP that is not nested so deeply"


def test_integers_have_one_form() -> None:
    for item, value in ((b"", 0), (b"\x01", 1), (b"\x01\0", 256), (b"\xff\xff", 65_535)):
        assert integer(item, 2, "it") == value
    for item in (b"\0", b"\0\x01", b"\x01\0\0", [], [b"\x01"]):
        assert refusal(integer, item, 2, "it") == "expected it as an integer of at most 2 bytes without leading zeros"


STATE, RECEIPTS, BLOOM = b"\x0a" * 32, b"\x0b" * 32, b"\x0c" * 256
FIELDS: list[Any] = [
    *(bytes(32), bytes(32), bytes(20), STATE, bytes(32), RECEIPTS, BLOOM, b"\xff" * 32, 2**53 - 1, b"\xff" * 8),
    *(b"\xff" * 8, MAX_TIME - 1, bytes(1 << 14), bytes(32), bytes(8), b"\xff" * 32, *FIELDS_AFTER_NONCE[1:]),
]
NAMES = (
    *("parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom", "difficulty"),
    *("number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce", "baseFeePerGas"),
    *("withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot", "requestsHash"),
    *("blockAccessListHash", "slotNumber"),
)


def header(fields: list[Any]) -> Header:
    return read_header(rlp.encode(fields))


def test_headers_have_the_fields_of_a_fork() -> None:
    for count in range(27):
        fields = [*FIELDS, b"new", [b"list"], b"", b""][:count]
        if count in (15, 16, 17, 20, 21, 22, 23) or count > 23:
            expected = (f"0x{keccak(rlp.encode(fields)).hex()}", 2**53 - 1, MAX_TIME - 1, STATE, RECEIPTS, BLOOM)
            assert header(fields) == (*expected, max(0, count - 23))
        else:
            assert refusal(header, fields) == f"expected the fields of a block header of a known fork, got {count}"
    assert refusal(read_header, b"a") == "expected the fields of a block header of a known fork, got none"


def test_each_field_of_a_header_has_its_shape() -> None:
    for index, (name, field) in enumerate(zip(NAMES, FIELDS, strict=True)):
        numbers = {"difficulty": 32, "baseFeePerGas": 32}
        if name == "extraData":
            wrong, message = [bytes((1 << 14) + 1), []], "expected extraData of at most 16384 bytes"
        elif isinstance(field, bytes) and field[:1] not in (b"", b"\xff", b"\x09"):
            wrong = [field + b"\0", field[:-1], []]
            message = f"expected {name} of {len(field)} bytes"
        else:
            size = numbers.get(name, 8)
            wrong = [b"\x01" * (size + 1), b"\0", [b"\x01"]]
            message = f"expected {name} as an integer of at most {size} bytes without leading zeros"
        for value in wrong:
            assert refusal(header, [*FIELDS[:index], value, *FIELDS[index + 1 :]]) == message, value
    for index, value in ((8, 2**53), (11, MAX_TIME)):
        told = refusal(header, [*FIELDS[:index], value, *FIELDS[index + 1 :]])
        assert told == "expected a time before the year 10,000 and a number below 2^53"


def test_accounts_and_words_have_their_shapes() -> None:
    root, code = b"\x0d" * 32, b"\x0e" * 32
    account = [b"\xff" * 8, b"\xff" * 32, root, code]
    assert read_account(rlp.encode(account)) == (root, code)
    whole = "expected an account: nonce, balance, storage root and code"
    for wrong, message in (
        ([*account, b""], whole), (account[:3], whole), (b"a", whole),
        ([b"\xff" * 9, *account[1:]], "expected a nonce as an integer of at most 8 bytes without leading zeros"),
        ([b"", b"\xff" * 33, root, code], "expected a balance as an integer of at most 32 bytes without leading zeros"),
        ([b"", b"", root + b"a", code], "expected a storage root of 32 bytes"),
        ([b"", b"", root[1:], code], "expected a storage root of 32 bytes"),
        ([b"", b"", root, code + b"a"], "expected a code hash of 32 bytes"),
        ([b"", b"", root, code[1:]], "expected a code hash of 32 bytes"),
        ([b"", b"", root, [code]], "expected RLP that is not nested so deeply"),
    ):  # fmt: skip
        assert refusal(read_account, rlp.encode(wrong)) == message
    for word in (1, 256, 2**256 - 1):
        assert read_word(rlp.encode(word)) == word
    assert refusal(read_word, b"\x80") == "expected a storage word that is not zero"
    assert refusal(read_word, b"\xc0") == "expected RLP that is not nested so deeply"
    for wrong in (b"\0a", b"\x01" * 33):
        told = refusal(read_word, rlp.encode(wrong))
        assert told == "expected a storage word as an integer of at most 32 bytes without leading zeros"


def test_receipts_of_every_type_are_read() -> None:
    logs = [[bytes(20), [bytes(32)] * count, b"data"] for count in range(5)]
    expected = Receipt(BLOOM, tuple(ReceiptLog(bytes(20), (bytes(32),) * count, b"data") for count in range(5)))
    fields = [b"\x01", b"\xff" * 8, BLOOM, logs]
    for more in ([], [b"\xff" * 8], [b"", b"\x01"]):
        for prefix in (b"", b"\x01", b"\x02", b"\x7f"):
            assert read_receipt(prefix + rlp.encode(fields + more)) == expected


@pytest.mark.parametrize(
    ("index", "value", "message"),
    [
        (0, b"", "the receipt of a transaction that succeeded"), (0, b"\0", "the receipt of a transaction that succ"),
        (0, b"\x02", "the receipt of a transaction that succeeded"), (0, [], "the receipt of a transaction that succ"),
        (1, b"\xff" * 9, "a receipt's integer as an integer of at most 8 bytes"), (1, b"\0", "a receipt's integer as"),
        (2, BLOOM + b"\0", "a bloom filter of 256 bytes"), (2, BLOOM[1:], "a bloom filter of 256 bytes"),
        (3, b"", "a list of logs"), (3, [b""], "a log: emitter, topics and data"),
        (3, [[bytes(20), []]], "a log: emitter, topics and data"),
        (3, [[bytes(20), [], b"", b""]], "a log: emitter, topics and data"),
        (3, [[bytes(20), [], []]], "a log's data as bytes"), (3, [[bytes(20), b"", b""]], "at most four topics"),
        (3, [[bytes(20), [bytes(32)] * 5, b""]], "at most four topics"), (3, [[bytes(19), [], b""]], "an emitter of"),
        (3, [[bytes(21), [], b""]], "an emitter of 20 bytes"), (3, [[bytes(20), [bytes(31)], b""]], "a topic of 32"),
        (3, [[bytes(20), [bytes(32), bytes(33)], b""]], "a topic of 32 bytes"), (4, b"\0", "a receipt's integer as an"),
        (5, b"\xff" * 9, "a receipt's integer as an"),
        (3, [[bytes(20), [[]], b""]], "RLP that is not nested so deeply"), (3, [[[], [], b""]], "an emitter of 20"),
    ],
)  # fmt: skip
def test_each_part_of_a_receipt_has_its_shape(index: int, value: Any, message: str) -> None:
    fields: list[Any] = [b"\x01", b"", BLOOM, [], b"", b""]
    fields[index] = value
    assert refusal(read_receipt, b"\x02" + rlp.encode(fields)).startswith(f"expected {message}")


def test_a_receipt_has_a_type_and_four_fields() -> None:
    fields = [b"\x01", b"", BLOOM, []]
    assert refusal(read_receipt, b"\0" + rlp.encode(fields)) == "expected a receipt's type, got 0"
    assert refusal(read_receipt, b"\x80" + rlp.encode(fields)) == "expected one RLP item, got bytes after it"
    for wrong in (fields[:3], [*fields, b"", b"", b""], b"abc"):
        assert refusal(read_receipt, b"\x02" + rlp.encode(wrong)) == "expected a receipt of four fields"


def test_a_receipts_key_is_its_index_in_rlp() -> None:
    for index in (0, 1, 2, 126, 127, 128, 129, 255, 256, 65_535, 65_536, 2**32 - 1):
        assert index_key(index) == rlp.encode(index)


def test_a_bloom_holds_what_has_all_three_bits() -> None:
    for values in ([b"one"], [b"two"], [b"one", b"two", bytes(32)], [bytes([count]) for count in range(9)]):
        whole = bloom([[values[0], values[1:], b""]])
        assert bloom_holds(whole, values)
        assert bloom_holds(b"\xff" * 256, values)
        bits = int.from_bytes(whole)
        for at in range(2048):
            if bits >> at & 1:
                assert not bloom_holds((bits ^ 1 << at).to_bytes(256), values)
    assert bloom_holds(bytes(256), [])


# -- tries

CONTENT = {b"\x12\x34": b"one", b"\x12\x35": b"two" * 20, b"\x12\x40": b"three" * 9, b"\x70\0": b"four" * 9}


def trie_of(content: dict[bytes, bytes]) -> tuple[bytes, dict[bytes, list[bytes]]]:
    """The root of a trie, and for each key the nodes on its path."""
    trie = HexaryTrie({})
    for key, value in content.items():
        trie[key] = value
    return trie.root_hash, {key: [rlp.encode(node) for node in trie.get_proof(key)] for key in content}


def test_a_trie_has_what_it_has_and_nothing_else() -> None:
    root, paths = trie_of(CONTENT)
    nodes = sorted({node for path in paths.values() for node in path})
    for key, value in CONTENT.items():
        assert TrieNodes(nodes).value(root, key) == value
    absent = (
        b"",
        b"\x12",
        b"\x1f\xff",
        b"\x12\x33",
        b"\x12\x36",
        b"\x12\x3f",
        b"\x12\x41",
        b"\x12\x4f",
        b"\x12\x3f\x01",
    )
    for key in (
        *absent,
        b"\x70\x01",
        b"\x70\xff",
        b"\x6f\xff",
        b"\x71\0",
        b"\x02\x34",
        b"\x22\x34",
        b"\xf0\0",
        b"\x70",
    ):
        assert TrieNodes(nodes).value(root, key) == b"", key
    empty = keccak(b"\x80")
    assert TrieNodes([]).value(empty, b"\x12") == b""
    assert TrieNodes([]).value(b"", b"\x12") == b""


def test_a_node_that_a_path_does_not_need_is_unread() -> None:
    root, paths = trie_of(CONTENT)
    nodes = sorted({node for path in paths.values() for node in path})
    read = TrieNodes(nodes)
    assert read.unread == {*range(len(nodes))}
    read.value(root, b"\x70\0")
    assert read.unread == {index for index, node in enumerate(nodes) if node not in paths[b"\x70\0"]}
    assert read.unread


def test_a_node_that_is_missing_is_named_and_so_is_what_no_other_names() -> None:
    key = b"\x12\x35"
    root, paths = trie_of(CONTENT)
    path = [node for node in paths[key] if len(node) >= 32]
    assert len(path) > 2
    for index, node in enumerate(path):
        others = TrieNodes([*path[:index], *path[index + 1 :]])
        with pytest.raises(MissingNode) as missing:
            others.value(root, key)
        assert str(missing.value) == f"a node of a proof is missing, with Keccak-256 0x{keccak(node).hex()}"
        assert others.named_by_none([root]) == ([index] if index < len(path) - 1 else [])
    assert TrieNodes(path).named_by_none([root]) == []
    assert TrieNodes(path).named_by_none([]) == [0]
    assert TrieNodes([b"\xa0" * 40, b"x", *path]).named_by_none([root, bytes(32)]) == [0, 1]
    # a name at the very end of a node, and one right behind a byte that looks like its prefix
    assert TrieNodes([b"x", b"\xa0\xa0" + keccak(b"x")]).named_by_none([]) == [1]
    assert TrieNodes([b"x", b"\xa0" + keccak(b"x"), b"\xa0" + keccak(b"x")[:-1]]).named_by_none([]) == [1, 2]


def of(node: Any, key: bytes = b"\x12\x34") -> Any:
    """What a trie of this one node has under a key."""
    data = rlp.encode(node)
    return TrieNodes([data]).value(keccak(data), key)


def branch(index: int, child: Any, value: Any = b"") -> list[Any]:
    return [*[b""] * index, child, *[b""] * (15 - index), value]


def test_leaves_and_extensions_have_a_path() -> None:
    leaf = [b"\x20\x12\x34", b"value"]
    assert of(leaf) == b"value"
    assert of([b"\x31\x23\x4f", b"value"], b"\x12\x34") == b""
    assert of([b"\0\x12", branch(3, [b"\x34", b"value"])]) == b"value"
    assert of([b"\x11", branch(2, [b"\x20\x34", b"value"])]) == b"value"
    assert of(branch(1, [b"\x32\x34", b"value"])) == b"value"
    long = bytes(range(32))
    assert of([b"\x20" + long, b"value"], long) == b"value"
    path = "expected a path in a trie node"
    for first in ([], b"", b"\x20" + bytes(33), b"\x40\x12\x34", b"\x21\x12\x34", b"\x01\x12", b"\x2f\x12", b"\x51"):
        assert refusal(of, [first, b"value"]) == path
        assert refusal(of, branch(1, [first, b"value"])) == path
    # each child is looked at, also those that are not on the way
    assert refusal(of, [b"\0\x12", [b"\x40\x34", b"value"]]) == path
    assert refusal(of, [*branch(1, [b"\x32\x34", b"value"])[:15], [b"\x40", b"v"], b""]) == path
    assert refusal(of, [[b"\x40", b"v"], *branch(1, [b"\x32\x34", b"value"])[1:]]) == path


def test_nodes_have_2_or_17_items_and_children_by_their_hash() -> None:
    items, child = "expected a trie node of 2 or 17 items", "expected a child by its hash"
    for wrong in (b"a", b"abc", [], [b"\x20"], [b"\x20", b"a", b"b"], [b""] * 16, [b""] * 18):
        assert refusal(of, wrong) == items
    assert refusal(of, branch(1, [b"\x20"])) == items
    for size in (1, 31, 33):
        assert refusal(of, branch(15, bytes(size))) == child
        assert refusal(of, branch(0, bytes(size))) == child
        assert refusal(of, [b"\0\x12", bytes(size)]) == child
    assert refusal(of, branch(1, bytes(32))) == f"a node of a proof is missing, with Keccak-256 0x{'00' * 32}"
    for value in (b"value", []):
        assert refusal(of, branch(1, b"", value)) == "expected a branch without a value"
    content = "expected a leaf with a value, or an extension with a path"
    for first, value in (
        (b"\x20\x12", b""),
        (b"\x20\x12", [b""]),
        (b"\x20\x12", []),
        (b"\0", bytes(32)),
        (b"\0\x12", b""),
    ):
        assert refusal(of, [first, value]) == content
    assert of([b"\x20", b"value"], b"") == b"value"
    assert of([b"\x11", branch(2, b"")], b"\x12") == b""


def test_a_list_of_more_than_a_block_holds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seventy bytes of memory for each byte: a bundle of empty lists took gigabytes."""
    data = b"\xf9" + (1000).to_bytes(2) + b"\xc0" * 1000
    assert len(decode_rlp(data, 2)) == 1000
    monkeypatch.setattr("blockchaintracer.core.verify.chain_shapes._MOST_ITEMS", 1000)
    with pytest.raises(Malformed, match="at most 1,000 RLP items"):
        decode_rlp(data, 2)
