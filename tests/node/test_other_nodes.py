"""Nodes of other makes: what they lack costs a lab nothing, and what cannot work is refused before it is paid for."""

from __future__ import annotations

from pathlib import Path

import pytest

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import Kind
from blockchaintracer.core.verify.bundle import read_bundle
from blockchaintracer.lab.bundle.export_proof import export_proof
from blockchaintracer.lab.chain.questions import BY_DEPTH, DEPTH
from blockchaintracer.lab.deploy import plan_deployment
from blockchaintracer.lab.groups import create_group, deploy
from blockchaintracer.lab.outbox import EntryState
from blockchaintracer.lab.recording.content import record_content
from tests.node.test_deploy import NO_PROXY, lab_on, state
from tests.support.habits import WITHOUT_1559, both, lacks, without_tags
from tests.support.node import anvil
from tests.support.proxy import proxied


@pytest.mark.parametrize(
    ("rules", "missing"),
    [("shanghai", "lacks MCOPY"), ("london", "lacks PUSH0 .* and MCOPY"), ("istanbul", "lacks PUSH0 .* and MCOPY")],
)
def test_a_chain_that_cannot_run_the_contracts_is_refused_before_anything_is_paid(
    rules: str, missing: str, tmp_path: Path
) -> None:
    with anvil(NO_PROXY, "--hardfork", rules, chain_id=4747) as node:
        lab = lab_on(node, tmp_path)
        before = state(node, lab)
        for attempt in (deploy, plan_deployment):
            with pytest.raises(InputError, match=missing) as refused:
                attempt(lab)
            assert "nothing was paid" in (refused.value.hint or "")
        assert state(node, lab) == before


def test_a_node_without_base_fees_final_blocks_and_receipts_of_a_block(tmp_path: Path, file: Path) -> None:
    told: list[str] = []
    with anvil(chain_id=4748) as node, proxied(node.url) as proxy:
        proxy.fault = both(WITHOUT_1559, without_tags)
        lab = lab_on(node, tmp_path, rpc=proxy.url)
        deploy(lab, open_group_creation=True)
        create_group(lab, "The lab")
        recorded = record_content(lab, Kind.DATASET, file)
        assert recorded.block
        assert node.rpc("eth_getTransactionByHash", [recorded.transaction])["type"] == "0x0"
        assert not {"eth_feeHistory", "eth_maxPriorityFeePerGas"} & set(proxy.asked)

        proxy.fault = both(lacks("eth_getBlockReceipts"), without_tags)
        export_proof(lab, [recorded.id], tmp_path / "proof.json")
        assert read_bundle((tmp_path / "proof.json").read_bytes()).records[0].id == recorded.id

        assert lab.outbox.entries_about(recorded.id)[0].state is EntryState.INCLUDED
        node.rpc("anvil_mine", [hex(DEPTH)])
        lab.say = told.append
        lab.reach("final")
        [entry] = lab.outbox.entries_about(recorded.id)
        assert (entry.state, entry.error) == (EntryState.FINAL, BY_DEPTH)
        assert "does not say which blocks are final" in "".join(told)
