"""A node refused the deployment proxy's transaction a second time, because its signer had no coin left: the proxy was
there, and the deployment ended in an error after coin was spent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.lab.chain import factory as factories
from blockchaintracer.lab.groups import deploy
from tests.node.test_deploy import NO_PROXY, lab_on
from tests.support.habits import refusal
from tests.support.node import anvil
from tests.support.proxy import Answer, Ask, proxied

pytestmark = pytest.mark.node
RAW = "0x" + factories.PROXY_TRANSACTION.hex()


def test_what_is_refused_is_looked_for_on_the_chain_first(tmp_path: Path) -> None:
    refused = []
    with anvil(NO_PROXY, chain_id=4750) as node, proxied(node.url) as proxy:

        def forgetful(request: dict[str, Any], ask: Ask) -> Answer:
            answer = ask()
            if request["method"] == "eth_sendRawTransaction" and request["params"][0] == RAW:
                refused.append(answer)
                return refusal(request, -32000, "insufficient funds for gas * price + value: balance 0")
            return answer

        proxy.fault = forgetful
        deployed = deploy(lab_on(node, tmp_path, rpc=proxy.url))
        assert refused
        assert node.rpc("eth_getCode", [deployed.registry, "latest"]) != "0x"
