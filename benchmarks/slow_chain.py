"""Blocks and seconds that 1,000 waiting records take on a chain of 12 s blocks: `python -m benchmarks.slow_chain`, or
`make bench FULL=1`. The blocks are real: nothing here makes one."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from benchmarks.chain import Chain as Node
from benchmarks.outbox import COUNT, waiting

BLOCK_S = 12
LIMIT = 3
"""Blocks."""


def measure_slow(count: int = COUNT, block_s: int = BLOCK_S) -> tuple[int, int, float]:
    """Return the blocks, transactions and seconds of `outbox flush` for so many records that wait."""
    with Node() as node, tempfile.TemporaryDirectory() as folder:
        lab = waiting(Path(folder), node.w3.provider.endpoint_uri, count)  # type: ignore[attr-defined]
        lab.chain.ask("evm_setIntervalMining", block_s)
        start, paid, began = lab.chain.head().number, lab.chain.nonce(lab.signer.address), time.perf_counter()
        lab.flush()
        seconds = time.perf_counter() - began
        if lab.outbox.pending(lab.chain_id):
            raise RuntimeError(f"expected all {count} records in blocks, some still wait")
        return lab.chain.head().number - start, lab.chain.nonce(lab.signer.address) - paid, seconds


def main() -> int:
    blocks, transactions, seconds = measure_slow()
    print(f"{COUNT:,} records: {transactions} transactions in {blocks} blocks of {BLOCK_S} s, {seconds:.1f} s")
    return 0 if blocks <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
