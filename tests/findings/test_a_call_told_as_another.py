"""A node could tell of a call within a transaction as if the account had sent it to the registry: receiver and data had
to stand somewhere in what was signed, no more, and the author "sent it, recovered from its signature"."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from eth_account import Account
from eth_hash.auto import keccak

from blockchaintracer.core.chain.connection import SentTransaction
from blockchaintracer.core.verify.authorship import sender_of

if TYPE_CHECKING:
    from blockchaintracer.core.chain import Registry

pytestmark = pytest.mark.fast
AUTHOR = Account.from_key("0x" + "11" * 32)
REGISTRY, FORWARDER = ("0x" + digits * 20 for digits in ("77", "88"))


@pytest.mark.parametrize("is_inner", [True, False])
def test_a_call_that_a_contract_is_told_to_make(is_inner: bool) -> None:
    inner = b"record" * 10
    data = b"forward" + bytes.fromhex(REGISTRY[2:]) + inner
    fees = {"nonce": 0, "gas": 10**6, "maxFeePerGas": 9, "maxPriorityFeePerGas": 1, "type": 2, "value": 0, "chainId": 1}
    signed = AUTHOR.sign_transaction(fees | {"to": FORWARDER, "data": data}).raw_transaction
    told = (REGISTRY, inner) if is_inner else (FORWARDER, data)
    transaction = SentTransaction(f"0x{keccak(signed).hex()}", AUTHOR.address, *told)
    registry = SimpleNamespace(chain=SimpleNamespace(raw_transaction=lambda identifier: bytes(signed)))
    found = sender_of(cast("Registry", registry), transaction.hash, transaction)
    assert found == ((None, "") if is_inner else (AUTHOR.address, "recovered from its signature"))
