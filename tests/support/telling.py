"""A node of a lab whose answers a test changes, and web3 for what only tests do with a node."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from eth_utils.crypto import keccak
from web3 import HTTPProvider, Web3

from blockchaintracer.core.chain import Chain
from blockchaintracer.core.record import to_hex
from blockchaintracer.lab.chain.batching import Batching
from blockchaintracer.lab.chain.questions import send
from blockchaintracer.lab.lab import Lab

Ask = Callable[[dict[str, Any]], dict[str, Any]]
Tell = Callable[[dict[str, Any], Ask], dict[str, Any]]


class Telling(Batching):
    """A node that gives what `tell` makes of a request; it may ask the real one."""

    def __init__(self, url: str, tell: Tell, name: str = "a lying node") -> None:
        super().__init__([url])
        self.address, self._tell = name, tell

    def _post(self, url: str, request: Any, seconds: float) -> tuple[Any, int]:
        def ask(one: dict[str, Any]) -> dict[str, Any]:
            return super(Telling, self)._post(url, one, seconds)[0]  # type: ignore[no-any-return]

        if isinstance(request, list):
            return [self._told(one, ask) for one in request], 200
        return self._told(request, ask), 200

    def _told(self, request: dict[str, Any], ask: Ask) -> dict[str, Any]:
        return {"jsonrpc": "2.0", **self._tell(request, ask), "id": request["id"]}


def telling(url: str, tell: Tell, name: str = "a lying node") -> Chain:
    """A connection to such a node."""
    return Chain(Telling(url, tell, name))


def web3_of(chain: Chain) -> Web3:
    """The node of a connection, through web3."""
    return Web3(HTTPProvider(chain.address))


def sent(lab: Lab, function: str, *arguments: Any) -> str:
    """Call the registry as the lab's signer, which no verb does; return the transaction's hash."""
    about = {"type": 2, "chainId": lab.chain_id, "nonce": lab.chain.nonce(lab.signer.address), "gas": 500_000}
    fees = {"maxFeePerGas": 10**10, "maxPriorityFeePerGas": 1, "value": 0}
    call = {"to": lab.registry.address, "data": lab.registry.call_data(function, *arguments)}
    raw = lab.signer.sign_transaction({**about, **fees, **call})
    send(lab.chain, raw)
    while (receipt := lab.chain.receipt(to_hex(keccak(raw)))) is None:
        time.sleep(0.01)
    assert receipt.succeeded
    return receipt.transaction
