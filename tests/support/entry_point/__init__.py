"""ERC-4337's EntryPoint v0.9, byte for byte as on public chains, and the accounts that act by it without coin."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from eth_abi.abi import encode
from eth_account import Account
from eth_hash.auto import keccak
from eth_utils.address import to_checksum_address

from examples.without_coin import sponsored
from tests.model.registry import Refused
from tests.support.actors import Actor
from tests.support.evm import Interface
from tests.support.node import GAS, NodeChain, NodeContract
from tools import npm

HERE = Path(__file__).resolve().parent
BIN = HERE / "node_modules" / "hardhat-predeploy" / "bin"
CREATOR = "0x0A630a99Df908A81115A3022927Be82f9299987e"
SPONSOR = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
"""The key of anvil's first account, which has coin: the lab's."""
LAB = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
CALL_GAS = 2_000_000
DESIGNATOR = "0xef0100"
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def runtimes() -> list[tuple[str, str]]:
    """The addresses that the EntryPoint and its helper have on every chain, and their code, 0x-hex."""
    npm.install(HERE)
    addresses = (sponsored.ENTRY_POINT, CREATOR)
    return [(address, "0x" + (BIN / f"{address}.bytecode").read_bytes().hex()) for address in addresses]


def place(chain: NodeChain) -> NodeContract:
    """The EntryPoint, at its address on every chain."""
    for address, code in runtimes():
        chain.rpc("anvil_setCode", [address, code])
    abi = json.loads((BIN / f"{sponsored.ENTRY_POINT}.abi").read_text())
    return NodeContract(chain, Interface(abi), sponsored.ENTRY_POINT.lower())


class Member:
    """Somebody of the lab without coin, on one chain."""

    address: str
    code: str | None = None
    """What the account delegates to by EIP-7702."""

    def __init__(self, entry_point: NodeContract) -> None:
        self.entry_point, self.chain = entry_point, entry_point.chain

    def sign_digest(self, digest: bytes) -> bytes:
        """What the account accepts as its signature of a digest."""
        raise NotImplementedError

    def authorizations(self) -> list[Any]:
        """What the transaction has to carry besides."""
        return []

    def signed(self, *calls: tuple[str, bytes], deadline: int | None = None, fee: int = 0) -> tuple[Any, bytes]:
        """A user operation of these calls and the signature over it, made without asking the chain for its hash."""
        deadline = self.chain.now + 3600 if deadline is None else deadline
        operation = sponsored.user_operation(
            self.address,
            [(to_checksum_address(to), data) for to, data in calls],
            sequence=self.entry_point.read("getNonce", self.address, deadline) & 2**64 - 1,
            deadline=deadline,
            delegated=self.code is not None,
            gas=CALL_GAS,
            fee=fee,
        )
        return operation, self.sign_digest(sponsored.digest(operation, self.chain.chain_id, self.code))


class DelegatingMember(Member):
    """A key of the usual kind, whose account runs `MemberAccount` by EIP-7702."""

    def __init__(self, entry_point: NodeContract, actor: Actor, code: str) -> None:
        super().__init__(entry_point)
        self.actor, self.address, self.code = actor, actor.address, to_checksum_address(code)

    def sign_digest(self, digest: bytes) -> bytes:
        return self.actor.sign(digest).raw

    def authorize(self, code: str) -> Any:
        nonce = int(self.chain.rpc("eth_getTransactionCount", [self.address, "latest"]), 16)
        return sponsored.authorization(self.actor.key.secret, self.chain.chain_id, to_checksum_address(code), nonce)

    def authorizations(self) -> list[Any]:
        wanted = DESIGNATOR + self.code.lower()[2:]
        has = self.chain.rpc("eth_getCode", [self.address, "latest"])
        return [] if has == wanted else [self.authorize(self.code)]


class PasskeyMember(Member):
    """A passkey, whose account is a contract that the lab has deployed."""

    def __init__(self, entry_point: NodeContract, contract: str = "PasskeyAccount") -> None:
        super().__init__(entry_point)
        self.key = ec.derive_private_key(int.from_bytes(keccak(b"a passkey")) % P256_ORDER, ec.SECP256R1())
        numbers = self.key.public_key().public_numbers()
        self.account = self.chain.deploy(contract, numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big"))
        self.address = self.account.address

    def sign_digest(self, digest: bytes) -> bytes:
        return assertion(self.key, digest)


def assertion(key: ec.EllipticCurvePrivateKey, challenge: bytes, *, flags: int = 0x05, kind: str = "get") -> bytes:
    """What an authenticator gives for a challenge (WebAuthn, 7.2), as OpenZeppelin's WebAuthn takes it.

    Args:
        flags: 1 the user was present, 4 the user was verified.
        kind: `get` signs in, `create` makes a key.
    """
    text = base64.urlsafe_b64encode(challenge).rstrip(b"=").decode()
    client = f'{{"type":"webauthn.{kind}","challenge":"{text}","origin":"https://lab.example","crossOrigin":false}}'
    authenticator = sha256(b"lab.example").digest() + bytes([flags]) + (1).to_bytes(4, "big")
    signed = key.sign(authenticator + sha256(client.encode()).digest(), ec.ECDSA(hashes.SHA256()))
    r, s = decode_dss_signature(signed)
    # the contract takes the lower of the two; authenticators give either
    s = min(s, P256_ORDER - s)
    types = ["bytes32", "bytes32", "uint256", "uint256", "bytes", "string"]
    places = [client.index('"challenge"'), client.index('"type"')]
    return encode(types, [r.to_bytes(32, "big"), s.to_bytes(32, "big"), *places, authenticator, client])


def send(
    entry_point: NodeContract,
    operation: Any,
    signature: bytes,
    authorizations: Sequence[Any] = (),
    by: bytes = SPONSOR,
    gas: int = GAS,
) -> dict[str, Any]:
    """The lab's own transaction, of type 4 if it carries authorizations: its receipt.

    Raises:
        Refused: if the EntryPoint refuses it, or if the registry refuses what is in it.
    """
    chain = entry_point.chain
    sender = Account.from_key(by).address
    data = sponsored.handle(operation, signature, sender)
    chain.tick()
    chain.rpc("evm_setNextBlockTimestamp", [chain.now])
    more: dict[str, Any] = {"maxPriorityFeePerGas": 10**9, "gas": gas}
    more |= {"authorizationList": list(authorizations)} if authorizations else {}
    receipt = chain.send_signed(by, {"to": sponsored.ENTRY_POINT, "data": data, **more})
    assert receipt["type"] == ("0x4" if authorizations else "0x2")
    if int(receipt["status"], 16) == 0:
        raise reverted(chain, entry_point.interface, receipt)
    for event in entry_point.decode(receipt["logs"]):
        if event.name == "UserOperationRevertReason":
            raise Failed(event.arguments[3])
    return receipt


class Failed(Exception):
    """The EntryPoint carried it out, and a call in it failed with this data: the lab has paid."""


def reverted(chain: NodeChain, interface: Interface, receipt: dict[str, Any]) -> Refused:
    """Why a transaction was refused."""
    tracer = {"tracer": "callTracer", "tracerConfig": {"onlyTopCall": True}}
    trace = chain.rpc("debug_traceTransaction", [receipt["transactionHash"], tracer])
    return interface.decode_error(bytes.fromhex(trace.get("output", "0x")[2:]))
