"""The same through Ape and foundry: on a chain of Ape's own, and on Ape's fork of another."""

from __future__ import annotations

import pytest
from ape import chain, networks

from tests.evm.property.machine import DAVE, NOBODY, OWNER, Setting, run_on
from tests.model.registry import Event
from tests.node.fork.conftest import Upstream
from tests.support.ape_nodes import started
from tests.support.node import NodeChain

pytestmark = pytest.mark.usefixtures("ape_isolation")


def connected() -> NodeChain:
    """The chain that Ape is connected to."""
    return NodeChain(chain.provider.web3.provider)


def test_ape_runs_foundry_by_default() -> None:
    assert chain.provider.name == "foundry"


def test_a_false_assertion_fails_inside_isolation() -> None:
    """Releases of Ape from 0.8.48 to 0.8.52 swallow it, and every test in isolation passes."""
    with pytest.raises(AssertionError, match="canary"), chain.isolate():
        raise AssertionError("canary")


def test_isolation_takes_back_what_was_done() -> None:
    height = chain.blocks.height
    with chain.isolate():
        chain.mine(2)
        assert chain.blocks.height == height + 2
    assert chain.blocks.height == height


def test_the_model_holds_on_apes_chain() -> None:
    def fresh() -> Setting:
        node = connected()
        registry = node.deploy("LabRegistry", OWNER.address, True)
        owned = Event("OwnershipTransferred", (NOBODY, OWNER.address))
        return Setting(node, registry, node.deploy("Wallet", DAVE.address), [(node.now, owned)])

    run_on(fresh, operations=60)


def test_the_model_holds_on_apes_fork(upstream: Upstream) -> None:
    settings = {"uri": upstream.chain.url}
    above = networks.ethereum.devnet.use_provider("node", provider_settings=settings)
    with above, started(lambda: networks.fork("foundry")):
        node = connected()
        assert node.chain_id == upstream.chain.chain_id
        assert node.at("LabRegistry", upstream.registry.address).read("lastGroup") == 2
        before = [chain.snapshot()]

        def restored() -> Setting:
            chain.restore(before.pop())
            before.append(chain.snapshot())
            return upstream.continued(node)

        run_on(restored, operations=60)
    assert upstream.registry.read("lastGroup") == 2, "a fork changes nothing upstream"
