"""Compiles the contracts to the same bytecode as Ape, but always from the sources as they stand.

Ape's cache keeps what it made of a contract when only an import of that contract has changed.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
SOLIDITY = yaml.safe_load((ROOT / "ape-config.yaml").read_text())["solidity"]
COMPILER = ROOT / ".toolchain" / "solc" / f"solc-v{SOLIDITY['version']}"
FOLDERS = ("contracts", "interfaces")


def standard_json(*outputs: str) -> dict[str, Any]:
    """The contracts and interfaces as the compiler's standard JSON input."""
    files = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.sol"))
    return {
        "language": "Solidity",
        "sources": {path.relative_to(ROOT).as_posix(): {"content": path.read_text()} for path in files},
        "settings": {
            "viaIR": SOLIDITY["via_ir"],
            "evmVersion": SOLIDITY["evm_version"],
            "optimizer": {"enabled": True, "runs": SOLIDITY["optimization_runs"]},
            "remappings": SOLIDITY["import_remapping"],
            "outputSelection": {"*": {"*": list(outputs)}},
        },
    }


def compile_standard_json(request: dict[str, Any]) -> dict[str, Any]:
    """The compiler's output.

    Raises:
        RuntimeError: if a contract doesn't compile, with the compiler's words.
    """
    done = subprocess.run(
        [COMPILER, "--standard-json", "--base-path", ROOT],
        cwd=ROOT,
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=True,
    )
    output: dict[str, Any] = json.loads(done.stdout)
    if errors := [error["formattedMessage"] for error in output.get("errors", []) if error["severity"] == "error"]:
        raise RuntimeError("\n".join(errors))
    return output
