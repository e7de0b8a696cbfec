"""What the npm package of the contracts says of them, as JSON and typed constants: ABIs, typed data, numbers, code, and
what wallets show.

`tools/artifacts.py` writes these files and checks them.
"""

import json
from pathlib import Path
from typing import Any

import clear_signing
from compiler import ROOT

from blockchaintracer.core.chain.known_code import FACTORY_SALT, LENS_SALT, PROXY, create2_address
from blockchaintracer.core.record import (
    DOMAIN_NAME,
    DOMAIN_VERSION,
    TYPES,
    Kind,
    Relation,
    Role,
    Status,
    SubjectType,
    Verdict,
    label,
)

FOLDER = ROOT / "packages" / "contracts"
ABIS = {
    "LabRegistry": "contracts/LabRegistry.sol",
    "LabRegistryFactory": "contracts/LabRegistryFactory.sol",
    "RegistryLens": "contracts/RegistryLens.sol",
    "IProvenanceConsumer": "interfaces/IProvenanceConsumer.sol",
    "ReplicationBounty": "contracts/consumers/ReplicationBounty.sol",
    "RecordResolver": "contracts/consumers/RecordResolver.sol",
}
VOCABULARIES = {
    "kinds": (Kind, "Kinds of records."),
    "relations": (Relation, "How a record stands to its parent."),
    "subjectTypes": (SubjectType, "What the subject of a record is the digest of."),
    "verdicts": (Verdict, "What a group says of another group's record."),
    "statuses": (Status, "Whether a record stands."),
    "roles": (Role, "Bits of what a member may do in a group."),
}
HEAD = "// Written by tools/artifacts.py from the compiled contracts and the client's vocabulary. Do not edit.\n"


def files(compiled: dict[str, Any], shipped: dict[str, str]) -> dict[Path, str]:
    """Every generated file of the package as it would be written now.

    Args:
        compiled: the compiler's output, by source and contract.
        shipped: the JSON text of the artifacts that the client ships, by contract.
    """
    abis = {name: compiled[source][name]["abi"] for name, source in ABIS.items()}
    texts = {FOLDER / "abi" / f"{name}.json": _value(abi).replace(",\n]", "\n]") + "\n" for name, abi in abis.items()}
    registry = json.loads(shipped["LabRegistry"])
    code = {name: json.loads(shipped[name])["bytecode"] for name in shipped}
    factory, lens = (
        create2_address(PROXY, salt, bytes.fromhex(code[name][2:]))
        for name, salt in (("LabRegistryFactory", FACTORY_SALT), ("RegistryLens", LENS_SALT))
    )
    constants: dict[str, tuple[Any, str]] = {
        **{f"{name[0].lower()}{name[1:]}Abi": (abi, f"ABI of {name}.") for name, abi in abis.items()},
        "domainName": (DOMAIN_NAME, "`name` of the EIP-712 domain of every registry."),
        "domainVersion": (DOMAIN_VERSION, "`version` of the EIP-712 domain, and of the contracts."),
        "types": (
            {name: fields for name, fields in TYPES.items() if name != "EIP712Domain"},
            "EIP-712 types of all that is identified, signed or sealed. A record id is the digest of a `Record`.",
        ),
        **{
            name: ({label(member): int(member) for member in vocabulary}, text)
            for name, (vocabulary, text) in VOCABULARIES.items()
        },
        "factoryAddress": (factory, "Address of the factory of this version, on every chain that has it."),
        "lensAddress": (lens, "Address of the RegistryLens of this version, on every chain that has it."),
        "deployments": (
            {
                found["chainId"]: found["registries"]
                for found in (json.loads(file.read_text()) for file in sorted((ROOT / "deployments").glob("*.json")))
            },
            "Registries that are known by chain id.",
        ),
    }
    start = registry["bytecode"].index(registry["runtimeBytecode"][2:])
    known = {
        "initCode": registry["bytecode"],
        "runtimeStart": (start - 2) // 2,
        "runtimeSize": len(registry["runtimeBytecode"]) // 2 - 1,
        "immutables": registry["immutables"],
    }
    described = (
        "Code that makes a LabRegistry. Its runtime code stands inside, `runtimeSize` bytes from `runtimeStart` on, and"
        " each immutable has 32 bytes at each of its places in the runtime code."
    )
    [event] = (entry for entry in abis["LabRegistryFactory"] if entry["type"] == "event")
    deployed = f"{event['name']}({','.join(item['type'] for item in event['inputs'])})"
    descriptors = {
        "eip712-LabRegistry": clear_signing.messages(),
        "calldata-LabRegistry": clear_signing.calls(abis["LabRegistry"], factory, deployed),
    }
    for name, descriptor in descriptors.items():
        for folder, written in (("", descriptor), ("v2", clear_signing.of_version_2(descriptor))):
            texts[FOLDER / "erc7730" / folder / f"{name}.json"] = json.dumps(written, indent=1) + "\n"
    texts |= _module("index", constants)
    return texts | _module("code", {"labRegistryCode": (known, described)}, exact=False)


def _module(name: str, constants: dict[str, tuple[Any, str]], *, exact: bool = True) -> dict[Path, str]:
    """A module of constants and its types: literal ones (TypeScript's `as const`) if `exact`."""
    source = "".join(f"export const {key} = {_value(value)};\n" for key, (value, _) in constants.items())
    types = "".join(
        f"/** {text} */\nexport declare const {key}: {_type(value, exact)};\n"
        for key, (value, text) in constants.items()
    )
    return {FOLDER / f"{name}.js": HEAD + source, FOLDER / f"{name}.d.ts": HEAD + types}


def _value(value: Any) -> str:
    """A constant in JavaScript: a line for each entry."""
    if isinstance(value, list):
        return "[\n" + "".join(f"  {json.dumps(entry)},\n" for entry in value) + "]"
    if isinstance(value, dict):
        return "{\n" + "".join(f"  {json.dumps(key)}: {json.dumps(entry)},\n" for key, entry in value.items()) + "}"
    return json.dumps(value)


def _type(value: Any, exact: bool) -> str:
    """The type of a constant in TypeScript."""
    if isinstance(value, dict):
        fields = (f"readonly {json.dumps(key)}: {_type(inner, exact)}" for key, inner in value.items())
        return "{ " + "; ".join(fields) + " }" if value else "{}"
    if isinstance(value, list):
        if not exact:
            return "readonly number[]"
        return "readonly [" + ", ".join(_type(inner, exact) for inner in value) + "]"
    if exact:
        return json.dumps(value)
    return "`0x${string}`" if isinstance(value, str) else "number"
