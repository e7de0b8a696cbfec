"""The writes that wait in the outbox: counted by chain and sender, and sent as long as a process watches."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

from blockchaintracer.core.errors import BlockchainTracerError, ChainUnavailable
from blockchaintracer.core.record import checksummed
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.outbox import Entry

_PAUSE_S = 2.0
_MAX_PAUSE_S = 60.0

Waiting = Counter[tuple[int, str]]
"""How many writes wait, by chain and sender."""


def waiting_for_others(lab: Lab) -> Waiting:
    """Count the writes that wait for another key than the one that signs here, or on another chain."""
    waiting = Waiting()
    for (chain_id, sender), count in lab.outbox.waiting().items():
        waiting[chain_id, checksummed(sender)] += count
    del waiting[lab.chain_id, checksummed(lab.signer.address)]
    return waiting


def watch(lab: Lab) -> Iterator[Entry | Waiting | BlockchainTracerError]:
    """Send what waits, again and again. Yields each entry that changed, what newly waits for others, and each problem
    once."""
    states = {entry.seq: entry.state for entry in lab.outbox.entries()}
    pause, problem, known = _PAUSE_S, None, Waiting()
    while True:
        try:
            lab.flush()
            waiting = waiting_for_others(lab)
            yield Waiting({which: count for which, count in waiting.items() if which not in known})
            known |= waiting
            lab.outbox.settle(lab.chain)
            pause, problem = _PAUSE_S, None
        except BlockchainTracerError as error:
            if error.message != problem:
                yield error
            problem = error.message
            if isinstance(error, ChainUnavailable):
                pause = min(pause * 2, _MAX_PAUSE_S)
                lab.reconnect()
        for entry in lab.outbox.entries():
            if states.get(entry.seq) is not entry.state:
                states[entry.seq] = entry.state
                yield entry
        time.sleep(pause)
