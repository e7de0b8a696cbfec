"""Where a registry keeps its words in storage, and what they say (contracts/types, Solidity's storage layout).

>>> word = 1_700_000_000 | 7 << 120 | 3 << 152
>>> stored = StoredRecord.from_word(word)
>>> stored.recorded_at, stored.group, stored.kind, stored.batched
(1700000000, 7, 3, False)
"""

from __future__ import annotations

from dataclasses import dataclass

from blockchaintracer.core.record import from_hex

RECORDS_SLOT = 8
"""Base of ``mapping(bytes32 id => RecordSlot)``; a test holds it against the compiler's storage layout."""
BATCHES_SLOT = 12
"""Base of ``mapping(MemberId author => mapping(bytes32 root => BatchSlot))``."""
CANCELLED = 2 << 160
"""The whole word of a record that was cancelled and is not stored."""


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """What one storage slot says of a record. Times are Unix seconds, 0 for never; counts are of groups."""

    recorded_at: int
    retracted_at: int
    sealed_at: int
    group: int
    kind: int
    batched: bool
    cancelled: bool
    reviewed: int
    reproduced: int
    not_reproduced: int
    disputed: int

    @classmethod
    def from_word(cls, word: int) -> StoredRecord:
        """Read the layout of contracts/types/RecordSlot.sol."""

        def bits(start: int, width: int) -> int:
            return word >> start & (1 << width) - 1

        flags = bits(160, 8)
        return cls(
            recorded_at=bits(0, 40),
            retracted_at=bits(40, 40),
            sealed_at=bits(80, 40),
            group=bits(120, 32),
            kind=bits(152, 8),
            batched=bool(flags & 1),
            cancelled=bool(flags & 2),
            reviewed=bits(168, 22),
            reproduced=bits(190, 22),
            not_reproduced=bits(212, 22),
            disputed=bits(234, 22),
        )


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """What one storage slot says of a batch: its time, how many records, and whether the registry counted them."""

    anchored_at: int
    count: int
    counted: bool

    @classmethod
    def from_word(cls, word: int) -> StoredBatch:
        """Read the layout of contracts/types/BatchSlot.sol."""
        return cls(word & (1 << 40) - 1, word >> 40 & (1 << 48) - 1, bool(word >> 88 & 0xFF))


def record_slot(record_id: str) -> bytes:
    """Compute the storage key (32 bytes) of a record's word. `record_id` is 64 hex digits."""
    return _entry(from_hex(record_id), RECORDS_SLOT.to_bytes(32))


def batch_slot(group: int, author: str, root: str) -> bytes:
    """Compute the storage key (32 bytes) of a batch's word. `author` is 0x-hex, `root` 64 hex digits."""
    member = (group << 160 | int(author, 16)).to_bytes(32)
    return _entry(from_hex(root), _entry(member, BATCHES_SLOT.to_bytes(32)))


def _entry(key: bytes, base: bytes) -> bytes:
    """Compute where Solidity keeps the value of `key` in the mapping at `base`."""
    from eth_utils.crypto import keccak

    return keccak(key + base)
