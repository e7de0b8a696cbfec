"""Which block a lab treats as final: the one that the chain names, or, where no node names any, one that is deep."""

from __future__ import annotations

from blockchaintracer.core.chain import Block, Chain

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
