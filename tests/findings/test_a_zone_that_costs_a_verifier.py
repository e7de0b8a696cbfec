"""A zone of a stranger with many keys of one tag, or with keys of long exponents: each signature of a proof cost
seconds, and evidence holds many proofs (CVE-2023-50387)."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from dns.dnssec import key_id, make_dnskey
from dns.dnssectypes import Algorithm

from blockchaintracer.core.errors import NotVerified
from blockchaintracer.extras.identity.dns_proof import collect, verify
from tests.support.dns_zones import NOW, Zone, Zones

pytestmark = pytest.mark.fast


def with_tag_of(key: Any, number: int) -> Any:
    """Another key of Ed25519 with the tag of a key: a sum of its bytes in pairs."""
    other = key.replace(key=bytes([number]) * 30 + bytes(2))
    lack = (key_id(key) - key_id(other)) % 0xFFFF
    same = key.replace(key=bytes([number]) * 30 + lack.to_bytes(2, "big"))
    assert key_id(same) == key_id(key)
    return same


@pytest.mark.parametrize(("others", "refused"), [(1, False), (2, True), (20, True)])
def test_many_keys_of_one_tag(others: int, refused: bool) -> None:
    zones = Zones(algorithm=Algorithm.ED25519)
    leaf = zones.leaf
    leaf.add(leaf.origin, "DNSKEY", leaf.key, *(with_tag_of(leaf.key, number) for number in range(1, others + 1)))
    if refused:
        with pytest.raises(NotVerified, match="keys with one tag: 2 at most"):
            collect("example.org", zones.ask, zones.anchors, at=NOW)
    else:
        assert verify(collect("example.org", zones.ask, zones.anchors, at=NOW), "example.org", zones.anchors, at=NOW)


def test_a_long_exponent() -> None:
    zones = Zones(algorithm=Algorithm.RSASHA256)
    p, q = zones.leaf.private.private_numbers().p, zones.leaf.private.private_numbers().q
    phi = (p - 1) * (q - 1)
    e = (1 << 2040) + 1
    while True:
        try:
            d = pow(e, -1, phi)
            break
        except ValueError:
            e += 2
    rest = (rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q))
    long = rsa.RSAPrivateNumbers(p, q, d, *rest, rsa.RSAPublicNumbers(e, p * q)).private_key()
    leaf = Zone("example.org.", start=zones.leaf.start, end=zones.leaf.end, algorithm=Algorithm.ED25519)
    leaf.private, leaf.algorithm = long, Algorithm.RSASHA256
    leaf.key = make_dnskey(long.public_key(), Algorithm.RSASHA256, flags=257)
    leaf.sets.clear()
    leaf.add(leaf.origin, "DNSKEY", leaf.key)
    leaf.add(f"_blockchaintracer.{leaf.origin}", "TXT", '"hello"')
    zones.leaf = leaf
    zones.top.add(leaf.origin, "DS", leaf.ds())
    with pytest.raises(NotVerified, match="an exponent of more than 33"):
        collect("example.org", zones.ask, zones.anchors, at=NOW)
