"""What a transaction offers for gas, with and without EIP-1559, and signed transactions as bytes."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account

from blockchaintracer.core.chain import load_artifact
from blockchaintracer.lab.chain.gas_price import GasPrice
from blockchaintracer.lab.keys import CheckedSigner
from blockchaintracer.lab.keys.signer import decode_signed, encode_signed, signing_digest

ACCOUNT = Account.create()
CALL: dict[str, Any] = {
    "chainId": 56,
    "nonce": 0,
    "to": "0x" + "11" * 20,
    "data": "0xabcdef",
    "value": 7,
    "gas": 90_000,
}
MODERN, LEGACY = GasPrice(10, 3), GasPrice(None, 30)


@pytest.mark.parametrize(
    ("price", "fields"),
    [
        (MODERN, {"type": 2, "maxFeePerGas": 23, "maxPriorityFeePerGas": 3}),
        (GasPrice(0, 3), {"type": 2, "maxFeePerGas": 3, "maxPriorityFeePerGas": 3}),
        (LEGACY, {"gasPrice": 30}),
    ],
)
def test_blocks_without_a_base_fee_are_paid_by_one_price(price: GasPrice, fields: dict[str, Any]) -> None:
    assert price.fields() == fields


@pytest.mark.parametrize("old", [MODERN, LEGACY], ids=["a base fee", "one price"])
@pytest.mark.parametrize("new", [MODERN, LEGACY, GasPrice(1, 1), GasPrice(None, 1)])
def test_a_replacement_pays_an_eighth_more_in_all_that_it_offers(old: GasPrice, new: GasPrice) -> None:
    first = old.fields()
    second = new.fields(replaced=first)
    tip, most = (second.get(name, second.get("gasPrice")) for name in ("maxPriorityFeePerGas", "maxFeePerGas"))
    old_tip, old_most = (first.get(name, first.get("gasPrice")) for name in ("maxPriorityFeePerGas", "maxFeePerGas"))
    assert 8 * tip >= 9 * old_tip
    assert 8 * most >= 9 * old_most
    assert most >= tip


@pytest.mark.parametrize("price", [MODERN, LEGACY], ids=["typed", "legacy"])
def test_signed_bytes_are_read_and_put_together_as_a_wallet_does(price: GasPrice) -> None:
    transaction = CALL | price.fields()
    signed = ACCOUNT.sign_transaction(transaction)
    raw = bytes(signed.raw_transaction)
    fields = decode_signed(raw)
    assert encode_signed(transaction, fields["parity"], fields["r"], fields["s"]) == raw
    assert ACCOUNT.unsafe_sign_hash(signing_digest(transaction)).r == fields["r"]
    read = {name: "0x" + bytes(fields[name]).hex() if name in ("to", "data") else fields[name] for name in transaction}
    assert read == transaction

    class Wallet:
        address, source = ACCOUNT.address, "a wallet"

        def sign_transaction(self, transaction: dict[str, Any]) -> bytes:
            return bytes(ACCOUNT.sign_transaction(transaction).raw_transaction)

    assert CheckedSigner(Wallet()).sign_transaction(transaction) == raw  # type: ignore[arg-type]


def test_a_transaction_that_names_no_chain_is_refused() -> None:
    raw = ACCOUNT.sign_transaction({name: CALL[name] for name in CALL if name != "chainId"} | {"gasPrice": 1})
    with pytest.raises(ValueError, match="names no chain"):
        decode_signed(bytes(raw.raw_transaction))


@pytest.mark.parametrize("name", ["LabRegistry", "LabRegistryFactory", "RegistryLens"])
def test_the_contracts_need_no_younger_instruction_than_those_that_are_probed(name: str) -> None:
    # the hash of the metadata behind it is no code
    code, at, used = bytes.fromhex(load_artifact(name)["bytecode"][2:]).partition(b"\xa2dipfs")[0], 0, set()
    while at < len(code):
        used.add(code[at])
        at += 1 + max(code[at] - 0x5F, 0) * (code[at] <= 0x7F)
    # CLZ, BLOBHASH, BLOBBASEFEE, TLOAD, TSTORE, BASEFEE, PREVRANDAO
    assert not used & {0x1E, 0x49, 0x4A, 0x5C, 0x5D, 0x48, 0x44}
