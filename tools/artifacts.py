"""Writes what the client ships of the contracts, ABI, bytecode and gas, from `ape compile` and `make gas`:
`make artifacts`.

`python tools/artifacts.py --check` writes nothing and fails when what is shipped is stale.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ("LabRegistry",)
FOLDER = ROOT / "blockchaintracer" / "artifacts"


def artifact(name: str) -> str:
    """The shipped form of a compiled contract: ABI, deployment bytecode and compiler settings as JSON text."""
    build = json.loads((ROOT / ".build" / "__local__.json").read_text())
    contract = build["contractTypes"][name]
    compilers = [entry for entry in build["compilers"] if name in entry["contractTypes"]]
    shipped = {
        "contractName": name,
        "compiler": compilers[-1]["version"],
        "optimizer": compilers[-1]["settings"]["optimizer"],
        "evmVersion": compilers[-1]["settings"]["evmVersion"],
        "abi": contract["abi"],
        "bytecode": contract["deploymentBytecode"]["bytecode"],
        "runtimeBytecode": contract["runtimeBytecode"]["bytecode"],
    }
    return json.dumps(shipped, indent=1, sort_keys=True) + "\n"


def gas() -> str:
    """What each operation costs, for `estimate`: the measured figures of benchmarks/gas.json."""
    figures = json.loads((ROOT / "benchmarks" / "gas.json").read_text())
    return json.dumps({name: row["ours"] for name, row in figures.items()}, indent=1, sort_keys=True) + "\n"


def main() -> int:
    stale = []
    shipped = {name: artifact(name) for name in SHIPPED} | {"gas": gas()}
    for name, text in shipped.items():
        file = FOLDER / f"{name}.json"
        if not file.exists() or file.read_text() != text:
            stale.append(name)
            if "--check" not in sys.argv:
                FOLDER.mkdir(exist_ok=True)
                file.write_text(text)
    if "--check" in sys.argv and stale:
        print(f"stale: {', '.join(stale)}. Run `make artifacts`.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
