"""Our coder of Solidity's ABI says the same as eth-abi, for every type that the contracts of this package use."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import pytest
from eth_abi.abi import encode as their_encode
from eth_abi.codec import ABICodec
from eth_abi.decoding import UnsignedIntegerDecoder
from eth_abi.encoding import UnsignedIntegerEncoder
from eth_abi.exceptions import DecodingError
from eth_abi.registry import BaseEquals, registry
from eth_utils.abi import collapse_if_tuple, event_abi_to_log_topic, function_abi_to_4byte_selector
from eth_utils.address import to_checksum_address
from hypothesis import given, settings
from hypothesis import strategies as st

from blockchaintracer.core.chain.abi import _selector, event_topic
from blockchaintracer.core.chain.coding import _Data, decode, encode, signature

pytestmark = pytest.mark.fast

ARTIFACTS = resources.files("blockchaintracer.core") / "artifacts"
ENTRIES = [
    entry
    for file in ARTIFACTS.iterdir()
    if file.name.endswith(".json")
    for entry in json.loads(file.read_bytes()).get("abi", ())
    if entry["type"] in ("function", "event", "error")
]
LISTS = {json.dumps(parts): parts for entry in ENTRIES for parts in (entry["inputs"], entry.get("outputs", []))}
PARTS = [*LISTS.values(), [{"type": "string", "name": "text"}, {"type": "bytes", "name": "data"}]]

THEIRS = registry.copy()
"""Ape puts another reader of numbers into the registry of a process, which makes up bytes that are missing."""
THEIRS.unregister("uint")
THEIRS.register(BaseEquals("uint"), UnsignedIntegerEncoder, UnsignedIntegerDecoder, label="uint")


def values(part: dict[str, Any]) -> st.SearchStrategy[Any]:
    kind: str = part["type"]
    if kind.endswith("[]"):
        return st.lists(values({**part, "type": kind[:-2]}), max_size=3)
    if kind == "tuple":
        return st.tuples(*map(values, part["components"]))
    if kind in ("bytes", "string"):
        return st.binary(max_size=70) if kind == "bytes" else st.text(max_size=30)
    if kind == "address":
        return st.binary(min_size=20, max_size=20).map(to_checksum_address)
    if kind == "bool":
        return st.booleans()
    if kind.startswith("uint"):
        return st.integers(0, 2 ** int(kind[4:]) - 1)
    return st.binary(min_size=int(kind[5:]), max_size=int(kind[5:]))


def as_lists(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [as_lists(item) for item in value]
    return value.lower() if isinstance(value, str) and value.startswith("0x") else value


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_values_are_coded_as_by_eth_abi(data):
    parts = data.draw(st.sampled_from(PARTS))
    given_values = data.draw(st.tuples(*map(values, parts)))
    types = [collapse_if_tuple(part) for part in parts]
    coded = encode(parts, given_values)
    assert coded == their_encode(types, given_values)
    assert as_lists(decode(parts, coded, as_tuple=True)) == as_lists(given_values)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_damaged_data_are_refused_as_by_eth_abi(data):
    parts = data.draw(st.sampled_from([parts for parts in PARTS if parts]))
    coded = bytearray(encode(parts, data.draw(st.tuples(*map(values, parts)))))
    for _ in range(data.draw(st.integers(1, 2))):
        place = data.draw(st.integers(0, len(coded) - 1)) if coded else 0
        coded[place : place + 1] = data.draw(st.sampled_from([b"", b"\0", b"\1", b"\x20", b"\x40", b"\xff"]))
    try:
        theirs: Any = ABICodec(THEIRS).decode([collapse_if_tuple(part) for part in parts], bytes(coded))
    except (DecodingError, ValueError, OverflowError):
        theirs = None
    try:
        ours: Any = decode(parts, bytes(coded), as_tuple=True)
    except ValueError:
        ours = None
    assert as_lists(ours) == as_lists(theirs)


@pytest.mark.parametrize("kind", ["uint8[][]", "bytes[]"])
def test_lists_that_share_a_place_are_decoded_but_not_many_times_more_than_came(kind: str, monkeypatch) -> None:
    taken = []
    take = _Data.take
    monkeypatch.setattr(_Data, "take", lambda data, at, size=32: taken.append(size) or take(data, at, size))

    def shared(times: int, size: int) -> bytes:
        words = [32, times, *[32 * times] * times, size * (1 if kind == "uint8[][]" else 32), *[0] * size]
        return b"".join(word.to_bytes(32) for word in words)

    parts = [{"type": kind, "name": "it"}]
    assert as_lists(decode(parts, shared(3, 4))) == as_lists(ABICodec(THEIRS).decode([kind], shared(3, 4)))
    taken.clear()
    data = shared(400, 400)
    with pytest.raises(ValueError, match="again and again"):
        decode(parts, data)
    assert len(data) < sum(taken) <= 33 * len(data) + 2**20


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *(
            ("uint8", 256),
            ("uint8", -1),
            ("uint8", "1"),
            ("uint8", True),
            ("bool", 1),
            ("bytes32", bytes(31)),
            ("bytes32", 32),
            ("address", "0x12"),
        ),
        *(("bytes4[]", [bytes(5)]), ("string", 5), ("bytes", 5), ("address", 5)),
    ],
)
def test_a_value_of_another_type_is_refused(kind, value):
    with pytest.raises((ValueError, TypeError, AttributeError)):
        encode([{"type": kind, "name": "it"}], [value])


def test_signatures_are_those_of_eth_utils():
    for entry in ENTRIES:
        if entry["type"] == "event":
            assert event_topic(entry) == f"0x{event_abi_to_log_topic(entry).hex()}"
        else:
            assert _selector(entry) == function_abi_to_4byte_selector(entry), signature(entry)
