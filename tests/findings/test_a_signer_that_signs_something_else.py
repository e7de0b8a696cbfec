"""A wallet, a program or a key service that signs another transaction or document than it was asked to, by mistake or
because it was taken over: nothing of that is ever sent."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from blockchaintracer.core.errors import KeyStoreError
from blockchaintracer.core.record import Domain
from blockchaintracer.lab.keys import COMMAND, CheckedSigner, CommandSigner, KeyStore
from blockchaintracer.lab.lab import Lab, node_name
from blockchaintracer.lab.lab_folder import Home

pytestmark = pytest.mark.node

ACCOUNT, OTHER = Account.create(), Account.create()
TRANSACTION: dict[str, Any] = {
    "type": 2,
    "chainId": 31337,
    "nonce": 3,
    "to": "0x" + "11" * 20,
    "data": "0xabcdef",
    "value": 0,
    "gas": 100_000,
    "maxFeePerGas": 2 * 10**9,
    "maxPriorityFeePerGas": 10**9,
}
NOWHERE = "http://127.0.0.1:9"
INVITATION = {
    "group": 1,
    "inviter": ACCOUNT.address,
    "account": OTHER.address,
    "roles": 2,
    "until": 2**40 - 1,
    "inviterVersion": 0,
    "version": 0,
    "deadline": 2**40 - 1,
}


def document(**changed: Any) -> dict[str, Any]:
    return Domain(31337, "0x" + "22" * 20).typed_data("Invitation", INVITATION | changed)


class Taken:
    """A signer that announces one address, and signs what it likes with a key that it likes."""

    address = ACCOUNT.address
    source = "a wallet that was taken over"

    def __init__(self, by: Any = ACCOUNT, /, **changed: Any) -> None:
        self.account = by
        self.changed = changed

    def sign_transaction(self, transaction: dict[str, Any]) -> bytes:
        return bytes(self.account.sign_transaction(transaction | self.changed).raw_transaction)

    def sign_typed_data(self, asked: dict[str, Any]) -> bytes:
        message = asked["message"] | self.changed
        return bytes(self.account.sign_message(encode_typed_data(full_message=asked | {"message": message})).signature)


def test_an_honest_signer_is_believed() -> None:
    signer = CheckedSigner(Taken())
    assert Account.recover_transaction(signer.sign_transaction(TRANSACTION)) == ACCOUNT.address
    assert len(signer.sign_typed_data(document())) == 65


@pytest.mark.parametrize(
    "changed",
    [
        {"to": OTHER.address},
        {"value": 10**18},
        {"data": "0x"},
        {"chainId": 1},
        {"nonce": 4},
        {"gas": 100_001},
        {"maxFeePerGas": 10**12},
        {"maxPriorityFeePerGas": 0},
        {"accessList": [{"address": OTHER.address, "storageKeys": []}]},
    ],
)
def test_another_transaction_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(KeyStoreError, match=next(iter(changed)) if "accessList" not in changed else "differs"):
        CheckedSigner(Taken(**changed)).sign_transaction(TRANSACTION)


def test_another_account_is_refused() -> None:
    with pytest.raises(KeyStoreError, match=OTHER.address):
        CheckedSigner(Taken(OTHER)).sign_transaction(TRANSACTION)
    with pytest.raises(KeyStoreError, match=OTHER.address):
        CheckedSigner(Taken(OTHER)).sign_typed_data(document())


@pytest.mark.parametrize("changed", [{"roles": 7}, {"account": ACCOUNT.address}, {"group": 2}, {"until": 5}])
def test_another_document_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(KeyStoreError, match="another account's, or over something else"):
        CheckedSigner(Taken(**changed)).sign_typed_data(document())


@pytest.mark.parametrize(
    "raw", [b"", b"\2", b"\2\xc0", b"x" * 200, bytes(65)], ids=["nothing", "a type", "a list", "text", "zeros"]
)
def test_what_is_no_transaction_is_refused(raw: bytes) -> None:
    class Broken(Taken):
        def sign_transaction(self, transaction: dict[str, Any]) -> bytes:
            return raw

        sign_typed_data = sign_transaction

    with pytest.raises(KeyStoreError):
        CheckedSigner(Broken()).sign_transaction(TRANSACTION)
    with pytest.raises(KeyStoreError):
        CheckedSigner(Broken()).sign_typed_data(document())


PROGRAM = """#!{python}
import json, sys
from eth_account import Account
account = Account.from_key({key!r})
request = json.load(sys.stdin)
if request["method"] == "address":
    print(json.dumps({{"address": account.address}}))
else:
    digest = bytes.fromhex(request["digest"][2:])
    {change}
    print(json.dumps({{"signature": account.unsafe_sign_hash(digest).signature.hex()}}))
"""


@pytest.mark.parametrize(
    ("change", "honest"),
    [("pass", True), ("digest = digest[::-1]", False), (f"account = Account.from_key({OTHER.key.hex()!r})", False)],
    ids=["as asked", "another digest", "another key"],
)
def test_a_program_that_signs_something_else(tmp_path: Path, change: str, honest: bool) -> None:
    program = tmp_path / "signer"
    program.write_text(PROGRAM.format(python=sys.executable, key=ACCOUNT.key.hex(), change=change))
    program.chmod(0o700)
    signer = CheckedSigner(CommandSigner(str(program)))
    if honest:
        assert Account.recover_transaction(signer.sign_transaction(TRANSACTION)) == ACCOUNT.address
        assert signer.sign_typed_data(document()) == Taken().sign_typed_data(document())
        return
    with pytest.raises(KeyStoreError):
        signer.sign_transaction(TRANSACTION)
    with pytest.raises(KeyStoreError):
        signer.sign_typed_data(document())


def test_settings_that_came_with_a_repository_start_no_program(tmp_path: Path) -> None:
    """A folder in somebody's repository can hold settings; a key in them is a name or a path, never a program."""
    home, ran = Home(tmp_path / "home"), tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {ran}\n")
    program.chmod(0o700)
    lab = Lab(home, rpc=NOWHERE)
    home.settings.write_text(
        json.dumps({"nodes": {node_name(NOWHERE): 1}, "chains": {"1": {"key": f"{COMMAND}{program}"}}})
    )
    with pytest.raises(KeyStoreError):
        _ = lab.signer
    assert not ran.exists()
    assert KeyStore(home).names() == []
