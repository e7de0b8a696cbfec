"""Bundles made of nothing, that fit together: by anybody, of any chain, time and author. No chain is involved."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import rfc8785
import rlp
from eth_abi import encode
from eth_utils import keccak
from trie import HexaryTrie

from blockchaintracer.core.chain.known_code import factory_registry, registry_code
from blockchaintracer.core.formats import BUNDLE
from blockchaintracer.core.manifest import ContentPredicate, Manifest
from blockchaintracer.core.merkle import MerkleTree
from blockchaintracer.core.networks import MAX_TIME
from blockchaintracer.core.record import Domain, Kind, Link, RecordKey, SubjectType, from_hex, to_hex
from blockchaintracer.core.storage_layout import batch_slot, record_slot

OWNER, SALT = "0x" + "77" * 20, "0x" + "aa" * 32
AUTHOR = "0xd8da6bf26964af9d7eed9e03e53415d37aa96045"
TIME = 1_438_270_000
RECORDED = "Recorded(uint32,address,bytes32,uint8,bytes32,uint8,bytes32,(bytes32,uint8)[])"
RECORDED_DATA = ["uint32", "address", "uint8", "uint8", "bytes32", "(bytes32,uint8)[]"]
FIELDS_AFTER_NONCE = [b"\x07", b"\x11" * 32, b"", b"", b"\x12" * 32, b"\x13" * 32, b"\x14" * 32, b"\x09"]
"""Of London, Shanghai, Cancun (three), Prague and Amsterdam (two)."""


def bloom(logs: list[Any]) -> bytes:
    bits = 0
    for address, topics, _ in logs:
        for value in (address, *topics):
            digest = keccak(value)
            for at in (0, 2, 4):
                bits |= 1 << (int.from_bytes(digest[at : at + 2]) & 2047)
    return bits.to_bytes(256)


@dataclass
class Forged:
    """A bundle of `count` records that are stored, or under one root; each part can be made wrong before `data`.

    Args:
        word: what is added to each record's storage word: counters, a retraction, flags.
        stored: the words of batched records; without it they are not stored.
        batch_word: what is added to the batch's storage word.
        parents: of each record, as its key has them.
        of_manifest: makes a record's manifest out of the one that it would have.
        of_logs: makes the logs out of those that it would have.
        account_at: the address that has the registry's account.
        kind: in each record's key; `of_manifest` makes the manifest of such a kind.
        identifier: what the records are of, as runs are of their ids; nothing for a commitment.
        later: seconds between the records' block and the one whose state is read.
        fields: of the header after ``nonce``.
    """

    chain_id: int = 1
    count: int = 1
    batched: bool = False
    cancelled: bool = False
    author: str = AUTHOR
    time: int = TIME
    number: int = 18_000_000
    later: int = 12
    word: int = 1000 << 190
    status: bytes = b"\x01"
    fields: int = 6
    more_fields: list[Any] = field(default_factory=list)
    account: list[Any] | None = None
    registry: str = ""
    code: bytes | None = None
    is_genuine: bool = True
    manifest: bool = True
    header: dict[int, Any] = field(default_factory=dict)
    receipt_prefix: bytes = b"\x02"
    topics: list[bytes] | None = None
    with_bloom: bool = True
    stored: int = 0
    batch_word: int = 0
    parents: tuple[Link, ...] = ()
    of_manifest: Callable[[Any], Any] = lambda plain: plain
    of_logs: Callable[[list[Any]], list[Any]] = lambda logs: logs
    account_at: str = ""
    kind: Kind = Kind.DATASET
    identifier: str = ""

    def plain(self) -> dict[str, Any]:
        registry = self.registry or factory_registry(OWNER, True, SALT)
        domain = Domain(self.chain_id, registry)
        address = bytes.fromhex(registry[2:])
        keys, manifests = [], []
        for index in range(self.count):
            subject = sha256(self.identifier.encode()).hexdigest() if self.identifier else f"{index + 1:064x}"
            content = ContentPredicate(subject_type="commitment", name=f"content {index}")
            manifest = self.of_manifest(json.loads(Manifest.of(Kind.DATASET, content, subject).to_bytes()))
            manifests.append(manifest if self.manifest else None)
            digest = sha256(rfc8785.dumps(manifest)).hexdigest()
            subject_type = SubjectType.IDENTIFIER if self.identifier else SubjectType.COMMITMENT
            fields = (7, self.author, subject_type, subject, self.kind, digest)
            keys.append(RecordKey(*fields, parents=self.parents))
        ids = [domain.record_id(key) for key in keys]
        logs, words = [], {}
        for record_id, key in zip(ids, keys, strict=True):
            _, author, subject_type, subject, kind, manifest, parents = key.as_abi()
            values = (key.group, author, subject_type, kind, manifest, parents)
            topics = self.topics if self.topics is not None else [keccak(text=RECORDED), from_hex(record_id), subject]
            logs.append([address, topics, encode(RECORDED_DATA, values)])
            words[record_slot(record_id)] = (self.time | 7 << 120 | key.kind << 152) + self.word
        tree = MerkleTree(ids)
        if self.batched:
            word = 2 << 160 if self.cancelled else self.stored
            words = {record_slot(record_id): word for record_id in ids} if word else {}
            words |= {batch_slot(7, self.author, tree.root): (self.time | self.count << 40) + self.batch_word}
            topics = [keccak(text="Anchored(uint32,address,bytes32,uint48,bytes32)")]
            topics += [bytes.fromhex(self.author[2:]).rjust(32, b"\0"), from_hex(tree.root)]
            logs = [[address, topics, encode(["uint32", "uint48", "bytes32"], [7, self.count, b"\x05" * 32])]]
        logs = self.of_logs(logs)
        nodes: dict[bytes, bytes] = {}

        def root(content: dict[bytes, bytes]) -> bytes:
            trie = HexaryTrie({})
            for key, value in content.items():
                trie[key] = value
            for key in content:
                nodes.update((keccak(node), node) for node in map(rlp.encode, trie.get_proof(key)))
            return bytes(trie.root_hash)

        storage = root({keccak(slot): rlp.encode(word) for slot, word in words.items()})
        code = registry_code(self.chain_id, registry, True) if self.code is None else self.code
        account = self.account or [b"\x01", b"", storage, keccak(code)]
        account = [storage if part is ... else part for part in account]
        state = root({keccak(bytes.fromhex(self.account_at[2:]) or address): rlp.encode(account)})
        filter_ = bloom(logs) if self.with_bloom else bytes(256)
        receipts = root({rlp.encode(0): self.receipt_prefix + rlp.encode([self.status, b"\x52\x08", filter_, logs])})
        headers = {}
        for number, time in ((self.number, self.time), (self.number + 1, self.time + self.later)):
            fields = [bytes(32), bytes(32), bytes(20), state, bytes(32), receipts, filter_, b"", number]
            fields += [30_000_000, 21_000, time, b"forged", bytes(32), bytes(8)]
            fields += FIELDS_AFTER_NONCE[: self.fields] + self.more_fields
            for index, value in self.header.items():
                fields[index] = value
            data = rlp.encode(fields)
            headers[to_hex(keccak(data))] = to_hex(data)
        inclusion, as_of = headers
        where = [{"block": inclusion, "transaction": 0, "log": index} for index in range(len(logs))]
        records = []
        for index, (record_id, key) in enumerate(zip(ids, keys, strict=True)):
            path = {"root": tree.root, "path": tree.proof(record_id), "anchored": where[0]}
            records.append(
                {
                    "id": record_id,
                    "key": key.as_json(),
                    "manifest": manifests[index],
                    "recorded": None if self.batched else where[index],
                    "batched": path if self.batched else None,
                    "state": as_of,
                }
            )
        bundle = {
            **BUNDLE.header(),
            "chainId": str(self.chain_id),
            "registry": registry,
            "deployment": {"owner": OWNER, "openGroupCreation": True, "salt": SALT},
            "blocks": headers,
            "nodes": sorted(to_hex(node) for node in nodes.values()),
            "records": records,
        }
        if not self.is_genuine:
            del bundle["deployment"]
        return bundle

    def data(self) -> bytes:
        return rfc8785.dumps(self.plain())


def blocks_of(data: bytes) -> tuple[str, ...]:
    """The hashes of a bundle's blocks, of the block with the records first: in the file they are sorted by hash."""
    bundle = json.loads(data)
    states = {record["state"] for record in bundle["records"]}
    return tuple(sorted(bundle["blocks"], key=lambda block: (block in states, block)))


SHAPES: dict[str, dict[str, Any]] = {
    "a transaction that failed": {"status": b""},
    "a receipt of before Byzantium": {"status": b"\x05" * 32},
    "a status that is no integer": {"status": b"\x00"},
    "a bloom without the log": {"with_bloom": False},
    "a receipt of type 0": {"receipt_prefix": b"\x00"},
    "more topics than a log has": {"topics": [b"\x01" * 32] * 5},
    "a topic of 31 bytes": {"topics": [b"\x01" * 31]},
    "a log without topics": {"topics": []},
    "stored and cancelled": {"word": 2 << 160},
    "a flag that is none": {"word": 4 << 160},
    "retracted before it was recorded": {"word": (TIME - 1) << 40},
    "retracted after its state was read": {"word": (TIME + 13) << 40},
    "sealed after it was recorded": {"word": (TIME + 1) << 80},
    "a state before the record": {"later": -1},
    "a time that cannot be printed": {"time": MAX_TIME},
    "an account of five fields": {"account": [b"\x01", b"", ..., b"\x02" * 32, b""]},
    "a nonce with a leading zero": {"account": [b"\x00", b"", ..., b"\x02" * 32]},
    "a balance of 33 bytes": {"account": [b"", b"\x01" * 33, ..., b"\x02" * 32]},
    "a code hash of 31 bytes": {"account": [b"", b"", ..., b"\x02" * 31]},
    "a parent of 31 bytes": {"header": {0: bytes(31)}},
    "a miner of 32 bytes": {"header": {2: bytes(32)}},
    "a bloom of 255 bytes": {"header": {6: bytes(255)}},
    "a number with a leading zero": {"header": {8: b"\x00\x12"}},
    "a list for a number": {"header": {8: [b"\x12"]}},
    "a number of nine bytes": {"header": {9: b"\x01" * 9}},
    "a nonce of seven bytes": {"header": {14: bytes(7)}},
    "two blocks at one height": {"header": {8: 5}},
    "too much extra data": {"header": {12: bytes(20_000)}},
    "18 fields": {"fields": 3},
    "19 fields": {"fields": 4},
}
"""Bundles with a part that no chain makes, by what is wrong."""
