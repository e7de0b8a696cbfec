"""What only those who write or index ask a chain: gas, what is final, blocks and memberships, to take a transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from blockchaintracer.core.chain import Block, Chain, DecodedEvent, Registry
from blockchaintracer.core.chain.answers import is_number
from blockchaintracer.core.chain.lens import each
from blockchaintracer.core.chain.registry import Membership
from blockchaintracer.core.chain.reverts import revert_of
from blockchaintracer.core.errors import ChainUnavailable, NodeError
from blockchaintracer.core.record import GlobalId, checksummed, to_hex


def require_same(chain: Chain) -> None:
    """Ask for the chain id again: an address can lead to another chain later."""
    now = int(chain.ask("eth_chainId"), 16)
    if now != chain.chain_id:
        raise ChainUnavailable(
            f"{chain.address} was chain {chain.chain_id} and is chain {now} now",
            hint="Check the address: what is stored waits for the chain that it's for.",
        )


def estimate_gas(chain: Chain, call: dict[str, Any], *more: Any) -> int:
    """Return the gas that a call would take. `more` is what ``eth_estimateGas`` takes beside it.

    Raises:
        ContractRevert: if the contract refuses it.
    """
    fields = {name: hex(value) if isinstance(value, int) else value for name, value in call.items()}
    try:
        return int(chain.ask("eth_estimateGas", fields, *more), 16)
    except NodeError as error:
        raise revert_of(error) from None


def block_gas(chain: Chain) -> int | None:
    """Return the gas that the newest block could take, or None if the node does not tell."""
    limit = (chain.ask("eth_getBlockByNumber", "latest", False) or {}).get("gasLimit")
    return int(str(limit), 16) if is_number(limit) else None


def send(chain: Chain, raw: bytes) -> None:
    """Hand a signed transaction to the node. Raises `NodeError` if it does not take it."""
    chain.ask("eth_sendRawTransaction", to_hex(raw))


def blocks(chain: Chain, numbers: Sequence[int]) -> list[Block | None]:
    """Return blocks by their numbers, asked for together; None for each that the chain does not have."""
    answers = chain.node.ask_many([("eth_getBlockByNumber", (hex(number), False)) for number in numbers])
    return [None if block is None else Block.of_json(block) for block in answers]


def foreign_attested(registry: Registry, foreign: GlobalId, group: int | None = None) -> Iterator[DecodedEvent]:
    """Yield the events of verdicts on a record of another registry, oldest first, of one group or of all."""
    chain_id, address, record_id = foreign.as_abi()
    about: dict[str, Any] = {"chainId": chain_id, "registry": address, "recordId": record_id}
    return registry.events("ForeignAttested", **about, **({} if group is None else {"group": group}))


def in_groups(registry: Registry, groups: Sequence[int], account: str) -> list[Membership]:
    """Return the last membership of an account in each group."""
    return each(
        registry,
        groups,
        lambda part: ("membershipsOf", part, [checksummed(account)]),
        Membership.of_abi,
        lambda group: registry.membership(group, account),
    )


def of_accounts(registry: Registry, group: int, accounts: Sequence[str]) -> list[Membership]:
    """Return the last membership of each account in a group."""
    return each(
        registry,
        accounts,
        lambda part: ("membershipsOf", [group], [checksummed(account) for account in part]),
        Membership.of_abi,
        lambda account: registry.membership(group, account),
    )


DEPTH = 128
BY_DEPTH = f"by depth: {DEPTH} blocks are on top of it, and the node does not say which blocks are final"


def final_block(chain: Chain) -> tuple[Block | None, str | None]:
    """Return the newest block that a lab treats as final, or None, and a note if that is so by depth alone.

    A network that is built in names its final blocks: there a node that does not is no reason to guess.
    """
    final = chain.finalized()
    if final is not None or chain.network is not None:
        return final, None
    head = chain.head().number
    return chain.block(head - DEPTH) if head >= DEPTH else None, BY_DEPTH
