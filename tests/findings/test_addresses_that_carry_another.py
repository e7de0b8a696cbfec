"""An IPv6 address that carries a private IPv4 address passed as public: 6to4, NAT64, Teredo and compatible ones."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from blockchaintracer.core.fetch import is_public

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fe80::1", "fd00::1", "::ffff:127.0.0.1"),
        *("2002:7f00:1::", "2002:a9fe:a9fe::1", "64:ff9b::a00:1", "64:ff9b:1::a00:1", "::7f00:1", "fec0::1"),
        "2001:0:53aa:64c:0:1:f5ff:fffe",
    ],
)
def test_it_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2a00::1", "2002:808:808::", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_a_public_one_is(address: str) -> None:
    assert is_public(ip_address(address))
