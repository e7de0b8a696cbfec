"""An IPv6 address that carries a private IPv4 address passed as public: 6to4, NAT64, Teredo, translated, compatible.
So did what names many hosts, or none."""

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
        *("2001:0:53aa:64c:0:1:f5ff:fffe", "::ffff:0:10.0.0.1", "::ffff:0:8.8.8.8", "64:ff9b::e000:1"),
        *("224.0.0.1", "239.255.255.250", "ff02::1", "ff0e::1", "::ffff:224.0.0.1", "2002:e000:1::"),
        *("192.0.0.8", "192.88.99.1", "5f00::1", "3fff::1", "4000::1", "100:0:0:1::1"),
    ],
)
def test_it_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2a00::1", "2002:808:808::", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_a_public_one_is(address: str) -> None:
    assert is_public(ip_address(address))
