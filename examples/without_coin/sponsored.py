"""What a member without coin signs, and what the lab's key sends for it: EIP-7702 and ERC-4337 in plain data.

The member signs two things, neither of which costs anything: once an authorization, by which its account runs the code
of `MemberAccount` (tests/contracts/Accounts.sol), and for each operation a user operation. The lab sends both to the
EntryPoint in one transaction and pays for it. docs/without-coin.md tells what each of them has to check.
"""

from __future__ import annotations

from typing import Any

from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

ENTRY_POINT = "0x433709009B8330FDa32311DF1C2AFA402eD8D009"
"""EntryPoint v0.9, at this address on every chain that has it."""
TYPES = {
    "EIP712Domain": "string name,string version,uint256 chainId,address verifyingContract",
    "PackedUserOperation": "address sender,uint256 nonce,bytes initCode,bytes callData,bytes32 accountGasLimits,"
    "uint256 preVerificationGas,bytes32 gasFees,bytes paymasterAndData",
}
_PACKED = "(address,uint256,bytes,bytes,bytes32,uint256,bytes32,bytes,bytes)"
_EIP_7702 = b"\x77\x02"
"""As initCode: the EntryPoint puts the address of the account's code in its place before it hashes."""
_BATCH = bytes.fromhex("01" + "00" * 31)
"""ERC-7821: several calls, all or none."""

UserOperation = dict[str, Any]


def user_operation(
    sender: str,
    calls: list[tuple[str, bytes]],
    *,
    sequence: int = 0,
    deadline: int,
    delegated: bool,
    gas: int,
    fee: int = 0,
) -> UserOperation:
    """Return a user operation that is not signed yet.

    Args:
        calls: address and calldata of each.
        sequence: how many user operations with this deadline the account had before.
        deadline: Unix time in seconds after which it is refused: the key of its nonce.
        delegated: whether the account has its code by EIP-7702; then the signature is of that code too.
        gas: what the calls may take; the account's check of the signature has a limit of its own.
        fee: what the account pays for a unit of gas, in wei. With 0 it pays nothing, and whoever sends it everything.
    """
    executed = encode(["(address,uint256,bytes)[]"], [[(to, 0, data) for to, data in calls]])
    return {
        "sender": sender,
        "nonce": deadline << 64 | sequence,
        "initCode": _EIP_7702 if delegated else b"",
        "callData": keccak(b"execute(bytes32,bytes)")[:4] + encode(["bytes32", "bytes"], [_BATCH, executed]),
        "accountGasLimits": encode(["uint128"], [1_000_000])[16:] + encode(["uint128"], [gas])[16:],
        "preVerificationGas": 0,
        "gasFees": encode(["uint128"], [fee])[16:] * 2,
        "paymasterAndData": b"",
    }


def document(operation: UserOperation, chain_id: int, code: str | None = None) -> dict[str, Any]:
    """Return the EIP-712 document that the account's key signs.

    Args:
        code: the contract whose code the account runs by EIP-7702, if it does.
    """
    init_code = bytes.fromhex(code[2:]) if code else operation["initCode"]
    return {
        "types": {name: fields(text) for name, text in TYPES.items()},
        "primaryType": "PackedUserOperation",
        "domain": {"name": "ERC4337", "version": "1", "chainId": chain_id, "verifyingContract": ENTRY_POINT},
        "message": {**operation, "initCode": init_code},
    }


def fields(text: str) -> list[dict[str, str]]:
    """Return the members of an EIP-712 type, as documents have them, from `type name,type name`."""
    return [dict(zip(("type", "name"), field.split(), strict=True)) for field in text.split(",")]


def digest(operation: UserOperation, chain_id: int, code: str | None = None) -> bytes:
    """Return the hash of the document, which is the user operation's own."""
    signable = encode_typed_data(full_message=document(operation, chain_id, code))
    return keccak(b"\x19" + signable.version + signable.header + signable.body)


def authorization(key: bytes, chain_id: int, code: str, nonce: int) -> Any:
    """Sign that the key's account runs the code of a contract, on one chain; the zero address ends that.

    Args:
        nonce: the account's number of transactions and delegations so far. Each is used once.
    """
    if not chain_id:
        raise ValueError("expected the id of one chain, got 0: an authorization for 0 is good on every chain")
    return Account.from_key(key).sign_authorization({"chainId": chain_id, "address": code, "nonce": nonce})


def handle(operation: UserOperation, signature: bytes, beneficiary: str) -> bytes:
    """Return the calldata by which the EntryPoint carries out a signed user operation. `beneficiary` gets its fee."""
    packed = (*operation.values(), signature)
    return keccak(f"handleOps({_PACKED}[],address)".encode())[:4] + encode(
        [f"{_PACKED}[]", "address"], [[packed], beneficiary]
    )
