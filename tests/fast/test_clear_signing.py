"""The ERC-7730 descriptors in packages/contracts: a wallet that follows them shows each field, of the right call."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from eth_account._utils.encode_typed_data.encoding_and_hashing import encode_type
from eth_hash.auto import keccak

from tests.model import eip712

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "packages" / "contracts"
KINDS = ("eip712", "calldata")


def descriptor(kind: str) -> dict[str, Any]:
    return json.loads((FOLDER / "erc7730" / f"{kind}-LabRegistry.json").read_text())


def leaves(entry: dict[str, Any]) -> Iterator[str]:
    """The paths to all plain values of a parameter."""
    name = f"{entry['name']}.[]" if entry["type"].endswith("[]") else entry["name"]
    if "components" not in entry:
        yield name
    for inner in entry.get("components", ()):
        yield from (f"{name}.{path}" for path in leaves(inner))


def test_every_writing_function_is_shown_whole() -> None:
    abi = json.loads((FOLDER / "abi" / "LabRegistry.json").read_text())
    formats = descriptor("calldata")["display"]["formats"]
    writing = [entry for entry in abi if entry.get("stateMutability") == "nonpayable" and entry["type"] == "function"]
    by_name = {signature.partition("(")[0]: signature for signature in formats}
    assert by_name.keys() == {entry["name"] for entry in writing}
    for entry in writing:
        shown = formats[by_name[entry["name"]]]
        paths = [path for item in entry["inputs"] for path in leaves(item)]
        assert [field["path"] for field in shown["fields"]] == shown["required"] == paths


def test_names_of_functions_have_the_selectors_of_the_contract() -> None:
    client = json.loads((ROOT / "blockchaintracer" / "core" / "artifacts" / "LabRegistry.json").read_text())
    code = client["runtimeBytecode"]
    for signature in descriptor("calldata")["display"]["formats"]:
        plain = re.sub(r" \w+(?=[,)])", "", signature)
        assert f"63{keccak(plain.encode())[:4].hex()}" in code or keccak(plain.encode())[:1] == b"\0", signature


def test_signed_messages_are_those_of_the_model() -> None:
    given = descriptor("eip712")
    types = {schema["primaryType"]: schema["types"] for schema in given["context"]["eip712"]["schemas"]}
    for name, text in (
        ("RecordAuthorization", eip712.RECORD_AUTHORIZATION),
        ("AttestationAuthorization", eip712.ATTESTATION_AUTHORIZATION),
        ("Invitation", eip712.INVITATION),
    ):
        fields = ",".join(f"{field['type']} {field['name']}" for field in types[name][name])
        assert f"{name}({fields})" == text
    paths = [field["path"] for field in given["display"]["formats"]["RecordAuthorization"]["fields"]]
    parents = [f"record.parents.[].{name}" for name in ("parent", "relation")]
    plain = [f"record.{name}" for name in ("group", "author", "subjectType", "subject", "kind", "manifest")]
    assert paths == [*plain, *parents, "deadline"]


@pytest.mark.parametrize("kind", KINDS)
def test_enums_that_are_named_exist(kind: str) -> None:
    given = descriptor(kind)
    named = {
        field["params"]["$ref"].removeprefix("$.metadata.enums.")
        for shown in given["display"]["formats"].values()
        for field in shown["fields"]
        if field["format"] == "enum"
    }
    assert named == given["metadata"]["enums"].keys()


@pytest.mark.parametrize("kind", KINDS)
def test_version_2_shows_the_same(kind: str) -> None:
    first, second = descriptor(kind), json.loads((FOLDER / "erc7730" / "v2" / f"{kind}-LabRegistry.json").read_text())
    formats = second["display"]["formats"]
    assert second["metadata"] == first["metadata"]
    assert len(formats) == len(first["display"]["formats"])
    for shown, other in zip(first["display"]["formats"].values(), formats.values(), strict=True):
        assert [field["path"] for field in other["fields"]] == shown["required"]
        assert other["fields"] == [field | {"visible": "always"} for field in shown["fields"]]
        assert other["intent"] == shown["intent"]
    if kind == "eip712":
        # a wallet knows a message by its type's hash
        assert {keccak(name.encode()) for name in formats} == {keccak(_type_of(name).encode()) for name in formats}
    else:
        for name, other in zip(first["display"]["formats"], formats, strict=True):
            assert other.replace("tuple(", "(") == name


def _type_of(encoded: str) -> str:
    """The type that a client of Ethereum would hash for a format."""
    types = {schema["primaryType"]: schema["types"] for schema in descriptor("eip712")["context"]["eip712"]["schemas"]}
    name = encoded.partition("(")[0]
    given = {other: fields for other, fields in types[name].items() if other != "EIP712Domain"}
    return encode_type(name, given)


@pytest.mark.skipif(
    "ERC7730_SCHEMA" not in os.environ, reason="the schema is others' work: name its file in ERC7730_SCHEMA"
)
@pytest.mark.parametrize("kind", KINDS)
def test_the_schema(kind: str) -> None:
    """Of version 1, or of version 2 where that file names itself so."""
    path = Path(os.environ["ERC7730_SCHEMA"])
    folder = "v2" if "v2" in path.name else ""
    given = json.loads((FOLDER / "erc7730" / folder / f"{kind}-LabRegistry.json").read_text())
    jsonschema.validate(given, json.loads(path.read_text()))
