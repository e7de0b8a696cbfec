"""The registry's refusals explained. The errors are read from the ABI; only their meaning is written here."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from blockchaintracer.core.chain.abi import interface
from blockchaintracer.core.errors import ContractRevert, NodeError
from blockchaintracer.core.record import Kind, Relation, Role, SubjectType, Verdict, from_hex, label, named_hex

_FAULTS = (
    "is not recorded",
    "is retracted",
    "is not a run",
    "is not of this group",
    "does not name the record as reproduced",
)

WORDS: dict[str, dict[str, str]] = json.loads(Path(__file__).with_suffix(".json").read_bytes())
"""Meaning and way out of each of the registry's errors, by name. A test holds it against the ABI."""

_UNKNOWN = "UnknownError"
_MOST_LETTERS = 500
_WORDS = re.compile("0x(?:[0-9a-fA-F]{2}){4,}")
_LARGEST = {"InvalidKind": max(Kind), "InvalidRelation": max(Relation), "InvalidSubjectType": max(SubjectType)}
_TIMES = {*("retractedAt", "recordedAt", "parentRecordedAt", "sealedAt", "anchoredAt", "createdAt", "attestedAt")}
_TIMES |= {*("deadline", "time", "until", "entryUntil", "verdictUntil", "opensAfter", "openUntil")}


def in_words(name: str, arguments: dict[str, Any]) -> ContractRevert:
    """Turn a refusal into an exception with a clear message."""
    values = {key: _readable(key, value) for key, value in arguments.items()}
    if name not in WORDS:
        given = ", ".join(f"{key} {value}" for key, value in values.items())
        return ContractRevert(name, values, f"the contract refused it: {name} ({given})")
    meaning, way_out = WORDS[name]["meaning"].format(**values), WORDS[name]["wayOut"]
    hint = way_out.format(largest=_LARGEST.get(name))
    return ContractRevert(name, values, f"the registry refused it: {meaning}", hint=hint)


def revert_of(error: NodeError) -> Exception:
    """Return what a contract of this package says by refusing a call; the node's own error if it is no refusal."""
    # nodes put the contract's own words in different places
    data = error.data.get("data") if isinstance(error.data, dict) else error.data
    match = _WORDS.search(data if isinstance(data, str) else "")
    if match:
        return decode_error(match[0])
    return in_words("Revert", {"message": error.reason}) if error.is_revert else error


def decode_error(data: str) -> ContractRevert:
    """Turn the data of a revert (0x-hex) into an exception with a clear message."""
    raw = from_hex(data[: len(data) // 2 * 2])
    name, arguments = interface().error(raw) or (_UNKNOWN, {"data": raw})
    try:
        return in_words("Revert" if name in ("Error", "Panic") else name, arguments)
    except (ValueError, IndexError):
        # times, verdicts and faults that no registry knows
        return in_words(_UNKNOWN, {"data": raw})


def _readable(key: str, value: Any) -> Any:
    if isinstance(value, bytes | str):
        text = named_hex(key, value) if isinstance(value, bytes) else value
        return "".join(filter(str.isprintable, text[:_MOST_LETTERS]))
    if key in _TIMES:
        return datetime.fromtimestamp(value, UTC).isoformat() if value < 2**40 - 1 else "never"
    if key == "role":
        return " or ".join(label(role) for role in Role if role in Role(value))
    if key == "verdict":
        return label(Verdict(value))
    return _FAULTS[value] if key == "fault" else value
