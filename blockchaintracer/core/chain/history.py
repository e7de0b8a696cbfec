"""How far back a node still has a registry's events: nodes forget logs (EIP-4444) and keep the current state."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from blockchaintracer.core.chain.registry import Registry
from blockchaintracer.core.errors import ChainUnavailable


class EventHistory:
    """The events of a registry that a node still has."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    @cached_property
    def start(self) -> int:
        """The first block whose logs the node gives: the registry's first, or where the node's history is cut.

        Raises:
            ChainUnavailable: if the node gives no logs at all.
        """
        low, high = self._registry.first_block, self._registry.chain.head().number
        if self._answers(low):
            return low
        if not self._answers(high):
            raise ChainUnavailable(
                f"{self._registry.chain.address} gives no logs, so nothing can be looked up", hint="Ask another node."
            )
        while low + 1 < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self._answers(middle) else (middle, high)
        return high

    @property
    def is_cut(self) -> bool:
        """Whether the node refuses to give the logs of old blocks. Some nodes give none without a word: see `gap`."""
        return self.start > self._registry.first_block

    def events(self, name: str, **topics: Any) -> Iterator[Any]:
        """Yield what the node still has of the events of one name, oldest first."""
        return self._registry.events(name, self.start, **topics)

    def gap(self, group: int = 1) -> str | None:
        """Return why events of a group (1: of any) may be missing, or None if the logs reach back to its creation.

        By the state a group exists, and the event of its creation is older than all that was done for it.
        """
        if self._registry.last_group() < group or next(self.events("GroupCreated", group=group), None) is not None:
            return None
        since = f" before block {self.start}" if self.is_cut else f" of the creation of group {group}"
        return f"the node at {self._registry.chain.address} no longer has the logs{since}"

    def _answers(self, block: int) -> bool:
        try:
            next(self._registry.events("GroupCreated", block, block), None)
        except ChainUnavailable:
            return False
        return True
