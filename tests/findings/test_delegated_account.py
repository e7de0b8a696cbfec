"""An account that delegates its code by EIP-7702 has code, and would lose its signatures where code means ERC-1271.
Here its own ECDSA signatures stay valid, whatever the code says, and the code may accept others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from eth_account import Account

from tests.findings.conftest import ALICE, CAROL, DATA, MALLORY, domain, found, refusal
from tests.model.eip712 import Invitation
from tests.model.registry import NO_END, RECORDER
from tests.node import NodeChain, NodeContract, anvil

SPONSOR = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
"""The key of anvil's first account, which has money."""
DESIGNATOR = "0xef0100"


@pytest.fixture
def chain() -> Iterator[NodeChain]:
    with anvil("--hardfork", "prague") as chain:
        yield chain


@pytest.fixture
def registry(chain: NodeChain) -> NodeContract:
    return found(chain.deploy("LabRegistry", CAROL.address, True))


def delegate(chain: NodeChain, account, code: str, data: bytes = b"") -> None:
    """A type-4 transaction, signed and sent as a wallet does, that lets an account run another contract's code."""
    nonce = int(chain.rpc("eth_getTransactionCount", [account.address, "latest"]), 16)
    signed = account.sign_authorization({"chainId": chain.chain_id, "address": code, "nonce": nonce})
    receipt = chain.send_signed(SPONSOR, {"to": account.address, "data": data, "authorizationList": [signed]})
    # the call into the new code may fail; the delegation stands
    assert receipt["type"] == "0x4"
    assert chain.rpc("eth_getCode", [account.address, "latest"]) == DESIGNATOR + code.lower()[2:]


def test_an_account_with_delegated_code_keeps_its_signatures(chain, registry) -> None:
    account = Account.from_key(ALICE.key.secret)
    wallet = chain.deploy("Wallet", CAROL.address)
    hostile = chain.deploy("HostileWallet")
    before = ALICE.sign(domain(registry).record_authorization(DATA, NO_END))

    delegate(chain, account, hostile.address)
    chain.tick()
    registry.send(MALLORY.address, "recordBySig", DATA, NO_END, before)

    invitation = Invitation(1, CAROL.address, RECORDER, NO_END, 0, ALICE.address, NO_END)
    chain.tick()
    registry.send(CAROL.address, "joinBySig", invitation, ALICE.sign(domain(registry).invitation(invitation)))

    other = DATA._replace(subject=b"\7" * 32)
    carols = CAROL.sign(domain(registry).record_authorization(other, NO_END))
    chain.tick()
    refused = refusal(lambda: registry.send(MALLORY.address, "recordBySig", other, NO_END, carols))
    assert refused == ("InvalidSignature", (ALICE.address,))

    # what the account's code accepts is the account's own affair, as with any wallet
    delegate(chain, account, wallet.address, wallet.interface.encode_call("replaceKey", CAROL.address))
    assert chain.at("Wallet", account.address).read("key") == CAROL.address
    chain.tick()
    registry.send(MALLORY.address, "recordBySig", other, NO_END, carols)
    third = DATA._replace(subject=b"\x08" * 32)
    chain.tick()
    registry.send(
        MALLORY.address, "recordBySig", third, NO_END, ALICE.sign(domain(registry).record_authorization(third, NO_END))
    )
