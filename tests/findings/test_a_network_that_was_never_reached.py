"""A record for a public network that did not answer waited for the devnet, and the next command put it there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blockchaintracer.lab.lab import Lab
from tests.support.labs import typed

pytestmark = pytest.mark.node
CLOSED = "http://127.0.0.1:1"


def test_what_is_meant_for_a_public_network_never_waits_for_the_devnet(lab: Lab, tmp_path: Path) -> None:
    _ = lab.chain.chain_id
    file = tmp_path / "data.csv"
    file.write_text(str(tmp_path))
    before = waiting(lab)
    for verbs in (("record", "--dataset"), ("seal", "--dataset", "record")):
        done = typed(
            *verbs, str(file), "--network", "base-sepolia", home=lab.home.path, BLOCKCHAINTRACER_RPC_BASE_SEPOLIA=CLOSED
        )
        assert done.returncode in (2, 3), done.stderr
        assert "waits" not in done.stderr
    assert waiting(lab) == before


def waiting(lab: Lab) -> list[dict]:
    return json.loads(typed("outbox", "list", "--json", home=lab.home.path).stdout)
