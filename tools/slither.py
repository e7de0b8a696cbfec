"""Runs slither on the contracts; whatever it finds fails `make lint`, unless it stands here with the reason beside it.

Slither is given the compiler's standard JSON: its own ways to read a project need a native compiler or Foundry's build.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from compiler import COMPILER, ROOT, compile_standard_json, standard_json

SLITHER = Path(sys.executable).with_name("slither")
OUTPUTS = ("abi", "metadata", "devdoc", "userdoc", "evm.bytecode", "evm.deployedBytecode")

NOT_ASKED = {
    "assembly": "keys are hashed from calldata by hand, at half the cost; tests compare the hashes with eth-account's",
    "pragma": "OpenZeppelin states its own ranges; one compiler, pinned in ape-config.yaml, compiles all",
    "solc-version": "as above",
    "timestamp": "time is what a record is about; terms and deadlines are of days, a proposer moves seconds",
}

ACCEPTED = {
    ("too-many-digits", "constructor"): "takes the registry's creation code for a number",
    ("too-many-digits", "digits"): "masks of a whole word, whose pattern is the point",
    ("incorrect-equality", "_attest"): "compares two groups; nothing that anyone could pay into",
    ("unused-return", "_requireSignature"): "the third value explains the error, which ERC-1271 is asked about next",
    ("uninitialized-local", "_requireParents"): "starts below every parent, at zero",
    ("uninitialized-local", "anchorLeaves"): "starts below every id, at zero",
    ("incorrect-equality", "_lineageOf"): "compares a kind, which the record's author chose once",
    ("incorrect-equality", "_requireParents"): "a time of zero says that there is no record",
    ("unused-return", "_requireOwner"): "of a group's three facts, only its owner matters here",
    ("unused-return", "_requireAge"): "of a group's three facts, only its creation matters here",
    ("calls-loop", "_requireAge"): "as the next",
    ("calls-loop", "_requireNoVerdict"): "the registry alone is called, for few groups that the sponsor names",
    ("calls-loop", "_requireStanding"): "the registry alone is called, once for each attestation of EAS's batch",
    ("dead-code", "_usedInterfaces"): "an override that the constructor of the base calls",
    ("dead-code", "_requireRecorded"): "of a mixin: for the contracts that inherit from it",
    ("dead-code", "_requireReproducedBy"): "as above",
    ("dead-code", "_requireStandingParent"): "as above",
    ("dead-code", "_requirePreregistered"): "as above",
    ("dead-code", "_knownSince"): "as above",
    ("dead-code", "_requireBatched"): "as above",
    ("dead-code", "_requireCleanLineage"): "as above",
    ("dead-code", "_isRepeated"): "as above",
}


def findings() -> list[dict[str, Any]]:
    request = standard_json(*OUTPUTS)
    request["settings"]["outputSelection"]["*"][""] = ["ast"]
    # inside the project: slither refuses a target that has no foundry.toml above it where this folder has one
    target = ROOT / ".build" / "slither.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(request))
    command = [SLITHER, target, "--compile-force-framework", "solc-json"]
    options = ["--solc", COMPILER, "--filter-paths", "node_modules", "--exclude", ",".join(NOT_ASKED), "--json", "-"]
    # it asks forge, which stands beside it, for foundry.toml
    environment = os.environ | {"PATH": os.pathsep.join([str(SLITHER.parent), os.environ["PATH"]])}
    done = subprocess.run([*command, *options], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    answer = json.loads(done.stdout or "{}")
    if not answer.get("success"):
        # its JSON hides what the compiler said
        compile_standard_json(request)
        raise RuntimeError(f"slither failed: {answer.get('error') or done.stderr}")
    return list(answer["results"].get("detectors", []))


def where(finding: dict[str, Any]) -> str:
    """The function, or else the contract, that a finding is about."""
    element = finding["elements"][0]
    if element["type"] == "variable":
        element = element["type_specific_fields"]["parent"]
    return str(element["name"])


def main() -> int:
    found = findings()
    new = [finding for finding in found if (finding["check"], where(finding)) not in ACCEPTED]
    gone = ACCEPTED.keys() - {(finding["check"], where(finding)) for finding in found}
    for finding in new:
        print(f"slither: {finding['check']} ({finding['impact']}) in {where(finding)}: {finding['description']}")
    for check, name in sorted(gone):
        print(f"slither: {check} is no longer found in {name}: take it out of tools/slither.py")
    return 1 if new or gone else 0


if __name__ == "__main__":
    sys.exit(main())
