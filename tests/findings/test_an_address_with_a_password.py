"""`publish --to` printed an address with its password, as a command to be given to others, and in --json."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from blockchaintracer.lab.publish import _target
from blockchaintracer.lab.store.store import Store

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("memory://user:secret@lab.example/published", "memory://lab.example/published"),
        ("memory://lab.example/published?sig=secret", "memory://lab.example/published"),
        ("memory://container@account/published", "memory://container@account/published"),
    ],
)
def test_no_password_is_told(tmp_path: Path, address: str, told: str) -> None:
    lab: Any = SimpleNamespace(store=Store(tmp_path))
    digest = lab.store.put_bytes(b"a file")
    where, states, _ = _target(lab, address, "", quick=True, progress=None)({"a": digest})
    assert (where, [*states]) == (told, [digest])
