"""How far back a node has a registry's events: nodes forget logs and receipts (EIP-4444) and keep the current state."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from blockchaintracer.core.errors import NodeError
from blockchaintracer.core.networks import when

FIRST_EVENT = "OwnershipTransferred"
"""What a registry emits when it is deployed, from nobody to its owner."""
_NOBODY = "0x" + "00" * 20


class EventHistory:
    """The part of a registry's life whose events a node still has.

    Args:
        registry: a `Registry`.
    """

    def __init__(self, registry: Any) -> None:
        self._registry = registry

    @cached_property
    def start(self) -> int:
        """The first block whose events the node gives: the registry's first, or where the node's history begins. One
        more than the newest block if the node gives none."""
        first, high = self._registry.first_block, self._registry.chain.head().number
        # every node has the genesis block
        low = max(first, 1)
        if low > high or self._has(low):
            return int(first)
        if not self._has(high):
            return int(high) + 1
        while low + 1 < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self._has(middle) else (middle, high)
        return int(high)

    @cached_property
    def is_short(self) -> bool:
        """Whether the node gives less than all if it is asked from the registry's first block on: some give nothing of
        a span of which they have forgotten a part."""
        # of several nodes the one that has the first event is asked from now on
        return not self._has_first_event(None)

    @cached_property
    def gap(self) -> str | None:
        """Why events may be missing. None if the node has the registry's first event, that of its deployment."""
        if not self.is_short or self._has_first_event(self.start):
            return None
        chain = self._registry.chain
        block = chain.remembered(lambda: chain.block(self.start))
        since = f" ({when(block.timestamp)})" if block else ""
        return f"the history of the node at {chain.address} begins at block {self.start}{since}"

    @property
    def reason(self) -> str:
        """Why the node does not give an event that the registry's state tells of."""
        return self.gap or "the node does not give its event"

    def _has_first_event(self, since: int | None) -> bool:
        return next(self._registry.events(FIRST_EVENT, since, previousOwner=_NOBODY), None) is not None

    def _has(self, number: int) -> bool:
        """Whether the node has a block and its receipts. That it has no log of it says nothing: there may be none."""
        chain = self._registry.chain
        try:
            next(self._registry.events("Recorded", number, number), None)
            transactions = chain.transactions(number)
            return transactions is not None and (not transactions or chain.receipt(transactions[0]) is not None)
        except NodeError:
            return False
