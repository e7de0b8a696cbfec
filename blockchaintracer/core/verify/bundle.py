"""Reads a proof bundle from its bytes alone: no network, no files, and no code of the exporter.

Everything in a bundle is bound by a hash to something else in it, up to the hashes of its blocks. Anybody can make such
a file of invented blocks: `read_bundle` shows that it fits together, and `standing` whether its blocks stand. Sources:
EIP-712 (ids), RFC 8785 (manifests and the bundle itself), and those of `chain_shapes`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, FailFast, Field, StringConstraints, ValidationError
from pydantic.functional_validators import BeforeValidator, model_validator

from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.core.formats import BUNDLE, BUNDLE_BYTES, UnknownVersion
from blockchaintracer.core.manifest import check_against_key, parse_manifest
from blockchaintracer.core.merkle import leads_to
from blockchaintracer.core.plain_json import MAX_DEPTH, nested
from blockchaintracer.core.record import Domain, RecordKey, Status, from_hex, keccak, to_hex
from blockchaintracer.core.record_view import Batch, RecordStatus
from blockchaintracer.core.storage_layout import CANCELLED, batch_slot, record_slot, stored_batch, stored_record
from blockchaintracer.core.verify.chain_shapes import (
    Header,
    Malformed,
    MissingNode,
    Receipt,
    ReceiptLog,
    TrieNodes,
    bloom_holds,
    index_key,
    read_account,
    read_header,
    read_receipt,
    read_word,
)

_MAX_DEPTH = MAX_DEPTH + 4
"""a manifest stands four levels deep in a bundle"""

_RECORDED = "Recorded(uint32,address,bytes32,uint8,bytes32,uint8,bytes32,(bytes32,uint8)[])"
_LINKS: dict[str, Any] = {"type": "tuple[]", "components": [{"type": "bytes32"}, {"type": "uint8"}]}
_RECORDED_DATA = [*({"type": kind} for kind in ("uint32", "address", "uint8", "uint8", "bytes32")), _LINKS]
_MATERIALIZED = "Materialized(bytes32,bytes32,uint40)"
_LONGEST_PATH = 64
_BATCHED = 1
"""the only flag of a record that is stored"""
_ANCHORED = ("Anchored(uint32,address,bytes32,uint48,bytes32)", "LeavesAnchored(uint32,address,bytes32,uint48)")

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Hash = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-f]{64}$")]
Hex = Annotated[str, StringConstraints(pattern=r"^0x([0-9a-f]{2})+$")]
Address = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-f]{40}$")]
ChainId = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,76}$")]
"""below 2^256, which is all that an EIP-712 domain can hold"""
Index = Annotated[int, Field(ge=0, lt=2**32)]
T = TypeVar("T")


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

    @property
    def code(self) -> str:
        """The reason code: the place without numbers and names of blocks (conformance/README.md)."""
        return "form" if self.place.startswith("byte ") else re.sub(r"(?s)\[\d+\]|(?<=^blocks)\..*", "", self.place)


def _few(fields: Any, is_known: Callable[[str], Any]) -> Any:
    """Leave the first of the unknown fields: an error of each takes a kilobyte, and a file can have millions."""
    more = {*[name for name in fields if not is_known(name)][1:]} if isinstance(fields, dict) else ()
    return {name: fields[name] for name in fields if name not in more} if more else fields


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _fields(cls, data: Any) -> Any:
        return _few(data, {field.alias or name for name, field in cls.model_fields.items()}.__contains__)


class _Where(_Strict):
    block: Hash
    transaction: Index
    log: Index


class _Batched(_Strict):
    root: Hash
    path: Annotated[list[Hash], Field(max_length=_LONGEST_PATH)]
    anchored: _Where


class _Record(_Strict):
    id: Hash
    key: dict[str, Any]
    manifest: dict[str, Any] | None
    recorded: _Where | None
    batched: _Batched | None
    state: Hash


class _Deployment(_Strict):
    owner: Address
    open_group_creation: bool = Field(alias="openGroupCreation")
    salt: Hash


class _Evidence(BaseModel):
    """Evidence of a witness, of an identity or of a renewal. Its type says what else it holds."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True, defer_build=True)

    type_: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,200}$")] = Field(alias="type")


class _Bundle(_Strict):
    type_: str = Field(alias="type")
    algorithms: list[str]
    chain_id: ChainId = Field(alias="chainId")
    registry: Address
    deployment: _Deployment = Field(default=None)  # type: ignore[assignment]  # absent, but never null
    blocks: Annotated[dict[Hash, Hex], BeforeValidator(lambda it: _few(it, re.compile("0x[0-9a-f]{64}").fullmatch))]
    nodes: Annotated[list[Hex], FailFast()]
    records: Annotated[list[_Record], Field(min_length=1), FailFast()]
    # absent, but never null or empty: what comes later has its place, and is not believed before it is checked
    witnesses: Annotated[list[_Evidence], Field(min_length=1), FailFast()] = Field(default=())  # type: ignore[arg-type]
    identities: Annotated[list[_Evidence], Field(min_length=1), FailFast()] = Field(default=())  # type: ignore[arg-type]
    renewals: Annotated[list[_Evidence], Field(min_length=1), FailFast()] = Field(default=())  # type: ignore[arg-type]

    def evidence(self) -> tuple[tuple[str, dict[str, Any]], ...]:
        """List the evidence of other kinds: what it is, and its content, of which only the type was read."""
        lists = {"witness": self.witnesses, "identity": self.identities, "renewal": self.renewals}
        return tuple((name, item.model_dump(by_alias=True)) for name, items in lists.items() for item in items)


@dataclass(frozen=True, slots=True)
class ProvenBatch:
    """The batch that holds a record, and where it was anchored."""

    root: str
    batch: Batch
    anchored: Header


@dataclass(frozen=True, slots=True)
class ProvenRecord:
    """What a bundle proves of one record.

    Args:
        manifest: what it says, None if the bundle doesn't hold it.
        status: whether it stood at `as_of`; UNKNOWN if it is only under a batch's root and was not cancelled.
        stored: its storage word at `as_of`, None if it isn't stored.
        recorded: the block with its event, None if it isn't stored.
        as_of: the block whose state was read.
    """

    id: str
    key: RecordKey
    manifest: dict[str, Any] | None
    status: Status
    stored: RecordStatus | None
    recorded: Header | None
    batch: ProvenBatch | None
    as_of: Header

    @property
    def committed_at(self) -> int:
        """Time since which the author is committed to the record, Unix seconds by the chain."""
        return self.stored.recorded_at if self.stored else self.batch.batch.anchored_at if self.batch else 0


@dataclass(frozen=True, slots=True)
class ProvenBundle:
    """What a bundle shows if its blocks stand. Nothing of it is to be believed before.

    Args:
        registry: address of the registry, 0x-hex in lower case.
        code_hash: Keccak-256 of the code at that address, 0x-hex.
        blocks: every block that something rests on, ascending.
        deployment: the settings that are said to have made the registry: owner, rule and salt.
        evidence: what else stands in it, unchecked: witness, identity or renewal, and its content.
    """

    chain_id: int
    registry: str
    code_hash: str
    records: tuple[ProvenRecord, ...]
    blocks: tuple[Header, ...]
    deployment: tuple[str, bool, str] | None
    evidence: tuple[tuple[str, dict[str, Any]], ...] = ()

    @property
    def unchecked(self) -> tuple[tuple[str, str], ...]:
        """The evidence that is not checked here: what it is, and its type."""
        return tuple((what, item["type"]) for what, item in self.evidence)


def read_bundle(data: bytes) -> ProvenBundle:
    """Check that a bundle fits together and return what it shows if its blocks stand.

    Raises:
        BundleRefused: at the first thing that doesn't fit, with its place.
        UnknownVersion: if it is of a version that this program does not read.
    """
    return _Reading(_parse(data)).result()


def _parse(data: bytes) -> _Bundle:
    """Read a bundle. Only its one RFC 8785 form is valid: no byte of it is free."""
    import rfc8785

    if len(data) > BUNDLE_BYTES:
        raise BundleRefused("byte 0", f"expected at most {BUNDLE_BYTES:,} bytes, got {len(data):,}")
    if nested(data) > _MAX_DEPTH:
        raise BundleRefused("byte 0", f"expected JSON that is nested at most {_MAX_DEPTH} deep")
    try:
        plain = json.loads(data.decode("utf-8"), parse_constant=float)
        canonical = rfc8785.dumps(plain)
    except UnicodeDecodeError as error:
        raise BundleRefused(f"byte {error.start}", "expected UTF-8") from None
    except json.JSONDecodeError as error:
        raise BundleRefused(f"byte {len(error.doc[: error.pos].encode())}", f"expected JSON: {error.msg}") from None
    except (ValueError, UnicodeEncodeError, rfc8785.CanonicalizationError) as error:
        raise BundleRefused("byte 0", f"expected canonical JSON (RFC 8785): {error}") from None
    try:
        BUNDLE.check_header(plain, "the bundle")
    except UnknownVersion:
        raise
    except InputError as error:
        raise BundleRefused("byte 0", error.message) from None
    if canonical != data:
        at = next((i for i, (a, b) in enumerate(zip(canonical, data, strict=False)) if a != b), len(canonical))
        raise BundleRefused(f"byte {at}", "expected the canonical form of JSON (RFC 8785)")
    try:
        return _Bundle.model_validate(plain)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise BundleRefused(_path(first["loc"]), first["msg"]) from None


def _path(parts: tuple[int | str, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).removeprefix(".")


class _Reading:
    """One run over one bundle; what was decoded once (blocks, account, receipts) is kept for the next record."""

    def __init__(self, bundle: _Bundle) -> None:
        self._bundle = bundle
        self._domain = Domain(int(bundle.chain_id), bundle.registry)
        if any(one >= other for one, other in pairwise(bundle.nodes)):
            raise BundleRefused("nodes", "expected each node once, in ascending order")
        self._nodes = TrieNodes([*map(from_hex, bundle.nodes)])
        self._used: set[str] = set()
        self._code_hash = ""
        self._storage: dict[str, bytes] = {}
        self._receipts: dict[tuple[str, int], Receipt] = {}
        self._blocks = {block_hash: _read_block(block_hash, text) for block_hash, text in bundle.blocks.items()}

    def result(self) -> ProvenBundle:
        blocks = tuple(sorted(self._blocks.values(), key=lambda block: (block.number, block.hash)))
        for one, other in pairwise(blocks):
            if one.number == other.number or one.timestamp > other.timestamp:
                raise BundleRefused(f"blocks.{other.hash}", "expected blocks of one chain: number and time grow")
        records = []
        seen: set[str] = set()
        for index, record in enumerate(self._bundle.records):
            place = f"records[{index}]"
            if record.id in seen:
                raise BundleRefused(f"{place}.id", f"expected each record once, got {record.id} again")
            seen.add(record.id)
            records.append(self._record(place, record))
        if self._nodes.unread:
            expected = "expected a node that a proof needs, no proof does"
            raise BundleRefused(f"nodes[{min(self._nodes.unread)}]", expected)
        if unused := [block for block in self._bundle.blocks if block not in self._used]:
            raise BundleRefused(f"blocks.{unused[0]}", "expected a block that something rests on, nothing does")
        made = self._bundle.deployment
        return ProvenBundle(
            chain_id=self._domain.chain_id,
            registry=self._bundle.registry,
            code_hash=self._code_hash,
            records=tuple(records),
            blocks=blocks,
            deployment=(made.owner, made.open_group_creation, made.salt) if made else None,
            evidence=self._bundle.evidence(),
        )

    def _record(self, place: str, record: _Record) -> ProvenRecord:
        key = self._key(place, record)
        self._check_manifest(place, record, key)
        as_of = self._block(f"{place}.state", record.state)
        word = self._word(f"{place}.state", as_of, record_slot(record.id))
        stored = stored_record(word)
        batch = self._batch(f"{place}.batched", record.id, key, record.batched, as_of) if record.batched else None
        if record.recorded is None:
            if batch is None:
                raise BundleRefused(place, "expected the event that recorded it, or a batch that holds it, got neither")
            if stored.recorded_at:
                expected = "expected the event that recorded it, as it is stored, got none"
                raise BundleRefused(f"{place}.recorded", expected)
            if word not in (0, CANCELLED):
                raise BundleRefused(f"{place}.state", "expected an empty word or a cancelled one, got another")
            return ProvenRecord(record.id, key, record.manifest, stored.status, None, None, batch, as_of)
        recorded = self._recorded(f"{place}.recorded", record.id, key, record.recorded, stored)
        times = (stored.sealed_at, stored.recorded_at, recorded.timestamp, as_of.timestamp)
        retraction = (recorded.timestamp, stored.retracted_at or as_of.timestamp, as_of.timestamp)
        in_order = [*times] == sorted(times) and [*retraction] == sorted(retraction) and recorded.number <= as_of.number
        if not in_order or stored.flags & ~_BATCHED:
            expected = "expected a word that a registry writes: sealed, recorded, retracted, in this order"
            raise BundleRefused(f"{place}.state", expected)
        return ProvenRecord(record.id, key, record.manifest, stored.status, stored, recorded, batch, as_of)

    def _key(self, place: str, record: _Record) -> RecordKey:
        key = _shaped(f"{place}.key", lambda: RecordKey.from_json(record.key))
        if key.as_json() != record.key:
            raise BundleRefused(f"{place}.key", "expected the one form of a key, its parents ascending, each once")
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

    def _block(self, place: str, block_hash: str) -> Header:
        self._used.add(block_hash)
        if block_hash not in self._blocks:
            raise BundleRefused(place, f"expected a block of the bundle, got {block_hash}")
        return self._blocks[block_hash]

    def _word(self, place: str, block: Header, slot: bytes) -> int:
        """Return a storage word of the registry, proven against the block's state. Absence proves 0."""
        if block.hash not in self._storage:
            account = self._value(place, block.state_root, keccak(bytes.fromhex(self._bundle.registry[2:])))
            if not account:
                raise BundleRefused(place, f"block {block.number} has no account {self._bundle.registry}")
            self._storage[block.hash], code_hash = _shaped(place, lambda: read_account(account))
            if self._code_hash not in ("", to_hex(code_hash)):
                raise BundleRefused(place, "expected the same code in every block, as a registry can't change")
            self._code_hash = to_hex(code_hash)
        value = self._value(place, self._storage[block.hash], keccak(slot))
        return _shaped(place, lambda: read_word(value)) if value else 0

    def _value(self, place: str, root: bytes, key: bytes) -> bytes:
        try:
            return self._nodes.value(root, key)
        except MissingNode as error:
            roots = [root for block in self._blocks.values() for root in (block.state_root, block.receipts_root)]
            damaged = self._nodes.named_by_none(roots)
            raise BundleRefused(f"nodes[{damaged[0]}]" if damaged else place, f"{error}, for {place}") from None
        except Malformed as error:
            raise BundleRefused(place, f"its proof is no Merkle Patricia trie: {error}") from None

    def _log(self, place: str, where: _Where) -> tuple[Header, ReceiptLog]:
        """Return a log of the registry, proven against the block's receipts."""
        block = self._block(f"{place}.block", where.block)
        if (where.block, where.transaction) not in self._receipts:
            receipt = self._value(place, block.receipts_root, index_key(where.transaction))
            if not receipt:
                expected = f"block {block.number} has no transaction {where.transaction}"
                raise BundleRefused(f"{place}.transaction", expected)
            self._receipts[where.block, where.transaction] = _shaped(place, lambda: read_receipt(receipt))
        found = self._receipts[where.block, where.transaction]
        if where.log >= len(found.logs):
            expected = f"expected one of the transaction's {len(found.logs)} logs, got {where.log}"
            raise BundleRefused(f"{place}.log", expected)
        log = found.logs[where.log]
        if to_hex(log.emitter) != self._bundle.registry:
            expected = f"expected a log of {self._bundle.registry}, got one of {to_hex(log.emitter)}"
            raise BundleRefused(f"{place}.log", expected)
        if not all(bloom_holds(bloom, (log.emitter, *log.topics)) for bloom in (found.bloom, block.bloom)):
            raise BundleRefused(f"{place}.log", "expected a log that the blooms of its receipt and block hold")
        return block, log

    def _recorded(self, place: str, record_id: str, key: RecordKey, where: _Where, stored: RecordStatus) -> Header:
        from blockchaintracer.core.chain.coding import encode

        block, log = self._log(place, where)
        _, author, subject_type, subject, kind, manifest, parents = key.as_abi()
        expected = (_topic(_RECORDED), from_hex(record_id), subject)
        values = (key.group, author, subject_type, kind, manifest, parents)
        if log.topics != expected or log.data != encode(_RECORDED_DATA, values):
            raise BundleRefused(f"{place}.log", f"expected the event that recorded {record_id}, got another")
        if (stored.group, stored.kind) != (key.group, key.kind):
            raise BundleRefused(place, "the stored word is not of this key's group and kind")
        if stored.is_batched:
            self._check_materialized(place, record_id, where, stored.recorded_at)
        elif stored.recorded_at != block.timestamp:
            raise BundleRefused(place, f"expected a record of time {block.timestamp}, got one of {stored.recorded_at}")
        return block

    def _check_materialized(self, place: str, record_id: str, where: _Where, time: int) -> None:
        """Check the time of a batched record by the next event of the same transaction."""
        _, log = self._log(place, where.model_copy(update={"log": where.log + 1}))
        named = (_topic(_MATERIALIZED), from_hex(record_id))
        if len(log.topics) != 3 or log.topics[:2] != named or log.data != time.to_bytes(32):
            expected = "expected the event that took the record from its batch next to it, with its time"
            raise BundleRefused(f"{place}.log", expected)

    def _batch(self, place: str, record_id: str, key: RecordKey, batched: _Batched, as_of: Header) -> ProvenBatch:
        root = batched.root
        if (computed := leads_to(record_id, batched.path)) != root:
            raise BundleRefused(f"{place}.path", f"expected a path to the root {root}, got one to {computed}")
        batch = stored_batch(self._word(place, as_of, batch_slot(key.group, key.author, root)))
        block, log = self._log(f"{place}.anchored", batched.anchored)
        named = (bytes.fromhex(key.author[2:]).rjust(32, b"\0"), from_hex(root))
        event = {_topic(signature): signature for signature in _ANCHORED}.get(log.topics[0] if log.topics else b"")
        size = 32 * (3 if event == _ANCHORED[0] else 2)
        data = key.group.to_bytes(32) + batch.count.to_bytes(32)
        fits = log.topics[1:] == named and len(log.data) == size and log.data[:64] == data
        if event is None or not fits or batch.counted != (event == _ANCHORED[1]):
            expected = "expected the event that anchored this root for this group and author"
            raise BundleRefused(f"{place}.anchored.log", expected)
        if batch.anchored_at != block.timestamp or block.number > as_of.number:
            expected = f"expected a batch of time {block.timestamp}, of a block up to {as_of.number}"
            raise BundleRefused(place, f"{expected}, got time {batch.anchored_at}, block {block.number}")
        return ProvenBatch(root, batch, block)


def _read_block(block_hash: str, text: str) -> Header:
    place = f"blocks.{block_hash}"
    header = _shaped(place, lambda: read_header(from_hex(text)))
    if header.hash != block_hash:
        raise BundleRefused(place, f"expected a header with this Keccak-256, got {header.hash}")
    return header


def _shaped(place: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except (Malformed, InputError) as error:
        raise BundleRefused(place, str(error)) from None


def _topic(signature: str) -> bytes:
    return keccak(signature.encode())
