"""What gas costs on a chain now: a base fee and a tip (EIP-1559), or one price where blocks have no base fee."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from blockchaintracer.core.chain import Chain
from blockchaintracer.core.errors import NodeError

_RISE = (9, 8)
"""A replacement pays 12.5% more, so that nodes accept it: geth asks for 10%."""


@dataclass(frozen=True)
class GasPrice:
    """What a transaction pays for a unit of gas, in wei.

    Args:
        base_fee: of the newest block; None where blocks have none: then `tip` is the whole price.
        tip: what the node suggests.
    """

    base_fee: int | None
    tip: int

    @property
    def now(self) -> int:
        """What a transaction in the next block pays."""
        return (self.base_fee or 0) + self.tip

    @property
    def most(self) -> int:
        """What a transaction signed now offers to pay at most: the base fee may double."""
        return 2 * (self.base_fee or 0) + self.tip

    def fields(self, replaced: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the fields of a transaction that say what it pays, an eighth above those of one that it replaces."""
        tip, most = self.tip, self.most
        if replaced:
            old_tip, old_most = offer(replaced)
            tip = max(tip, raised(old_tip))
            most = max(2 * (self.base_fee or 0) + tip, raised(old_most))
        if self.base_fee is None:
            return {"gasPrice": most}
        return {"type": 2, "maxFeePerGas": most, "maxPriorityFeePerGas": tip}

    def covers_next_block(self, signed: dict[str, Any]) -> bool:
        """Tell whether a signed transaction pays the next block's base fee, which can be an eighth higher."""
        return offer(signed)[1] >= raised(self.base_fee or 0)


def offer(transaction: dict[str, Any]) -> tuple[int, int]:
    """Return tip and price that a transaction offers at most for a unit of gas, in wei."""
    if "gasPrice" in transaction:
        return transaction["gasPrice"], transaction["gasPrice"]
    return transaction["maxPriorityFeePerGas"], transaction["maxFeePerGas"]


def raised(wei: int) -> int:
    """Return a price that is an eighth higher."""
    return -(-wei * _RISE[0] // _RISE[1])


def gas_price(chain: Chain, tip: int | None = None) -> GasPrice:
    """Ask what gas costs. ``eth_feeHistory`` and ``eth_maxPriorityFeePerGas``, which some nodes lack, are not needed.

    Args:
        tip: what is known already, instead of the node's suggestion.
    """
    base_fee = chain.head().base_fee
    if tip is None and base_fee is not None:
        with suppress(NodeError):
            tip = int(chain.ask("eth_maxPriorityFeePerGas"), 16)
    if tip is None:
        tip = max(int(chain.ask("eth_gasPrice"), 16) - (base_fee or 0), 0)
    return GasPrice(base_fee, tip)
