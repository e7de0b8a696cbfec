"""In a home that was there already, `verify --rpc URL` and each other verb that reads believed whatever chain a node
said it was of. The verifier chooses the chain: by its number, by a network, or by having written to it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import Kind
from blockchaintracer.extras.frameworks.filesystem import RecordFileSystem
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.content import record_content
from tests.support.labs import second_lab, typed
from tests.support.proxy import Answer, Ask, proxied

pytestmark = pytest.mark.node


def of_another_chain(request: dict[str, Any], ask: Ask) -> Answer:
    answer = ask()
    return {**answer, "result": "0x1"} if request["method"] == "eth_chainId" else answer


def test_a_chain_that_nobody_chose_is_refused(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_bytes(os.urandom(9))
    made = record_content(lab, Kind.DATASET, tmp_path / "data.csv")
    home, node = tmp_path / "reader", lab.devnet.start().url
    (tmp_path / "passphrase").write_text("a passphrase\n")
    by_file = {"BLOCKCHAINTRACER_PASSPHRASE_FILE": str(tmp_path / "passphrase")}
    assert typed("keys", "create", "reader", home=home, **by_file).returncode == 0
    where = ("--rpc", node, "--registry", lab.registry.address)
    verbs = (("verify", made.id), ("status", made.id), ("lineage", made.id), ("group", "list"))
    for words in verbs:
        done = typed(*words, *where, home=home)
        assert done.returncode == InputError.exit_code, (words, done.stdout)
        assert "--chain-id 77787" in done.stderr
        assert typed(*words, *where, "--chain-id", "77787", home=home).returncode == 0, words
        for wrong in (("--chain-id", "1"), ("--network", "ethereum")):
            assert typed(*words, *where, *wrong, home=home).returncode == InputError.exit_code, words
    with pytest.raises(InputError, match="that this lab has written to"):
        RecordFileSystem(home, node, lab.registry.address).info(made.id)
    chosen = RecordFileSystem(home, node, lab.registry.address, 77787, sources=str(lab.home.store))
    assert chosen.info(made.id)["type"] == "file"


def test_a_home_knows_the_chains_that_it_wrote_to(lab: Lab, tmp_path: Path) -> None:
    other = second_lab(lab, tmp_path / "other")
    (tmp_path / "data.csv").write_bytes(os.urandom(9))
    made = record_content(lab, Kind.DATASET, tmp_path / "data.csv")
    with proxied(str(other.rpc)) as proxy:
        where = ("--rpc", proxy.url, "--registry", lab.registry.address)
        assert typed("verify", made.id, *where, home=other.home.path).returncode == 0
        proxy.fault = of_another_chain
        done = typed("verify", made.id, *where, home=other.home.path)
    assert done.returncode == InputError.exit_code, done.stdout
    assert "got one of chain 1" in done.stderr
