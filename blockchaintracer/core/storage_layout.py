"""Where a registry keeps its words in storage, and what they say (contracts/types, Solidity's storage layout).

>>> word = 1_700_000_000 | 7 << 120 | 3 << 152
>>> stored = stored_record(word)
>>> stored.recorded_at, stored.group, stored.kind, stored.is_batched
(1700000000, 7, 3, False)
"""

from __future__ import annotations

from blockchaintracer.core.record import Status, from_hex, keccak
from blockchaintracer.core.record_view import Batch, RecordStatus

RECORDS_SLOT = 8
"""Base of ``mapping(bytes32 id => RecordSlot)``; a test holds it against the compiler's storage layout."""
BATCHES_SLOT = 12
"""Base of ``mapping(MemberId author => mapping(bytes32 root => BatchSlot))``."""
CANCELLED = 2 << 160
"""The whole word of a record that was cancelled and is not stored."""


def stored_record(word: int) -> RecordStatus:
    """Read the layout of contracts/types/RecordSlot.sol. The status is that of ``statusOf``."""

    def bits(start: int, width: int) -> int:
        return word >> start & (1 << width) - 1

    recorded_at, retracted_at, sealed_at = (bits(start, 40) for start in (0, 40, 80))
    flags, counts = bits(160, 8), (bits(start, 22) for start in (168, 190, 212, 234))
    if recorded_at:
        status = Status.RETRACTED if retracted_at else Status.RECORDED
    else:
        status = Status.CANCELLED if flags & 2 else Status.UNKNOWN
    return RecordStatus(bits(120, 32), bits(152, 8), status, flags, recorded_at, retracted_at, sealed_at, *counts)


def stored_batch(word: int) -> Batch:
    """Read the layout of contracts/types/BatchSlot.sol."""
    anchored_at, ended_at = (word >> start & (1 << 40) - 1 for start in (0, 96))
    return Batch(anchored_at, word >> 40 & (1 << 48) - 1, bool(word >> 88 & 0xFF), ended_at)


def record_slot(record_id: str) -> bytes:
    """Compute the storage key (32 bytes) of a record's word. `record_id` is 64 hex digits."""
    return _entry(from_hex(record_id), RECORDS_SLOT.to_bytes(32))


def batch_slot(group: int, author: str, root: str) -> bytes:
    """Compute the storage key (32 bytes) of a batch's word. `author` is 0x-hex, `root` 64 hex digits."""
    member = (group << 160 | int(author, 16)).to_bytes(32)
    return _entry(from_hex(root), _entry(member, BATCHES_SLOT.to_bytes(32)))


def _entry(key: bytes, base: bytes) -> bytes:
    """Compute where Solidity keeps the value of `key` in the mapping at `base`."""
    return keccak(key + base)
