"""Values as text, for documents that people and tools read. Much of it is a stranger's."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from itertools import islice
from typing import Any

CIPHERTEXT = "a ciphertext (age-encryption.org/v1): its content is read by those alone whom it is encrypted to"
"""What every format says of a file that is recorded encrypted."""
LATEST = 253402300799
"""The last second of the year 9999: later times, which a devnet may claim, are shown as this one."""
_MAX_SHOWN = 20_000
_FORMULA = re.compile(r"\s*[=+\-@\t\r|%\uff1d\uff0b\uff0d\uff20]")
_UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff\ud800-\udfff]"
)
"""Control characters, halves of letters, and what Unicode says not to draw, but for how an emoji is to look."""


def printable(text: str) -> str:
    """Replace control characters and what changes the direction or joins invisibly; cut what is too long."""
    shown = _UNPRINTABLE.sub("\ufffd", text)
    return shown if len(shown) <= _MAX_SHOWN else f"{shown[:_MAX_SHOWN]}…"


def no_formula(text: str) -> str:
    """Return text that no spreadsheet takes for a formula (OWASP, CSV injection): that one gets an apostrophe."""
    return f"'{text}" if _FORMULA.match(text) else text


def called(kind: str, record_id: str, name: str | None, known_here: str | None = None) -> str:
    """Return what people read as the name of a record: the name in its manifest, else the file name that this machine
    knows, else kind and first digits of the id, which name it too. No `known_here` where others read it."""
    return name or known_here or f"{kind} {record_id[:12]}"


def titled(kind: str, name: str | None) -> str:
    """Return kind and name of a record; one alone where the other says no more (a run that is called run)."""
    return kind if name in (None, "", kind) else name if name.startswith(f"{kind} ") else f"{kind} {name}"


def named(names: Collection[str], most: int = 5, between: str = ", ") -> str:
    """Name the first of some things, and say how many more there are."""
    shown = between.join(islice(names, most))
    return shown if len(names) <= most else f"{shown}{between.rstrip().strip(',')} and {len(names) - most} more"


def text_of(value: Any) -> str:
    """Write a plain value as a reader expects it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(text_of(item) for item in value) or "none"
    if isinstance(value, Mapping):
        return " ".join(f"{name}={text_of(item)}" for name, item in value.items())
    return "none" if value is None else str(value)


def flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """List nested values as pairs of dotted name and text, in order."""
    pairs: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            pairs += flat(value, f"{prefix}{name}.")
        else:
            pairs.append((f"{prefix}{name}", text_of(value)))
    return pairs


def json_text(value: Any) -> bytes:
    """Write JSON for people and tools, in a fixed order."""
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
