"""Writes what the client ships of the contracts, ABI, bytecode, sources and gas: `make artifacts`.

`python tools/artifacts.py --check` writes nothing and fails when what is shipped is stale.
"""

import json
import sys
from pathlib import Path
from typing import Any

from compiler import ROOT, compile_standard_json, standard_json

SHIPPED = {
    "LabRegistry": "contracts/LabRegistry.sol",
    "LabRegistryFactory": "contracts/LabRegistryFactory.sol",
}
IMPORTS_ALL = "LabRegistryFactory"
"""the shipped contract whose sources are those of all shipped contracts"""
OUTPUTS = ("abi", "metadata", "evm.bytecode.object", "evm.deployedBytecode")
FOLDER = ROOT / "blockchaintracer" / "core" / "artifacts"


def artifact(name: str, contract: dict[str, Any]) -> str:
    """The shipped form of a compiled contract as JSON text: ABI, bytecode, where its immutables stand in the runtime
    code (32 bytes each), and compiler settings."""
    metadata = json.loads(contract["metadata"])
    runtime = contract["evm"]["deployedBytecode"]
    shipped = {
        "contractName": name,
        "compiler": metadata["compiler"]["version"],
        "optimizer": metadata["settings"]["optimizer"],
        "evmVersion": metadata["settings"]["evmVersion"],
        "abi": contract["abi"],
        "bytecode": "0x" + contract["evm"]["bytecode"]["object"],
        "runtimeBytecode": "0x" + runtime["object"],
        "immutables": sorted(place["start"] for places in runtime["immutableReferences"].values() for place in places),
    }
    return json.dumps(shipped, indent=1, sort_keys=True) + "\n"


def verification(request: dict[str, Any], contract: dict[str, Any]) -> str:
    """What an explorer compiles to compare with the chain: the compiler's standard JSON input, with the sources of the
    shipped contracts alone, and beside it the compiler's version, for which that input has no place."""
    metadata = json.loads(contract["metadata"])
    settings = {name: value for name, value in request["settings"].items() if name != "outputSelection"}
    selection = {"*": {"*": ["abi", "metadata", "evm.bytecode.object", "evm.deployedBytecode.object"]}}
    shipped = {
        "compiler": metadata["compiler"]["version"],
        "contracts": SHIPPED,
        "input": {
            "language": "Solidity",
            "sources": {name: {"content": (ROOT / name).read_text()} for name in metadata["sources"]},
            "settings": settings | {"outputSelection": selection},
        },
    }
    return json.dumps(shipped, indent=1, sort_keys=True) + "\n"


def gas() -> str:
    """What each operation costs, for `estimate`: the measured figures of benchmarks/gas.json."""
    figures = json.loads((ROOT / "benchmarks" / "gas.json").read_text())
    return json.dumps({name: row["ours"] for name, row in figures.items()}, indent=1, sort_keys=True) + "\n"


def fresh() -> dict[Path, str]:
    """Every shipped file as it would be written now."""
    request = standard_json(*OUTPUTS)
    compiled = compile_standard_json(request)["contracts"]
    contracts = {name: compiled[source][name] for name, source in SHIPPED.items()}
    files = {FOLDER / f"{name}.json": artifact(name, contract) for name, contract in contracts.items()}
    files[FOLDER / "verification.json"] = verification(request, contracts[IMPORTS_ALL])
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
