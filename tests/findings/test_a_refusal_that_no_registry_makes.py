"""A node's answer to a call ended in a traceback, or held a verifier for minutes: a refusal with a time after the year
9999, or with a verdict that none has; 200 kB of calldata in which each record points to one list of parents; and a
transaction of a megabyte of empty lists."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from eth_hash.auto import keccak

from blockchaintracer.core.chain.abi import interface, load_artifact
from blockchaintracer.core.chain.coding import encode, signature
from blockchaintracer.core.chain.connection import SentTransaction
from blockchaintracer.core.chain.reverts import decode_error
from blockchaintracer.core.record import from_hex
from blockchaintracer.core.verify.authorship import sender_of
from blockchaintracer.core.verify.inclusion import Inclusion

if TYPE_CHECKING:
    from blockchaintracer.core.chain.registry import Registry

pytestmark = pytest.mark.fast
ERRORS = [entry for entry in load_artifact()["abi"] if entry["type"] == "error"]
REASON = {"type": "error", "name": "Error", "inputs": [{"name": "message", "type": "string"}]}
LIMIT = 2_000


def largest(part: dict[str, Any]) -> Any:
    kind = part["type"]
    if kind.startswith("uint"):
        return 2 ** int(kind[4:]) - 2
    return {"address": "0x" + "ff" * 20, "string": "\x1b[31m\u202e" * 10_000}.get(kind, b"\xff" * 32)


@pytest.mark.parametrize("entry", [*ERRORS, REASON], ids=lambda entry: entry["name"])
def test_any_values_are_told_in_a_short_text(entry: dict[str, Any]) -> None:
    data = keccak(signature(entry).encode())[:4] + encode(entry["inputs"], [*map(largest, entry["inputs"])])
    error = decode_error(f"0x{data.hex()}")
    assert len(error.message) < LIMIT
    assert error.message.isprintable()


def test_an_error_of_nobody_is_cut() -> None:
    assert len(decode_error("0x" + "ab" * 1_000_000).message) < LIMIT


def many(keys: int, links: int) -> bytes:
    words = [32, keys, *[32 * keys] * keys, *[1] * 6, 32 * 7, links, *[1] * 2 * links]
    return from_hex(interface().call("recordMany", []))[:4] + b"".join(word.to_bytes(32) for word in words)


def test_a_transaction_as_large_as_none_is_not_read() -> None:
    raw = b"\xfa\x0f\x00\x00" + b"\xc0" * 0x0F0000
    start = time.process_time()
    with pytest.raises(ValueError, match="expected the bytes of transaction"):
        Inclusion(f"0x{keccak(raw).hex()}", "0x", 0, (), f"0x{raw.hex()}").sent()
    kept = SentTransaction(f"0x{keccak(raw).hex()}", "0x" + "11" * 20, None, b"")
    registry = SimpleNamespace(chain=SimpleNamespace(raw_transaction=lambda identifier: raw))
    assert sender_of(cast("Registry", registry), kept.hash, kept) == (kept.sender, "by the node's word")
    assert time.process_time() - start < 5


def test_records_may_share_their_parents() -> None:
    called = interface().called(many(100, 100))
    assert called is not None
    assert [len(key["parents"]) for key in called[1]["keys"]] == [100] * 100


def test_shared_parents_are_read_no_million_times() -> None:
    start = time.process_time()
    assert interface().called(many(2000, 2000)) is None
    assert time.process_time() - start < 5
