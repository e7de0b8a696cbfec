"""`type(I).interfaceId` omits what I inherits: the registry answered ERC-165 to the id of two functions alone."""

from __future__ import annotations

import pytest
from eth_hash.auto import keccak

from tests.support.artifacts import artifact
from tests.support.evm import abi_type

pytestmark = pytest.mark.evm


def test_the_interface_id_covers_every_function_of_the_interface(registry) -> None:
    expected = 0
    for entry in artifact("ILabRegistry").abi:
        if entry["type"] == "function":
            signature = f"{entry['name']}({','.join(map(abi_type, entry['inputs']))})"
            expected ^= int.from_bytes(keccak(signature.encode())[:4])
    assert registry.read("supportsInterface", expected.to_bytes(4, "big"))
