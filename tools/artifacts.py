"""Writes what the client ships of the contracts, ABI, bytecode and gas: `make artifacts`.

`python tools/artifacts.py --check` writes nothing and fails when what is shipped is stale.
"""

import json
import sys
from pathlib import Path
from typing import Any

from compiler import ROOT, compile_standard_json, standard_json

SHIPPED = {"LabRegistry": "contracts/LabRegistry.sol"}
OUTPUTS = ("abi", "metadata", "evm.bytecode.object", "evm.deployedBytecode.object")
FOLDER = ROOT / "blockchaintracer" / "artifacts"


def artifact(name: str, contract: dict[str, Any]) -> str:
    """The shipped form of a compiled contract: ABI, bytecode and compiler settings as JSON text."""
    metadata = json.loads(contract["metadata"])
    shipped = {
        "contractName": name,
        "compiler": metadata["compiler"]["version"],
        "optimizer": metadata["settings"]["optimizer"],
        "evmVersion": metadata["settings"]["evmVersion"],
        "abi": contract["abi"],
        "bytecode": "0x" + contract["evm"]["bytecode"]["object"],
        "runtimeBytecode": "0x" + contract["evm"]["deployedBytecode"]["object"],
    }
    return json.dumps(shipped, indent=1, sort_keys=True) + "\n"


def gas() -> str:
    """What each operation costs, for `estimate`: the measured figures of benchmarks/gas.json."""
    figures = json.loads((ROOT / "benchmarks" / "gas.json").read_text())
    return json.dumps({name: row["ours"] for name, row in figures.items()}, indent=1, sort_keys=True) + "\n"


def fresh() -> dict[Path, str]:
    """Every shipped file as it would be written now."""
    contracts = compile_standard_json(standard_json(*OUTPUTS))["contracts"]
    files = {FOLDER / f"{name}.json": artifact(name, contracts[source][name]) for name, source in SHIPPED.items()}
    return files | {FOLDER / "gas.json": gas()}


def main() -> int:
    stale = {file: text for file, text in fresh().items() if not file.exists() or file.read_text() != text}
    if "--check" not in sys.argv:
        FOLDER.mkdir(exist_ok=True)
        for file, text in stale.items():
            file.write_text(text)
    elif stale:
        names = ", ".join(file.relative_to(ROOT).as_posix() for file in stale)
        print(f"stale: {names}. Type `make artifacts` and commit what it writes.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
