"""`publish` and `export` showed the token of a CI job that was still valid, if the clock of the machine was ahead: the
chain's newest block must be past the token's end, too, and a chain that does not answer shows nothing."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from blockchaintracer.core.errors import ChainUnavailable
from blockchaintracer.lab.published_secrets import token_withheld
from blockchaintracer.lab.store.store import Store

pytestmark = pytest.mark.fast


def head(timestamp: float | None) -> Any:
    def answer() -> Any:
        if timestamp is None:
            raise ChainUnavailable("the node is silent")
        return SimpleNamespace(timestamp=timestamp)

    return answer


@pytest.mark.parametrize(
    ("block", "on_devnet", "is_shown"),
    [(50, False, False), (None, False, False), (101, False, True), (50, True, True)],
    ids=["the clock alone is past it", "a silent node", "the chain is past it", "a devnet"],
)
def test_the_chain_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: float | None, on_devnet: bool, is_shown: bool
) -> None:
    store = Store(tmp_path)
    digest = store.put_bytes(b"e30." + base64.urlsafe_b64encode(json.dumps({"exp": 100}).encode()) + b".")
    lab: Any = SimpleNamespace(store=store, on_devnet=on_devnet, chain=SimpleNamespace(head=head(block)))
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    reason = token_withheld(lab, digest)
    assert (reason is None) is is_shown
    assert is_shown or "valid until" in str(reason)
