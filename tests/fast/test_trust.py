"""What a verifier says that it trusts, and the file that names blocks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.errors import BlockchainTracerError, InputError
from blockchaintracer.core.trust import Checkpoint, Trust, checkpoints_json, read_checkpoints

REGISTRY, HASH = "0x" + "ab" * 20, "0x" + "cd" * 32
POINTS = (Checkpoint(1, 0, HASH), Checkpoint(2**255, 2**64 - 1, "0x" + "00" * 32))


def test_what_is_named_is_written_in_its_one_form() -> None:
    trust = Trust(registry=REGISTRY, chain_id=5, blocks=(HASH[2:].upper(), HASH), groups=(1, 2))
    assert trust.registry == "0xABaBaBaBABabABabAbAbABAbABabababaBaBABaB"
    assert trust.blocks == (HASH, HASH)
    assert (trust.chain_id, trust.rpc, trust.network, trust.groups) == (5, None, None, (1, 2))


def test_a_network_is_a_chain_and_its_node() -> None:
    for given in ({}, {"chain_id": 84532}):
        trust = Trust(network="base-sepolia", **given)
        assert (trust.chain_id, trust.rpc, trust.registry) == (84532, "https://sepolia.base.org", None)
    assert Trust(network="base-sepolia", rpc="http://127.0.0.1:1").rpc == "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"network": "base-sepolia", "chain_id": 1}, "expected chain 84532"),
        ({"network": "nowhere"}, "nowhere"),
        ({}, "expected a chain to trust, got none"),
        ({"registry": REGISTRY}, "expected a chain to trust, got none"),
        ({"blocks": (HASH,), "rpc": "http://127.0.0.1:1"}, "expected the chain of the node, got none"),
        ({"checkpoints": POINTS, "rpc": "http://127.0.0.1:1"}, "expected the chain of the node, got none"),
        ({"blocks": ("0x12",)}, "hash of a block"),
        ({"registry": "0x12", "chain_id": 1}, "a registry's address"),
    ],
)
def test_what_names_no_chain_or_two_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Trust(**wrong)


def test_blocks_alone_are_enough() -> None:
    assert Trust(blocks=(HASH,)).chain_id == Trust(checkpoints=POINTS).chain_id == 0


def test_a_file_of_blocks_reads_back(tmp_path: Path) -> None:
    file = tmp_path / "points.json"
    file.write_text(json.dumps(checkpoints_json(POINTS)))
    assert read_checkpoints(file) == POINTS
    told = checkpoints_json(POINTS[:1])
    assert told["blocks"] == [{"chainId": "1", "number": "0", "hash": HASH}]


@pytest.mark.parametrize(
    "blocks",
    [
        [],
        [{"chainId": str(2**256), "number": "1", "hash": HASH}],
        [{"chainId": "1", "number": str(2**64), "hash": HASH}],
        [{"chainId": "-1", "number": "1", "hash": HASH}],
        [{"chainId": "1", "number": "1", "hash": HASH[:-1]}],
        [{"chainId": 1, "number": "1", "hash": HASH}],
        [{"chainId": "1", "number": "1", "hash": HASH, "more": 1}],
        [{"chainId": "1", "number": "1"}],
        "1",
    ],
)
def test_a_file_of_something_else_is_refused(blocks: Any, tmp_path: Path) -> None:
    file = tmp_path / "points.json"
    file.write_text(json.dumps(checkpoints_json(POINTS) | {"blocks": blocks}))
    with pytest.raises(BlockchainTracerError):
        read_checkpoints(file)


def test_a_file_of_blocks_has_an_end(tmp_path: Path) -> None:
    file = tmp_path / "points.json"
    file.write_bytes(b" " * ((16 << 20) + 1))
    with pytest.raises(InputError, match="at most 16777216 bytes"):
        read_checkpoints(file)
