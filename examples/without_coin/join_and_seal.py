"""A member joins a lab's group and seals a plan without ever having coin: EIP-7702, on the lab's devnet.

    python -m examples.without_coin.join_and_seal

The member signs; the lab's key sends and pays. `sponsored.py` beside this file makes what both of them need.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
from hashlib import sha256
from typing import Any

from eth_account import Account
from eth_utils.crypto import keccak
from eth_utils.hexadecimal import decode_hex

from blockchaintracer import open_lab
from examples.without_coin.sponsored import ENTRY_POINT, authorization, document, handle, user_operation
from tests.support.artifacts import artifact

FIFTEEN_MINUTES = 900
RECORDER = 2
"""The role's bit (interfaces/IGroups.sol)."""
RECORD_COMMITMENT = keccak(b"RecordCommitment(bytes32 recordId,bytes32 salt)")
"""The type of what a seal of a record shows (interfaces/ISeals.sol)."""
lab = open_lab()
chain, signer, registry = lab.chain, lab.signer, lab.registry


def send(to: str | None, data: bytes, authorizations: Any = ()) -> Any:
    """A transaction of the lab's key, which pays for it: its receipt."""
    fees = {"maxFeePerGas": 2 * (lab.chain.head().base_fee or 0) + 10**9, "maxPriorityFeePerGas": 10**9}
    about = {"chainId": lab.chain_id, "nonce": chain.nonce(signer.address), "gas": 3_000_000}
    kind = {"type": 4, "authorizationList": authorizations} if authorizations else {"type": 2}
    transaction = {**kind, **about, **fees, "to": to or b"", "value": 0, "data": data}
    raw = signer.sign_transaction(transaction)
    chain.ask("eth_sendRawTransaction", "0x" + raw.hex())
    while (receipt := chain.receipt("0x" + keccak(raw).hex())) is None:
        time.sleep(0.1)
    return receipt


def prepare() -> str:
    """Put on the devnet what a public chain has, the EntryPoint, and what a lab deploys once: the account's code."""
    if lab.on_devnet and not lab.chain.has_code(ENTRY_POINT):
        from tests.support.entry_point import runtimes

        for address, code in runtimes():
            chain.ask("anvil_setCode", address, code)
    return str(send(None, artifact("MemberAccount").bytecode).contract)


class Member:
    """Somebody with a key and nothing else. All of this runs on the member's own machine."""

    def __init__(self, code: str) -> None:
        self.account, self.code, self.sequence = Account.create(), code, 0
        self.address = str(self.account.address)
        self.deadline = lab.chain.head().timestamp + FIFTEEN_MINUTES

    def sign(self, function: str, **values: Any) -> tuple[Any, bytes]:
        """A call of the registry, to be sent by anybody, once, until the deadline. Values have the ABI's names."""
        [entry] = [entry for entry in artifact("LabRegistry").abi if entry.get("name") == function]
        arguments = [values[part["name"]] for part in entry["inputs"]]
        call = (registry.address, decode_hex(registry.call_data(function, *arguments)))
        numbers: Any = {"sequence": self.sequence, "deadline": self.deadline, "gas": 500_000}
        operation = user_operation(self.address, [call], delegated=True, **numbers)
        self.sequence += 1
        signed = self.account.sign_typed_data(full_message=document(operation, lab.chain_id, self.code))
        return operation, bytes(signed.signature)


code = prepare()
member = Member(code)
once = authorization(bytes(member.account.key), lab.chain_id, code, nonce=0)

command = ["group", "invite", member.address, "--role", "recorder", "--group", str(lab.group())]
offer = json.loads(subprocess.check_output([sys.executable, "-m", "blockchaintracer", *command]))
invitation = tuple(offer["invitation"].values())
joining = member.sign("joinBySig", invitation=invitation, signature=decode_hex(offer["signature"]))
send(ENTRY_POINT, handle(*joining, signer.address), [once])
joined = bool(registry.membership(lab.group(), member.address).roles & RECORDER)
print(f"joined   {member.address}: {joined}")

plan, salt = sha256(b"threshold 8, three seeds").digest(), secrets.token_bytes(32)
sealing = member.sign("seal", group=lab.group(), commitment=keccak(RECORD_COMMITMENT + plan + salt))
receipt = send(ENTRY_POINT, handle(*sealing, signer.address))
[event] = registry.events_of(receipt)
print(f"sealed   by {event.args['author']}, paid by {receipt.sender}: {receipt.gas_used:,} gas")
sent = chain.nonce(member.address) - 1
print(f"member   has {lab.chain.balance(member.address)} wei and sent {sent} transactions")
