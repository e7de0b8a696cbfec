"""The registry as plain Python: the same operations, answers, refusals, events and state, written to be read.

Nothing is packed, counters are counted from the verdicts, ids come from tests/model/eip712.py. A refused operation
changes nothing. Where the contract checks several things, the model checks them in the same order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from .eip712 import Domain, Invitation, Key

MAINTAINER, RECORDER, REVIEWER = 1, 2, 4
ALL_ROLES = MAINTAINER | RECORDER | REVIEWER
MAX_PARENTS = 1024
MAX_COUNT = 2**22 - 1
NO_END = 2**40 - 1
RUN = 3
REPRODUCES = 8
NONE, REVIEWED, REPRODUCED, NOT_REPRODUCED, DISPUTED = range(5)
UNKNOWN, CANCELLED, RECORDED, RETRACTED = range(4)
NOT_RECORDED, EVIDENCE_RETRACTED, NOT_A_RUN, OTHER_GROUP, NOT_LINKED = range(5)
CANCELLED_FLAG = 2
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


class Attestation(NamedTuple):
    evidence: bytes = ZERO
    attested_at: int = 0
    verdict: int = NONE
    version: int = 0


@dataclass
class State:
    """Everything the registry remembers. The values never change, so a shallow copy is a snapshot."""

    owner: str
    pending_owner: str = NOBODY
    successor: str = NOBODY
    groups: dict[int, Group] = field(default_factory=dict)
    memberships: dict[tuple[int, str], Membership] = field(default_factory=dict)
    records: dict[bytes, Record] = field(default_factory=dict)
    cancelled: set[bytes] = field(default_factory=set)
    attestations: dict[tuple[bytes, int], Attestation] = field(default_factory=dict)

    def copy(self) -> State:
        return replace(
            self,
            groups=dict(self.groups),
            memberships=dict(self.memberships),
            records=dict(self.records),
            cancelled=set(self.cancelled),
            attestations=dict(self.attestations),
        )


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

    def create_group(self, caller: str, manifest: bytes, roles: int) -> int:
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

    def join_by_sig(self, caller: str, invitation: Invitation, signature: Signature) -> None:
        if invitation.account != caller:
            raise Refused("NotInvited", invitation.account, caller)
        if invitation.until <= self.now:
            raise Refused("MembershipEnded", invitation.until)
        self._require_signature(invitation.inviter, self.domain.invitation(invitation), invitation.deadline, signature)
        current = self.membership(invitation.group, caller)
        if invitation.version != current.version:
            raise Refused("StaleInvitation", invitation.version, current.version)
        self._require_manager(invitation.group, caller, invitation.inviter, invitation.roles)
        membership = Membership(invitation.roles, self.now, invitation.until, current.version + 1)
        self._set_membership(invitation.group, caller, invitation.inviter, membership)

    def remove_member(self, caller: str, group: int, account: str) -> None:
        if caller != account:
            self._require_manager(group, account, caller, roles=0)
        current = self.membership(group, account)
        ended = current._replace(until=min(current.until, self.now), version=current.version + 1)
        self._change_membership(group, account, caller, ended)

    # records

    def record(self, caller: str, key: Key) -> bytes:
        self._require_author(caller, key)
        record_id = self._require_absent(key)
        self._store(record_id, key)
        return record_id

    def record_many(self, caller: str, keys: Iterable[Key]) -> tuple[bytes, ...]:
        ids = []
        for key in keys:
            self._require_author(caller, key)
            record_id = self.domain.record_id(key)
            if record_id not in self.state.records:
                self._store(record_id, key)
            ids.append(record_id)
        return tuple(ids)

    def record_by_sig(self, caller: str, key: Key, deadline: int, signature: Signature) -> bytes:
        record_id = self._require_absent(key)
        if record_id in self.state.cancelled:
            raise Refused("RecordIsCancelled", record_id)
        self._require_signature(key.author, self.domain.record_authorization(key, deadline), deadline, signature)
        self._store(record_id, key)
        return record_id

    def cancel(self, caller: str, key: Key) -> bytes:
        self._require_author(caller, key)
        record_id = self._require_absent(key)
        self.state.cancelled.add(record_id)
        self._emit("RecordCancelled", record_id, key.author)
        return record_id

    def retract(self, caller: str, key: Key, reason: bytes) -> bytes:
        record_id = self.domain.record_id(key)
        stored = self._require_record(record_id)
        if stored.retracted_at:
            raise Refused("AlreadyRetracted", record_id, stored.retracted_at)
        by_author = caller == key.author and self.has_roles(key.group, caller, RECORDER)
        if not by_author and not self.has_roles(key.group, caller, MAINTAINER):
            raise Refused("NotAllowedToRetract", record_id, caller)
        self.state.records[record_id] = stored._replace(retracted_at=self.now)
        self._emit("Retracted", record_id, key.group, caller, reason)
        for parent, relation in key.parents:
            current = self.attestation(parent, key.group)
            stands_on_it = current.verdict in (REPRODUCED, NOT_REPRODUCED) and current.evidence == record_id
            if relation == REPRODUCES and stands_on_it:
                self._withdraw(caller, parent, key.group)
        return record_id

    # verdicts

    def attest(self, caller: str, record_id: bytes, group: int, verdict: int, evidence: Key | None = None) -> None:
        evidence_id = self._require_evidence(record_id, group, verdict, evidence)
        self._attest(record_id, group, verdict, evidence_id, caller)

    def attest_by_sig(
        self,
        caller: str,
        record_id: bytes,
        group: int,
        verdict: int,
        evidence: Key,
        attester: str,
        deadline: int,
        signature: Signature,
    ) -> None:
        evidence_id = self._require_evidence(record_id, group, verdict, evidence if evidence.group else None)
        version = self.attestation(record_id, group).version
        digest = self.domain.attestation_authorization(
            record_id, group, verdict, evidence_id, attester, version, deadline
        )
        self._require_signature(attester, digest, deadline, signature)
        self._attest(record_id, group, verdict, evidence_id, attester)

    def withdraw(self, caller: str, record_id: bytes, group: int) -> None:
        self._require_role(group, caller, REVIEWER)
        if self.attestation(record_id, group).verdict == NONE:
            raise Refused("NoVerdict", record_id, group)
        self._withdraw(caller, record_id, group)

    # the registry itself

    def announce_successor(self, caller: str, successor: str) -> None:
        self._require_registry_owner(caller)
        self.state.successor = successor
        self._emit("SuccessorAnnounced", successor)

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
        self._own(NOBODY)

    # what can be read

    def membership(self, group: int, account: str) -> Membership:
        return self.state.memberships.get((group, account), Membership())

    def has_roles(self, group: int, account: str, roles: int) -> bool:
        held = self.membership(group, account)
        return held.roles & roles == roles and held.since <= self.now < held.until

    def attestation(self, record_id: bytes, group: int) -> Attestation:
        return self.state.attestations.get((record_id, group), Attestation())

    def count(self, record_id: bytes, verdict: int) -> int:
        """How many groups currently say this of a record; MAX_COUNT stands for that many or more."""
        given = self.state.attestations.items()
        return min(sum(record == record_id and said.verdict == verdict for (record, _), said in given), MAX_COUNT)

    def status_of(self, record_id: bytes) -> tuple[int, ...]:
        """The fields of the contract's RecordStatus."""
        stored = self.state.records.get(record_id)
        if stored is None:
            cancelled = record_id in self.state.cancelled
            return (CANCELLED if cancelled else UNKNOWN, 0, CANCELLED_FLAG if cancelled else 0, *[0] * 8)
        counts = [self.count(record_id, verdict) for verdict in (REVIEWED, REPRODUCED, NOT_REPRODUCED, DISPUTED)]
        status = RETRACTED if stored.retracted_at else RECORDED
        key, sealed_at = stored.key, 0
        return (status, key.kind, 0, key.group, stored.recorded_at, stored.retracted_at, sealed_at, *counts)

    def verdict_of(self, record_id: bytes, group: int) -> tuple[int, ...]:
        """The fields of the contract's Attestation."""
        current, sealed_at = self.attestation(record_id, group), 0
        evidence = int.from_bytes(current.evidence[15:])
        return (evidence, current.attested_at, sealed_at, current.verdict, current.version)

    def is_parent(self, key: Key, parent: bytes, relation: int) -> bool:
        return self.domain.record_id(key) in self.state.records and (parent, relation) in key.parents

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
        if not self.has_roles(group, account, role):
            raise Refused("MissingRole", group, account, role)

    def _require_manager(self, group: int, account: str, by: str, roles: int) -> None:
        """The owner manages every membership; a MAINTAINER those that neither have nor get MAINTAINER."""
        if group in self.state.groups and self.state.groups[group].owner == by:
            return
        touches_maintainer = roles & MAINTAINER or self.has_roles(group, account, MAINTAINER)
        if touches_maintainer or not self.has_roles(group, by, MAINTAINER):
            raise Refused("NotAllowedToManage", group, account, by)

    def _set_membership(self, group: int, account: str, by: str, membership: Membership) -> None:
        if not membership.roles or membership.roles & ~ALL_ROLES:
            raise Refused("InvalidRoles", membership.roles)
        self._change_membership(group, account, by, membership)

    def _change_membership(self, group: int, account: str, by: str, membership: Membership) -> None:
        self.state.memberships[group, account] = membership
        self._emit("MembershipChanged", group, account, by, *membership)

    def _require_signature(self, signer: str, digest: bytes, deadline: int, signature: Signature) -> None:
        if self.now > deadline:
            raise Refused("SignatureExpired", deadline, self.now)
        accepted = (signer, self.wallets.get(signer))
        if not (signature.plain and signature.digest == digest and signature.signer in accepted):
            raise Refused("InvalidSignature", signer)

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

    def _store(self, record_id: bytes, key: Key) -> None:
        self._require_role(key.group, key.author, RECORDER)
        if not (1 <= key.kind <= 10 or key.kind >= 128):
            raise Refused("InvalidKind", key.kind)
        if not 1 <= key.subject_type <= 4:
            raise Refused("InvalidSubjectType", key.subject_type)
        if len(key.parents) > MAX_PARENTS:
            raise Refused("TooManyParents", len(key.parents), MAX_PARENTS)
        last = (ZERO, 0)
        for index, (parent, relation) in enumerate(key.parents):
            if not (1 <= relation <= 9 or relation >= 128):
                raise Refused("InvalidRelation", relation)
            if (parent, relation) <= last:
                raise Refused("ParentsNotAscending", index)
            if parent not in self.state.records:
                raise Refused("UnknownParent", parent)
            last = (parent, relation)
        self.state.records[record_id] = Record(key, recorded_at=self.now)
        self.state.cancelled.discard(record_id)
        self._emit(
            "Recorded",
            record_id,
            key.group,
            key.subject,
            key.author,
            key.kind,
            key.subject_type,
            key.manifest,
            key.parents,
        )

    def _require_evidence(self, record_id: bytes, group: int, verdict: int, evidence: Key | None) -> bytes:
        needed = verdict in (REPRODUCED, NOT_REPRODUCED)
        if evidence is None:
            if needed:
                raise Refused("EvidenceRequired", verdict)
            return ZERO
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

    def _attest(self, record_id: bytes, group: int, verdict: int, evidence_id: bytes, attester: str) -> None:
        self._require_role(group, attester, REVIEWER)
        if self._require_record(record_id).key.group == group:
            raise Refused("OwnRecord", record_id, group)
        if verdict == NONE:
            raise Refused("InvalidVerdict", verdict)
        version = self.attestation(record_id, group).version + 1
        self.state.attestations[record_id, group] = Attestation(evidence_id, self.now, verdict, version)
        self._emit("Attested", record_id, group, attester, verdict, evidence_id, version)

    def _withdraw(self, caller: str, record_id: bytes, group: int) -> None:
        current = self.attestation(record_id, group)
        version = current.version + 1
        self.state.attestations[record_id, group] = Attestation(version=version)
        self._emit("VerdictWithdrawn", record_id, group, caller, current.verdict, version)
