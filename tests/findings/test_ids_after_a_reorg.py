"""Ids from counters point elsewhere after a reorganisation (Verax, Sign). Ours are hashes: same key, same id, and the
same salt, root and path; only the time is the new block's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.findings.conftest import ALICE, CAROL, DATA, domain, found, refusal
from tests.model import merkle
from tests.model.eip712 import record_commitment
from tests.support.node import NodeChain, NodeContract, anvil

pytestmark = pytest.mark.node

SALT = b"\x5a" * 32


@pytest.fixture
def chain() -> Iterator[NodeChain]:
    with anvil() as chain:
        yield chain


@pytest.fixture
def registry(chain: NodeChain) -> NodeContract:
    return found(chain.deploy("LabRegistry", CAROL.address, True))


def reorganise(chain: NodeChain, depth: int) -> None:
    """Other, empty blocks in place of the last ones; the clock goes on a minute later."""
    dropped = chain.block("latest")["hash"]
    chain.rpc("anvil_reorg", [depth, []])
    assert chain.block("latest")["hash"] != dropped
    chain.now = max(chain.now, int(chain.block("latest")["timestamp"], 16)) + 60


def sent(registry: NodeContract, *call: object) -> object:
    """What Alice's transaction returns, in a block of its own."""
    registry.chain.tick()
    return registry.send(ALICE.address, *call)[0]


def test_a_reorganised_record_has_its_id_and_a_new_time(chain, registry) -> None:
    parent, child = DATA, DATA._replace(kind=2, parents=((domain(registry).record_id(DATA), 1),))
    other = DATA._replace(subject=b"\7" * 32)
    first, second = (sent(registry, "record", key) for key in (parent, child))
    times = [registry.read("statusOf", record)[4] for record in (first, second)]

    reorganise(chain, 2)

    assert [registry.read("statusOf", record)[2] for record in (first, second)] == [0, 0]
    met = refusal(lambda: registry.send(ALICE.address, "record", child))
    assert met == ("UnknownParent", (first,)), "time can't get ahead of lineage"
    for key in (other, parent, child):
        sent(registry, "record", key)
    assert [registry.read("idOf", key) for key in (parent, child)] == [first, second]
    again = [registry.read("statusOf", record)[4] for record in (first, second)]
    assert all(later > earlier for later, earlier in zip(again, times, strict=True))
    assert again[0] <= again[1]


def test_a_reorganised_seal_is_sealed_again_and_then_revealed(chain, registry) -> None:
    """Where the seal is gone its reveal is refused; it says nothing new, key and salt were in the dropped block."""
    commitment = record_commitment(domain(registry).record_id(DATA), SALT)
    sent(registry, "seal", 1, commitment)
    record = sent(registry, "reveal", DATA, SALT)
    before = registry.read("statusOf", record)

    reorganise(chain, 2)

    assert registry.read("sealedAt", 1, ALICE.address, commitment) == 0
    met = refusal(lambda: sent(registry, "reveal", DATA, SALT))
    assert met == ("NotSealed", (1, ALICE.address, commitment))
    sent(registry, "seal", 1, commitment)
    sealed_at = chain.now
    assert sent(registry, "reveal", DATA, SALT) == record
    status = registry.read("statusOf", record)
    assert (status[4], status[6]) == (chain.now, sealed_at)
    assert before[6] < before[4] < status[6] < status[4]


def test_a_reveal_alone_is_dropped(chain, registry) -> None:
    """The seal stays as old as it was."""
    sent(registry, "seal", 1, record_commitment(domain(registry).record_id(DATA), SALT))
    sealed_at = chain.now
    record = sent(registry, "reveal", DATA, SALT)
    reorganise(chain, 1)
    assert registry.read("statusOf", record)[2] == 0
    assert sent(registry, "reveal", DATA, SALT) == record
    assert registry.read("statusOf", record)[4:7] == (chain.now, 0, sealed_at)


def test_the_proofs_of_a_reorganised_batch_stay_good(chain, registry) -> None:
    keys = [DATA._replace(subject=bytes([index]) * 32) for index in range(1, 6)]
    ids = sorted(domain(registry).record_id(key) for key in keys)
    proofs = {record: merkle.proof(ids, index) for index, record in enumerate(ids)}
    root = sent(registry, "anchorLeaves", 1, ids)
    first = sent(registry, "materialize", keys[0], root, proofs[registry.read("idOf", keys[0])])
    old = registry.read("statusOf", first)[4]
    reads = [("batchedAt", 1, ALICE.address, record, root, proofs[record]) for record in ids]
    assert set(registry.read_all(reads)) == {(old, 0)}

    reorganise(chain, 2)

    assert set(registry.read_all(reads)) == {(0, 0)}
    assert registry.read("statusOf", first)[2] == 0
    met = refusal(lambda: sent(registry, "materialize", keys[0], root, proofs[first]))
    assert met == ("UnknownBatch", (1, ALICE.address, root))
    assert sent(registry, "anchorLeaves", 1, ids) == root
    anchored_at = chain.now
    assert set(registry.read_all(reads)) == {(anchored_at, 0)}
    for key in keys:
        record = sent(registry, "materialize", key, root, proofs[registry.read("idOf", key)])
        assert registry.read("statusOf", record)[4] == anchored_at > old


def test_a_parent_that_comes_back_after_the_batch(chain, registry) -> None:
    """Reorganised the other way round, the child can't be materialized from that batch any more: its author anchors or
    records it again. A client that waits for finality before it anchors is safe from it."""
    parent = domain(registry).record_id(DATA)
    child = DATA._replace(kind=2, parents=((parent, 1),))
    sent(registry, "record", DATA)
    root = sent(registry, "anchorLeaves", 1, [registry.read("idOf", child)])
    reorganise(chain, 2)
    sent(registry, "anchorLeaves", 1, [registry.read("idOf", child)])
    anchored_at = chain.now
    sent(registry, "record", DATA)
    met = refusal(lambda: sent(registry, "materialize", child, root, ()))
    assert met == ("ParentRecordedLater", (parent, anchored_at + 1, anchored_at))
    assert sent(registry, "record", child) == registry.read("idOf", child)
