"""`verify --registry OTHER` changed where the next record went, and a node that was never reached was taken for the one
of the last command: what was meant for one registry or chain was written to another."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from blockchaintracer.core.errors import ChainUnavailable
from blockchaintracer.lab.groups import deploy
from blockchaintracer.lab.lab import Lab
from tests.support.labs import again, typed

pytestmark = pytest.mark.node
CLOSED = "http://127.0.0.1:2"


def file(folder: Path) -> str:
    path = folder / os.urandom(4).hex()
    path.write_bytes(os.urandom(20))
    return str(path)


def test_a_verb_that_reads_keeps_no_choice(lab: Lab, tmp_path: Path) -> None:
    mine = lab.registry.address
    other = deploy(lab, open_group_creation=True, name="another").registry
    assert other != mine
    first = ("record", "--dataset", file(tmp_path), "--registry", mine, "--json")
    assert json.loads(typed(*first, home=lab.home.path).stdout)["records"][0]["registry"] == mine
    before = lab.home.settings.read_bytes()
    node = lab.devnet.start().url
    for words in (
        ("verify", "ab" * 32, "--registry", other),
        ("verify", "ab" * 32, "--registry", other, "--rpc", node),
        ("status", "ab" * 32, "--registry", other),
        ("seal", "list", "--registry", other),
        ("group", "show", "1", "--registry", other),
    ):
        typed(*words, home=lab.home.path)
        assert lab.home.settings.read_bytes() == before, words
    done = typed("record", "--dataset", file(tmp_path), "--json", home=lab.home.path)
    assert json.loads(done.stdout)["records"][0]["registry"] == mine


def test_a_node_that_was_never_reached_is_no_other_chain(lab: Lab, tmp_path: Path) -> None:
    _ = typed("record", "--dataset", file(tmp_path), home=lab.home.path)
    waiting = len(lab.outbox.entries())
    for verbs in (("record", "--dataset"), ("seal", "record", "--dataset"), ("batch", "add", "--dataset")):
        done = typed(*verbs, file(tmp_path), "--rpc", CLOSED, home=lab.home.path)
        assert done.returncode == 3, done.stdout + done.stderr
        assert "waits" not in done.stderr
    assert len(again(lab).outbox.entries()) == waiting
    with pytest.raises(ChainUnavailable):
        _ = Lab(lab.home, rpc=CLOSED).chain_id
