"""The manifest of a record: an in-toto Statement v1 in RFC 8785 bytes, and whether it fits a record's key."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Any, Literal

from pydantic import Field, GetPydanticSchema, ValidationInfo, field_validator, model_validator

from blockchaintracer.core.digest import cid_of_sha256
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import Format
from blockchaintracer.core.manifest.base import Part
from blockchaintracer.core.manifest.predicates import (
    ContentPredicate,
    Digest,
    IdentityClaimPredicate,
    Line,
    Predicate,
    RecordPredicate,
    ReferencePredicate,
    RenewalPredicate,
    RunPredicate,
    WitnessPredicate,
    identifier_of,
    predicate_class,
)
from blockchaintracer.core.plain_json import MAX_BYTES, canonical, parse_json, plain, refuse
from blockchaintracer.core.record import Kind, Link, RecordKey, SubjectType, label, parse_number

STATEMENT_TYPE: Literal["https://in-toto.io/Statement/v1"] = "https://in-toto.io/Statement/v1"
UNNAMED = "_"
"""Name of the subject of content that was given none: the base name of a file is not part of its content."""

_PREFIX, _SUFFIX = "urn:blockchaintracer:predicate:", ":v1"
_VERSIONED = re.compile(r"urn:blockchaintracer:(predicate:[a-z0-9-]+):v[1-9][0-9]*")


def predicate_type(kind: int) -> str:
    """Return the URN of a kind's predicate: ``urn:blockchaintracer:predicate:run:v1``, or its number for the lab's
    own."""
    return f"{_PREFIX}{label(kind, Kind)}{_SUFFIX}"


def kind_of(urn: str) -> int:
    """Return the kind that the URN of a predicate names.

    Raises:
        UnknownVersion: if it is of a version that this program does not read.
        ValueError: if it is no such URN.
    """
    if match := _VERSIONED.fullmatch(urn):
        Format(match[1]).check(urn, "the manifest")
    try:
        kind = parse_number(urn.removeprefix(_PREFIX).removesuffix(_SUFFIX), Kind)
        if predicate_type(kind) == urn:
            return kind
    except InputError:
        pass
    raise ValueError(f"{_PREFIX}<kind>{_SUFFIX} of a known kind")


class DigestSet(Part):
    """The digests of a subject: one, its SHA-256."""

    sha256: Digest


class Subject(Part):
    """What the statement is about."""

    name: Line
    digest: DigestSet


class Manifest(Part):
    """An in-toto Statement v1 about one subject. `of` builds it, `parse_manifest` reads it.

    Raises:
        InputError: naming each field that is wrong, on construction.
    """

    type_: Literal["https://in-toto.io/Statement/v1"] = Field(default=STATEMENT_TYPE, alias="_type")
    predicate_type: str
    # built and checked by `_to_plain` and `_fits_type`: no schema of all kinds
    predicate: Annotated[Predicate, GetPydanticSchema(lambda _, handler: handler(Any))]
    subject: Annotated[tuple[Subject], Field(strict=False)]

    @classmethod
    def of(cls, kind: int, predicate: Predicate, sha256: str | None = None) -> Manifest:
        """Build the manifest of a record.

        Args:
            kind: a `Kind`, or the lab's own number.
            predicate: of the class that the kind has (`predicate_class`).
            sha256: the subject's digest, 64 hex digits; left out where the predicate holds what it is
                of: an identifier or a statement.

        Raises:
            InputError: naming the field, if they don't belong together.
        """
        identifier = identifier_of(predicate)
        if sha256 is None and identifier is not None:
            sha256 = hashlib.sha256(identifier.encode("ascii")).hexdigest()
        if sha256 is None and isinstance(predicate, IdentityClaimPredicate):
            sha256 = predicate.statement.digest()
        subject = {"name": predicate.name or UNNAMED, "digest": {"sha256": sha256}}
        return cls.from_plain({"predicateType": predicate_type(kind), "predicate": predicate, "subject": [subject]})

    def to_bytes(self) -> bytes:
        """Return the RFC 8785 bytes that the record commits to."""
        data = canonical(self.to_json())
        if len(data) > MAX_BYTES:
            raise InputError(
                f"expected a manifest of at most {MAX_BYTES} bytes, got {len(data)}",
                hint="Keep listings, histories and diffs in files and attach them by digest.",
            )
        return data

    def digest(self) -> str:
        """Return the SHA-256 of `to_bytes`, 64 hex digits: the ``manifest`` field of the record key."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def cid(self) -> str:
        """Return the IPFS address of `to_bytes` (CIDv1, raw, base32), which is the same digest."""
        return cid_of_sha256(self.digest())

    @property
    def kind(self) -> int:
        """A `Kind`, or the lab's own number."""
        return kind_of(self.predicate_type)

    @property
    def subject_type(self) -> SubjectType:
        """What `subject_digest` is the digest of."""
        if isinstance(self.predicate, RunPredicate | ReferencePredicate):
            return SubjectType.IDENTIFIER
        return SubjectType[self.predicate.subject_type.upper()]

    @property
    def subject_digest(self) -> str:
        """SHA-256 of the subject, 64 hex digits."""
        return self.subject[0].digest.sha256

    @property
    def parents(self) -> tuple[Link, ...] | None:
        """The stated parents, ascending. None for content, which states none and fits any."""
        return None if isinstance(self.predicate, ContentPredicate) else self.predicate.links()

    @field_validator("predicate_type")
    @classmethod
    def _known_type(cls, urn: str) -> str:
        kind_of(urn)
        return urn

    @model_validator(mode="before")
    @classmethod
    def _to_plain(cls, data: Any) -> Any:
        data = plain(data)
        if not isinstance(data, dict):
            return data
        if not isinstance(data.get("predicate", {}), dict | Part):
            refuse("predicate", "an object", data["predicate"])
        if isinstance(data.get("predicate"), dict):
            urn = data.get("predicateType")
            try:
                kind = kind_of(urn if isinstance(urn, str) else "")
            except ValueError as error:
                refuse("predicateType", str(error), urn)
            data["predicate"] = predicate_class(kind).from_plain(data["predicate"], "predicate")
        return data

    @field_validator("predicate")
    @classmethod
    def _fits_type(cls, predicate: Predicate, info: ValidationInfo) -> Predicate:
        if "predicate_type" in info.data:
            expected = predicate_class(kind_of(info.data["predicate_type"]))
            if not isinstance(predicate, expected):
                raise ValueError(f"a {expected.__name__} for this predicate type")
        return predicate

    @field_validator("subject")
    @classmethod
    def _fits_predicate(cls, subjects: tuple[Subject], info: ValidationInfo) -> tuple[Subject]:
        predicate = info.data.get("predicate")
        if predicate is None:
            return subjects
        (subject,) = subjects
        if subject.name != (predicate.name or UNNAMED):
            raise ValueError(f"the subject's name to be the predicate's, or {UNNAMED!r} where it has none")
        identifier = identifier_of(predicate)
        if identifier is not None and subject.digest.sha256 != hashlib.sha256(identifier.encode("ascii")).hexdigest():
            what = "runId" if isinstance(predicate, RunPredicate) else "identifier"
            raise ValueError(f"the subject's digest to be the SHA-256 of the predicate's {what}")
        encrypted = predicate.encrypted if isinstance(predicate, ContentPredicate | RecordPredicate) else None
        if encrypted is not None and subject.digest.sha256 != encrypted.commitment:
            raise ValueError("the subject's digest to be the commitment of what is encrypted")
        if isinstance(predicate, RenewalPredicate) and subject.digest.sha256 != predicate.roots.sha3_256:
            raise ValueError("the subject's digest to be the root by SHA3-256")
        if isinstance(predicate, WitnessPredicate) and subject.digest.sha256 != predicate.receipt.sha256:
            raise ValueError("the subject's digest to be that of the receipt")
        if isinstance(predicate, IdentityClaimPredicate) and subject.digest.sha256 != predicate.statement.digest():
            raise ValueError("the subject's digest to be the EIP-712 digest of the statement")
        return subjects


def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest from its bytes.

    Raises:
        InputError: naming the field, if they are more than `MAX_BYTES`, no JSON, not in RFC 8785's form, of an unknown
            predicate, or break any rule of its model.
    """
    if len(data) > MAX_BYTES:
        raise InputError(f"manifest: expected at most {MAX_BYTES} bytes, got {len(data)}")
    manifest = Manifest.from_plain(parse_json(data, "manifest"))
    expected = manifest.to_bytes()
    if expected != data:
        offset = next((i for i, (a, b) in enumerate(zip(expected, data, strict=False)) if a != b), len(expected))
        raise InputError(
            f"manifest: expected the canonical form of RFC 8785, got other bytes from byte {offset} on",
            hint="Keep and hand on the exact bytes that were recorded.",
            offset=offset,
        )
    return manifest


def check_against_key(manifest: Manifest, key: RecordKey) -> list[str]:
    """Say in which fields a manifest and a record key contradict each other, and what each says.

    That the key commits to this very manifest (``key.manifest == manifest.digest()``) is for the caller to check.
    Parents are compared where the kind's predicate states them: content states none.
    """
    pairs = [
        ("kind", label(manifest.kind, Kind), label(key.kind, Kind)),
        ("subjectType", label(manifest.subject_type, SubjectType), label(key.subject_type, SubjectType)),
        ("subject", manifest.subject_digest, key.subject),
    ]
    if manifest.parents is not None:
        pairs.append(("parents", _links(manifest.parents), _links(key.parents)))
    return [
        f"{field}: the manifest says {ours}, the record {theirs}" for field, ours, theirs in pairs if ours != theirs
    ]


def _links(links: tuple[Link, ...]) -> str:
    return ", ".join(f"{link.parent}:{int(link.relation)}" for link in links) or "none"
