"""What a hardware wallet shows of a registry's calls and signed messages: ERC-7730 descriptors, version 1.

Every function that writes and every signed message is there with all of its fields, from the ABI and the EIP-712 types.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from blockchaintracer.core.networks import NETWORKS
from blockchaintracer.core.record import (
    DOMAIN_NAME,
    DOMAIN_VERSION,
    TYPES,
    Kind,
    Relation,
    Role,
    SubjectType,
    Verdict,
    label,
)

SCHEMA = "https://eips.ethereum.org/assets/eip-7730/erc7730-v1.schema.json"
SCHEMA_2 = "https://eips.ethereum.org/assets/eip-7730/erc7730-v2.schema.json"
SIGNED = ("RecordAuthorization", "AttestationAuthorization", "Invitation", "IdentityClaim")
INTENTS = {
    "RecordAuthorization": "Let anybody record this for you",
    "AttestationAuthorization": "Let anybody send your verdict",
    "Invitation": "Invite a member into a group",
    "IdentityClaim": "Claim an identity",
}
VOCABULARIES = {"kind": Kind, "relation": Relation, "subjectType": SubjectType, "verdict": Verdict}
TIMES = {"deadline", "until", "signedAt"}


def messages() -> dict[str, Any]:
    """The descriptor of the signed messages, of all registries: their domains have one name and version."""
    schemas = [
        {"primaryType": name, "types": {each: TYPES[each] for each in ("EIP712Domain", *_types(name))}}
        for name in SIGNED
    ]
    domain = {"name": DOMAIN_NAME, "version": DOMAIN_VERSION}
    formats = {name: _shown(INTENTS[name], _of_type(name, ())) for name in SIGNED}
    return _descriptor({"eip712": {"domain": domain, "schemas": schemas}}, formats)


def calls(abi: list[dict[str, Any]], factory: str, deploy_event: str) -> dict[str, Any]:
    """The descriptor of the calls that write, of all registries that the factory makes."""
    writing = [entry for entry in abi if entry.get("stateMutability") == "nonpayable" and entry["type"] == "function"]
    deployments = [{"chainId": it.chain_id, "address": factory} for it in NETWORKS if not it.is_devnet]
    context = {"abi": writing, "factory": {"deployments": deployments, "deployEvent": deploy_event}}
    formats = {_signature(entry): _shown(_words(entry["name"]), _of_inputs(entry["inputs"], ())) for entry in writing}
    return _descriptor({"contract": context}, formats)


def of_version_2(descriptor: dict[str, Any]) -> dict[str, Any]:
    """The same for version 2: formats have the names that ABI and types had beside them, and each field says itself
    that it is always shown."""
    [(kind, binding)] = descriptor["context"].items()
    bound = {name: value for name, value in binding.items() if name not in ("abi", "schemas")}
    functions = {_signature(entry): _signature(entry, "tuple") for entry in binding.get("abi", ())}
    formats = {
        functions.get(name) or _encoded(name): {
            "intent": shown["intent"],
            "fields": [field | {"visible": "always"} for field in shown["fields"]],
        }
        for name, shown in descriptor["display"]["formats"].items()
    }
    made = {"$schema": SCHEMA_2, "context": {kind: bound}, "display": {"formats": formats}}
    return descriptor | made


def _encoded(name: str) -> str:
    """A type as EIP-712's encodeType writes it: the types that it refers to follow, sorted."""
    first, *others = _types(name)
    types = (first, *sorted({*others}))
    parts = (",".join(f"{field['type']} {field['name']}" for field in TYPES[each]) for each in types)
    return "".join(f"{each}({part})" for each, part in zip(types, parts, strict=True))


def _descriptor(context: dict[str, Any], formats: dict[str, Any]) -> dict[str, Any]:
    enums = {name: {str(int(it)): label(it) for it in vocabulary} for name, vocabulary in VOCABULARIES.items()}
    every = range(1, sum(Role) + 1)
    enums["roles"] = {str(bits): ", ".join(label(role) for role in Role if role & bits) for bits in every}
    metadata = {"owner": "a lab's own LabRegistry", "enums": enums}
    return {"$schema": SCHEMA, "context": context, "metadata": metadata, "display": {"formats": formats}}


def _shown(intent: str, fields: Iterable[tuple[tuple[str, ...], str]]) -> dict[str, Any]:
    shown = [_field(path, type_) for path, type_ in fields]
    return {"intent": intent, "fields": shown, "required": [field["path"] for field in shown]}


def _field(path: tuple[str, ...], type_: str) -> dict[str, Any]:
    names = [part for part in path if part != "[]"]
    field = {"path": ".".join(path), "label": _words(names[-1]), "format": "raw"}
    if names[-1] in VOCABULARIES or names[-1] == "roles":
        return field | {"format": "enum", "params": {"$ref": f"$.metadata.enums.{names[-1]}"}}
    if names[-1] in TIMES:
        return field | {"format": "date", "params": {"encoding": "timestamp"}}
    return field | ({"format": "addressName"} if type_.startswith("address") else {})


def _of_type(name: str, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    for entry in TYPES[name]:
        inner, place = entry["type"].removesuffix("[]"), (*path, entry["name"])
        place = (*place, "[]") if entry["type"].endswith("[]") else place
        if inner in TYPES:
            yield from _of_type(inner, place)
        else:
            yield place, inner


def _of_inputs(inputs: list[dict[str, Any]], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    for entry in inputs:
        place = (*path, entry["name"], "[]") if entry["type"].endswith("[]") else (*path, entry["name"])
        if "components" in entry:
            yield from _of_inputs(entry["components"], place)
        else:
            yield place, entry["type"]


def _types(name: str) -> list[str]:
    found = [name]
    for each in found:
        found += [inner for entry in TYPES[each] if (inner := entry["type"].removesuffix("[]")) in TYPES]
    return found


def _signature(entry: dict[str, Any], structure: str = "") -> str:
    """A function with the names of its parameters, as ERC-7730 names a format; version 2 has a word before the parts of
    a structure."""

    def written(item: dict[str, Any]) -> str:
        inner = f"({','.join(map(written, item['components']))})" if "components" in item else ""
        inner = inner and structure + inner
        return f"{inner + item['type'].removeprefix('tuple') if inner else item['type']} {item['name']}".strip()

    return f"{entry['name']}({','.join(map(written, entry['inputs']))})"


def _words(name: str) -> str:
    """``attestBySig`` as ``Attest by signature``."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower().replace("by sig", "by signature")
    return words[0].upper() + words[1:]
