"""Verifies a proof bundle from its bytes alone: no network, no files, and no code of the exporter.

Everything in a bundle is bound by a hash to something else in it, up to the hashes of its blocks. What is left to trust
is that those blocks are of that chain, which `ProvenBundle.trust` explains. Sources: EIP-712 (ids), RFC 8785
(manifests and the bundle itself), the Ethereum yellow paper, appendix D (Merkle Patricia tries), EIP-2718 (receipts).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, MutableMapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from blockchaintracer.core.errors import NotVerified
from blockchaintracer.core.manifest import check_against_key, parse_manifest
from blockchaintracer.core.manifest.base import MAX_DEPTH, nested
from blockchaintracer.core.record import Domain, RecordKey, Status
from blockchaintracer.core.storage_layout import StoredBatch, StoredRecord, batch_slot, record_slot

FORMAT: Literal["blockchaintracer-proof-1"] = "blockchaintracer-proof-1"
MAX_BYTES = 1 << 30
_MAX_DEPTH = MAX_DEPTH + 4
"""a manifest stands four levels deep in a bundle"""

_HEADER_FIELDS = {"parent": 0, "state_root": 3, "receipts_root": 5, "number": 8, "timestamp": 11}
_RECORDED = "Recorded(bytes32,uint32,bytes32,address,uint8,uint8,bytes32,(bytes32,uint8)[])"
_RECORDED_DATA = ["uint32", "address", "uint8", "uint8", "bytes32", "(bytes32,uint8)[]"]
_MATERIALIZED = "Materialized(bytes32,bytes32,uint40)"
_ANCHORED = ("Anchored(uint32,address,bytes32,uint48,bytes32)", "LeavesAnchored(uint32,address,bytes32,uint48)")

Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Hex = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{2})+$")]
Address = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-f]{40}$")]
ChainId = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,76}$")]
"""below 2^256, which is all that an EIP-712 domain can hold"""
Index = Annotated[int, Field(ge=0, lt=2**32)]
Byte = Annotated[int, Field(ge=0, lt=2**8)]


class BundleRefused(NotVerified):
    """A bundle that proves nothing: `place` says where, as a path into its JSON or a byte offset.

    Args:
        place: such as ``records[0].key`` or ``byte 1204``.
    """

    def __init__(self, place: str, message: str) -> None:
        super().__init__(
            f"{place}: {message}",
            hint="The file is damaged or forged. Ask for it again, and check it by another way.",
            place=place,
        )
        self.place = place


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class _Link(_Strict):
    parent: Hash
    relation: Byte


class _Key(_Strict):
    group: Index
    kind: Byte
    subject_type: Byte = Field(alias="subjectType")
    author: Address
    subject: Hash
    manifest: Hash
    parents: list[_Link]


class _Where(_Strict):
    block: Hash
    transaction: Index
    log: Index


class _Batched(_Strict):
    root: Hash
    path: list[Hash]
    anchored: _Where


class _Record(_Strict):
    id: Hash
    key: _Key
    manifest: dict[str, Any] | None
    recorded: _Where | None
    batched: _Batched | None
    state: Hash


class _Bundle(_Strict):
    format: Literal["blockchaintracer-proof-1"]
    chain_id: ChainId = Field(alias="chainId")
    registry: Address
    blocks: dict[Hash, Hex]
    nodes: list[Hex]
    records: Annotated[list[_Record], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class ProvenBlock:
    """A block whose header is in the bundle; `timestamp` is Unix seconds by the chain's own rules."""

    hash: str
    number: int
    timestamp: int
    state_root: bytes
    receipts_root: bytes


@dataclass(frozen=True, slots=True)
class ProvenBatch:
    """The batch that holds a record, and where it was anchored."""

    root: str
    batch: StoredBatch
    anchored: ProvenBlock


@dataclass(frozen=True, slots=True)
class ProvenRecord:
    """What a bundle proves of one record.

    Args:
        manifest: what it says, None if the bundle doesn't hold it.
        status: whether it stood at `as_of`; UNKNOWN if it is only under a batch's root.
        stored: its storage word at `as_of`, None if it isn't stored.
        recorded: the block with its event, None if it isn't stored.
        as_of: the block whose state was read.
    """

    id: str
    key: RecordKey
    manifest: dict[str, Any] | None
    status: Status
    stored: StoredRecord | None
    recorded: ProvenBlock | None
    batch: ProvenBatch | None
    as_of: ProvenBlock

    @property
    def committed_at(self) -> int:
        """Time since which the author is committed to the record, Unix seconds by the chain."""
        return self.stored.recorded_at if self.stored else self.batch.batch.anchored_at if self.batch else 0


@dataclass(frozen=True, slots=True)
class ProvenBundle:
    """What a bundle proves, given its blocks.

    Args:
        registry: address of the registry, 0x-hex in lower case.
        code_hash: Keccak-256 of the code at that address (64 hex digits).
        blocks: every block that something rests on, ascending.
    """

    chain_id: int
    registry: str
    code_hash: str
    records: tuple[ProvenRecord, ...]
    blocks: tuple[ProvenBlock, ...]

    @property
    def trust(self) -> tuple[str, ...]:
        """What remains to be trusted, and how to check it, in sentences."""
        blocks = ", ".join(f"{block.number} with hash 0x{block.hash}" for block in self.blocks)
        return (
            f"That chain {self.chain_id} has block {blocks}: ask nodes that you trust, more than one, or a block"
            " explorer (eth_getBlockByHash with each hash must answer with that number).",
            f"That {self.registry} is the registry of those you take it for. Its code has the Keccak-256"
            f" {self.code_hash}: that of a LabRegistry can't alter or forge a record.",
            "That a status is still the same: it is proven for the block that it was read at, not for later ones.",
        )


def verify_bundle(data: bytes) -> ProvenBundle:
    """Verify a bundle and return what it proves.

    Raises:
        BundleRefused: at the first thing that doesn't fit, with its place.
    """
    bundle = _parse(data)
    return _Verification(bundle).result()


def _parse(data: bytes) -> _Bundle:
    """Read a bundle. Only its one RFC 8785 form is valid: no byte of it is free."""
    import rfc8785

    if len(data) > MAX_BYTES:
        raise BundleRefused("byte 0", f"expected at most {MAX_BYTES:,} bytes, got {len(data):,}")
    if nested(data) > _MAX_DEPTH:
        raise BundleRefused("byte 0", f"expected JSON that is nested at most {_MAX_DEPTH} deep")
    try:
        plain = json.loads(data.decode("utf-8"), parse_constant=_no_constant)
        canonical = rfc8785.dumps(plain)
    except UnicodeDecodeError as error:
        raise BundleRefused(f"byte {error.start}", "expected UTF-8") from None
    except json.JSONDecodeError as error:
        raise BundleRefused(f"byte {len(error.doc[: error.pos].encode())}", f"expected JSON: {error.msg}") from None
    except (ValueError, UnicodeEncodeError, rfc8785.CanonicalizationError) as error:
        raise BundleRefused("byte 0", f"expected canonical JSON (RFC 8785): {error}") from None
    if canonical != data:
        at = next((i for i, (a, b) in enumerate(zip(canonical, data, strict=False)) if a != b), len(canonical))
        raise BundleRefused(f"byte {at}", "expected the canonical form of JSON (RFC 8785)")
    try:
        return _Bundle.model_validate(plain)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise BundleRefused(_path(first["loc"]), first["msg"]) from None


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _path(parts: tuple[int | str, ...]) -> str:
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "the bundle"


class _Nodes(MutableMapping[bytes, bytes]):
    """Trie nodes by their hash, as `trie` reads a database; remembers which were read."""

    def __init__(self, nodes: list[str]) -> None:
        from eth_utils.crypto import keccak

        self._nodes = {keccak(node): (index, node) for index, node in enumerate(map(bytes.fromhex, nodes))}
        self.unread = set(range(len(nodes)))

    def named_by_none(self, blocks: Iterable[ProvenBlock]) -> list[int]:
        """List the nodes that neither a header nor another node names. If the bundle is damaged, these are the damaged
        ones."""
        roots = {root for block in blocks for root in (block.state_root, block.receipts_root)}
        everything = b"".join(node for _, node in self._nodes.values())
        return sorted(index for key, (index, _) in self._nodes.items() if key not in roots and key not in everything)

    def __getitem__(self, key: bytes) -> bytes:
        index, node = self._nodes[key]
        self.unread.discard(index)
        return node

    def __contains__(self, key: object) -> bool:
        return key in self._nodes

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    def __setitem__(self, key: bytes, value: bytes) -> None:
        raise TypeError("proofs are read only")

    def __delitem__(self, key: bytes) -> None:
        raise TypeError("proofs are read only")


class _Verification:
    """One run over one bundle; what was proven once (blocks, account, receipts) is kept for the next record."""

    def __init__(self, bundle: _Bundle) -> None:
        self._bundle = bundle
        self._domain = Domain(int(bundle.chain_id), bundle.registry)
        self._nodes = _Nodes(bundle.nodes)
        self._used: set[str] = set()
        self._code_hash = ""
        self._storage: dict[str, bytes] = {}
        self._logs: dict[tuple[str, int], Any] = {}
        self._blocks = {block_hash: _read_header(block_hash, text) for block_hash, text in bundle.blocks.items()}

    def result(self) -> ProvenBundle:
        records = []
        seen: set[str] = set()
        for index, record in enumerate(self._bundle.records):
            place = f"records[{index}]"
            if record.id in seen:
                raise BundleRefused(f"{place}.id", f"expected each record once, got {record.id} again")
            seen.add(record.id)
            records.append(self._record(place, record))
        if self._nodes.unread:
            raise BundleRefused(
                f"nodes[{min(self._nodes.unread)}]", "expected a node that a proof needs, no proof does"
            )
        if unused := [block for block in self._bundle.blocks if block not in self._used]:
            raise BundleRefused(f"blocks.{unused[0]}", "expected a block that something rests on, nothing does")
        if list(self._bundle.nodes) != sorted(set(self._bundle.nodes)):
            raise BundleRefused("nodes", "expected each node once, in ascending order")
        return ProvenBundle(
            chain_id=self._domain.chain_id,
            registry=self._bundle.registry,
            code_hash=self._code_hash,
            records=tuple(records),
            blocks=tuple(sorted(self._blocks.values(), key=lambda block: (block.number, block.hash))),
        )

    def _record(self, place: str, record: _Record) -> ProvenRecord:
        key = self._key(place, record)
        self._check_manifest(place, record, key)
        as_of = self._block(f"{place}.state", record.state)
        stored = StoredRecord.from_word(self._word(f"{place}.state", as_of, record_slot(record.id)))
        batch = self._batch(f"{place}.batched", record.id, key, record.batched, as_of) if record.batched else None
        if record.recorded is None:
            if batch is None:
                raise BundleRefused(place, "expected the event that recorded it, or a batch that holds it, got neither")
            if stored.recorded_at:
                raise BundleRefused(
                    f"{place}.recorded", "expected the event that recorded it, as it is stored, got none"
                )
            return ProvenRecord(record.id, key, record.manifest, Status.UNKNOWN, None, None, batch, as_of)
        recorded = self._recorded(f"{place}.recorded", record.id, key, record.recorded, stored)
        status = Status.RETRACTED if stored.retracted_at else Status.RECORDED
        return ProvenRecord(record.id, key, record.manifest, status, stored, recorded, batch, as_of)

    def _key(self, place: str, record: _Record) -> RecordKey:
        key = RecordKey.from_json(record.key.model_dump(by_alias=True))
        parents = [(link.parent, link.relation) for link in record.key.parents]
        if parents != [(link.parent, link.relation) for link in key.parents]:
            raise BundleRefused(f"{place}.key.parents", "expected parents in ascending order, each once")
        record_id = self._domain.record_id(key)
        if record_id != record.id:
            raise BundleRefused(
                f"{place}.key",
                f"expected the key of {record.id}, got that of {record_id} in registry {self._bundle.registry} of chain"
                f" {self._bundle.chain_id}",
            )
        return key

    def _check_manifest(self, place: str, record: _Record, key: RecordKey) -> None:
        import rfc8785

        if record.manifest is None:
            return
        data = rfc8785.dumps(record.manifest)
        if (digest := sha256(data).hexdigest()) != key.manifest:
            raise BundleRefused(f"{place}.manifest", f"expected a manifest with SHA-256 {key.manifest}, got {digest}")
        try:
            disagreements = check_against_key(parse_manifest(data), key)
        except Exception as error:
            raise BundleRefused(f"{place}.manifest", str(error)) from None
        if disagreements:
            raise BundleRefused(f"{place}.manifest", f"it disagrees with the key: {disagreements[0]}")

    def _block(self, place: str, block_hash: str) -> ProvenBlock:
        self._used.add(block_hash)
        if block_hash not in self._blocks:
            raise BundleRefused(place, f"expected a block of the bundle, got {block_hash}")
        return self._blocks[block_hash]

    def _word(self, place: str, block: ProvenBlock, slot: bytes) -> int:
        """Return a storage word of the registry, proven against the block's state. Absence proves 0."""
        from eth_utils.crypto import keccak

        if block.hash not in self._storage:
            account = self._look_up(place, block.state_root, keccak(bytes.fromhex(self._bundle.registry[2:])))
            if not account:
                raise BundleRefused(place, f"block {block.number} has no account {self._bundle.registry}")
            _, _, storage_root, code_hash = _decode(place, account)
            if self._code_hash not in ("", code_hash.hex()):
                raise BundleRefused(place, "expected the same code in every block, as a registry can't change")
            self._code_hash = code_hash.hex()
            self._storage[block.hash] = storage_root
        value = self._look_up(place, self._storage[block.hash], keccak(slot))
        return int.from_bytes(_decode(place, value)) if value else 0

    def _look_up(self, place: str, root: bytes, key: bytes) -> bytes:
        from trie import HexaryTrie
        from trie.exceptions import MissingTrieNode

        try:
            return bytes(HexaryTrie(self._nodes, root).get(key))
        except MissingTrieNode as error:
            missing = bytes(error.missing_node_hash).hex()
            damaged = self._nodes.named_by_none(self._blocks.values())
            raise BundleRefused(
                f"nodes[{damaged[0]}]" if damaged else place,
                f"a node of a proof is missing, with Keccak-256 {missing}, for {place}",
            ) from None
        except Exception as error:
            # the nodes are whatever the bundle's maker hashed together
            raise BundleRefused(place, f"its proof is no Merkle Patricia trie: {type(error).__name__}") from None

    def _log(self, place: str, where: _Where) -> tuple[ProvenBlock, Any]:
        """Return topics and data of a log of the registry, proven against the block's receipts."""
        import rlp

        block = self._block(f"{place}.block", where.block)
        if (where.block, where.transaction) not in self._logs:
            receipt = self._look_up(place, block.receipts_root, rlp.encode(where.transaction))
            if not receipt:
                raise BundleRefused(
                    f"{place}.transaction", f"block {block.number} has no transaction {where.transaction}"
                )
            # EIP-2718: a type below 0x80 stands before the list
            self._logs[where.block, where.transaction] = _decode(place, receipt[1:] if receipt[0] < 0x80 else receipt)[
                3
            ]
        logs = self._logs[where.block, where.transaction]
        if where.log >= len(logs):
            raise BundleRefused(f"{place}.log", f"expected one of the transaction's {len(logs)} logs, got {where.log}")
        emitter, topics, data = logs[where.log]
        if emitter.hex() != self._bundle.registry[2:]:
            raise BundleRefused(
                f"{place}.log", f"expected a log of {self._bundle.registry}, got one of 0x{emitter.hex()}"
            )
        return block, (topics, data)

    def _recorded(self, place: str, record_id: str, key: RecordKey, where: _Where, stored: StoredRecord) -> ProvenBlock:
        from eth_abi.abi import encode

        block, (topics, data) = self._log(place, where)
        _, kind, subject_type, author, subject, manifest, parents = key.as_abi()
        expected = [_topic(_RECORDED), bytes.fromhex(record_id), subject]
        values = (key.group, author, kind, subject_type, manifest, parents)
        if list(topics) != expected or data != encode(_RECORDED_DATA, values):
            raise BundleRefused(f"{place}.log", f"expected the event that recorded {record_id}, got another")
        if (stored.group, stored.kind) != (key.group, key.kind):
            raise BundleRefused(place, "the stored word is not of this key's group and kind")
        time = self._materialized_at(place, record_id, where) if stored.batched else block.timestamp
        if stored.recorded_at != time:
            raise BundleRefused(place, f"expected a record of time {time}, got one of {stored.recorded_at}")
        return block

    def _materialized_at(self, place: str, record_id: str, where: _Where) -> int:
        """Return the time of a batched record, from the next event of the same transaction."""
        _, (topics, data) = self._log(place, where.model_copy(update={"log": where.log + 1}))
        if list(topics[:2]) != [_topic(_MATERIALIZED), bytes.fromhex(record_id)]:
            raise BundleRefused(f"{place}.log", "expected the event that took the record from its batch next to it")
        return int.from_bytes(data)

    def _batch(self, place: str, record_id: str, key: RecordKey, batched: _Batched, as_of: ProvenBlock) -> ProvenBatch:
        from eth_utils.crypto import keccak

        root = batched.root
        node = keccak(keccak(bytes.fromhex(record_id)))
        for step in map(bytes.fromhex, batched.path):
            node = keccak(min(node, step) + max(node, step))
        if node.hex() != root:
            raise BundleRefused(f"{place}.path", f"expected a path to the root {root}, got one to {node.hex()}")
        batch = StoredBatch.from_word(self._word(place, as_of, batch_slot(key.group, key.author, root)))
        block, (topics, data) = self._log(f"{place}.anchored", batched.anchored)
        named = [bytes.fromhex(key.author[2:]).rjust(32, b"\0"), bytes.fromhex(root)]
        by_group = data[:32] == key.group.to_bytes(32)
        if topics[0] not in map(_topic, _ANCHORED) or list(topics[1:]) != named or not by_group:
            raise BundleRefused(
                f"{place}.anchored.log", "expected the event that anchored this root for this group and author"
            )
        if batch.anchored_at != block.timestamp:
            raise BundleRefused(place, f"expected a batch of time {block.timestamp}, got one of {batch.anchored_at}")
        return ProvenBatch(root, batch, block)


def _read_header(block_hash: str, text: str) -> ProvenBlock:
    import rlp
    from eth_utils.crypto import keccak

    data = bytes.fromhex(text)
    place = f"blocks.{block_hash}"
    if keccak(data).hex() != block_hash:
        raise BundleRefused(place, f"expected a header with this Keccak-256, got {keccak(data).hex()}")
    try:
        fields = rlp.decode(data)
        value = {name: fields[index] for name, index in _HEADER_FIELDS.items()}
        return ProvenBlock(
            hash=block_hash,
            number=int.from_bytes(value["number"]),
            timestamp=int.from_bytes(value["timestamp"]),
            state_root=value["state_root"],
            receipts_root=value["receipts_root"],
        )
    except (rlp.DecodingError, IndexError, TypeError) as error:
        raise BundleRefused(place, f"expected a block header: {error}") from None


def _decode(place: str, data: bytes) -> Any:
    import rlp

    try:
        return rlp.decode(data)
    except rlp.DecodingError as error:
        raise BundleRefused(place, f"expected RLP: {error}") from None


def _topic(signature: str) -> bytes:
    from eth_utils.crypto import keccak

    return keccak(text=signature)
