"""Kept receipts and transactions at their limits: one without a type, and the largest place in a block."""

from __future__ import annotations

from contextlib import suppress

import pytest
import rlp
from eth_account import Account
from eth_utils import keccak
from trie import HexaryTrie

from blockchaintracer.core.verify.chain_shapes import index_key
from blockchaintracer.core.verify.inclusion import Inclusion, read_transaction
from tests.support.actors import Actor

ALICE, TO = Actor.named("alice"), "0x" + "11" * 20
FEES = {"maxFeePerGas": 7, "maxPriorityFeePerGas": 1}
ACCESS = [{"address": TO, "storageKeys": ["0x" + "22" * 32]}]
BLOBS = {"maxFeePerBlobGas": 3, "blobVersionedHashes": ["0x01" + "33" * 31]}
DELEGATED = {"chainId": 1, "address": TO, "nonce": 4}
KINDS = {
    "legacy": {"gasPrice": 7, "chainId": 1},
    "legacy of a large chain": {"gasPrice": 7, "chainId": 11155111},
    "legacy of no chain": {"gasPrice": 7},
    "access list": {"type": 1, "gasPrice": 7, "chainId": 1, "accessList": ACCESS},
    "fees": {"type": 2, "chainId": 1, "accessList": ACCESS, **FEES},
    "blobs": {"type": 3, "chainId": 1, "accessList": [], **FEES, **BLOBS},
    "delegation": {"type": 4, "chainId": 1, "accessList": [], **FEES},
}


def signed(kind: str, nonce: int = 3) -> bytes:
    fields = {"to": TO, "data": b"\x01\x02", "nonce": nonce, "gas": 50_000, "value": 0, **KINDS[kind]}
    account = Account.from_key(ALICE.key.secret)
    if kind == "delegation":
        fields["authorizationList"] = [account.sign_authorization(DELEGATED)]
    return bytes(account.sign_transaction(fields).raw_transaction)


@pytest.mark.parametrize("kind", KINDS)
def test_a_transaction_of_each_type_is_read_as_eth_account_reads_it(kind: str) -> None:
    for nonce in range(3):
        raw = signed(kind, nonce)
        sent = Inclusion(f"0x{keccak(raw).hex()}", "", 0, (), f"0x{raw.hex()}").sent()
        assert sent.sender == Account.recover_transaction(raw)
        assert (sent.sender.lower(), str(sent.to).lower(), sent.data) == (ALICE.address, TO, b"\x01\x02")


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_transactions_are_nobodys_or_anothers(kind: str) -> None:
    raw = signed(kind)
    typed = raw[0] < 0xC0
    parts = rlp.decode(raw[typed:])
    damaged = [parts[:-1], [b"", *parts], [*parts[:-1], b"\0" + parts[-1]], [*parts[:-3], b"\x02", *parts[-2:]]]
    damaged += [[*parts[:-2], b"", parts[-1]], [[part] if part == b"\x01\x02" else part for part in parts]]
    damaged += [[*parts[:-3], b"", *parts[-3:]]]
    damaged += [[part + b"\x11" if part == b"\x11" * 20 else part for part in parts]]
    for bad in [raw[:-1], raw + b"\0", raw[:1], b"\x05" + raw[1:], *(raw[:typed] + rlp.encode(bad) for bad in damaged)]:
        with pytest.raises(ValueError, match="expected a signed transaction"):
            read_transaction(bad)
    with suppress(ValueError):
        changed = raw[:typed] + rlp.encode([b"\x03\x04" if part == b"\x01\x02" else part for part in parts])
        assert read_transaction(changed)[0].lower() != ALICE.address


def test_lists_without_end_are_no_transaction() -> None:
    deep = b""
    for _ in range(3000):
        deep = rlp.codec.encode_raw([deep]) if not deep else rlp.codec.length_prefix(len(deep), 0xC0) + deep
    with pytest.raises(ValueError, match="expected a signed transaction: Malformed"):
        read_transaction(deep)  # by our own bound, whatever recursion limit another library has set


def test_the_largest_place_in_a_block_is_read() -> None:
    index, trie = 2**32 - 1, HexaryTrie({})
    trie[index_key(index)] = b"\x02" + rlp.encode([b"\x01", b"", bytes(256), []])
    header = [bytes(32), bytes(32), bytes(20), bytes(32), bytes(32), trie.root_hash, bytes(256), b"", 5, b"", b"", 9]
    data = rlp.encode([*header, b"", bytes(32), bytes(8)])
    nodes = [f"0x{rlp.encode(node).hex()}" for node in trie.get_proof(index_key(index))]
    kept = {"transaction": "0x" + "22" * 32, "header": f"0x{data.hex()}", "index": index, "nodes": nodes, "raw": ""}
    receipt = Inclusion.from_json(kept).receipt()
    assert (receipt.block, receipt.block_hash, receipt.logs) == (5, f"0x{keccak(data).hex()}", ())
