"""The registry as plain Python: the same operations, answers, refusals, events and state, written to be read.

Nothing is packed, counters are counted from the verdicts, ids come from tests/model/eip712.py. A refused operation
changes nothing. Where the contract checks several things, the model checks them in the same order.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from . import merkle
from .eip712 import (
    INVITATION_TYPE,
    Domain,
    Invitation,
    Key,
    record_commitment,
    struct,
    verdict_commitment,
)

MAINTAINER, RECORDER, REVIEWER = 1, 2, 4
ALL_ROLES = MAINTAINER | RECORDER | REVIEWER
MAX_PARENTS = 1024
MAX_COUNT = 2**22 - 1
NO_END = 2**40 - 1
RUN, REFERENCE = 3, 10
LAST_KIND, LAST_SUBJECT_TYPE, LAST_RELATION, FIRST_OWN = 14, 6, 14, 128
ABOUT = {8, 9, 10, 11, 12, 13}
"""Relations in which a record speaks about its parent and does not rest on it."""
LAST_VERSION = 2**32 - 1
IDENTIFIER = 4
REPRODUCES = 8
NONE, REVIEWED, REPRODUCED, NOT_REPRODUCED, DISPUTED = range(5)
UNKNOWN, CANCELLED, RECORDED, RETRACTED = range(4)
NOT_RECORDED, EVIDENCE_RETRACTED, NOT_A_RUN, OTHER_GROUP, NOT_LINKED = range(5)
CLEAN, FOREIGN, INCOMPLETE, LINEAGE_RETRACTED = range(4)
BATCHED_FLAG, CANCELLED_FLAG = 1, 2
NOBODY = "0x" + "00" * 20
ZERO = bytes(32)


class Refused(Exception):
    """The registry refuses an operation: the error's name and its arguments."""

    def __init__(self, name: str, *arguments: Any) -> None:
        super().__init__(name, arguments)
        self.name = name
        self.arguments = arguments


class Event(NamedTuple):
    """An event: its name and its arguments in the order in which the ABI declares them."""

    name: str
    arguments: tuple[Any, ...]


class Signature(NamedTuple):
    """Bytes that someone calls a signature, and what a verifier finds in them.

    `signer` and `digest` say who signed what; `plain` is False for forms that must not be accepted.
    """

    raw: bytes
    signer: str = NOBODY
    digest: bytes = ZERO
    plain: bool = True


class Group(NamedTuple):
    owner: str
    pending_owner: str
    created_at: int


class Membership(NamedTuple):
    roles: int = 0
    since: int = 0
    until: int = 0
    version: int = 0


class Record(NamedTuple):
    key: Key
    recorded_at: int
    retracted_at: int = 0
    sealed_at: int = 0
    batched: bool = False


class Attestation(NamedTuple):
    verdict: int = NONE
    evidence: bytes = ZERO
    attested_at: int = 0
    sealed_at: int = 0
    version: int = 0


class Batch(NamedTuple):
    """In the order of the contract's batchOf."""

    anchored_at: int = 0
    count: int = 0
    counted: bool = False
    ended_at: int = 0


class ForeignRecord(NamedTuple):
    """The contract's ForeignRecord."""

    chain_id: int
    registry: str
    record: bytes

    @property
    def name(self) -> str:
        """What the subject of a Reference to it is the SHA-256 of."""
        return f"eip155:{self.chain_id}:{self.registry}/0x{self.record.hex()}"


class ForeignAttestation(NamedTuple):
    """The contract's ForeignAttestation."""

    verdict: int = NONE
    evidence: bytes = ZERO
    attested_at: int = 0
    version: int = 0


@dataclass
class State:
    """Everything the registry remembers. The values never change, so a shallow copy is a snapshot."""

    owner: str
    pending_owner: str = NOBODY
    successor: tuple[int, str] = (0, NOBODY)
    groups: dict[int, Group] = field(default_factory=dict)
    memberships: dict[tuple[int, str], Membership] = field(default_factory=dict)
    invitations: set[Invitation] = field(default_factory=set)
    records: dict[bytes, Record] = field(default_factory=dict)
    cancelled: set[bytes] = field(default_factory=set)
    attestations: dict[tuple[int, bytes], Attestation] = field(default_factory=dict)
    seals: dict[tuple[int, str, bytes], int] = field(default_factory=dict)
    batches: dict[tuple[int, str, bytes], Batch] = field(default_factory=dict)
    foreign_attestations: dict[tuple[int, ForeignRecord], ForeignAttestation] = field(default_factory=dict)

    def copy(self) -> State:
        return replace(
            self,
            groups=dict(self.groups),
            memberships=dict(self.memberships),
            invitations=set(self.invitations),
            records=dict(self.records),
            cancelled=set(self.cancelled),
            attestations=dict(self.attestations),
            seals=dict(self.seals),
            batches=dict(self.batches),
            foreign_attestations=dict(self.foreign_attestations),
        )

    def drop_foreign_verdicts_on(self, evidence: bytes) -> None:
        """What groups said of foreign records on the strength of this evidence falls with it; no event says so."""
        for place, current in self.foreign_attestations.items():
            if current.evidence == evidence:
                self.foreign_attestations[place] = ForeignAttestation(version=current.version)


class Registry:
    """One registry on one chain.

    Args:
        domain: chain and address, which ids and signatures are bound to.
        owner: who owns the registry.
        open_groups: whether anyone may create groups.
        wallets: addresses with code, and the key whose signatures each accepts (ERC-1271).
    """

    def __init__(self, domain: Domain, owner: str, open_groups: bool, wallets: dict[str, str] | None = None) -> None:
        self.domain = domain
        self.open_groups = open_groups
        self.wallets = wallets or {}
        self.now = 0
        self.state = State(owner)
        self.events: list[Event] = []

    def call(self, caller: str, function: str, *arguments: Any) -> tuple[Any, list[Event]]:
        """Runs a function of the contract by its name, as one transaction: what it returns and emits.

        Raises:
            Refused: and then nothing has changed.
        """
        before, self.events = self.state.copy(), []
        try:
            returned = getattr(self, re.sub("([A-Z])", r"_\1", function).lower())(caller, *arguments)
        except Refused:
            self.state = before
            raise
        return returned, self.events

    # groups

    def create_group(self, caller: str, roles: int, manifest: bytes) -> int:
        if not self.open_groups and caller != self.state.owner:
            raise Refused("GroupCreationRestricted", caller)
        group = len(self.state.groups) + 1
        self.state.groups[group] = Group(owner=caller, pending_owner=NOBODY, created_at=self.now)
        self._emit("GroupCreated", group, caller, manifest)
        if roles:
            self._set_membership(group, caller, caller, Membership(roles, self.now, NO_END, 1))
        return group

    def describe_group(self, caller: str, group: int, manifest: bytes) -> None:
        self._require_owner(group, caller)
        self._emit("GroupDescribed", group, manifest)

    def transfer_group(self, caller: str, group: int, to: str) -> None:
        stored = self._require_owner(group, caller)
        self.state.groups[group] = stored._replace(pending_owner=to)
        self._emit("GroupTransferStarted", group, caller, to)

    def accept_group(self, caller: str, group: int) -> None:
        stored = self.state.groups.get(group)
        if stored is None or stored.pending_owner != caller:
            raise Refused("NotPendingGroupOwner", group, caller)
        self.state.groups[group] = stored._replace(owner=caller, pending_owner=NOBODY)
        self._emit("GroupTransferred", group, stored.owner, caller)
        before = self.membership(group, stored.owner)
        self._change_membership(group, stored.owner, caller, before._replace(version=_raised(before.version)))

    def invite(self, caller: str, invitation: Invitation) -> None:
        if invitation.inviter != caller:
            raise Refused("NotInviter", invitation.inviter, caller)
        self._require_open(invitation)
        self.state.invitations.add(invitation)
        self._emit("Invited", *invitation)

    def join(self, caller: str, invitation: Invitation) -> None:
        if invitation not in self.state.invitations:
            raise Refused("UnknownInvitation", struct(INVITATION_TYPE, *invitation))
        self._join(caller, invitation)

    def join_by_sig(self, caller: str, invitation: Invitation, signature: Signature) -> None:
        self._require_signature(invitation.inviter, self.domain.invitation(invitation), invitation.deadline, signature)
        self._join(caller, invitation)

    def _join(self, caller: str, invitation: Invitation) -> None:
        if invitation.account != caller:
            raise Refused("NotInvited", invitation.account, caller)
        self._require_open(invitation)
        membership = Membership(invitation.roles, self.now, invitation.until, invitation.version + 1)
        self._set_membership(invitation.group, caller, invitation.inviter, membership)

    def _require_open(self, invitation: Invitation) -> None:
        """An invitation can be accepted now: in time, by what its inviter may, and nothing changed since."""
        group, inviter, account, roles, until, inviter_version, version, deadline = invitation
        if self.now > deadline:
            raise Refused("InvitationExpired", deadline, self.now)
        if until <= self.now:
            raise Refused("MembershipEnded", until)
        if not 0 < roles <= ALL_ROLES:
            raise Refused("InvalidRoles", roles)
        for member, named in ((account, version), (inviter, inviter_version)):
            current = self.membership(group, member).version
            if named != current or named == LAST_VERSION:
                raise Refused("StaleInvitation", member, named, current)
        self._require_manager(group, account, inviter, roles)

    def remove_member(self, caller: str, group: int, account: str) -> None:
        if group not in self.state.groups:
            raise Refused("UnknownGroup", group)
        if caller != account:
            self._require_manager(group, account, caller, roles=0)
        current = self.membership(group, account)
        ended = current._replace(until=min(current.until, self.now), version=_raised(current.version))
        self._change_membership(group, account, caller, ended)

    # records

    def record(self, caller: str, key: Key) -> bytes:
        self._require_author(caller, key)
        record_id = self._require_absent(key)
        self._record(record_id, key)
        return record_id

    def record_many(self, caller: str, keys: Iterable[Key]) -> tuple[bytes, ...]:
        ids = []
        for key in keys:
            self._require_author(caller, key)
            record_id = self.domain.record_id(key)
            if record_id not in self.state.records:
                self._record(record_id, key)
            ids.append(record_id)
        return tuple(ids)

    def record_by_sig(self, caller: str, key: Key, deadline: int, signature: Signature) -> bytes:
        record_id = self._require_absent(key)
        if record_id in self.state.cancelled:
            raise Refused("RecordIsCancelled", record_id)
        self._require_signature(key.author, self.domain.record_authorization(key, deadline), deadline, signature)
        self._record(record_id, key)
        return record_id

    def cancel(self, caller: str, key: Key) -> bytes:
        record_id = self._require_absent(key)
        self._require_may_disown(caller, key.group, key.author)
        self.state.cancelled.add(record_id)
        self._emit("RecordCancelled", key.group, caller, record_id)
        return record_id

    def retract(self, caller: str, key: Key, reason: bytes) -> bytes:
        record_id = self.domain.record_id(key)
        stored = self._require_record(record_id)
        if stored.retracted_at:
            raise Refused("AlreadyRetracted", record_id, stored.retracted_at)
        self._require_may_disown(caller, key.group, key.author)
        self.state.records[record_id] = stored._replace(retracted_at=self.now)
        self._emit("Retracted", key.group, caller, record_id, reason)
        for parent, relation in key.parents:
            current = self.attestation(key.group, parent)
            stands_on_it = current.verdict in (REPRODUCED, NOT_REPRODUCED) and current.evidence == record_id
            if relation == REPRODUCES and stands_on_it:
                self._withdraw(caller, key.group, parent)
        self.state.drop_foreign_verdicts_on(record_id)
        return record_id

    # verdicts

    def attest(self, caller: str, group: int, record_id: bytes, verdict: int) -> None:
        self._require_none_needed(verdict)
        self._attest(group, caller, record_id, verdict, ZERO)

    def attest_with_evidence(self, caller: str, group: int, record_id: bytes, verdict: int, evidence: Key) -> None:
        evidence_id = self._require_evidence(group, record_id, verdict, evidence)
        self._attest(group, caller, record_id, verdict, evidence_id)

    def attest_by_sig(
        self,
        caller: str,
        group: int,
        attester: str,
        record_id: bytes,
        verdict: int,
        deadline: int,
        signature: Signature,
    ) -> None:
        self._require_none_needed(verdict)
        self._attest_by_sig(group, attester, record_id, verdict, ZERO, deadline, signature)

    def attest_with_evidence_by_sig(
        self,
        caller: str,
        group: int,
        attester: str,
        record_id: bytes,
        verdict: int,
        evidence: Key,
        deadline: int,
        signature: Signature,
    ) -> None:
        evidence_id = self._require_evidence(group, record_id, verdict, evidence)
        self._attest_by_sig(group, attester, record_id, verdict, evidence_id, deadline, signature)

    def withdraw(self, caller: str, group: int, record_id: bytes) -> None:
        self._require_role(group, caller, REVIEWER)
        self._require_record(record_id)
        self._withdraw(caller, group, record_id)

    # seals

    def seal(self, caller: str, group: int, commitment: bytes) -> None:
        self._require_role(group, caller, RECORDER | REVIEWER)
        if time := self.sealed_at(group, caller, commitment):
            raise Refused("AlreadySealed", commitment, time)
        self.state.seals[group, caller, commitment] = self.now
        self._emit("Sealed", group, caller, commitment)

    def reveal(self, caller: str, key: Key, salt: bytes) -> bytes:
        self._require_author(caller, key)
        record_id = self._require_absent(key)
        commitment = record_commitment(record_id, salt)
        time = self._require_seal(key.group, caller, commitment)
        self._record(record_id, key, sealed_at=time)
        self._emit("Revealed", record_id, commitment, time)
        return record_id

    def reveal_verdict(self, caller: str, group: int, record_id: bytes, verdict: int, salt: bytes) -> None:
        commitment = verdict_commitment(group, caller, record_id, verdict, ZERO, salt)
        time = self._require_seal(group, caller, commitment)
        self._require_none_needed(verdict)
        self._attest(group, caller, record_id, verdict, ZERO, sealed_at=time)
        self._emit("VerdictRevealed", group, record_id, commitment, time)

    def reveal_verdict_with_evidence(
        self, caller: str, group: int, record_id: bytes, verdict: int, evidence: Key, salt: bytes
    ) -> None:
        evidence_id = self.domain.record_id(evidence)
        commitment = verdict_commitment(group, caller, record_id, verdict, evidence_id, salt)
        time = self._require_seal(group, caller, commitment)
        if evidence_id not in self.state.records:
            self._require_author(caller, evidence)
            self._record(evidence_id, evidence, sealed_at=time)
            self._emit("Revealed", evidence_id, commitment, time)
        self._require_evidence(group, record_id, verdict, evidence)
        self._attest(group, caller, record_id, verdict, evidence_id, sealed_at=time)
        self._emit("VerdictRevealed", group, record_id, commitment, time)

    # batches

    def anchor(self, caller: str, group: int, root: bytes, declared_count: int, manifest: bytes) -> None:
        if declared_count == 0:
            raise Refused("EmptyBatch")
        self._anchor(caller, group, root, declared_count, counted=False)
        self._emit("Anchored", group, caller, root, declared_count, manifest)

    def anchor_leaves(self, caller: str, group: int, ids: tuple[bytes, ...]) -> bytes:
        if not ids:
            raise Refused("EmptyBatch")
        for index, (before, record_id) in enumerate(zip((ZERO, *ids), ids, strict=False)):
            if record_id <= before:
                raise Refused("IdsNotAscending", index)
        root = merkle.root(ids)
        self._anchor(caller, group, root, len(ids), counted=True)
        self._emit("LeavesAnchored", group, caller, root, len(ids))
        return root

    def end_batch(self, caller: str, group: int, author: str, root: bytes) -> None:
        self._require_may_disown(caller, group, author)
        batch = self._require_open_batch(group, author, root)
        self.state.batches[group, author, root] = batch._replace(ended_at=self.now)
        self._emit("BatchEnded", group, caller, author, root)

    def materialize(self, caller: str, key: Key, root: bytes, proof: tuple[bytes, ...]) -> bytes:
        record_id = self._require_absent(key)
        if record_id in self.state.cancelled:
            raise Refused("RecordIsCancelled", record_id)
        time = self._require_open_batch(key.group, key.author, root).anchored_at
        if merkle.climb(record_id, proof) != root:
            raise Refused("NotInBatch", record_id, root)
        self._store(record_id, Record(key, recorded_at=time, batched=True))
        self._emit("Materialized", record_id, root, time)
        return record_id

    # verdicts on records elsewhere

    def attest_foreign(self, caller: str, group: int, foreign: ForeignRecord, verdict: int) -> None:
        self._require_foreign_reviewer(caller, group, foreign)
        self._require_none_needed(verdict)
        if verdict == NONE and self.foreign_verdict_of(group, foreign).verdict == NONE:
            raise Refused("NoVerdict", group, foreign.record)
        self._attest_foreign(caller, group, foreign, verdict, ZERO)

    def attest_foreign_with_evidence(
        self, caller: str, group: int, foreign: ForeignRecord, verdict: int, reference: Key, run: Key
    ) -> None:
        self._require_foreign_reviewer(caller, group, foreign)
        if verdict not in (REPRODUCED, NOT_REPRODUCED):
            raise Refused("InvalidVerdict", verdict)
        reference_id, subject = self.domain.record_id(reference), hashlib.sha256(foreign.name.encode()).digest()
        if (reference.kind, reference.subject_type, reference.subject) != (REFERENCE, IDENTIFIER, subject):
            raise Refused("NotTheReference", reference_id, subject)
        if reference_id in self.state.records and self.state.records[reference_id].retracted_at:
            raise Refused("EvidenceUnusable", reference_id, EVIDENCE_RETRACTED)
        evidence_id = self._require_evidence(group, reference_id, verdict, run)
        self._attest_foreign(caller, group, foreign, verdict, evidence_id)

    # the registry itself

    def announce_successor(self, caller: str, chain_id: int, registry: str) -> None:
        self._require_registry_owner(caller)
        self.state.successor = chain_id, registry
        self._emit("SuccessorAnnounced", chain_id, registry)

    def transfer_ownership(self, caller: str, to: str) -> None:
        self._require_registry_owner(caller)
        self.state.pending_owner = to
        self._emit("OwnershipTransferStarted", caller, to)

    def accept_ownership(self, caller: str) -> None:
        if caller != self.state.pending_owner:
            raise Refused("OwnableUnauthorizedAccount", caller)
        self._own(caller)

    def renounce_ownership(self, caller: str) -> None:
        self._require_registry_owner(caller)
        if not self.open_groups:
            raise Refused("OwnerNeeded")
        self._own(NOBODY)

    # what can be read

    def membership(self, group: int, account: str) -> Membership:
        return self.state.memberships.get((group, account), Membership())

    def holds(self, group: int, account: str, roles: int) -> bool:
        """Whether the account holds one of these roles now."""
        held = self.membership(group, account)
        return held.roles & roles != 0 and held.since <= self.now < held.until

    def attestation(self, group: int, record_id: bytes) -> Attestation:
        return self.state.attestations.get((group, record_id), Attestation())

    def count(self, record_id: bytes, verdict: int) -> int:
        """How many groups currently say this of a record; MAX_COUNT stands for that many or more."""
        given = self.state.attestations.items()
        return min(sum(record == record_id and said.verdict == verdict for (_, record), said in given), MAX_COUNT)

    def status_of(self, record_id: bytes) -> tuple[int, ...]:
        """The fields of the contract's RecordStatus."""
        stored = self.state.records.get(record_id)
        if stored is None:
            cancelled = record_id in self.state.cancelled
            return (0, 0, CANCELLED if cancelled else UNKNOWN, CANCELLED_FLAG if cancelled else 0, *[0] * 7)
        counts = [self.count(record_id, verdict) for verdict in (REVIEWED, REPRODUCED, NOT_REPRODUCED, DISPUTED)]
        status = RETRACTED if stored.retracted_at else RECORDED
        flags, key = BATCHED_FLAG if stored.batched else 0, stored.key
        times = (stored.recorded_at, stored.retracted_at, stored.sealed_at)
        return (key.group, key.kind, status, flags, *times, *counts)

    def verdict_of(self, group: int, record_id: bytes) -> tuple[int, ...]:
        """The fields of the contract's Attestation."""
        verdict, evidence, *rest = self.attestation(group, record_id)
        return (verdict, int.from_bytes(evidence[15:]), *rest)

    def is_parent(self, key: Key, parent: bytes, relation: int) -> bool:
        return self.domain.record_id(key) in self.state.records and (parent, relation) in key.parents

    def sealed_at(self, group: int, author: str, commitment: bytes) -> int:
        return self.state.seals.get((group, author, commitment), 0)

    def batch(self, group: int, author: str, root: bytes) -> Batch:
        return self.state.batches.get((group, author, root), Batch())

    def batched_at(
        self, group: int, author: str, record_id: bytes, root: bytes, proof: tuple[bytes, ...]
    ) -> tuple[int, int]:
        batch = self.batch(group, author, root) if merkle.climb(record_id, proof) == root else Batch()
        return batch.anchored_at, batch.ended_at

    def foreign_verdict_of(self, group: int, foreign: ForeignRecord) -> ForeignAttestation:
        return self.state.foreign_attestations.get((group, foreign), ForeignAttestation())

    def places(self, path: Iterable[Key]) -> tuple[int, ...]:
        """Where in a path each parent of each key is; one beyond the path if it isn't before its child."""
        keys = list(path)
        ids = [self.domain.record_id(key) for key in keys]
        return tuple(
            ids.index(parent) if parent in ids[:at] else len(ids)
            for at, key in enumerate(keys)
            for parent, _ in key.parents
        )

    def lineage_status(self, path: Iterable[Key]) -> tuple[int, bytes]:
        """The worst that is found, and the first record for which it is found, where `places` are named."""
        keys = list(path)
        ids = [self.domain.record_id(key) for key in keys]
        found = [
            self._lineage_of(key, record_id, ids[:at])
            for at, (key, record_id) in enumerate(zip(keys, ids, strict=True))
        ]
        if not found:
            return INCOMPLETE, ZERO
        worst = max(found)
        return worst, ids[found.index(worst)] if worst else ZERO

    # the rules

    def _emit(self, name: str, *arguments: Any) -> None:
        self.events.append(Event(name, arguments))

    def _require_registry_owner(self, caller: str) -> None:
        if caller != self.state.owner:
            raise Refused("OwnableUnauthorizedAccount", caller)

    def _own(self, owner: str) -> None:
        self._emit("OwnershipTransferred", self.state.owner, owner)
        self.state.owner, self.state.pending_owner = owner, NOBODY

    def _require_owner(self, group: int, caller: str) -> Group:
        stored = self.state.groups.get(group)
        if stored is None or stored.owner != caller:
            raise Refused("NotGroupOwner", group, caller)
        return stored

    def _require_role(self, group: int, account: str, role: int) -> None:
        if not self.holds(group, account, role):
            raise Refused("MissingRole", group, account, role)

    def _require_manager(self, group: int, account: str, by: str, roles: int) -> None:
        """The owner manages every membership; a MAINTAINER those that neither have nor get MAINTAINER."""
        if group in self.state.groups and self.state.groups[group].owner == by:
            return
        touches_maintainer = roles & MAINTAINER or self.holds(group, account, MAINTAINER)
        if touches_maintainer or not self.holds(group, by, MAINTAINER):
            raise Refused("NotAllowedToManage", group, account, by)

    def _set_membership(self, group: int, account: str, by: str, membership: Membership) -> None:
        if not membership.roles or membership.roles & ~ALL_ROLES:
            raise Refused("InvalidRoles", membership.roles)
        self._change_membership(group, account, by, membership)

    def _change_membership(self, group: int, account: str, by: str, membership: Membership) -> None:
        self.state.memberships[group, account] = membership
        self._emit("MembershipChanged", group, by, account, *membership)

    def _require_signature(self, signer: str, digest: bytes, deadline: int, signature: Signature) -> None:
        if self.now > deadline:
            raise Refused("SignatureExpired", deadline, self.now)
        accepted = (signer, self.wallets.get(signer))
        if not (signature.plain and signature.digest == digest and signature.signer in accepted):
            raise Refused("InvalidSignature", signer)

    def _require_may_disown(self, caller: str, group: int, author: str) -> None:
        """Who retracts and cancels records of an author and ends the author's batches."""
        roles = MAINTAINER | RECORDER if caller == author else MAINTAINER
        self._require_role(group, caller, roles)

    def _require_open_batch(self, group: int, author: str, root: bytes) -> Batch:
        batch = self.batch(group, author, root)
        if not batch.anchored_at:
            raise Refused("UnknownBatch", group, author, root)
        if batch.ended_at:
            raise Refused("BatchHasEnded", root, batch.ended_at)
        return batch

    def _require_author(self, caller: str, key: Key) -> None:
        if caller != key.author:
            raise Refused("NotAuthor", key.author, caller)

    def _require_record(self, record_id: bytes) -> Record:
        if record_id not in self.state.records:
            raise Refused("UnknownRecord", record_id)
        return self.state.records[record_id]

    def _require_absent(self, key: Key) -> bytes:
        record_id = self.domain.record_id(key)
        if record_id in self.state.records:
            raise Refused("RecordExists", record_id, self.state.records[record_id].recorded_at)
        return record_id

    def _require_seal(self, group: int, author: str, commitment: bytes) -> int:
        time = self.sealed_at(group, author, commitment)
        if not time:
            raise Refused("NotSealed", group, author, commitment)
        return time

    def _anchor(self, caller: str, group: int, root: bytes, count: int, *, counted: bool) -> None:
        self._require_role(group, caller, RECORDER)
        if time := self.batch(group, caller, root).anchored_at:
            raise Refused("BatchExists", root, time)
        self.state.batches[group, caller, root] = Batch(self.now, count, counted)

    def _lineage_of(self, key: Key, record_id: bytes, before: list[bytes]) -> int:
        stored = self.state.records.get(record_id)
        if stored and stored.retracted_at:
            return LINEAGE_RETRACTED
        if not stored or any(parent not in before for parent, relation in key.parents if relation not in ABOUT):
            return INCOMPLETE
        return FOREIGN if key.kind == REFERENCE else CLEAN

    def _record(self, record_id: bytes, key: Key, sealed_at: int = 0) -> None:
        self._require_role(key.group, key.author, RECORDER)
        self._store(record_id, Record(key, recorded_at=self.now, sealed_at=sealed_at))

    def _store(self, record_id: bytes, record: Record) -> None:
        key = record.key
        if not (1 <= key.kind <= LAST_KIND or key.kind >= FIRST_OWN):
            raise Refused("InvalidKind", key.kind)
        if not (1 <= key.subject_type <= LAST_SUBJECT_TYPE or key.subject_type >= FIRST_OWN):
            raise Refused("InvalidSubjectType", key.subject_type)
        if len(key.parents) > MAX_PARENTS:
            raise Refused("TooManyParents", len(key.parents), MAX_PARENTS)
        last = (ZERO, 0)
        for index, (parent, relation) in enumerate(key.parents):
            if not (1 <= relation <= LAST_RELATION or relation >= FIRST_OWN):
                raise Refused("InvalidRelation", relation)
            if (parent, relation) <= last:
                raise Refused("ParentsNotAscending", index)
            if parent not in self.state.records:
                raise Refused("UnknownParent", parent)
            time = self.state.records[parent].recorded_at
            if time > record.recorded_at:
                raise Refused("ParentRecordedLater", parent, time, record.recorded_at)
            last = (parent, relation)
        self.state.records[record_id] = record
        self.state.cancelled.discard(record_id)
        self._emit(
            "Recorded",
            key.group,
            key.author,
            record_id,
            key.subject_type,
            key.subject,
            key.kind,
            key.manifest,
            key.parents,
        )

    def _require_foreign_reviewer(self, caller: str, group: int, foreign: ForeignRecord) -> None:
        if (foreign.chain_id, foreign.registry) == self.domain:
            raise Refused("NotForeign", foreign.record)
        self._require_role(group, caller, REVIEWER)

    def _attest_foreign(
        self, caller: str, group: int, foreign: ForeignRecord, verdict: int, evidence_id: bytes
    ) -> None:
        current = self.foreign_verdict_of(group, foreign).version
        attested_at, version = (self.now, _next(current)) if verdict else (0, _raised(current))
        said = ForeignAttestation(verdict, evidence_id, attested_at, version)
        self.state.foreign_attestations[group, foreign] = said
        self._emit(
            "ForeignAttested",
            group,
            caller,
            foreign.record,
            foreign.chain_id,
            foreign.registry,
            verdict,
            evidence_id,
            version,
        )

    def _require_none_needed(self, verdict: int) -> None:
        if verdict in (REPRODUCED, NOT_REPRODUCED):
            raise Refused("EvidenceRequired", verdict)

    def _attest_by_sig(
        self,
        group: int,
        attester: str,
        record_id: bytes,
        verdict: int,
        evidence_id: bytes,
        deadline: int,
        signature: Signature,
    ) -> None:
        version = self.attestation(group, record_id).version
        digest = self.domain.attestation_authorization(
            group, attester, record_id, verdict, evidence_id, version, deadline
        )
        self._require_signature(attester, digest, deadline, signature)
        self._attest(group, attester, record_id, verdict, evidence_id)

    def _require_evidence(self, group: int, record_id: bytes, verdict: int, evidence: Key) -> bytes:
        needed = verdict in (REPRODUCED, NOT_REPRODUCED)
        evidence_id = self.domain.record_id(evidence)
        stored = self.state.records.get(evidence_id)
        if stored is None:
            raise Refused("EvidenceUnusable", evidence_id, NOT_RECORDED)
        if stored.retracted_at:
            raise Refused("EvidenceUnusable", evidence_id, EVIDENCE_RETRACTED)
        if evidence.group != group:
            raise Refused("EvidenceUnusable", evidence_id, OTHER_GROUP)
        if needed and evidence.kind != RUN:
            raise Refused("EvidenceUnusable", evidence_id, NOT_A_RUN)
        if needed and (record_id, REPRODUCES) not in evidence.parents:
            raise Refused("EvidenceUnusable", evidence_id, NOT_LINKED)
        return evidence_id

    def _attest(
        self, group: int, attester: str, record_id: bytes, verdict: int, evidence_id: bytes, sealed_at: int = 0
    ) -> None:
        self._require_role(group, attester, REVIEWER)
        if self._require_record(record_id).key.group == group:
            raise Refused("OwnRecord", group, record_id)
        if verdict == NONE:
            raise Refused("InvalidVerdict", verdict)
        version = _next(self.attestation(group, record_id).version)
        self.state.attestations[group, record_id] = Attestation(verdict, evidence_id, self.now, sealed_at, version)
        self._emit("Attested", group, attester, record_id, verdict, evidence_id, version)

    def _withdraw(self, caller: str, group: int, record_id: bytes) -> None:
        current = self.attestation(group, record_id)
        version = _raised(current.version)
        self.state.attestations[group, record_id] = Attestation(version=version)
        self._emit("VerdictWithdrawn", group, caller, record_id, current.verdict, version)


def _raised(version: int) -> int:
    """The version after something was ended: the largest stays."""
    return min(version + 1, LAST_VERSION)


def _next(version: int) -> int:
    """The version of a new verdict: after the largest there is none."""
    if version == LAST_VERSION:
        raise Refused("Panic", 0x11)
    return version + 1
