"""Parts that no chain makes were taken from a bundle: receipts of transactions that failed, logs outside the bloom,
words that no registry writes, headers of any number of fields. Some ended in another exception than `BundleRefused`."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
import rfc8785
import rlp
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st
from trie import HexaryTrie

from blockchaintracer import Trust, verify_bundle
from blockchaintracer.core.formats import UnknownVersion
from blockchaintracer.core.networks import MAX_TIME, when
from blockchaintracer.core.verify.bundle import BundleRefused, ProvenRecord
from blockchaintracer.core.verify.chain_shapes import Malformed, TrieNodes, decode_rlp, read_header, read_receipt
from tests.support.forged_bundles import SHAPES, Forged, blocks_of
from tests.support.mutations import changes

pytestmark = pytest.mark.fast


@pytest.mark.parametrize("name", SHAPES)
def test_it_is_refused_also_under_blocks_that_stand(name: str) -> None:
    forged = Forged(**SHAPES[name])
    data = forged.data()
    with pytest.raises(BundleRefused):
        verify_bundle(data, Trust(blocks=blocks_of(data)))


@pytest.mark.parametrize("fields", [0, 1, 2, 5, 6, 7, 8])
def test_headers_of_every_fork_up_to_amsterdam_stand(fields: int) -> None:
    data = Forged(fields=fields).data()
    assert verify_bundle(data, Trust(blocks=blocks_of(data))).conclusion == "verified"


def test_fields_of_a_later_fork_are_accepted_and_named() -> None:
    data = Forged(fields=8, more_fields=[b"new", [b"list"]]).data()
    report = verify_bundle(data, Trust(blocks=blocks_of(data)))
    assert report.conclusion == "verified"
    assert sum("2 fields of a later fork" in check.detail for check in report.checks) == 2


@pytest.mark.parametrize("depth", [10, 3_000, 1_000_000])
def test_nesting_without_end_is_malformed(depth: int) -> None:
    data = b"\xc0"
    for _ in range(min(depth, 3_000)):
        data = length(data) + data
    with pytest.raises(Malformed):
        read_header(data if depth <= 3_000 else b"\xc1" * depth + b"\xc0")


def length(payload: bytes) -> bytes:
    """The prefix of an RLP list with this payload."""
    if len(payload) < 56:
        return bytes([0xC0 + len(payload)])
    digits = len(payload).to_bytes((len(payload).bit_length() + 7) // 8)
    return bytes([0xF7 + len(digits)]) + digits


@pytest.mark.parametrize("time", [2**40 - 1, 10**30, MAX_TIME])
def test_a_time_that_no_calendar_has_is_printed_as_it_is(time: int) -> None:
    assert when(time) == f"second {time}, after the year 9999"
    assert when(MAX_TIME - 1) == "9999-12-31 23:59:59 UTC"


def said(record: ProvenRecord) -> Any:
    return (record.id, record.key, record.status, record.stored, record.recorded, record.batch, record.as_of)


@pytest.mark.parametrize("kind", [{"count": 2}, {"batched": True, "count": 2}])
def test_a_changed_field_is_never_verified_as_something_else(kind: dict[str, Any]) -> None:
    data = Forged(**kind).data()
    trust = Trust(blocks=blocks_of(data))
    true = {record.id: record for record in verify_bundle(data, trust).bundle.records}
    for name, plain in changes(json.loads(data)):
        try:
            changed = rfc8785.dumps(plain)
        except (ValueError, UnicodeError):
            continue
        try:
            report = verify_bundle(changed, trust)
        except (BundleRefused, UnknownVersion):
            continue
        for record in report.bundle.records if report.verified else ():
            assert said(record) == said(true[record.id]), name
            assert record.manifest in (None, true[record.id].manifest), name


WHOLE = Forged().data()
STANDS = Trust(blocks=blocks_of(WHOLE))


@settings(max_examples=400, deadline=None)
@given(st.integers(0, len(WHOLE) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_changed_bytes_are_never_verified(at: int, put: bytes, taken: int) -> None:
    changed = WHOLE[:at] + put + WHOLE[at + taken :]
    if changed != WHOLE:
        with pytest.raises((BundleRefused, UnknownVersion)):
            verify_bundle(changed, STANDS)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80) | st.integers(0, 255).map(lambda byte: bytes([byte]) * 70))
def test_rlp_has_one_form(data: bytes) -> None:
    try:
        item = decode_rlp(data, 8)
    except Malformed:
        return
    assert rlp.encode(item) == data
    assert rlp.decode(data) == item


NESTED = st.recursive(st.binary(max_size=60), lambda inner: st.lists(inner, max_size=5), max_leaves=20)


@settings(max_examples=200, deadline=None)
@given(NESTED, st.integers(0, 300), st.integers(0, 255))
def test_whatever_is_decoded_is_read_or_malformed(item: Any, at: int, byte: int) -> None:
    data = bytearray(rlp.encode(item))
    data[at % len(data)] = byte
    for read in (read_header, read_receipt, lambda it: TrieNodes([it]).value(keccak(it), b"\x12\x34")):
        with suppress(Malformed):
            read(bytes(data))


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.binary(min_size=3, max_size=3), st.binary(min_size=1, max_size=50), min_size=1, max_size=20))
def test_a_trie_answers_as_the_reference_does(content: dict[bytes, bytes]) -> None:
    trie = HexaryTrie({})
    for key, value in content.items():
        trie[key] = value
    absent = [bytes(3), b"\xff" * 3, b"abc"]
    for key in [*content, *absent]:
        nodes = TrieNodes(sorted({rlp.encode(node) for node in trie.get_proof(key)}))
        assert nodes.value(trie.root_hash, key) == content.get(key, b"")


def test_a_node_that_is_shared_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from blockchaintracer.core.verify import chain_shapes

    counted: list[int] = []
    decode = chain_shapes.decode_rlp
    monkeypatch.setattr(
        chain_shapes, "decode_rlp", lambda data, depth: (counted.append(len(data)), decode(data, depth))[1]
    )
    totals = []
    for count in (8, 64):
        data = Forged(count=count).data()
        counted.clear()
        verify_bundle(data)
        totals.append(sum(counted) / len(data))
    assert totals[1] < 1.5 * totals[0], "bytes that are decoded, of each byte of the bundle"
