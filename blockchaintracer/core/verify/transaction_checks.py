"""What a transaction did in the registry: who, for which group, what, and what the state holds of it today."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from blockchaintracer.core.chain import DecodedEvent, TransactionReceipt
from blockchaintracer.core.chain.registry import Registry
from blockchaintracer.core.networks import when
from blockchaintracer.core.record import (
    NO_END,
    GlobalId,
    Role,
    Status,
    Verdict,
    checksummed,
    counted,
    from_hex,
    label,
    named_hex,
)
from blockchaintracer.core.verify.authorship import check_anchorer, sent_by
from blockchaintracer.core.verify.commitments import Commitment
from blockchaintracer.core.verify.locate import role_names
from blockchaintracer.core.verify.outcomes import Check, Outcome
from blockchaintracer.core.verify.seal_checks import check_one

_Told = tuple[str, str, bool]
"""What an event says, what the state holds of it today, and whether the two agree."""


def check_transaction(
    registry: Registry, transaction: str, receipt: TransactionReceipt, events: list[DecodedEvent]
) -> list[Check]:
    """Check a transaction's block and sender, and each event but those of records against today's state."""
    number, block = receipt.block, registry.chain.block(receipt.block)
    names = [event.name for event in events]
    values = {"events": names, "block": number, "time": block.timestamp if block else None}
    if block is None or block.hash != receipt.block_hash:
        detail = f"{transaction}: its block {number} is not one of the chain any more"
        return [Check("transaction", Outcome.FAIL, detail, values)]
    detail = f"in block {number} ({when(block.timestamp)}), events of the registry: {', '.join(names)}"
    checks = [Check("transaction", Outcome.PASS, detail, values), _sent(registry, transaction)]
    for event in events:
        name, about = event.name, _plain(event.args)
        if name == "Sealed":
            author = checksummed(about["author"])
            checks += check_one(registry, about["commitment"], about["group"], author, event)
        elif name != "Recorded":
            checks.append(_check_event(registry, name, about, block.timestamp))
    return checks


def check_root(registry: Registry, root: str, groups: Collection[int] = ()) -> list[Check]:
    """Check every anchoring of a batch's root: who, for which group, when. Empty if there is no log of one."""
    checks: list[Check] = []
    for name in ("Anchored", "LeavesAnchored"):
        for event in registry.events(name, root=from_hex(root)):
            about, block = _plain(event.args), registry.chain.block(event.block)
            if block is None or (groups and about["group"] not in groups):
                continue
            check = _check_event(registry, name, about, block.timestamp)
            place = event.position
            anchoring = Commitment(place, block, event.transaction, block.timestamp, root)
            where = f"in block {block.number}, transaction {anchoring.transaction}: {check.detail}"
            checks.append(replace(check, detail=where, values={**check.values, "block": block.number}))
            checks.append(check_anchorer(registry, about["author"], anchoring))
    return checks


def _check_event(registry: Registry, name: str, about: dict[str, Any], time: int) -> Check:
    said, today, agrees = _told(registry, name, about, time)
    outcome = Outcome.PASS if agrees else Outcome.FAIL
    return Check("event", outcome, f"{said}; today {today}", {"event": name, **about, "time": time})


def elsewhere(receipt: TransactionReceipt) -> str:
    """Say who sent a transaction without an event of the registry, what it called, and what is not decoded of it."""
    if receipt.to is None:
        return f"; {receipt.sender} made the contract {receipt.contract}"
    others = ", ".join(sorted({log.address for log in receipt.logs})) or "no contract"
    said = f"; {receipt.sender} called {receipt.to}. The call and its logs (of {others}) are not decoded"
    return f"{said}: ask a bounty or another contract by its own interface (docs/consumers.md)"


def sentences_of(registry: Registry, checks: list[Check]) -> list[str]:
    """Say what the events prove whose checks passed."""
    return [
        f"At {when(check.values['time'])}: {check.detail}, in {registry}."
        for check in checks
        if check.name == "event" and check.verdict is Outcome.PASS
    ]


def _sent(registry: Registry, identifier: str) -> Check:
    sent = sent_by(registry, identifier, identifier)
    if isinstance(sent, Check):
        missing = f"the node does not give transaction {identifier}"
        return replace(sent, name="sender", detail=sent.detail if sent.verdict is Outcome.FAIL else missing, values={})
    transaction, sender, how = sent
    through = "" if transaction.to == registry.address else f", through the contract {transaction.to}"
    return Check("sender", Outcome.PASS, f"{sender} sent it, {how}{through}", {"sender": sender})


def _told(registry: Registry, name: str, about: dict[str, Any], time: int) -> _Told:
    group, version = about.get("group"), about.get("version", 0)
    match name:
        case "RecordCancelled" | "Retracted" | "Materialized" | "Revealed":
            return _of_record(registry, name, about, time)
        case "Attested" | "VerdictWithdrawn":
            current = registry.verdict(about["group"], about["recordId"])
            return _verdict(about, f"record {about['recordId']}", name, current.verdict, current.version)
        case "ForeignAttested":
            foreign = GlobalId(about["chainId"], checksummed(about["registry"]), about["recordId"])
            theirs = registry.foreign_verdict(about["group"], foreign)
            what = f"record {foreign.record_id} of registry {foreign.registry} on chain {foreign.chain_id}"
            return _verdict(about, what, name, theirs.verdict, theirs.version)
        case "VerdictRevealed":
            current = registry.verdict(about["group"], about["recordId"])
            said = f"the seal {about['commitment']} of group {group} ({when(about['sealedAt'])}) was revealed as its"
            today = f"the group's verdict is {label(current.verdict)}"
            return f"{said} verdict on record {about['recordId']}", today, bool(current.version)
        case "Anchored" | "LeavesAnchored":
            batch = registry.batch(about["group"], about["author"], about["root"])
            count = about["declaredCount" if "declaredCount" in about else "count"]
            said = f"{about['author']} anchored the batch {about['root']} of {counted(count, 'record')}"
            said += f" ({'declared' if 'manifest' in about else 'counted'}) for group {group}"
            agrees = (batch.anchored_at, batch.count) == (time, count)
            ended = f", and it was ended {when(batch.ended_at)}" if batch.ended_at else ""
            return said, f"the registry holds it with {counted(batch.count, 'record')}{ended}", agrees
        case "BatchEnded":
            batch = registry.batch(about["group"], about["author"], about["root"])
            said = f"{about['by']}, for group {about['group']}, ended the batch {about['root']} of {about['author']}"
            return f"{said}: none of its records is stored from it any more", "it has ended", batch.ended_at == time
        case "MembershipChanged":
            held = registry.membership(about["group"], about["account"])
            what = "ended" if about["roles"] else "was none, and what was offered by or to it ended"
            if about["until"] > time:
                what = f"has the roles {role_names(Role(about['roles']))}, {_term(about['until'])}"
            said = f"the membership of {about['account']} in group {group} {what}, by {about['by']}"
            changed = f"it was changed since ({_term(held.until)})"
            return said, "that is its last change" if held.version == version else changed, held.version >= version
        case "Invited" | "GroupCreated" | "GroupDescribed" | "GroupTransferStarted" | "GroupTransferred":
            owner = registry.group(about["group"]).owner
            said = {
                "Invited": f"{about.get('inviter')} invited {about.get('account')} to group {group}",
                "GroupCreated": f"group {group} was created, owned by {about.get('owner')}",
                "GroupDescribed": f"group {group} was described by the manifest {about.get('manifest')}",
                "GroupTransferStarted": f"{about.get('from')} offered group {group} to {about.get('to')}",
                "GroupTransferred": f"group {group} went from {about.get('from')} to {about.get('to')}",
            }[name]
            return said, f"its owner is {owner}", True
        case "SuccessorAnnounced":
            chain_id, now = registry.read_function("successor")
            said = f"the registry's owner named {about['registry']} on chain {about['chainId']} as its successor"
            return said, f"the successor is {now} on chain {chain_id}", True
        case _:
            given = ", ".join(f"{key} {value}" for key, value in about.items())
            return f"{name} ({given})", f"the registry's owner is {registry.read_function('owner')}", True


def _of_record(registry: Registry, name: str, about: dict[str, Any], time: int) -> _Told:
    stored = registry.status(about["id"])
    today = f"the record is {label(stored.status)}"
    if name == "RecordCancelled":
        said = f"{about['by']} cancelled record {about['id']}: no signature and no batch can store it any more"
        return said, today, stored.status is not Status.UNKNOWN
    if name == "Retracted":
        given = f"its reason has the digest {about['reason']}" if int(about["reason"], 16) else "no reason was given"
        said = f"{about['by']}, for group {about['group']}, retracted record {about['id']}: {given}"
        return said, today, stored.retracted_at == time
    if name == "Materialized":
        said = f"record {about['id']} was stored from the batch {about['root']}, whose time it has"
        return said, today, stored.is_batched and stored.recorded_at == about["recordedAt"]
    said = f"the seal {about['commitment']} ({when(about['sealedAt'])}) was revealed as record {about['id']}"
    return said, today, stored.sealed_at == about["sealedAt"]


def _verdict(about: dict[str, Any], what: str, name: str, current: Verdict, version: int) -> _Told:
    who = f"{about.get('attester', about.get('by'))}, for group {about['group']},"
    given = Verdict(about["verdict"])
    if name == "VerdictWithdrawn":
        said, expected = f"{who} withdrew its verdict {label(given)} on {what}", Verdict.NONE
    else:
        on = f", on evidence {about['evidence']}" if int(about["evidence"], 16) else ""
        said, expected = f"{who} gave the verdict {label(given)} on {what}{on}", given
    if version == about["version"]:
        return said, f"the group's verdict is {label(current)}", current is expected
    return said, f"it was changed since: the group's verdict is {label(current)}", version > about["version"]


def _term(until: int) -> str:
    return "without end" if until == NO_END else f"until {when(until)}"


def _plain(values: Any) -> dict[str, Any]:
    return {key: named_hex(key, value) if isinstance(value, bytes) else value for key, value in dict(values).items()}
