"""A seal's commitment is made to be handed out, and a stranger could not look it up: `status` said unknown, `verify`
"no record", and its transaction was "verified" without an author. The owner's `verify` did not know its own seal."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.record import Kind, Verdict
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.outbox import Op, Transaction
from blockchaintracer.lab.recording.content import record_content
from blockchaintracer.lab.seals import Sealed, reveal, seal_verdict, sealing
from tests.support.labs import second_lab, typed
from tests.support.proxy import proxied

pytestmark = pytest.mark.node


def sealed(lab: Lab, folder: Path) -> Sealed:
    file = folder / os.urandom(4).hex()
    file.write_bytes(os.urandom(20))
    with sealing(lab):
        seal = record_content(lab, Kind.DATASET, file, name="blind data")
    assert isinstance(seal, Sealed)
    return seal


def stranger(lab: Lab, home: Path, *words: str, rpc: str | None = None) -> Any:
    """A verb typed in an empty home, with the node and the registry named."""
    where = ("--rpc", rpc or lab.devnet.start().url, "--chain-id", "77787", "--registry", lab.registry.address)
    return typed(*words, *where, home=home)


def said(lab: Lab, seal: Sealed, group: int = 1) -> str:
    return f"sealed by {lab.signer.address} for group {group} in block {seal.block}"


def test_a_stranger_sees_who_sealed_and_how_many_are_hidden(lab: Lab, tmp_path: Path) -> None:
    sealed(lab, tmp_path)
    seal = sealed(lab, tmp_path)
    for words in (("verify", seal.commitment), ("verify", seal.transaction), ("status", seal.commitment)):
        done = stranger(lab, tmp_path / "stranger", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        assert said(lab, seal) in done.stdout
        assert "2 unrevealed" in done.stdout
        assert "not revealed" in done.stdout or words[0] == "status"
        assert "has no" not in done.stdout
        assert seal.id not in done.stdout, "only its author knows what it hides"


def test_what_it_became_is_named_after_the_reveal(lab: Lab, tmp_path: Path) -> None:
    seal = sealed(lab, tmp_path)
    reveal(lab, seal.commitment)
    for words in (("verify", seal.commitment), ("verify", seal.transaction), ("status", seal.commitment)):
        done = stranger(lab, tmp_path / "stranger", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"revealed as record {seal.id}" in done.stdout
    record = record_content(lab, Kind.DATASET, _new(tmp_path))
    reviewer = second_lab(lab, tmp_path / "reviewer")
    verdict = seal_verdict(reviewer, record.id, Verdict.DISPUTED)
    reveal(reviewer, verdict.commitment)
    done = stranger(lab, tmp_path / "stranger", "verify", verdict.commitment)
    assert f"revealed as the verdict disputed on record {record.id}" in done.stdout


def test_every_author_of_one_commitment_is_shown(lab: Lab, tmp_path: Path) -> None:
    seal = sealed(lab, tmp_path)
    copier = second_lab(lab, tmp_path / "copier", name="Copier")
    address, group = copier.signer.address, copier.group()
    copier.write(Transaction(Op.SEAL, lab.registry.address, group=group, author=address, commitment=seal.commitment))
    done = stranger(lab, tmp_path / "stranger", "verify", seal.commitment)
    assert done.returncode == 0
    assert said(lab, seal) in done.stdout
    assert f"sealed by {address} for group {group} in block" in done.stdout
    state = json.loads(stranger(lab, tmp_path / "stranger", "status", seal.commitment, "--json").stdout)
    assert {row["author"] for row in state["sealedBy"]} == {lab.signer.address, address}


def test_its_owner_is_told_what_it_hides_and_nobody_else(lab: Lab, tmp_path: Path) -> None:
    seal = sealed(lab, tmp_path)
    for words in (("verify", seal.commitment), ("verify", seal.id), ("status", seal.commitment)):
        done = typed(*words, home=lab.home.path)
        assert said(lab, seal) in done.stdout, done.stdout
        assert f"hides record {seal.id} 'blind data'" in done.stdout
    assert f"hides record {seal.id}" not in stranger(lab, tmp_path / "stranger", "verify", seal.commitment).stdout


@pytest.mark.parametrize("how", ["refused", "empty"])
def test_a_forgotten_log_is_not_a_missing_seal(lab: Lab, tmp_path: Path, how: str) -> None:
    """The state knows the seal of a group and author; without them it is unknown, and not "no record"."""
    seal = sealed(lab, tmp_path)
    lab.chain.ask("anvil_mine", "0x3")
    cut = seal.block + 1

    def forgetful(request: dict[str, Any], ask: Any) -> Any:
        method, parameters = request["method"], request["params"]
        old = False
        if method == "eth_getLogs":
            first = parameters[0].get("fromBlock", "0x0")
            last = parameters[0].get("toBlock", "latest")
            old = first != "latest" and int(first, 16) < cut
            if how == "empty" and old and (last == "latest" or int(last, 16) >= cut):
                request = request | {"params": [parameters[0] | {"fromBlock": hex(cut)}]}
        if method in ("eth_getTransactionReceipt", "eth_getTransactionByHash"):
            old = parameters[0] == seal.transaction
        if not old:
            return ask()
        if how == "refused":
            return {"jsonrpc": "2.0", "id": request["id"], "error": {"code": 4444, "message": "pruned history"}}
        return {"jsonrpc": "2.0", "id": request["id"], "result": [] if method == "eth_getLogs" else None}

    with proxied(lab.devnet.start().url) as proxy:
        proxy.fault = forgetful
        done = stranger(lab, tmp_path / "stranger", "verify", seal.commitment, rpc=proxy.url)
        assert done.returncode == 3, done.stdout + done.stderr
        assert "begins at block" in done.stdout
        named = ("--group", "1", "--author", lab.signer.address)
        done = stranger(lab, tmp_path / "stranger", "verify", seal.commitment, *named, rpc=proxy.url)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"sealed by {lab.signer.address} for group 1 at" in done.stdout
        assert "whether it was revealed is unknown" in done.stdout
        done = stranger(lab, tmp_path / "stranger", "status", seal.commitment, rpc=proxy.url)
        assert done.returncode == 3
        assert "begins at block" in done.stdout + done.stderr


def test_what_was_never_sealed_is_not_there(lab: Lab, tmp_path: Path) -> None:
    done = stranger(lab, tmp_path / "stranger", "verify", "cd" * 32)
    assert done.returncode == 1
    assert "batch or seal" in done.stdout


def _new(folder: Path) -> Path:
    file = folder / os.urandom(4).hex()
    file.write_bytes(os.urandom(20))
    return file
