"""What a run ran on: its code, environment, hardware and seeds. Nothing here writes to what it looks at."""

from __future__ import annotations

JSON_INTEGER = 2**53 - 1
"""The largest integer that every JSON reader keeps exactly (RFC 8785, RFC 7493)."""


def json_integer(number: int) -> int | str:
    """The number, as text where JSON readers could round it."""
    return number if -JSON_INTEGER <= number <= JSON_INTEGER else str(number)
