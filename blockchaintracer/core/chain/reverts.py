"""The registry's refusals explained. The errors are read from the ABI; only their meaning is written here."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
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

WORDS: dict[str, dict[str, str]] = json.loads(Path(__file__).with_suffix(".json").read_bytes())
"""Meaning and way out of each of the registry's errors, by name. A test holds it against the ABI."""

_LARGEST = {"InvalidKind": max(Kind), "InvalidRelation": max(Relation), "InvalidSubjectType": max(SubjectType)}
_TIMES = {*("retractedAt", "recordedAt", "parentRecordedAt", "sealedAt", "anchoredAt"), *("deadline", "time", "until")}


def in_words(name: str, arguments: dict[str, Any]) -> ContractRevert:
    """Turn a refusal into an exception with a clear message."""
    values = {key: _readable(key, value) for key, value in arguments.items()}
    if name not in WORDS:
        given = ", ".join(f"{key} {value}" for key, value in values.items())
        return ContractRevert(name, values, f"the contract refused it: {name} ({given})")
    meaning, way_out = WORDS[name]["meaning"].format(**values), WORDS[name]["wayOut"]
    hint = way_out.format(largest=_LARGEST.get(name))
    return ContractRevert(name, values, f"the registry refused it: {meaning}", hint=hint)


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
