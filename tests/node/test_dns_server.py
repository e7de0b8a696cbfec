"""A DNSSEC proof that is collected from a real name server, over UDP and TCP."""

from __future__ import annotations

import time

import pytest

from blockchaintracer.core.errors import ChainUnavailable
from blockchaintracer.extras.identity.dns_proof import collect, resolver, verify
from tests.support.dns_zones import Zones, name_server
from tests.support.labs import free_port


@pytest.mark.parametrize("truncated", [False, True], ids=["udp", "tcp"])
def test_a_proof_from_a_name_server(truncated: bool) -> None:
    now = int(time.time())
    zones = Zones(now=now)
    with name_server(zones, truncated) as port:
        proof = collect("example.org", resolver("127.0.0.1", port=port), zones.anchors)
    shown = verify(proof, "example.org", zones.anchors)
    assert shown.texts == ("hello",)
    assert shown.holds_at(now)


def test_a_resolver_that_is_away_is_no_verdict() -> None:
    with pytest.raises(ChainUnavailable, match="gave no answer"):
        collect("example.org", resolver("127.0.0.1", port=free_port(), seconds=0.2), ["1 8 2 " + "00" * 32])
