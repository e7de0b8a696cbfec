"""Proves with halmos what tests/symbolic states of the registry: `make prove`. docs/proofs.md says what that is.

Halmos executes compiled code symbolically. It is installed on demand, by hash, into an environment of its own. What it
is given is the shipped code, built by forge with the settings of ape-config.yaml: this fails where the two differ.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from compiler import COMPILER, ROOT, SOLIDITY
from locked import install

PROOFS = Path("tests", "symbolic")
BUILD = Path(".build", "prove")
LOCK = ROOT / "locks" / "prove.txt"
ENVIRONMENT = ROOT / ".toolchain" / "prove"
SHIPPED = ROOT / "blockchaintracer" / "core" / "artifacts" / "LabRegistry.json"
PASS, COUNTEREXAMPLE = 0, 1


def environment() -> dict[str, str]:
    """Forge's settings as variables, so that ape-config.yaml stays the only place where they are written."""
    tools = (ENVIRONMENT / "bin", ROOT / ".venv" / "bin")
    return os.environ | {
        "PATH": os.pathsep.join([*map(str, tools), os.environ["PATH"]]),
        # halmos makes a folder for solvers in the home folder
        "HOME": str(ENVIRONMENT),
        "FOUNDRY_SRC": str(PROOFS),
        "FOUNDRY_TEST": str(PROOFS),
        "FOUNDRY_OUT": str(BUILD / "out"),
        "FOUNDRY_CACHE_PATH": str(BUILD / "cache"),
        "FOUNDRY_SOLC": str(COMPILER),
        "FOUNDRY_OFFLINE": "true",
        "FOUNDRY_VIA_IR": str(SOLIDITY["via_ir"]).lower(),
        "FOUNDRY_OPTIMIZER": "true",
        "FOUNDRY_OPTIMIZER_RUNS": str(SOLIDITY["optimization_runs"]),
        "FOUNDRY_EVM_VERSION": SOLIDITY["evm_version"],
        "FOUNDRY_REMAPPINGS": "\n".join(SOLIDITY["import_remapping"]),
        "FOUNDRY_LINT": "{lint_on_build=false}",
    }


def build() -> None:
    """Compiles as halmos will (which then finds nothing to do), and compares the registry with the one that is shipped.

    Raises:
        SystemExit: if the proofs would be of other code, or read other storage than they mean.
    """
    shutil.rmtree(ROOT / BUILD, ignore_errors=True)
    command = ["forge", "build", "--ast", "--root", ".", "--extra-output", "storageLayout", "metadata", "--quiet"]
    subprocess.run(command, cwd=ROOT, env=environment(), check=True)
    built = json.loads((ROOT / BUILD / "out" / "LabRegistry.sol" / "LabRegistry.json").read_text())
    if code(built["bytecode"]["object"]) != code(json.loads(SHIPPED.read_text())["bytecode"]):
        sys.exit("prove: the registry as built is not the one that is shipped: type `make artifacts`")

    written = dict(re.findall(r"SLOT(_[A-Z_]+) = (\d+);", (ROOT / PROOFS / "Proof.sol").read_text()))
    layout = {item["label"].lower().replace("_", ""): item["slot"] for item in built["storageLayout"]["storage"]}
    if wrong := {name for name, slot in written.items() if layout.get(name.lower().replace("_", "")) != slot}:
        sys.exit(f"prove: {PROOFS / 'Proof.sol'} names other slots than the compiler: {sorted(wrong)}")


def code(bytecode: str) -> bytes:
    """Without the metadata at its end, which holds a hash of the sources' names."""
    raw = bytes.fromhex(bytecode.removeprefix("0x"))
    return raw[: -2 - int.from_bytes(raw[-2:], "big")]


def halmos(contracts: str, prefix: str) -> list[dict[str, Any]]:
    """The outcome of each function of this prefix, as it is printed."""
    report = ROOT / BUILD / f"{prefix}.json"
    report.unlink(missing_ok=True)
    options = ["--root", ".", "--forge-build-out", str(BUILD / "out"), "--no-status", "--json-output", str(report)]
    command = [str(ENVIRONMENT / "bin" / "python"), str(PROOFS / "run_halmos.py"), *options]
    chosen = ["--match-contract", contracts, "--function", prefix]
    subprocess.run([*command, *chosen], cwd=ROOT, env=environment(), check=False)
    if not report.exists():
        return []
    return [result for results in json.loads(report.read_text())["test_results"].values() for result in results]


def main() -> int:
    began = time.monotonic()
    contracts = "|".join(sys.argv[1:]) or "."
    install("prove", ENVIRONMENT, LOCK)
    build()
    proofs = halmos(contracts, "check_")
    # a proof about calls that never succeed proves nothing: each `reach_` claims so and must be refuted
    reached = halmos(contracts, "reach_")
    failed = [result["name"] for result in proofs if result["exitcode"] != PASS or result["num_bounded_loops"]]
    vacuous = [result["name"] for result in reached if result["exitcode"] != COUNTEREXAMPLE]
    for name in failed:
        print(f"prove: not proven: {name}")
    for name in vacuous:
        print(f"prove: not reached: {name}")
    minutes = (time.monotonic() - began) / 60
    print(
        f"prove: {len(proofs) - len(failed)} of {len(proofs)} proven, {len(reached) - len(vacuous)} of {len(reached)} "
        f"calls reached, in {minutes:.0f} min"
    )
    return 1 if failed or vacuous or not proofs else 0


if __name__ == "__main__":
    sys.exit(main())
