"""Decodes what the hash of a block binds: its header, the paths of its tries, accounts and receipts.

Everything is refused that no chain makes. Each byte is read once, whatever the nesting: the ``rlp`` package takes time
that is quadratic in the length of a list, and ``trie`` decodes a shared node again for each path. Sources: the Ethereum
yellow paper, appendices B and D; EIP-2718 (typed receipts); the EIPs that added header fields, up to Amsterdam.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from blockchaintracer.core.networks import MAX_TIME
from blockchaintracer.core.record import keccak, to_hex

_EMPTY_TRIE = bytes.fromhex("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421")
_NODE_DEPTH, _RECEIPT_DEPTH = 8, 4
_MOST_ITEMS = 1 << 20
"""More than the logs of one transaction have that takes a whole block's gas."""
_LONGEST_PATH = 33
"""bytes of the longest path inside a node: 64 nibbles and a flag"""
_LONGEST_EXTRA = 1 << 14
"""bytes; the lists of signers of some chains stand in ``extraData``"""

HEADER: tuple[tuple[str, int | str], ...] = (
    *(("parentHash", 32), ("sha3Uncles", 32), ("miner", 20), ("stateRoot", 32), ("transactionsRoot", 32)),
    *(("receiptsRoot", 32), ("logsBloom", 256), ("difficulty", "u32"), ("number", "u8"), ("gasLimit", "u8")),
    *(("gasUsed", "u8"), ("timestamp", "u8"), ("extraData", "bytes"), ("mixHash", 32), ("nonce", 8)),
    ("baseFeePerGas", "u32"),  # London, EIP-1559
    ("withdrawalsRoot", 32),  # Shanghai, EIP-4895
    *(("blobGasUsed", "u8"), ("excessBlobGas", "u8"), ("parentBeaconBlockRoot", 32)),  # Cancun, EIP-4844 and EIP-4788
    ("requestsHash", 32),  # Prague, EIP-7685
    *(("blockAccessListHash", 32), ("slotNumber", "u8")),  # Amsterdam, EIP-7928 and EIP-7843
)
_FIELDS_AFTER_A_FORK = (15, 16, 17, 20, 21, 22, 23)


class Malformed(ValueError):
    """Bytes that no chain makes: the text says what was expected."""


class Header(NamedTuple):
    """What is needed of a block's header.

    Args:
        hash: Keccak-256 of the header, 0x-hex.
        timestamp: Unix seconds by the chain's own rules.
        unknown_fields: how many fields of forks after Amsterdam it has.
    """

    hash: str
    number: int
    timestamp: int
    state_root: bytes
    receipts_root: bytes
    bloom: bytes
    unknown_fields: int


class ReceiptLog(NamedTuple):
    """A log: who emitted it, its topics and its data."""

    emitter: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """The logs of a transaction that succeeded."""

    bloom: bytes
    logs: tuple[ReceiptLog, ...]


class MissingNode(Malformed):
    """A node that a path needs and that is not among the nodes."""


def decode_rlp(data: bytes, depth: int) -> Any:
    """Decode canonical RLP into at most 2^20 bytes and lists that are nested at most `depth` deep."""
    item, end = _item(data, 0, len(data), depth, iter(range(_MOST_ITEMS)))
    if end != len(data):
        raise Malformed("expected one RLP item, got bytes after it")
    return item


def _item(data: bytes, at: int, end: int, depth: int, left: Iterator[int]) -> tuple[Any, int]:
    if next(left, None) is None:
        raise Malformed(f"expected at most {_MOST_ITEMS:,} RLP items")
    if at >= end:
        raise Malformed("expected an RLP item, got the end")
    first = data[at]
    if first < 0x80:
        return data[at : at + 1], at + 1
    size, start = first - (0xC0 if first >= 0xC0 else 0x80), at + 1
    if size > 55:
        digits = data[start : start + size - 55]
        start += size - 55
        size = int.from_bytes(digits)
        if start > end or digits[0] == 0 or size <= 55:
            raise Malformed("expected the shortest form of an RLP length")
    stop = start + size
    if stop > end:
        raise Malformed("expected an RLP item, got a part of one")
    if first < 0xC0:
        if size == 1 and data[start] < 0x80:
            raise Malformed("expected the shortest form of an RLP byte")
        return data[start:stop], stop
    if depth == 0:
        raise Malformed("expected RLP that is not nested so deeply")
    items = []
    while start < stop:
        item, start = _item(data, start, stop, depth - 1, left)
        items.append(item)
    return items, stop


def integer(item: Any, size: int, what: str) -> int:
    """Read a canonical integer of at most `size` bytes: big-endian, without leading zeros."""
    if not isinstance(item, bytes) or len(item) > size or item[:1] == b"\0":
        raise Malformed(f"expected {what} as an integer of at most {size} bytes without leading zeros")
    return int.from_bytes(item)


def _sized(item: Any, size: int, what: str) -> bytes:
    if not isinstance(item, bytes) or len(item) != size:
        raise Malformed(f"expected {what} of {size} bytes")
    return item


def _list(item: Any, sizes: Iterable[int], what: str) -> list[Any]:
    if not isinstance(item, list) or len(item) not in sizes:
        raise Malformed(f"expected {what}")
    return item


def read_header(data: bytes) -> Header:
    """Decode a block header of any fork up to Amsterdam, or of a later one with more fields."""
    fields = decode_rlp(data, _NODE_DEPTH)
    if not isinstance(fields, list) or (len(fields) not in _FIELDS_AFTER_A_FORK and len(fields) <= len(HEADER)):
        count = len(fields) if isinstance(fields, list) else "none"
        raise Malformed(f"expected the fields of a block header of a known fork, got {count}")
    values: dict[str, Any] = {}
    for (name, shape), field in zip(HEADER, fields, strict=False):
        if isinstance(shape, int):
            values[name] = _sized(field, shape, name)
        elif shape != "bytes":
            values[name] = integer(field, int(shape[1:]), name)
        elif not isinstance(field, bytes) or len(field) > _LONGEST_EXTRA:
            raise Malformed(f"expected {name} of at most {_LONGEST_EXTRA} bytes")
    if values["timestamp"] >= MAX_TIME or values["number"] >= 2**53:
        raise Malformed("expected a time before the year 10,000 and a number below 2^53")
    return Header(
        hash=to_hex(keccak(data)),
        number=values["number"],
        timestamp=values["timestamp"],
        state_root=values["stateRoot"],
        receipts_root=values["receiptsRoot"],
        bloom=values["logsBloom"],
        unknown_fields=max(len(fields) - len(HEADER), 0),
    )


def read_account(data: bytes) -> tuple[bytes, bytes]:
    """Decode an account and return its storage root and the Keccak-256 of its code."""
    nonce, balance, root, code = _list(decode_rlp(data, 1), (4,), "an account: nonce, balance, storage root and code")
    integer(nonce, 8, "a nonce")
    integer(balance, 32, "a balance")
    return _sized(root, 32, "a storage root"), _sized(code, 32, "a code hash")


def read_word(data: bytes) -> int:
    """Decode a storage word. Zero is not stored, so its proof is the absence of the key."""
    if not (word := integer(decode_rlp(data, 0), 32, "a storage word")):
        raise Malformed("expected a storage word that is not zero")
    return word


def read_receipt(data: bytes) -> Receipt:
    """Decode a receipt of a transaction that succeeded, of any type."""
    if data[0] == 0:
        raise Malformed("expected a receipt's type, got 0")
    fields = decode_rlp(data[1:] if data[0] < 0x80 else data, _RECEIPT_DEPTH)
    # deposits of the OP Stack have one or two integers more
    status, gas, bloom, logs, *more = _list(fields, (4, 5, 6), "a receipt of four fields")
    if status != b"\x01":
        raise Malformed("expected the receipt of a transaction that succeeded")
    for number in (gas, *more):
        integer(number, 8, "a receipt's integer")
    if not isinstance(logs, list):
        raise Malformed("expected a list of logs")
    return Receipt(_sized(bloom, 256, "a bloom filter"), tuple(map(_read_log, logs)))


def _read_log(item: Any) -> ReceiptLog:
    emitter, topics, data = _list(item, (3,), "a log: emitter, topics and data")
    if not isinstance(data, bytes):
        raise Malformed("expected a log's data as bytes")
    named = _list(topics, range(5), "at most four topics")
    return ReceiptLog(_sized(emitter, 20, "an emitter"), tuple(_sized(topic, 32, "a topic") for topic in named), data)


def index_key(index: int) -> bytes:
    """Encode the index of a transaction as the key of its receipt: RLP of an integer."""
    digits = index.to_bytes((index.bit_length() + 7) // 8)
    return digits if 0 < index < 0x80 else bytes([0x80 + len(digits)]) + digits


def bloom_holds(bloom: bytes, values: Iterable[bytes]) -> bool:
    """Return whether a bloom filter of logs has the three bits of each value (yellow paper, section 4.3.1)."""
    bits = int.from_bytes(bloom)
    hashes = [keccak(value) for value in values]
    return all(bits >> (int.from_bytes(it[at : at + 2]) & 2047) & 1 for it in hashes for at in (0, 2, 4))


class TrieNodes:
    """The nodes of Merkle Patricia tries by their Keccak-256. Each is decoded at most once."""

    def __init__(self, nodes: Sequence[bytes]) -> None:
        self._nodes = {keccak(node): (index, node) for index, node in enumerate(nodes)}
        self._decoded: dict[bytes, list[Any]] = {}
        self.unread = set(range(len(nodes)))

    def value(self, root: bytes, key: bytes) -> bytes:
        """Return the value of a key in the trie under `root`, or nothing if the trie proves that it has no such key."""
        path, at = key.hex(), 0
        child: Any = b"" if root == _EMPTY_TRIE else root
        while child:
            node = child if isinstance(child, list) else self._node(child)
            if len(node) == 17:
                if at == len(path):
                    return b""
                child, at = node[int(path[at], 16)], at + 1
                continue
            is_leaf, part = _path_in(node)
            if is_leaf:
                return bytes(node[1]) if path[at:] == part else b""
            if not path.startswith(part, at):
                return b""
            child, at = node[1], at + len(part)
        return b""

    def named_by_none(self, roots: Iterable[bytes]) -> list[int]:
        """List the nodes that neither a root nor another node names. If the nodes are damaged, these are."""
        data = b"".join(node for _, node in self._nodes.values())
        named, at = set(roots), data.find(b"\xa0")
        while at >= 0:
            # 0xa0 is the RLP prefix of 32 bytes
            if (name := data[at + 1 : at + 33]) in self._nodes:
                named.add(name)
            at = data.find(b"\xa0", at + 1)
        return sorted(index for key, (index, _) in self._nodes.items() if key not in named)

    def _node(self, name: bytes) -> list[Any]:
        if name not in self._decoded:
            if name not in self._nodes:
                raise MissingNode(f"a node of a proof is missing, with Keccak-256 {to_hex(name)}")
            index, data = self._nodes[name]
            self.unread.discard(index)
            self._decoded[name] = _checked_node(decode_rlp(data, _NODE_DEPTH))
        return self._decoded[name]


def _checked_node(item: Any) -> list[Any]:
    node = _list(item, (2, 17), "a trie node of 2 or 17 items")
    if len(node) == 17:
        children = node[:16]
        # no key of these tries is the beginning of another
        if node[16] != b"":
            raise Malformed("expected a branch without a value")
    else:
        is_leaf, part = _path_in(node)
        children = [] if is_leaf else node[1:]
        wrong_leaf = is_leaf and not (isinstance(node[1], bytes) and node[1])
        if wrong_leaf or (not is_leaf and (not part or node[1] == b"")):
            raise Malformed("expected a leaf with a value, or an extension with a path")
    for child in children:
        if isinstance(child, list):
            _checked_node(child)
        elif len(child) not in (0, 32):
            raise Malformed("expected a child by its hash")
    return node


def _path_in(node: list[Any]) -> tuple[bool, str]:
    """Read the path in a leaf or extension (hex-prefix encoding, appendix C)."""
    prefix = node[0]
    if not isinstance(prefix, bytes) or not 0 < len(prefix) <= _LONGEST_PATH or prefix[0] >= 0x40:
        raise Malformed("expected a path in a trie node")
    is_odd = prefix[0] & 0x10
    if not is_odd and prefix[0] & 0x0F:
        raise Malformed("expected a path in a trie node")
    return prefix[0] >= 0x20, prefix.hex()[1 if is_odd else 2 :]
