"""A registry with a past, forked: it goes on as the model says, from the state that its events describe."""

from __future__ import annotations

import pytest

from tests.evm import Contract
from tests.fork.conftest import Upstream
from tests.node import anvil
from tests.property.machine import OWNER, Setting, run_on

# the same properties of ids, on the forked registry that `registry` gives below
from tests.property.test_ids import (  # noqa: F401
    test_an_id_is_defined_for_parents_in_any_order,
    test_contract_model_client_and_wallet_agree,
    test_different_keys_have_different_ids,
)


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


def test_groups_and_records_go_on_in_process(upstream: Upstream) -> None:
    run_on(upstream.forked, operations=400)


def test_groups_and_records_go_on_on_a_node(upstream: Upstream) -> None:
    with anvil("--fork-url", upstream.chain.url) as chain:

        def restored() -> Setting:
            assert chain.rpc("evm_revert", [marks.pop()])
            marks.append(chain.rpc("evm_snapshot", []))
            return upstream.continued(chain)

        marks = [chain.rpc("evm_snapshot", [])]
        run_on(restored, operations=60)
