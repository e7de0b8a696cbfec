"""EIP-712 hashes of what the registry identifies and accepts signatures over, written out field by field.

It shares nothing with the client, so that tests can hold one against the other and both against the contract.
"""

from __future__ import annotations

from typing import NamedTuple

from eth_hash.auto import keccak

LINK = "Link(bytes32 parent,uint8 relation)"
RECORD = (
    "Record(uint32 group,address author,uint8 subjectType,bytes32 subject,uint8 kind,bytes32 manifest,Link[] parents)"
)
RECORD_AUTHORIZATION = "RecordAuthorization(Record record,uint40 deadline)"
ATTESTATION_AUTHORIZATION = (
    "AttestationAuthorization(uint32 group,address attester,bytes32 recordId,uint8 verdict,bytes32 evidence,"
    "uint32 version,uint40 deadline)"
)
INVITATION = (
    "Invitation(uint32 group,address inviter,address account,uint32 roles,uint40 until,"
    "uint32 inviterVersion,uint32 version,uint40 deadline)"
)
RECORD_COMMITMENT = "RecordCommitment(bytes32 recordId,bytes32 salt)"
VERDICT_COMMITMENT = (
    "VerdictCommitment(uint32 group,address attester,bytes32 recordId,uint8 verdict,bytes32 evidence,bytes32 salt)"
)
DOMAIN = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"

LINK_TYPE = keccak(LINK.encode())
RECORD_TYPE = keccak((RECORD + LINK).encode())
# referenced types follow the primary one in alphabetical order
RECORD_AUTHORIZATION_TYPE = keccak((RECORD_AUTHORIZATION + LINK + RECORD).encode())
ATTESTATION_AUTHORIZATION_TYPE = keccak(ATTESTATION_AUTHORIZATION.encode())
INVITATION_TYPE = keccak(INVITATION.encode())
RECORD_COMMITMENT_TYPE = keccak(RECORD_COMMITMENT.encode())
VERDICT_COMMITMENT_TYPE = keccak(VERDICT_COMMITMENT.encode())
DOMAIN_TYPE = keccak(DOMAIN.encode())


class Key(NamedTuple):
    """The contract's RecordKey as given, in whatever order and with whatever numbers."""

    group: int
    author: str
    subject_type: int
    subject: bytes
    kind: int
    manifest: bytes
    parents: tuple[tuple[bytes, int], ...] = ()


class Invitation(NamedTuple):
    """The contract's Invitation."""

    group: int
    inviter: str
    account: str
    roles: int
    until: int
    inviter_version: int
    version: int
    deadline: int


def word(value: int | str | bytes) -> bytes:
    """One ABI word: numbers and addresses to the right, 32 bytes as they are."""
    if isinstance(value, bytes):
        return value
    return (int(value, 16) if isinstance(value, str) else value).to_bytes(32, "big")


def struct(type_hash: bytes, *fields: int | str | bytes) -> bytes:
    """hashStruct of EIP-712."""
    return keccak(type_hash + b"".join(map(word, fields)))


def record_struct(key: Key) -> bytes:
    """hashStruct of a record's key."""
    links = b"".join(struct(LINK_TYPE, parent, relation) for parent, relation in key.parents)
    return struct(RECORD_TYPE, *key[:-1], keccak(links))


def record_commitment(record: bytes, salt: bytes) -> bytes:
    """What an author seals of a record to come."""
    return struct(RECORD_COMMITMENT_TYPE, record, salt)


def verdict_commitment(group: int, attester: str, record: bytes, verdict: int, evidence: bytes, salt: bytes) -> bytes:
    """What a reviewer seals of a verdict to come."""
    return struct(VERDICT_COMMITMENT_TYPE, group, attester, record, verdict, evidence, salt)


class Domain(NamedTuple):
    """The EIP-712 domain of one registry on one chain."""

    chain_id: int
    registry: str

    def digest(self, struct_hash: bytes) -> bytes:
        """What is signed, and for a record its id."""
        name, version = keccak(b"BlockchainTracer LabRegistry"), keccak(b"1")
        separator = struct(DOMAIN_TYPE, name, version, self.chain_id, self.registry)
        return keccak(b"\x19\x01" + separator + struct_hash)

    def record_id(self, key: Key) -> bytes:
        """The id of a record."""
        return self.digest(record_struct(key))

    def record_authorization(self, key: Key, deadline: int) -> bytes:
        """What an author signs for a relayed record."""
        return self.digest(struct(RECORD_AUTHORIZATION_TYPE, record_struct(key), deadline))

    def attestation_authorization(
        self, group: int, attester: str, record: bytes, verdict: int, evidence: bytes, version: int, deadline: int
    ) -> bytes:
        """What an attester signs for a relayed verdict."""
        fields = (group, attester, record, verdict, evidence, version, deadline)
        return self.digest(struct(ATTESTATION_AUTHORIZATION_TYPE, *fields))

    def invitation(self, invitation: Invitation) -> bytes:
        """What an inviter signs."""
        return self.digest(struct(INVITATION_TYPE, *invitation))
