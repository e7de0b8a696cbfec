"""The registry's refusals explained. The errors are read from the ABI; only their meaning is written here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from blockchaintracer.core.errors import ContractRevert
from blockchaintracer.core.record import Kind, Relation, Role, SubjectType, Verdict, label, named_hex

_FAULTS = (
    "is not recorded",
    "is retracted",
    "is not a run",
    "is not of this group",
    "does not name the record as reproduced",
)

WORDS: dict[str, tuple[str, str]] = {
    "AlreadyRetracted": ("record {id} was retracted at {retractedAt}", "A retraction is once and for good."),
    "AlreadySealed": (
        "the seal {commitment} was made already, at {sealedAt}",
        "It stands: `seal list` shows it. Another salt makes another seal.",
    ),
    "BatchExists": ("the batch {root} was anchored already, at {anchoredAt}", "There is nothing to pay for."),
    "EmptyBatch": ("a batch has at least one record", "Add one first: `batch add`."),
    "EvidenceRequired": (
        "a verdict of {verdict} needs evidence",
        "Record a run of your own that names the record as reproduced, and pass it as evidence.",
    ),
    "EvidenceUnusable": (
        "{evidence} {fault}, so it can't be evidence",
        "Evidence is a run of the attesting group, unretracted, that names the record in relation reproduces.",
    ),
    "GroupCreationRestricted": (
        "only the registry's owner creates groups here, not {caller}",
        "Ask the owner, or deploy a registry of your own.",
    ),
    "IdsNotAscending": ("id number {index} is out of order or repeated", "This is a fault of the client."),
    "InvalidKind": ("{kind} is no kind of record", f"Use 1 to {max(Kind)}, or your own from 128 to 255."),
    "InvalidRelation": ("{relation} is no relation", f"Use 1 to {max(Relation)}, or your own from 128 to 255."),
    "InvalidRoles": ("{roles} is no set of roles", "Use maintainer, recorder and reviewer."),
    "InvalidSignature": (
        "the signature is not one of {signer}",
        "Sign again, with this account and for this registry.",
    ),
    "InvalidSubjectType": ("{subjectType} is no type of subject", f"Use 1 to {max(SubjectType)}."),
    "InvalidVerdict": ("{verdict} is not a verdict to give", "Use withdraw to take a verdict back."),
    "MembershipEnded": ("the membership would have ended at {until}", "Ask for an invitation that lasts longer."),
    "MissingRole": (
        "{account} is not a {role} of group {group} now",
        "Ask the group's owner for an invitation (`group invite`), or record under a group of your own.",
    ),
    "OwnerNeeded": ("only its owner creates groups here", "Hand the registry over by transferOwnership."),
    "NoVerdict": ("group {group} has no verdict on record {recordId}", "There is nothing to withdraw."),
    "NotAllowedToManage": (
        "{by} may not change the membership of {account} in group {group}",
        "The group's owner may; a maintainer only where the role of maintainer is neither held nor given.",
    ),
    "NotAllowedToRetract": (
        "{caller} may not retract record {id}",
        "Its author may while a recorder of its group, or a maintainer of the group.",
    ),
    "NotAuthor": (
        "{author} is named as the author, but {caller} sent it",
        "Use the author's key, or relay a signature.",
    ),
    "NotForeign": ("record {recordId} is of this registry", "Attest to it by its id alone: `attest ID`."),
    "NotGroupOwner": ("{caller} doesn't own group {group}", "Use the owner's key."),
    "NotInBatch": (
        "the proof doesn't lead from record {id} to the root {root}",
        "Use the record's own proof file, as `batch anchor` wrote it.",
    ),
    "NotInvited": ("the invitation is for {account}, not for {caller}", "Use the key of the account that was invited."),
    "NotPendingGroupOwner": ("group {group} was not offered to {caller}", "Its owner offers it first."),
    "NotSealed": (
        "{author} never sealed {commitment} for group {group}",
        "Reveal with the account, the group and the registry of the seal: `seal list` shows them.",
    ),
    "NotTheReference": (
        "{id} is no reference to that record, whose subject would be {subject}",
        "Record the run with `record --reproduces eip155:CHAIN:REGISTRY/ID`, which makes the reference.",
    ),
    "OwnRecord": ("group {group} can't attest to its own record {recordId}", "Another group has to."),
    "OwnableInvalidOwner": ("{owner} can't own a registry", "Name an account that can sign."),
    "OwnableUnauthorizedAccount": ("{account} doesn't own the registry", "Use the owner's key."),
    "ParentRecordedLater": (
        "the parent {parent} was recorded at {parentRecordedAt}, after the batch, at {recordedAt}",
        "A batched record keeps the batch's time, so its parents must be as old: anchor it in a later batch.",
    ),
    "ParentsNotAscending": ("parent number {index} is out of order or repeated", "This is a fault of the client."),
    "RecordExists": ("record {id} is stored already, since {recordedAt}", "There is nothing to pay for."),
    "RecordIsCancelled": (
        "the author cancelled signatures over record {id}",
        "The author can still record it directly.",
    ),
    "SignatureExpired": ("the signature was good until {deadline}, and it is {time}", "Ask for a new signature."),
    "StaleInvitation": (
        "the invitation was for version {version} of the membership, which is at {current} now",
        "Invitations are accepted once: ask for a new one.",
    ),
    "TooManyParents": (
        "{count} parents are more than the {maximum} that a record can have",
        "Record a folder of them.",
    ),
    "UnknownBatch": (
        "{author} never anchored {root} for group {group}",
        "Check the proof file, the registry and the network.",
    ),
    "UnknownGroup": ("there is no group {group}", "`group list` shows the groups."),
    "UnknownParent": ("the parent {parent} is not recorded here", "Record the parent first."),
    "UnknownRecord": ("record {id} is not stored here", "Check the id, the registry and the network."),
}
"""Meaning and way out of each of the registry's errors, by name. A test holds it against the ABI."""

_TIMES = {*("retractedAt", "recordedAt", "parentRecordedAt", "sealedAt", "anchoredAt"), *("deadline", "time", "until")}


def in_words(name: str, arguments: dict[str, Any]) -> ContractRevert:
    """Turn a refusal into an exception with a clear message."""
    values = {key: _readable(key, value) for key, value in arguments.items()}
    if name not in WORDS:
        given = ", ".join(f"{key} {value}" for key, value in values.items())
        return ContractRevert(name, values, f"the contract refused it: {name} ({given})")
    meaning, way_out = WORDS[name]
    return ContractRevert(name, values, f"the registry refused it: {meaning.format(**values)}", hint=way_out)


def _readable(key: str, value: Any) -> Any:
    if isinstance(value, bytes):
        return named_hex(key, value)
    if key in _TIMES:
        return datetime.fromtimestamp(value, UTC).isoformat() if value < 2**40 - 1 else "never"
    if key == "role":
        return " or ".join(label(role) for role in Role if role in Role(value))
    if key == "verdict":
        return label(Verdict(value))
    if key == "fault":
        return _FAULTS[value]
    return value
