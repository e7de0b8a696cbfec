"""What a new storage slot costs on a chain, as far as a node tells: its fork by `eth_config`, the price by an
estimate."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blockchaintracer.core.chain import Chain
from blockchaintracer.core.errors import ChainUnavailable, ContractRevert
from blockchaintracer.lab.chain.questions import estimate_gas

SLOT_GAS, REPRICED_SLOT_GAS = 20_000, 97_920
"""Gas of filling an empty slot by the rules until Osaka (EIP-2200), and by those announced for Glamsterdam
(EIP-8037)."""
DEAR = 2 * SLOT_GAS
"""From here on a slot is called dear."""
_UNCHANGED = 100
_FORK_ID = re.compile("0x(?!0{8})[0-9a-f]{8}")
_END_OF_TIME = 2**40
_SLOTS = 8
"""filled at once: a node's estimate may be some percent off"""


@dataclass(frozen=True)
class SlotPrice:
    """What a new slot costs on a chain.

    Args:
        gas: of filling an empty slot, by the node's estimate to about 1,000; None if it gives none.
        fork_id, fork_since: of the rules in force (EIP-2124, Unix seconds), as the node's ``eth_config`` (EIP-7910)
            tells; None if the node does not have it. They name no prices.
        next_fork: when other rules start, Unix seconds; None if none are scheduled or the node does not tell.
    """

    gas: int | None = None
    fork_id: str | None = None
    fork_since: int | None = None
    next_fork: int | None = None

    @property
    def is_dear(self) -> bool:
        """Whether a new slot costs at least twice what it costs today."""
        return self.gas is not None and self.gas >= DEAR


def slot_price(chain: Chain) -> SlotPrice:
    """Ask a node what a new slot costs."""
    current, following = (_config(chain).get(name) for name in ("current", "next"))
    current, following = (fork if isinstance(fork, Mapping) else {} for fork in (current, following))
    fork_id = current.get("forkId")
    return SlotPrice(
        gas=_estimated(chain),
        fork_id=fork_id if isinstance(fork_id, str) and _FORK_ID.fullmatch(fork_id) else None,
        fork_since=_time(current.get("activationTime")),
        next_fork=_time(following.get("activationTime")),
    )


def _config(chain: Chain) -> dict[str, Any]:
    try:
        answer = chain.ask("eth_config")
    except ChainUnavailable:
        return {}
    return dict(answer) if isinstance(answer, Mapping) else {}


def _estimated(chain: Chain) -> int | None:
    """Compare two creations of the same size, of which one fills slots that the other leaves empty."""
    try:
        filled, empty = (estimate_gas(chain, {"data": _creation(value)}) for value in (1, 0))
    except (ChainUnavailable, ContractRevert):
        return None
    # what is stored in both costs 100 gas if nothing changes
    gas = (filled - empty) // _SLOTS + _UNCHANGED
    return gas if gas > _UNCHANGED else None


def _creation(value: int) -> str:
    """Code that stores a value in slots and returns no code."""
    # PUSH1 value, PUSH1 slot, SSTORE; PUSH1 0, PUSH1 0, RETURN
    return "0x" + "".join(f"60{value:02x}60{slot:02x}55" for slot in range(_SLOTS)) + "60006000f3"


def _time(value: Any) -> int | None:
    return value if isinstance(value, int) and 0 < value < _END_OF_TIME else None
