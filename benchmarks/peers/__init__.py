"""Other attestation contracts, deployed from locked npm packages and put to the same work.

Each module's ``measure(chain)`` answers ``{operation: [gas, ...]}`` by the names in gas.json. The first figure is for
the content that LabRegistry records (group, kind, subject and manifest: 128 bytes), a second one for a 32 byte
commitment to it. An operation that the peer doesn't have is left out. Names that end in ``_most`` are no gas: how many
records one transaction takes.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from eth_abi.abi import encode

from benchmarks.chain import ROOT, Chain
from benchmarks.registry import SIZES, digest
from tools import npm

HERE = Path(__file__).resolve().parent
MODULES = HERE / "node_modules"
PROXY = MODULES / "@openzeppelin/contracts/build/contracts/ERC1967Proxy.json"
FIELDS = ["uint32", "uint8", "bytes32", "bytes32"]

Figures = dict[str, list[int]]


def install() -> None:
    """Installs the peers' packages as they are locked, unless they are installed already.

    Raises:
        ChainUnavailable: if npm can't get them.
    """
    npm.install(HERE)


def read_package(path: str | Path) -> Any:
    """A JSON file of an installed package."""
    return json.loads((MODULES / path).read_text())


def content(label: str) -> bytes:
    """128 bytes: what LabRegistry's key holds of a record without parents, apart from its author, who signs."""
    return encode(FIELDS, [1, 1, bytes.fromhex(digest(label)), bytes.fromhex(digest(label + "'s manifest"))])


def commitment(label: str) -> bytes:
    """32 bytes that stand for a record."""
    return bytes.fromhex(digest(label))


def batches(
    chain: Chain, name: str, make: Callable[[str], Any], function: Callable[[Sequence[Any]], Any]
) -> dict[str, int]:
    """Gas of one record in batches of 1, 10, 100 and 1,024 and in the largest one that a transaction takes.

    Args:
        name: what the figures' names start with.
        make: a record from its label.
        function: the call that records some of them.
    """
    figures: dict[str, int] = {}
    for size in SIZES:
        sent = chain.send_all([make(f"{i} of {size}, {name}") for i in range(size)], function)
        figures[f"{name}_{size}"] = -(-sum(it.gas for _, it in sent) // size)
        most, largest = sent[0]
    return figures | {f"{name}_largest": -(-largest.gas // most), f"{name}_most": most}


def together(*variants: dict[str, int]) -> Figures:
    """The same operations for different content, side by side."""
    return {name: [variant[name] for variant in variants] for name in variants[0]}


def compile_source(
    source: Path, contract: str, remappings: Sequence[str], via_ir: bool, runs: int
) -> tuple[list[Any], str]:
    """ABI and creation code of a contract, by the project's compiler.

    Args:
        remappings: where imports are found, relative to the project.
    """
    name = source.relative_to(ROOT).as_posix()
    task = {
        "language": "Solidity",
        "sources": {name: {"content": source.read_text()}},
        "settings": {
            "remappings": list(remappings),
            "optimizer": {"enabled": True, "runs": runs},
            "evmVersion": "cancun",
            "viaIR": via_ir,
            "outputSelection": {name: {contract: ["abi", "evm.bytecode.object"]}},
        },
    }
    command = [str(npm.NODE), str(ROOT / "tools/solc.js"), "--standard-json", "--base-path", str(ROOT)]
    done = subprocess.run(command, input=json.dumps(task), check=True, capture_output=True, text=True)
    answer = json.loads(done.stdout)
    failures = [it["formattedMessage"] for it in answer.get("errors", []) if it["severity"] == "error"]
    if failures:
        raise RuntimeError(f"expected {name} to compile, got:\n" + "\n".join(failures))
    compiled = answer["contracts"][name][contract]
    return compiled["abi"], compiled["evm"]["bytecode"]["object"]
