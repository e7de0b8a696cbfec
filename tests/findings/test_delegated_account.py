"""An account that delegates its code by EIP-7702 has code, and would lose its signatures where code means ERC-1271.
Here its own ECDSA signatures stay valid, whatever the code says, and the code may accept others. It is one account, by
whatever way its transactions come: its own, or a call of its code that somebody else pays for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from eth_account import Account
from eth_utils.address import to_checksum_address

from tests.findings.conftest import ALICE, CAROL, DATA, MALLORY, domain, found, refusal
from tests.model.eip712 import Invitation, record_commitment
from tests.model.registry import NO_END, NOBODY, RECORDED, RECORDER
from tests.support.node import NodeChain, NodeContract, anvil

pytestmark = pytest.mark.node

SPONSOR = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
"""The key of anvil's first account, which has money."""
DESIGNATOR = "0xef0100"


@pytest.fixture(params=["prague", "osaka"])
def chain(request) -> Iterator[NodeChain]:
    with anvil("--hardfork", request.param) as chain:
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
    expected = "0x" if code == NOBODY else DESIGNATOR + code.lower()[2:]
    assert chain.rpc("eth_getCode", [account.address, "latest"]) == expected


def test_an_account_with_delegated_code_keeps_its_signatures(chain, registry) -> None:
    account = Account.from_key(ALICE.key.secret)
    wallet = chain.deploy("Wallet", CAROL.address)
    hostile = chain.deploy("HostileWallet")
    before = ALICE.sign(domain(registry).record_authorization(DATA, NO_END))

    delegate(chain, account, hostile.address)
    chain.tick()
    registry.send(MALLORY.address, "recordBySig", DATA, NO_END, before)

    invitation = Invitation(1, ALICE.address, CAROL.address, RECORDER, NO_END, 1, 0, NO_END)
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


def test_delegated_code_acts_as_its_account(chain, registry) -> None:
    """Somebody else pays: what the account's code sends comes from the account, and from nobody else's."""
    account = Account.from_key(ALICE.key.secret)
    wallet = chain.deploy("Wallet", CAROL.address)
    delegate(chain, account, wallet.address)
    theirs, salt = DATA._replace(author=CAROL.address), b"\x5a" * 32
    sealed = DATA._replace(subject=b"\7" * 32)
    sealed_id = domain(registry).record_id(sealed)

    def execute(*call: object) -> list[str]:
        chain.tick()
        data = wallet.interface.encode_call("execute", registry.address, registry.interface.encode_call(*call))
        receipt = chain.transact(MALLORY.address, account.address, data)
        return [event.name for event in registry.decode(receipt["logs"])]

    assert execute("record", DATA) == ["Recorded"]
    assert execute("record", theirs) == [], "the author is not the account"
    assert execute("seal", 1, record_commitment(sealed_id, salt)) == ["Sealed"]
    assert execute("reveal", sealed, salt) == ["Recorded", "Revealed"]
    assert execute("anchorLeaves", 1, [domain(registry).record_id(sealed)]) == ["LeavesAnchored"]
    assert execute("retract", DATA, bytes(32)) == ["Retracted"]

    # an account with delegated code still sends its own transactions, signed by its key (EIP-7702 amends EIP-3607)
    chain.rpc("anvil_setBalance", [account.address, hex(10**18)])
    own = DATA._replace(subject=b"\x08" * 32)
    data = registry.interface.encode_call("record", own)
    receipt = chain.send_signed(ALICE.key.secret, {"to": to_checksum_address(registry.address), "data": data})
    assert [event.name for event in registry.decode(receipt["logs"])] == ["Recorded"]


def test_a_delegation_that_ends_changes_nothing_stored(chain, registry) -> None:
    """What the code accepted stays. What it would have accepted is refused from then on; the account's own is not."""
    account = Account.from_key(ALICE.key.secret)
    wallet = chain.deploy("Wallet", CAROL.address)
    delegate(chain, account, wallet.address, wallet.interface.encode_call("replaceKey", CAROL.address))
    other = DATA._replace(subject=b"\7" * 32)
    chain.tick()
    stored, _ = registry.send(
        MALLORY.address, "recordBySig", DATA, NO_END, CAROL.sign(domain(registry).record_authorization(DATA, NO_END))
    )
    delegate(chain, account, NOBODY)
    assert registry.read("statusOf", stored)[2] == RECORDED
    digest = domain(registry).record_authorization(other, NO_END)
    chain.tick()
    refused = refusal(lambda: registry.send(MALLORY.address, "recordBySig", other, NO_END, CAROL.sign(digest)))
    assert refused == ("InvalidSignature", (ALICE.address,))
    chain.tick()
    registry.send(MALLORY.address, "recordBySig", other, NO_END, ALICE.sign(digest))
