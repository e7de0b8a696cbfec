"""The contracts give the ids and roots of conformance/: they share no code with who wrote them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pyrevm
import pytest
from eth_hash.auto import keccak

from tests.model.eip712 import DOMAIN_TYPE, Key, struct
from tests.support.evm import CHAIN_ID, Chain, Contract

FOLDER = Path(__file__).resolve().parents[2] / "conformance"
OWNER = "0x" + "0a" * 20


def each(name: str) -> list[dict[str, Any]]:
    return [case for case in json.loads((FOLDER / f"{name}.json").read_text())["cases"] if "refused" not in case]


def abi_key(key: dict[str, Any]) -> Key:
    parents = tuple((bytes.fromhex(link["parent"][2:]), link["relation"]) for link in key["parents"])
    subject, manifest = (bytes.fromhex(key[name]) for name in ("subject", "manifest"))
    return Key(key["group"], key["author"], key["subjectType"], subject, key["kind"], manifest, parents)


def separator(chain_id: int, registry: str) -> bytes:
    """EIP-712's domain separator of a registry."""
    return struct(DOMAIN_TYPE, keccak(b"BlockchainTracer LabRegistry"), keccak(b"1"), chain_id, registry)


@pytest.fixture(scope="module")
def deployed() -> Contract:
    return Chain().deploy("LabRegistry", OWNER, True)


def registry_at(deployed: Contract, chain_id: int, address: str) -> Contract:
    """The registry as if it had been deployed there: the domain of its ids is fixed in its code."""
    chain = Chain(chain_id)
    code, own = bytes(deployed.chain.evm.get_code(deployed.address)), separator(CHAIN_ID, deployed.address)
    assert own in code
    code = code.replace(own, separator(chain_id, address))
    chain.evm.insert_account_info(address, pyrevm.AccountInfo(nonce=1, code=code))
    return chain.at("LabRegistry", address)


def test_the_registry_gives_the_same_ids(deployed: Contract) -> None:
    for case in each("ids"):
        registry = registry_at(deployed, int(case["chainId"]), case["registry"])
        assert "0x" + registry.read("idOf", abi_key(case["key"])).hex() == case["id"], case["name"]


def test_the_registry_gives_the_same_roots_and_takes_the_same_paths() -> None:
    registry = Chain().deploy("LabRegistry", OWNER, True)
    registry.send(OWNER, "createGroup", 7, bytes(32))
    for case in each("trees"):
        leaves = [hashlib.sha256(f"leaf {number}".encode()).digest() for number in range(case.get("leaves", 0))]
        values = sorted(leaves or [bytes.fromhex(value[2:]) for value in case["values"]])
        root, _ = registry.send(OWNER, "anchorLeaves", 1, values)
        assert "0x" + root.hex() == case["root"], case["name"]
        for shown in case["paths"]:
            value, path = bytes.fromhex(shown["value"][2:]), tuple(bytes.fromhex(part[2:]) for part in shown["path"])
            assert registry.read("batchedAt", 1, OWNER, value, root, path)[0] == registry.chain.now
            assert registry.read("batchedAt", 1, OWNER, bytes(32), root, path)[0] == 0
