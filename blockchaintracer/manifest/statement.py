"""A manifest: an in-toto Statement v1 (github.com/in-toto/attestation) in RFC 8785 bytes.

Its SHA-256 is the ``manifest`` field of the record's key and, as a raw CIDv1, its address on IPFS.
"""

from __future__ import annotations

from base64 import b32encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any, Literal

from pydantic import Field

from blockchaintracer.errors import InputError
from blockchaintracer.manifest.base import MAX_BYTES, Part, canonical, parse_json
from blockchaintracer.manifest.predicates import PREDICATE_TYPE, Digest, is_content_only, predicate_of
from blockchaintracer.model import FIRST_OWN_NUMBER, Kind, RecordKey, SubjectType, label

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
UNNAMED = "_"
"""The subject's name where no name was given: a file's own name is not part of its content."""


class _DigestSet(Part):
    sha256: Digest


class _Subject(Part):
    name: Annotated[str, Field(min_length=1, max_length=200)]
    digest: _DigestSet


class _Statement(Part):
    type_: Annotated[Literal["https://in-toto.io/Statement/v1"], Field(alias="_type")]
    subject: Annotated[list[_Subject], Field(min_length=1, max_length=1)]
    predicate_type: str
    predicate: dict[str, Any]


@dataclass(frozen=True)
class Manifest:
    """What a record commits to.

    Args:
        kind: of the record.
        subject: 64 hex digits.
        predicate: of the model that `predicate_of(kind)` names.
        name: of the subject.
    """

    kind: int
    subject: str
    predicate: Any
    name: str = UNNAMED

    def to_json(self) -> dict[str, Any]:
        """The statement as plain values."""
        return {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": self.name, "digest": {"sha256": self.subject}}],
            "predicateType": predicate_type(self.kind),
            "predicate": self.predicate.to_json(),
        }

    def to_bytes(self) -> bytes:
        """The RFC 8785 bytes.

        Raises:
            InputError: if they are more than a mebibyte.
        """
        data = canonical(self.to_json())
        if len(data) > MAX_BYTES:
            raise InputError(
                f"expected a manifest of at most {MAX_BYTES} bytes, got {len(data)}",
                hint="Keep listings and histories in files and name them by digest.",
            )
        return data

    def digest(self) -> str:
        """The ``manifest`` field of the record's key: SHA-256 of the bytes, 64 hex digits."""
        return sha256(self.to_bytes()).hexdigest()

    def cid(self) -> str:
        """The manifest's IPFS address: CIDv1, raw."""
        multihash = b"\x01\x55\x12\x20" + bytes.fromhex(self.digest())
        return "b" + b32encode(multihash).decode().lower().rstrip("=")

    @property
    def subject_type(self) -> SubjectType:
        """What the predicate says that the subject is."""
        said = getattr(self.predicate, "subject_type", "identifier")
        return SubjectType[said.upper()]

    @property
    def parents(self) -> list[tuple[str, int]] | None:
        """The parents it names, as (record id, relation); None for kinds that name none."""
        if is_content_only(self.kind):
            return None
        return sorted((parent.record, parent.relation) for parent in self.predicate.parents)


def predicate_type(kind: int) -> str:
    """The type URI of a kind's predicate."""
    return f"urn:blockchaintracer:predicate:{label(kind, Kind)}:v1"


def parse_manifest(data: bytes) -> Manifest:
    """Reads a manifest that a stranger may have written.

    Raises:
        InputError: if it's too large, not JSON, not canonical, of no known predicate, or breaks a rule of it; the
            field is named.
    """
    if len(data) > MAX_BYTES:
        raise InputError(f"expected a manifest of at most {MAX_BYTES} bytes, got {len(data)}")
    statement = _Statement.read(parse_json(data, "manifest"))
    match = PREDICATE_TYPE.fullmatch(statement.predicate_type)
    names = {label(kind): int(kind) for kind in Kind}
    if not match or not (match[1] in names or match[1].isdecimal()):
        raise InputError(
            f"predicateType: expected one of this package's, version 1, got {statement.predicate_type[:80]!r}",
            hint="A newer version of blockchaintracer may know it.",
        )
    kind = names.get(match[1]) or int(match[1])
    assert kind <= max(Kind) or kind >= FIRST_OWN_NUMBER  # noqa: S101 -- the pattern admits no other
    predicate = predicate_of(kind).read(statement.predicate, "predicate")
    subject = statement.subject[0]
    manifest = Manifest(kind, subject.digest.sha256, predicate, subject.name)
    if manifest.to_bytes() != data:
        raise InputError(
            "expected the manifest in its canonical form (RFC 8785, no empty fields), got other bytes of the same values"
        )
    return manifest


def disagreements(manifest: Manifest, key: RecordKey) -> list[str]:
    """Where a manifest and the key of its record contradict each other, in words; empty if nowhere."""
    found = []
    for what, said, kept in (
        ("manifest digest", manifest.digest(), key.manifest),
        ("kind", label(manifest.kind, Kind), label(key.kind, Kind)),
        ("subject type", label(manifest.subject_type), label(key.subject_type, SubjectType)),
        ("subject", manifest.subject, key.subject),
    ):
        if said != kept:
            found.append(f"{what}: the manifest says {said}, the record {kept}")
    parents = [(link.parent, link.relation) for link in key.parents]
    if manifest.parents is not None and manifest.parents != parents:
        found.append(f"parents: the manifest names {len(manifest.parents)}, the record {len(parents)}, and they differ")
    return found
