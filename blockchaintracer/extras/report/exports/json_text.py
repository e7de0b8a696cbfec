"""JSON as every export writes it."""

from __future__ import annotations

import json
from typing import Any


def json_text(value: Any) -> bytes:
    """JSON for people and tools, in a fixed order."""
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
