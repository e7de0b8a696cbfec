"""Writes what the client and the npm package ship of the contracts, ABI, bytecode, sources and gas: `make artifacts`.

`python tools/artifacts.py --check` writes nothing and fails when what is shipped is stale.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import contract_package
from compiler import ROOT, compile_standard_json, standard_json

SHIPPED = {
    "LabRegistry": "contracts/LabRegistry.sol",
    "LabRegistryFactory": "contracts/LabRegistryFactory.sol",
    "RegistryLens": "contracts/RegistryLens.sol",
}
CONSUMERS = {"ReplicationBounty": "contracts/consumers/ReplicationBounty.sol"}
"""Contracts that verbs call, and that are no part of a registry."""
OUTPUTS = ("abi", "metadata", "evm.bytecode.object", "evm.deployedBytecode")
FOLDER = ROOT / "blockchaintracer" / "core" / "artifacts"


def artifact(name: str, contract: dict[str, Any], names: dict[str, str]) -> str:
    """The shipped form of a compiled contract as JSON text: ABI, bytecode, where each of its immutables stands in the
    runtime code (32 bytes a place), and compiler settings.

    Args:
        names: of all variables, by their number in the compiler's syntax tree.
    """
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
        "immutables": {
            names[number]: sorted(place["start"] for place in places)
            for number, places in runtime["immutableReferences"].items()
        },
    }
    return json.dumps(shipped, indent=1, sort_keys=True) + "\n"


def variables(tree: Any) -> Iterator[tuple[str, str]]:
    """Yield the number and name of every variable in the compiler's syntax trees."""
    if isinstance(tree, list):
        for part in tree:
            yield from variables(part)
    elif isinstance(tree, dict):
        if tree.get("nodeType") == "VariableDeclaration":
            yield str(tree["id"]), tree["name"]
        for part in tree.values():
            yield from variables(part)


def verification(request: dict[str, Any], contracts: Iterable[dict[str, Any]]) -> str:
    """What an explorer compiles to compare with the chain: the compiler's standard JSON input, with the sources of the
    shipped contracts alone, and beside it the compiler's version, for which that input has no place."""
    compiled = [json.loads(contract["metadata"]) for contract in contracts]
    sources = sorted({name for metadata in compiled for name in metadata["sources"]})
    settings = {name: value for name, value in request["settings"].items() if name != "outputSelection"}
    selection = {"*": {"*": ["abi", "metadata", "evm.bytecode.object", "evm.deployedBytecode.object"]}}
    shipped = {
        "compiler": compiled[0]["compiler"]["version"],
        "contracts": SHIPPED,
        "input": {
            "language": "Solidity",
            "sources": {name: {"content": (ROOT / name).read_text()} for name in sources},
            "settings": settings | {"outputSelection": selection},
        },
    }
    return json.dumps(shipped, indent=1, sort_keys=True) + "\n"


def gas() -> str:
    """What each operation costs, for `estimate`: the measured figures of benchmarks/gas.json."""
    measured = json.loads((ROOT / "benchmarks" / "gas.json").read_text())
    shipped = {part: {name: row["ours"] for name, row in measured[part].items()} for part in ("figures", "repriced")}
    return json.dumps({"fork": measured["fork"], **shipped}, indent=1, sort_keys=True) + "\n"


def fresh() -> dict[Path, str]:
    """Every shipped file as it would be written now."""
    request = standard_json(*OUTPUTS)
    request["settings"]["outputSelection"]["*"][""] = ["ast"]
    output = compile_standard_json(request)
    del request["settings"]["outputSelection"]["*"][""]
    compiled, names = output["contracts"], dict(variables(output["sources"]))
    contracts = {name: compiled[source][name] for name, source in SHIPPED.items()}
    shipped = {name: artifact(name, contract, names) for name, contract in contracts.items()}
    files = {FOLDER / f"{name}.json": text for name, text in shipped.items()}
    files |= contract_package.files(compiled, shipped)
    for name, source in CONSUMERS.items():
        files[FOLDER / f"{name}.json"] = artifact(name, compiled[source][name], names)
    files[FOLDER / "verification.json"] = verification(request, contracts.values())
    return files | {FOLDER / "gas.json": gas()}


def main() -> int:
    stale = {file: text for file, text in fresh().items() if not file.exists() or file.read_text() != text}
    if "--check" not in sys.argv:
        for file, text in stale.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    elif stale:
        names = ", ".join(file.relative_to(ROOT).as_posix() for file in stale)
        print(f"stale: {names}. Type `make artifacts` and commit what it writes.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
