"""A registry with a past, forked: it goes on as the model says, from the state that its events describe."""

from __future__ import annotations

import pytest

from tests.evm.property.machine import ALICE, CAROL, DAVE, OWNER, Setting, run_on

# the same properties of ids, on the forked registry that `registry` gives below
from tests.evm.property.test_ids import (  # noqa: F401
    test_an_id_is_defined_for_parents_in_any_order,
    test_contract_model_client_and_wallet_agree,
    test_different_keys_have_different_ids,
)
from tests.model import merkle
from tests.model.eip712 import Domain, record_commitment
from tests.node.fork.conftest import BATCHED, PLAN, SALT, Upstream, ids_of
from tests.support.evm import Contract
from tests.support.node import anvil


@pytest.fixture(scope="module")
def registry(upstream: Upstream) -> Contract:
    return upstream.forked().registry


def test_what_is_forked_has_a_past(upstream: Upstream) -> None:
    setting = upstream.forked()
    assert setting.clock.chain_id == upstream.chain.chain_id
    assert setting.registry.read("lastGroup") == 2
    assert setting.registry.read("owner") == OWNER.address
    kinds = {event.name for _, event in setting.history}
    assert {"Recorded", "Attested", "Retracted", "RecordCancelled", "MembershipChanged"} <= kinds
    assert {"Sealed", "Revealed", "Anchored", "LeavesAnchored", "Materialized", "ForeignAttested"} <= kinds


def test_what_was_committed_to_before_the_fork_is_shown_after(upstream: Upstream) -> None:
    """A seal and a batch keep their times."""
    registry = upstream.forked().registry
    domain = Domain(upstream.chain.chain_id, registry.address)
    times = {event.name: time for time, event in upstream.history}
    commitment = record_commitment(domain.record_id(PLAN), SALT)
    sealed_at = registry.read("sealedAt", 1, ALICE.address, commitment)
    plan, _ = registry.send(ALICE.address, "reveal", PLAN, SALT)
    assert registry.read("statusOf", plan)[4:7] == (registry.chain.now, 0, sealed_at)
    assert 0 < sealed_at < times["Revealed"]
    ids = ids_of(domain)
    for key in BATCHED[1:]:
        record = domain.record_id(key)
        path = merkle.proof(ids, ids.index(record))
        assert (
            registry.read("batchedAt", 1, CAROL.address, record, merkle.root(ids), path)[0] == times["LeavesAnchored"]
        )
        registry.send(DAVE.address, "materialize", key, merkle.root(ids), path)
        assert registry.read("statusOf", record)[4:7] == (times["LeavesAnchored"], 0, 0)


def test_groups_and_records_go_on_in_process(upstream: Upstream) -> None:
    run_on(upstream.forked, operations=400)


def test_groups_and_records_go_on_on_a_node(upstream: Upstream) -> None:
    # ids keep the chain id of the deployment, and the model has one domain for ids and signatures
    with anvil("--fork-url", upstream.chain.url, chain_id=upstream.chain.chain_id) as chain:

        def restored() -> Setting:
            assert chain.rpc("evm_revert", [marks.pop()])
            marks.append(chain.rpc("evm_snapshot", []))
            return upstream.continued(chain)

        marks = [chain.rpc("evm_snapshot", [])]
        run_on(restored, operations=60)
