"""Proves with halmos what tests/symbolic states of the registry: `make prove`. docs/proofs.md says what that is.

Halmos executes compiled code symbolically. It is installed on demand, by hash, into an environment of its own. What it
is given is the shipped code, built by forge with the settings of ape-config.yaml: this fails where the two differ.

A proof that passed is kept in tests/results and counts as long as the registry, the proof and halmos are the same, so a
run that was ended goes on where it was. One that fails is tried again by the next run.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

from compiler import COMPILER, ROOT, SOLIDITY
from locked import install
from results import Results, digest

PROOFS = Path("tests", "symbolic")
BUILD = Path(".build", "prove")
LOCK = ROOT / "locks" / "prove.txt"
ENVIRONMENT = ROOT / ".toolchain" / "prove"
SOLVER = shlex.join([sys.executable, str(ROOT / "tools" / "first_answer.py")])
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


def statements(chosen: str) -> dict[str, str]:
    """Return what there is to prove, as `IdsProof.check_equal_ids`, with the digest of what it is of."""
    registry, found = code(json.loads(SHIPPED.read_text())["bytecode"]), {}
    for path in sorted(ROOT.glob(f"{PROOFS}/*.sol")):
        for built in (ROOT / BUILD / "out" / path.name).glob("*.json"):
            contract = json.loads(built.read_text())
            # the bounds of a proof stand in its comments
            of = (code(contract["bytecode"]["object"]), contract["metadata"]["output"], registry)
            if of[0] and re.fullmatch(chosen, built.stem):
                for entry in contract["abi"]:
                    if entry.get("name", "").startswith(("check_", "reach_")):
                        name = f"{built.stem}.{entry['name']}"
                        found[name] = digest([ROOT / PROOFS / "run_halmos.py", LOCK], name, *of)
    return found


def halmos(name: str) -> str:
    """Return what became of a statement; halmos prints more."""
    contract, function = name.split(".")
    report = ROOT / BUILD / f"{name}.json"
    report.unlink(missing_ok=True)
    options = ["--root", ".", "--forge-build-out", str(BUILD / "out"), "--no-status", "--json-output", str(report)]
    command = [str(ENVIRONMENT / "bin" / "python"), str(PROOFS / "run_halmos.py"), *options]
    # a solver that a busy machine interrupts must not look as if it gave up
    patience = ["--solver-timeout-assertion", "10m", "--solver-threads", "1", "--solver-command", SOLVER]
    chosen = [*patience, "--match-contract", f"^{contract}$", "--match-test", rf"^{function}\("]
    subprocess.run([*command, *chosen], cwd=ROOT, env=environment(), check=False)
    results = json.loads(report.read_text())["test_results"].values() if report.exists() else ()
    (result,) = [result for each in results for result in each] or [{"exitcode": None}]
    if function.startswith("reach_"):
        # a proof about calls that never succeed proves nothing: each `reach_` claims so and must be refuted
        return "reached" if result["exitcode"] == COUNTEREXAMPLE else "not reached"
    return "proven" if result["exitcode"] == PASS and not result["num_bounded_loops"] else "not proven"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("contracts", nargs="*", help="of tests/symbolic; all of them if none is named")
    parser.add_argument("--known", action="store_true", help="only report what was proven before")
    options = parser.parse_args()
    install("prove", ENVIRONMENT, LOCK)
    build()
    kept, digests = Results("prove"), statements("|".join(options.contracts) or ".*")
    passed = kept.of_today(digests)
    for name, of in digests.items():
        if name not in passed and not options.known:
            began = time.monotonic()
            outcome, seconds = halmos(name), round(time.monotonic() - began)
            print(f"prove: {outcome}: {name}, {seconds} s", flush=True)
            if outcome in {"proven", "reached"}:
                passed[name] = [outcome, seconds]
                kept.add(name, outcome, seconds, of)
    for contract in dict.fromkeys(name.partition(".")[0] for name in digests):
        its = [name for name in digests if name.startswith(f"{contract}.")]
        known = [passed[name] for name in its if name in passed]
        print(f"{contract:20}{len(known):3} of {len(its):3} {sum(seconds for _, seconds in known):7,} s")
    print(f"prove: {len(passed)} of {len(digests)} statements proven or calls reached")
    return 0 if digests and passed.keys() == digests.keys() else 1


if __name__ == "__main__":
    sys.exit(main())
