"""Ids from counters point elsewhere after a reorganisation (Verax, Sign). Ours are hashes: same key, same id; only the
time is the new block's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.findings.conftest import ALICE, CAROL, DATA, domain, found, refusal
from tests.node import NodeChain, anvil


@pytest.fixture
def chain() -> Iterator[NodeChain]:
    with anvil() as chain:
        yield chain


def test_a_reorganised_record_has_its_id_and_a_new_time(chain) -> None:
    registry = found(chain.deploy("LabRegistry", CAROL.address, True))
    parent, child = DATA, DATA._replace(kind=2, parents=((domain(registry).record_id(DATA), 1),))
    other = DATA._replace(subject=b"\7" * 32)
    chain.tick()
    first, _ = registry.send(ALICE.address, "record", parent)
    chain.tick()
    second, _ = registry.send(ALICE.address, "record", child)
    old = chain.block("latest")["hash"]
    times = [registry.read("statusOf", record)[4] for record in (first, second)]

    chain.rpc("anvil_reorg", [2, []])

    assert chain.block("latest")["hash"] != old
    assert [registry.read("statusOf", record)[0] for record in (first, second)] == [0, 0]
    chain.now = max(chain.now, int(chain.block("latest")["timestamp"], 16)) + 60
    met = refusal(lambda: registry.send(ALICE.address, "record", child))
    assert met == ("UnknownParent", (first,)), "time can't get ahead of lineage"
    for key in (other, parent, child):
        chain.tick()
        registry.send(ALICE.address, "record", key)
    assert [registry.read("idOf", key) for key in (parent, child)] == [first, second]
    again = [registry.read("statusOf", record)[4] for record in (first, second)]
    assert all(later > earlier for later, earlier in zip(again, times, strict=True))
    assert again[0] <= again[1]
