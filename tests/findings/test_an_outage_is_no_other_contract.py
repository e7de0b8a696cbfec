"""A node that failed when it was asked what a contract is made it "not a LabRegistry" (2): it is unavailable (3)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.chain import Registry
from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.core.fetch import FetchError
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from tests.support.labs import typed
from tests.support.memory_node import MemoryNode, RpcError, answering

pytestmark = pytest.mark.evm


@pytest.fixture(scope="module")
def node() -> MemoryNode:
    return MemoryNode()


@pytest.fixture(scope="module")
def address(node: MemoryNode) -> str:
    return node.deploy("LabRegistry", "0x" + "11" * 20, True)


@pytest.mark.parametrize("failure", [FetchError("broke off"), RpcError(-32603, "internal error")])
def test_the_node_is_unavailable(node: MemoryNode, address: str, tmp_path: Path, failure: Exception) -> None:
    def failing(method: str, params: list[Any]) -> Any:
        if method == "eth_call":
            raise failure
        return node.answer(method, params)

    with answering(full=failing):
        lab = Lab(Home(tmp_path / "home"), rpc="http://full/", registry_address=address)
        with pytest.raises(ChainUnavailable):
            _ = lab.registry
        where = ("--rpc", "http://full/", "--registry", address, "--chain-id", str(node.chain.chain_id))
        done = typed("verify", "0x" + "12" * 32, *where, home=tmp_path / "home")
        assert done.returncode == 3, done.stderr
        assert "not a LabRegistry" not in done.stdout + done.stderr


def test_another_contract_is_still_named(node: MemoryNode, tmp_path: Path) -> None:
    other = node.deploy("RegistryLens")
    with answering(full=node.answer):
        lab = Lab(Home(tmp_path / "home"), rpc="http://full/", registry_address=other)
        with pytest.raises(InputError, match="is not a LabRegistry"):
            _ = lab.registry
        assert isinstance(Registry(lab.chain, other), Registry)
