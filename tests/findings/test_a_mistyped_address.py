"""A letter in the wrong case makes an address's checksum wrong (EIP-55): it was taken, and so was a mistyped digit."""

from __future__ import annotations

import pytest

from blockchaintracer import Trust
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import checksummed

pytestmark = pytest.mark.fast
# from EIP-55
RIGHT = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


@pytest.mark.parametrize("text", [RIGHT, RIGHT.lower(), "0x" + RIGHT[2:].upper()])
def test_what_has_no_checksum_or_the_right_one_is_an_address(text: str) -> None:
    assert checksummed(text) == RIGHT


@pytest.mark.parametrize("text", [RIGHT.replace("aAeb", "aaeb"), RIGHT.replace("5aAe", "6aAe")])
def test_a_wrong_checksum_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(InputError, match="checksum") as refused:
        Trust(registry=text, chain_id=1)
    assert "mistyped" in (refused.value.hint or "")
