"""Calls of ReplicationBounty (interfaces/IReplicationBounty.sol) and of the ERC-20 tokens (EIP-20) that it holds."""

from __future__ import annotations

from functools import cache
from typing import Any

from blockchaintracer.core.chain import Chain
from blockchaintracer.core.chain.abi import Interface, interface, shipped_code
from blockchaintracer.core.chain.known_code import PROXY, create2_address
from blockchaintracer.core.chain.reverts import in_words, revert_of
from blockchaintracer.core.errors import ContractRevert, InputError, NodeError
from blockchaintracer.core.record import from_hex

NO_TOKEN = "0x" + "00" * 20
"""Stands for ether where terms name a token."""
_HINTS = {
    "InvalidTimes": "Entry ends after now, the last verdict at least 3 days after it and at most 1,826 days from now.",
    "GroupTooYoung": "A bounty names groups that are at least a day old: fund it a day after that time.",
    "VerdictAlreadyGiven": "A bounty pays for a first verdict: name groups that gave none on the record.",
    "TooEarly": "Try again after that time.",
    "NotEligible": "The terms do not name this group: `bounty show` lists those that they name.",
    "NotSponsor": "Use the sponsor's key: `bounty show` tells who it is.",
    "InvalidRecipient": "Name an account that can use the money: --to ADDRESS.",
    "FailedCall": "The contract that --to names takes no ether: name another account.",
}
"""The way out of some refusals (interfaces/IReplicationBounty.sol)."""


def bounty_code(registry: str) -> bytes:
    """Return the code that creates the ReplicationBounty of a registry, with its argument."""
    return shipped_code("ReplicationBounty") + bytes.fromhex(registry[2:]).rjust(32, b"\0")


def bounty_address(registry: str) -> str:
    """Compute the address of a registry's ReplicationBounty. It follows from the code: nothing else can be there."""
    return create2_address(PROXY, bytes(32), bounty_code(registry))


def _view(name: str, result: str, *inputs: str) -> dict[str, Any]:
    named = [{"name": f"a{at}", "type": kind} for at, kind in enumerate(inputs)]
    return {"type": "function", "name": name, "inputs": named, "outputs": [{"name": "", "type": result}]}


@cache
def tokens() -> Interface:
    """Return the part of ERC-20 that is called here."""
    return Interface(
        [
            _view("approve", "bool", "address", "uint256"),
            _view("allowance", "uint256", "address", "address"),
            _view("balanceOf", "uint256", "address"),
            _view("decimals", "uint8"),
        ]
    )


def data(function: str, bounty: dict[str, Any], more: list[Any]) -> str:
    """Encode a call (0x-hex). Ids, salts and commitments are 0x-hex of 32 bytes, addresses of 20."""
    return interface("ReplicationBounty").call(function, _abi(list(bounty.values())), *map(_abi, more))


def _abi(value: Any) -> Any:
    if isinstance(value, list):
        return [_abi(part) for part in value]
    return from_hex(value) if isinstance(value, str) and len(value) == 66 else value


def read(chain: Chain, address: str, function: str, *arguments: Any) -> Any:
    """Call a view of ReplicationBounty."""
    bounty = interface("ReplicationBounty")
    return bounty.result(function, chain.call(address, bounty.call(function, *map(_abi, arguments))))


def token(chain: Chain, address: str, function: str, *arguments: Any) -> Any:
    """Call a view of a token.

    Raises:
        InputError: if no token answers there.
    """
    try:
        return tokens().result(function, chain.call(address, tokens().call(function, *arguments)))
    except (ValueError, ContractRevert):
        raise InputError(f"expected an ERC-20 token at {address}, got no answer to {function}()") from None


def is_done(chain: Chain, address: str, function: str, identifier: str, more: list[Any]) -> bool:
    """Tell whether the contract shows what a call does. What is held of a funded bounty stays until it can be final."""
    if not chain.has_code(address):
        return False
    if function in ("fund", "refund"):
        return bool(read(chain, address, "held", identifier)) == (function == "fund")
    attester, _, _, is_paid = read(chain, address, "entryOf", identifier, more[0])
    return bool(is_paid if function == "claim" else int(attester, 16))


def simulate(chain: Chain, sender: str, to: str, call_data: str, wei: int, *more: Any) -> None:
    """Ask whether the contract would refuse a call. `more` is what ``eth_call`` takes beside it.

    Raises:
        ContractRevert: if it would, by the contract's own error.
    """
    try:
        chain.ask("eth_call", {"from": sender, "to": to, "data": call_data, "value": hex(wei)}, "latest", *more)
    except NodeError as error:
        refusal = revert_of(error)
        raw = refusal.arguments.get("data") if isinstance(refusal, ContractRevert) else None
        named = interface("ReplicationBounty").error(from_hex(raw)) if isinstance(raw, str) else None
        refusal = in_words(*named) if named else refusal
        if isinstance(refusal, ContractRevert):
            refusal.hint = refusal.hint or _HINTS.get(refusal.name)
        raise refusal from None
