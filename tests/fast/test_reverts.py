"""Every refusal of the registry is told in words, with its values and a way out."""

import string

import pytest
from eth_abi.abi import encode
from eth_utils.abi import abi_to_signature, function_signature_to_4byte_selector

from blockchaintracer.core.chain import load_artifact
from blockchaintracer.core.chain.reverts import WORDS, decode_error
from blockchaintracer.core.errors import ContractRevert

OF_OPENZEPPELIN = {"InvalidShortString", "StringTooLong", "StringsInsufficientHexLength"}
"""Of names and numbers of another length, which the registry doesn't have."""

ERRORS = {entry["name"]: entry for entry in load_artifact()["abi"] if entry["type"] == "error"}
SAMPLES = {
    "address": "0x" + "ab" * 20,
    "bytes32": b"\xcd" * 32,
    "uint8": 1,
    "uint32": 2,
    "uint40": 1_700_000_000,
    "uint256": 3,
}


def test_words_and_contract_name_the_same_errors():
    assert set(WORDS) == set(ERRORS) - OF_OPENZEPPELIN


@pytest.mark.parametrize("name", sorted(WORDS))
def test_an_error_is_decoded_into_words_with_its_values(name):
    types = [entry["type"] for entry in ERRORS[name]["inputs"]]
    selector = function_signature_to_4byte_selector(abi_to_signature(ERRORS[name]))
    error = decode_error("0x" + (selector + encode(types, [SAMPLES[kind] for kind in types])).hex())
    assert isinstance(error, ContractRevert)
    assert error.name == name
    assert set(error.arguments) == {entry["name"] for entry in ERRORS[name]["inputs"]}
    assert error.message.startswith("the registry refused it: ")
    assert "{" not in error.message
    assert error.hint
    for _, field, _, _ in string.Formatter().parse(WORDS[name]["meaning"]):
        if field:
            assert str(error.arguments[field]) in error.message


def test_a_missing_role_names_each_that_would_do():
    selector = function_signature_to_4byte_selector(abi_to_signature(ERRORS["MissingRole"]))
    data = encode(["uint32", "address", "uint32"], [7, SAMPLES["address"], 2 | 4])
    error = decode_error("0x" + (selector + data).hex())
    assert "is not a recorder or reviewer of group 7" in error.message


def test_an_unknown_error_is_told_with_its_data():
    assert "deadbeef" in str(decode_error("0xdeadbeef"))
