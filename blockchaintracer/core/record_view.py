"""One shape for a record that is shown or checked: its key, its place on the chain and what the registry stores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from blockchaintracer.core.networks import when
from blockchaintracer.core.plain_json import camel_case
from blockchaintracer.core.record import Kind, Link, RecordKey, Relation, Status, SubjectType, checksummed, label

_SHOWN = (
    *("id", "kind", "name", "group", "author", "subject", "subject_type", "manifest", "parents", "transaction"),
    *("block", "time", "status", "sealed_at", "batch"),
)


@dataclass(frozen=True, order=True, slots=True)
class Position:
    """The place of an event on its chain. What is not known of it is a block 0, and -1 inside the block."""

    block: int = 0
    transaction: int = -1
    log: int = -1

    def precedes(self, other: Position) -> bool | None:
        """Return whether it is earlier than another; None if that is not known."""
        is_inside = self.block == other.block and -1 in (self.transaction, other.transaction)
        return None if is_inside or 0 in (self.block, other.block) else self < other


@dataclass(frozen=True, slots=True)
class RecordStatus:
    """The registry's slot of a record. Times are Unix seconds, 0 for never. The counters count groups, not people."""

    group: int
    kind: int
    status: Status
    flags: int
    recorded_at: int
    retracted_at: int
    sealed_at: int
    reviewed: int
    reproduced: int
    not_reproduced: int
    disputed: int

    @property
    def is_batched(self) -> bool:
        """Whether the record was stored from a batch. It then has the time of the batch."""
        return bool(self.flags & 1)

    @property
    def exists(self) -> bool:
        """Whether the record is stored, retracted or not."""
        return self.recorded_at != 0


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch. `counted` says whether the registry counted its records, or its author did. `ended_at` is 0 if it has
    not ended."""

    anchored_at: int
    count: int
    counted: bool
    ended_at: int = 0

    @property
    def exists(self) -> bool:
        """Whether the batch was anchored."""
        return self.anchored_at != 0

    def disowns(self, status: Status) -> str | None:
        """Say why a record of this status that is only in this batch can never be stored from it, or return None."""
        if status is Status.CANCELLED:
            return "its author or its group cancelled it: it can never be stored from a batch"
        ended = f"its author or its group ended the batch, on {when(self.ended_at)}"
        return f"{ended}: it can never be stored from it" if self.ended_at else None


@dataclass(frozen=True, kw_only=True)
class RecordView:
    """A record. Only `id` and `key` are always known. Ids and hashes of the chain are 0x-hex, SHA-256 digests
    64 hex digits.

    Args:
        transaction: hash of the transaction that stored the record, or anchored its batch; empty if not known.
        block_hash: hash of the block of that transaction; empty if not known.
        position: place of the event of the record, or of its batch, as far as it is known.
        time: when the record counts as recorded, Unix seconds by the chain (its block, or its batch); 0 if not known.
        stored: what the registry stores; None if that was not asked, or if the record is only in a batch.
        batch: root of the batch of the record; None if it is from no batch.
        path: the siblings from the record to that root; empty if not known.
        name: name in the manifest; None if there is none or the manifest is missing.
        is_own: whether the place is what the reader itself saw when it was recorded, and no stranger's word.
    """

    id: str
    key: RecordKey
    transaction: str = ""
    block_hash: str = ""
    position: Position = Position()
    time: int = 0
    stored: RecordStatus | None = None
    batch: str | None = None
    path: tuple[str, ...] = ()
    name: str | None = None
    is_own: bool = False

    @property
    def group(self) -> int:
        """Number of the group."""
        return self.key.group

    @property
    def kind(self) -> str:
        """Name of the kind (``dataset``), or the lab's own number as text."""
        return label(self.key.kind, Kind)

    @property
    def author(self) -> str:
        """Address of the author with its EIP-55 checksum."""
        return checksummed(self.key.author)

    @property
    def subject(self) -> str:
        """Digest of the subject."""
        return self.key.subject

    @property
    def subject_type(self) -> str:
        """What the subject is the digest of: ``file``, ``folder``, ``commitment`` or ``identifier``."""
        return label(self.key.subject_type, SubjectType)

    @property
    def manifest(self) -> str:
        """SHA-256 of the manifest."""
        return self.key.manifest

    @property
    def parents(self) -> tuple[Link, ...]:
        """Links to the parents."""
        return self.key.parents

    @property
    def block(self) -> int:
        """Number of the block; 0 if not known."""
        return self.position.block

    @property
    def status(self) -> str:
        """``recorded``, ``retracted`` or ``cancelled``; ``batched`` if only in a batch; ``unknown`` if not asked."""
        if self.stored is not None:
            return label(self.stored.status)
        return "batched" if self.batch else "unknown"

    @property
    def sealed_at(self) -> int | None:
        """When the record was sealed, Unix seconds; None if it was not."""
        return (self.stored.sealed_at or None) if self.stored else None

    def as_json(self) -> dict[str, Any]:
        """Return the record as JSON-ready values."""
        parents = [(link.parent, label(link.relation, Relation)) for link in self.parents]
        return {camel_case(name): getattr(self, name) for name in _SHOWN} | {"parents": parents}
