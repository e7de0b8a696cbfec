"""Attesting to other groups' records, and taking back: verdicts, retractions, unused signatures."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from blockchaintracer.core.chain import DecodedEvent, Registry, lens
from blockchaintracer.core.chain.registry import Attestation, ForeignAttestation
from blockchaintracer.core.chain.reverts import in_words
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import GlobalId, Kind, RecordKey, Relation, Role, Verdict, from_hex, label, to_hex
from blockchaintracer.lab.capture.secret_masking import mask
from blockchaintracer.lab.chain.questions import foreign_attested
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lookup import foreign_id, required_record
from blockchaintracer.lab.outbox import Op, Transaction

WITHDRAW, WITHDRAW_SIGNED = "withdraw", "withdraw-signed"
"""Take back the verdict that was given; or also those that were signed and not relayed."""


@dataclass(frozen=True)
class Written:
    """A change to what is said of a record, which is in the registry that is named."""

    record_id: str
    chain_id: int
    registry: str
    group: int
    what: str
    transaction: str
    block: int
    time: int
    state: str


def give_verdict(lab: Lab, record_id: str, verdict: str, evidence: str | None = None) -> Written:
    """Give the group's verdict, named as in `Verdict`, or take it back by `WITHDRAW` or `WITHDRAW_SIGNED`, on an id or
    ``eip155:CHAIN:REGISTRY/ID``."""
    taken_back = verdict in (WITHDRAW, WITHDRAW_SIGNED)
    chosen = Verdict.NONE if taken_back else Verdict[verdict.upper().replace("-", "_")]
    if foreign := foreign_id(lab, record_id):
        return attest_foreign(lab, foreign, chosen, evidence=evidence)
    if chosen:
        return attest(lab, record_id, chosen, evidence=evidence)
    return withdraw(lab, record_id, signed=verdict == WITHDRAW_SIGNED)


def attest(lab: Lab, record_id: str, verdict: Verdict, *, evidence: str | None = None) -> Written:
    """Give the group's verdict on another group's record.

    Args:
        evidence: id of the group's own run that reproduces the record; needed for Reproduced and NotReproduced.
    """
    record = required_record(lab, record_id)
    group = lab.group(Role.REVIEWER)
    key = required_record(lab, evidence).key if evidence else None
    version = lab.registry.verdict(group, record.id).version
    fields = {"record_id": record.id, "group": group, "version": version, "verdict": int(verdict), "evidence": key}
    return _write(lab, Transaction(Op.ATTEST, lab.registry.address, **fields), group, label(verdict))


def withdraw(lab: Lab, record_id: str, *, signed: bool = False) -> Written:
    """Take the group's verdict on a record back.

    Args:
        signed: also where there is none: every verdict that was signed for the next version and not relayed is ended.
            A bounty takes this for the group's word: it neither enters nor claims.

    Raises:
        ContractRevert: before anything is paid, if there is none.
    """
    record = required_record(lab, record_id)
    group = lab.group(Role.REVIEWER)
    current = lab.registry.verdict(group, record.id)
    if current.verdict is Verdict.NONE and not signed:
        raise in_words("NoVerdict", {"group": group, "recordId": from_hex(record.id)})
    version = current.version
    fields = {"record_id": record.id, "group": group, "version": version}
    return _write(lab, Transaction(Op.WITHDRAW, lab.registry.address, **fields), group, "withdrawn")


def attest_foreign(lab: Lab, foreign: GlobalId, verdict: Verdict, *, evidence: str | None = None) -> Written:
    """Give the group's verdict on a record of another registry, or take it back (`Verdict.NONE`).

    This registry can't see that record, so no counter counts the verdict: who uses it checks the record where it is.

    Args:
        evidence: id of the group's own run that names a Reference to it as reproduced (`record_reference`); needed for
            Reproduced and NotReproduced. The verdict falls when that run is retracted.
    """
    group = lab.group(Role.REVIEWER)
    reference = run = None
    if verdict in (Verdict.REPRODUCED, Verdict.NOT_REPRODUCED):
        if evidence is None:
            raise in_words("EvidenceRequired", {"verdict": int(verdict)})
        run = required_record(lab, evidence).key
        reference = _reference(lab.registry, run, foreign)
    elif evidence is not None:
        raise InputError(
            f"expected no evidence for {label(verdict)} on a record of another registry, got {evidence}",
            hint="Only reproduced and not-reproduced stand on evidence there.",
        )
    current = lab.registry.foreign_verdict(group, foreign)
    write = Transaction(
        Op.ATTEST_FOREIGN,
        lab.registry.address,
        chain_id=foreign.chain_id,
        foreign_registry=foreign.registry,
        record_id=foreign.record_id,
        group=group,
        version=current.version,
        verdict=int(verdict),
        reference=reference,
        evidence=run,
    )
    return _write(lab, write, group, label(verdict) if verdict else "withdrawn")


def _reference(registry: Registry, run: RecordKey, foreign: GlobalId) -> RecordKey:
    """The Reference to a foreign record that a run names as reproduced."""
    subject = sha256(str(foreign).encode()).hexdigest()
    for link in run.parents:
        record = registry.find_record(link.parent) if link.relation == Relation.REPRODUCES else None
        if record and (record.key.kind, record.key.subject) == (Kind.REFERENCE, subject):
            return record.key
    raise InputError(
        f"the run names no reference to {foreign!s} as reproduced, so it can't be evidence",
        hint="Record the run with it: `blockchaintracer record --reproduces eip155:CHAIN:REGISTRY/ID …`.",
    )


def foreign_verdicts(registry: Registry, foreign: GlobalId) -> list[dict[str, Any]]:
    """List the current verdicts of all groups on a record of another registry, without those whose evidence was
    retracted."""
    latest = {event.args["group"]: event for event in foreign_attested(registry, foreign)}
    current = {group: registry.foreign_verdict(group, foreign) for group in sorted(latest)}
    return [
        _row(latest[group], verdict, evidence=verdict.evidence)
        for group, verdict in current.items()
        if verdict.verdict is not Verdict.NONE
    ]


def retract(lab: Lab, record_id: str, reason: str) -> Written:
    """Retract a record, once and for good. The reason's text is kept in the store; its SHA-256 goes on chain."""
    if not reason.strip():
        raise InputError("expected a reason for the retraction, got an empty one")
    record = required_record(lab, record_id)
    digest = lab.store.put_bytes(mask(reason).encode())
    write = Transaction(Op.RETRACT, lab.registry.address, record_id=record.id, key=record.key, reason=digest)
    done = write.event(lab.chain)
    if done is not None and done.args["reason"].hex() != digest:
        write.check(lab.chain, lab.signer.address)
    return _write(lab, write, record.key.group, "retracted")


def verdicts(registry: Registry, record_id: str) -> list[dict[str, Any]]:
    """List the current verdicts of all groups on a record, with the attester and the evidence from the events."""
    attested = registry.events("Attested", recordId=from_hex(record_id))
    latest = {event.args["group"]: event for event in attested}
    rows, groups = [], sorted(latest)
    for group, current in zip(groups, lens.verdicts(registry, groups, record_id), strict=True):
        event = latest[group]
        if current.verdict is not Verdict.NONE:
            evidence = to_hex(event.args["evidence"])
            known = evidence if int(evidence, 16) else None
            rows.append(_row(event, current, sealedAt=current.sealed_at or None, evidence=known))
    return rows


def _row(event: DecodedEvent, current: Attestation | ForeignAttestation, **more: Any) -> dict[str, Any]:
    return {
        "group": event.args["group"],
        "verdict": label(current.verdict),
        "attester": event.args["attester"],
        "attestedAt": current.attested_at,
        **more,
        "transaction": event.transaction,
    }


def _write(lab: Lab, write: Transaction, group: int, what: str) -> Written:
    [entry], record = lab.write(write), write.about(lab.chain_id)
    if entry.block is None or entry.transaction is None:
        raise InputError(f"{what} of {record.record_id} is not in a block yet")
    where, block = (record.record_id, record.chain_id, record.registry), entry.block
    return Written(*where, group, what, entry.transaction, block.number, block.timestamp, str(entry.state))
