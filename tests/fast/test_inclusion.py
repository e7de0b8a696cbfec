"""Kept receipts and transactions at their limits: one without a type, and the largest place in a block."""

from __future__ import annotations

import rlp
from eth_account import Account
from eth_utils import keccak
from trie import HexaryTrie

from blockchaintracer.core.verify.chain_shapes import index_key
from blockchaintracer.core.verify.inclusion import Inclusion
from tests.support.actors import Actor


def test_a_transaction_without_a_type_is_read() -> None:
    alice, to = Actor.named("alice"), "0x" + "11" * 20
    fields = {"to": to, "data": b"\x01\x02", "nonce": 3, "gas": 50_000, "value": 0, "gasPrice": 7, "chainId": 1}
    signed = Account.from_key(alice.key.secret).sign_transaction(fields)
    sent = Inclusion(f"0x{signed.hash.hex()}", "", 0, (), f"0x{signed.raw_transaction.hex()}").sent()
    assert (sent.sender.lower(), str(sent.to).lower(), sent.data) == (alice.address, to, b"\x01\x02")


def test_the_largest_place_in_a_block_is_read() -> None:
    index, trie = 2**32 - 1, HexaryTrie({})
    trie[index_key(index)] = b"\x02" + rlp.encode([b"\x01", b"", bytes(256), []])
    header = [bytes(32), bytes(32), bytes(20), bytes(32), bytes(32), trie.root_hash, bytes(256), b"", 5, b"", b"", 9]
    data = rlp.encode([*header, b"", bytes(32), bytes(8)])
    nodes = [f"0x{rlp.encode(node).hex()}" for node in trie.get_proof(index_key(index))]
    kept = {"transaction": "0x" + "22" * 32, "header": f"0x{data.hex()}", "index": index, "nodes": nodes, "raw": ""}
    receipt = Inclusion.from_json(kept).receipt()
    assert (receipt.block, receipt.block_hash, receipt.logs) == (5, f"0x{keccak(data).hex()}", ())
