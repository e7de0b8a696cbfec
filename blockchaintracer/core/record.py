"""What a record is: its key, its id and the vocabulary both are made of. No I/O, no chain, no files.

>>> from blockchaintracer.core.record import Kind, RecordKey, SubjectType
>>> key = RecordKey(group=1, kind=Kind.DATASET, subject_type=SubjectType.FILE, author="0x" + "11" * 20,
...                 subject="aa" * 32, manifest="bb" * 32)
>>> key.parents
()
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from functools import cache, lru_cache
from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.plain_json import fields_json

DOMAIN_NAME = "BlockchainTracer LabRegistry"
DOMAIN_VERSION = "1"
FIRST_OWN_NUMBER = 128
"""Kinds, relations and subject types from 128 to 255 are the lab's own."""

MAX_PARENTS = 1024
"""How many parents a record can have (contracts/modules/Records.sol)."""

GLOBAL_PREFIX = "eip155:"
"""How an id with its chain and registry begins: the CAIP-2 namespace of the chains of Ethereum's kind."""

SHA256_FIELDS = frozenset({"subject", "manifest", "reason"})
"""The arguments of events and errors that are a SHA-256. Others of 32 bytes are ids, roots, commitments or salts."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_ADDRESS = re.compile(r"(0[xX])?[0-9a-fA-F]{40}")
_GLOBAL = re.compile(r"eip155:(0|[1-9][0-9]{0,76}):(0x[0-9a-fA-F]{40})/(0x[0-9a-fA-F]{64})")


class Kind(IntEnum):
    """What is recorded."""

    DATASET = 1
    MODEL = 2
    RUN = 3
    RESULT = 4
    PLAN = 5
    SOFTWARE = 6
    ENVIRONMENT = 7
    DOCUMENT = 8
    DEPLOYMENT = 9
    REFERENCE = 10
    IDENTITY_CLAIM = 11
    WITNESS = 12
    RENEWAL = 13
    EVALUATION = 14


class Relation(IntEnum):
    """How a record stands to its parent: a model is TRAINED_ON a dataset."""

    TRAINED_ON = 1
    VALIDATED_ON = 2
    EVALUATED_ON = 3
    DERIVED_FROM = 4
    FINE_TUNED_FROM = 5
    GENERATED_BY = 6
    USES = 7
    REPRODUCES = 8
    SUPERSEDES = 9
    EVALUATES = 10
    CONFIRMS = 11
    SUPPORTS = 12
    WITNESSES = 13
    RENEWS = 14


ABOUT = frozenset(range(Relation.REPRODUCES, Relation.WITNESSES + 1))
"""Relations in which a record speaks about its parent and does not rest on it: it stands when the parent is retracted
(`isAbout` of contracts/libraries/Vocabulary.sol; docs/contracts.md argues each)."""


class SubjectType(IntEnum):
    """What the subject of a record is the digest of: SHA-256, unless the comment names another."""

    FILE = 1
    """the bytes of a file, as ``sha256sum`` prints it"""
    FOLDER = 2
    """the folder's canonical SHA256SUMS"""
    COMMITMENT = 3
    """a salted commitment"""
    IDENTIFIER = 4
    """the ASCII text of an identifier: a run's UUID"""
    STATEMENT = 5
    """a signed statement: its EIP-712 digest"""
    TREE = 6
    """a hash tree that the manifest describes: its root"""


class Verdict(IntEnum):
    """What a group says of another group's record."""

    NONE = 0
    REVIEWED = 1
    REPRODUCED = 2
    NOT_REPRODUCED = 3
    DISPUTED = 4


class Status(IntEnum):
    """Whether a record stands."""

    UNKNOWN = 0
    CANCELLED = 1
    RECORDED = 2
    RETRACTED = 3


class Role(IntFlag):
    """What a member may do in a group."""

    MAINTAINER = 1
    RECORDER = 2
    REVIEWER = 4


NO_END = 2**40 - 1
"""``until`` of a membership without end."""


def label(value: int, vocabulary: type[IntEnum] | None = None) -> str:
    """Return the name of a number as people type it (``trained-on``), or the number itself for the lab's own.

    `vocabulary` tells what a plain number is one of.
    """
    if vocabulary is not None and value in set(vocabulary):
        value = vocabulary(value)
    name = value.name if isinstance(value, IntEnum | IntFlag) else None
    return name.lower().replace("_", "-") if name else str(int(value))


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 seal``, ``2 seals``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def parse_number(text: str, vocabulary: type[IntEnum]) -> int:
    """Return the number of a kind, relation or verdict from its name (``trained-on``, ``TRAINED_ON``) or own number.

    Raises:
        InputError: if it's neither a name of `vocabulary` nor a number from 128 to 255.
    """
    name = text.strip().upper().replace("-", "_").replace(" ", "_")
    if name in vocabulary.__members__:
        return vocabulary[name]
    if name.isdecimal() and FIRST_OWN_NUMBER <= int(name) <= 255:
        return int(name)
    names = ", ".join(label(member) for member in vocabulary)
    raise InputError(
        f"expected a {vocabulary.__name__.lower()}, got {text!r}",
        hint=f"Use one of {names}, or your own number, 128 to 255.",
    )


def to_hex(value: bytes) -> str:
    """Write bytes of the chain as text: ``0x`` and lower-case hex digits."""
    return f"0x{bytes(value).hex()}"


def named_hex(name: str, value: bytes) -> str:
    """Write the bytes of a field of an event or error: a SHA-256 without ``0x``, anything else with it."""
    return bytes(value).hex() if name in SHA256_FIELDS else to_hex(value)


def from_hex(text: str) -> bytes:
    """Read hex digits with or without ``0x``."""
    return bytes.fromhex(text.removeprefix("0x"))


def normal_id(text: str, what: str = "record id") -> str:
    """Return a record id, or another hash of the chain, as ``0x`` and 64 lower-case hex digits. ``0x`` may be left
    out."""
    return f"0x{_digits(text, what, '0x and 64 hex digits')}"


def written_id(text: str, what: str = "record id") -> str:
    """Return an id in its one form, alone or with its chain and registry, which `Domain.parse_id` compares."""
    return str(GlobalId.parse(text)) if text.startswith(GLOBAL_PREFIX) else normal_id(text, what)


def normal_digest(text: str, what: str = "SHA-256") -> str:
    """Return a SHA-256 as 64 lower-case hex digits without ``0x``, which may be there."""
    return _digits(text, what, "64 hex digits without 0x")


def is_hash(text: str) -> bool:
    """Return whether a text is written as an id or a digest is, and not as a path."""
    return text.startswith(GLOBAL_PREFIX) or _DIGEST.fullmatch(text.lower().removeprefix("0x")) is not None


def is_one_of(text: str, *values: str) -> bool:
    """Return whether a text, which may be an id or a SHA-256, has the digits of one of these."""
    return normal_digest(text) in {value.removeprefix("0x") for value in values}


def _digits(text: str, what: str, form: str) -> str:
    digits = text.lower().removeprefix("0x")
    if not _DIGEST.fullmatch(digits):
        raise InputError(f"expected a {what}, {form}, got {text!r}")
    return digits


def unsigned(value: Any, bits: int) -> int:
    """Return a whole number of a file if it fits into so many bits."""
    if type(value) is not int or not 0 <= value < 1 << bits:
        raise InputError(f"expected a whole number below {1 << bits}, got {str(value)[:80]!r}")
    return value


def checksummed(text: str, what: str = "an address") -> str:
    """Return an address with its EIP-55 checksum. In capitals and small letters it has to be the right one."""
    if not isinstance(text, str) or not _ADDRESS.fullmatch(text):
        raise InputError(f"expected {what}, 0x and 40 hex digits, got {text!r}")
    digits, written = text.lower().removeprefix("0x"), _checksum(text)
    if text[-40:] not in (digits, digits.upper(), written[2:]):
        raise InputError(
            f"expected {what} with its checksum (EIP-55), got {text!r}, where a letter's case is wrong",
            hint="A digit may be mistyped: copy the address again. All in small letters it has no checksum.",
        )
    return written


@lru_cache(maxsize=1024)
def _checksum(address: str) -> str:
    digits = address.lower().removeprefix("0x")
    signs = keccak(digits.encode()).hex()
    return "0x" + "".join(digit.upper() if sign > "7" else digit for digit, sign in zip(digits, signs, strict=False))


@dataclass(frozen=True, order=True, slots=True)
class Link:
    """An edge of the lineage, ordered as the registry orders parents."""

    parent: str
    relation: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "parent", normal_id(self.parent, "parent's record id"))


@dataclass(frozen=True, slots=True)
class RecordKey:
    """Everything that identifies a record (``RecordKey`` in interfaces/IRecords.sol).

    Args:
        kind: a `Kind`, or the lab's own number.
        author: address that answers for it, checksummed or not.
        subject: 64 hex digits.
        manifest: SHA-256 of the manifest's RFC 8785 bytes, 64 hex digits.
        parents: in any order; kept strictly ascending without repetition.
    """

    group: int
    author: str
    subject_type: int
    subject: str
    kind: int
    manifest: str
    parents: tuple[Link, ...] = field(default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "author", self.author.lower())
        object.__setattr__(self, "subject", normal_digest(self.subject, "subject"))
        object.__setattr__(self, "manifest", normal_digest(self.manifest, "manifest digest"))
        object.__setattr__(self, "parents", tuple(sorted(set(self.parents))))

    def as_abi(self) -> tuple[Any, ...]:
        """Return the key as the registry's functions take it (tuples for structs)."""
        return (
            self.group,
            _checksum(self.author),
            int(self.subject_type),
            bytes.fromhex(self.subject),
            int(self.kind),
            bytes.fromhex(self.manifest),
            [(from_hex(link.parent), int(link.relation)) for link in self.parents],
        )

    def as_json(self) -> dict[str, Any]:
        """Return the key as JSON-ready values. `from_json` reads them back."""
        return fields_json(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> RecordKey:
        """Read what `as_json` wrote, of any origin: every key that is returned has an id.

        Raises:
            InputError: if a field is missing, or is not of its form.
        """
        try:
            if not isinstance(data["parents"], list) or len(data["parents"]) > MAX_PARENTS:
                raise InputError(f"expected a list of at most {MAX_PARENTS} parents, got {str(data['parents'])[:80]}")
            return cls(
                group=unsigned(data["group"], 32),
                author=checksummed(data["author"]),
                subject_type=unsigned(data["subjectType"], 8),
                subject=data["subject"],
                kind=unsigned(data["kind"], 8),
                manifest=data["manifest"],
                parents=tuple(Link(link["parent"], unsigned(link["relation"], 8)) for link in data["parents"]),
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise InputError(f"expected a record key, got: {type(error).__name__} {str(error)[:80]}") from None


@dataclass(frozen=True, slots=True)
class Domain:
    """The EIP-712 domain of one registry on one chain."""

    chain_id: int
    registry: str

    def typed_digest(self, primary_type: str, message: dict[str, Any]) -> bytes:
        """Compute the EIP-712 digest (32 bytes) of a message: what a wallet signs, and for ``Record`` the record id."""
        domain = self.typed_data(primary_type, message)["domain"]
        return keccak(b"\x19\x01" + _hash_struct("EIP712Domain", domain) + _hash_struct(primary_type, message))

    def typed_data(self, primary_type: str, message: dict[str, Any]) -> dict[str, Any]:
        """Return the whole EIP-712 document, as wallets and ``eth_signTypedData_v4`` take it."""
        return {
            "types": {name: TYPES[name] for name in ("EIP712Domain", *_needed(primary_type))},
            "primaryType": primary_type,
            "domain": {
                "name": DOMAIN_NAME,
                "version": DOMAIN_VERSION,
                "chainId": self.chain_id,
                "verifyingContract": self.registry,
            },
            "message": message,
        }

    def record_id(self, key: RecordKey) -> str:
        """Compute the id of a key in this registry (0x-hex), which is known before the record is stored."""
        return to_hex(self.typed_digest("Record", record_message(key)))

    def global_id(self, record_id: str) -> str:
        """Return an id of this registry with its chain and registry: ``eip155:CHAIN:REGISTRY/ID``."""
        return str(GlobalId(self.chain_id, self.registry, record_id))

    def parse_id(self, text: str, what: str = "record id") -> str:
        """Read an id of this registry, alone or as `global_id` writes it.

        Raises:
            InputError: if it is no id, or names another chain or registry. The text never chooses them.
        """
        if not text.startswith(GLOBAL_PREFIX):
            return normal_id(text, what)
        record = GlobalId.parse(text)
        if (record.chain_id, record.registry) != (self.chain_id, checksummed(self.registry)):
            raise InputError(
                f"expected a {what} of registry {self.registry} on chain {self.chain_id}, got one of registry"
                f" {record.registry} on chain {record.chain_id}",
                hint=f"If you trust that chain and registry, choose them: --registry {record.registry}, and --network"
                f" or --rpc of chain {record.chain_id}.",
            )
        return record.record_id


@dataclass(frozen=True, slots=True)
class GlobalId:
    """A record id with its chain and registry, which is one text: ``eip155:CHAIN:REGISTRY/ID`` (after CAIP-10)."""

    chain_id: int
    registry: str
    record_id: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "registry", checksummed(self.registry, "a registry's address"))
        object.__setattr__(self, "record_id", normal_id(self.record_id))

    @classmethod
    def parse(cls, text: str) -> GlobalId:
        """Read ``eip155:CHAIN:REGISTRY/ID``."""
        if not (match := _GLOBAL.fullmatch(text.strip())):
            raise InputError(
                f"expected a record with its chain and registry as eip155:CHAIN:REGISTRY/ID, got {text!r}",
                hint="For example eip155:1:0x12…/0xab….",
            )
        return cls(int(match[1]), match[2], match[3])

    def __str__(self) -> str:
        """Return the one canonical text, in lower case. The subject of a Reference is its SHA-256
        (interfaces/IForeignAttestations.sol)."""
        return f"{GLOBAL_PREFIX}{self.chain_id}:{self.registry.lower()}/{self.record_id}"

    def as_abi(self) -> tuple[int, str, bytes]:
        """Return the tuple that the registry's functions take."""
        return self.chain_id, self.registry, from_hex(self.record_id)


def record_commitment(record_id: str, salt: str) -> str:
    """Compute the commitment that a seal shows of a record (0x-hex; interfaces/ISeals.sol). The salt is 32 random
    bytes, hex."""
    return to_hex(_hash_struct("RecordCommitment", {"recordId": record_id, "salt": salt}))


def verdict_commitment(group: int, attester: str, record_id: str, verdict: int, evidence: str | None, salt: str) -> str:
    """Compute the commitment that a seal shows of a verdict (0x-hex). `evidence` is a record id, or None."""
    message = {
        "group": group,
        "attester": attester,
        "recordId": record_id,
        "verdict": verdict,
        "evidence": evidence or bytes(32),
        "salt": salt,
    }
    return to_hex(_hash_struct("VerdictCommitment", message))


def keccak(data: bytes) -> bytes:
    """Compute the Keccak-256. Its library is imported by the first call."""
    from eth_hash.auto import keccak as compute

    return compute(data)


def _hash_struct(name: str, message: dict[str, Any]) -> bytes:
    """Compute EIP-712's hashStruct of a type in `TYPES`."""
    return keccak(_type_hash(name) + b"".join(_word(entry["type"], message[entry["name"]]) for entry in TYPES[name]))


@cache
def _type_hash(name: str) -> bytes:
    first, *inner = _needed(name)
    fields = {it: ",".join(f"{entry['type']} {entry['name']}" for entry in TYPES[it]) for it in (first, *inner)}
    return keccak("".join(f"{it}({fields[it]})" for it in (first, *sorted(inner))).encode())


def _word(kind: str, value: Any) -> bytes:
    """Return the 32 bytes that stand for a value in its struct's encoding (EIP-712, encodeData)."""
    if kind.endswith("[]"):
        return keccak(b"".join(_word(kind[:-2], item) for item in value))
    if kind in TYPES:
        return _hash_struct(kind, value)
    if kind == "string":
        return keccak(value.encode())
    if kind.startswith("uint"):
        return unsigned(int(value) if isinstance(value, int) else value, int(kind[4:])).to_bytes(32)
    length = 20 if kind == "address" else 32
    data = from_hex(value) if isinstance(value, str) else bytes(value)
    if len(data) != length:
        raise InputError(f"expected {length} bytes of {kind}, got {len(data)}")
    return data.rjust(32, b"\0")


def record_message(key: RecordKey) -> dict[str, Any]:
    """Return a key as the EIP-712 message ``Record``."""
    fields = (entry["name"] for entry in TYPES["Record"])
    message = dict(zip(fields, key.as_abi(), strict=True))
    message["parents"] = [{"parent": parent, "relation": relation} for parent, relation in message["parents"]]
    return message


def _fields(text: str) -> list[dict[str, str]]:
    return [dict(zip(("type", "name"), entry.split(" "), strict=True)) for entry in text.split(",")]


TYPES: dict[str, list[dict[str, str]]] = {
    "EIP712Domain": _fields("string name,string version,uint256 chainId,address verifyingContract"),
    "Link": _fields("bytes32 parent,uint8 relation"),
    "Record": _fields(
        "uint32 group,address author,uint8 subjectType,bytes32 subject,uint8 kind,bytes32 manifest,Link[] parents"
    ),
    "RecordAuthorization": _fields("Record record,uint40 deadline"),
    "AttestationAuthorization": _fields(
        "uint32 group,address attester,bytes32 recordId,uint8 verdict,bytes32 evidence,uint32 version,uint40 deadline"
    ),
    "RecordCommitment": _fields("bytes32 recordId,bytes32 salt"),
    "VerdictCommitment": _fields(
        "uint32 group,address attester,bytes32 recordId,uint8 verdict,bytes32 evidence,bytes32 salt"
    ),
    "Invitation": _fields(
        "uint32 group,address inviter,address account,uint32 roles,uint40 until,"
        "uint32 inviterVersion,uint32 version,uint40 deadline"
    ),
    "IdentityClaim": _fields(
        "address account,uint32 group,string scheme,string identifier,uint40 signedAt,bytes32 nonce"
    ),
}
"""EIP-712 types of everything that is identified, signed or sealed, as in contracts/libraries/StructHash.sol. The
registry knows nothing of an IdentityClaim: clients check it."""


def _needed(primary_type: str) -> list[str]:
    needed = [primary_type]
    for name in needed:
        for entry in TYPES[name]:
            inner = entry["type"].removesuffix("[]")
            if inner in TYPES and inner not in needed:
                needed.append(inner)
    return needed
