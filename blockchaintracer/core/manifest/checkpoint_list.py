"""The list of a run's checkpoints: each is chained to the one before by SHA-256, and the links are anchored in batches.

A link is the SHA-256 of the RFC 8785 JSON of the checkpoint with its place and the link before it; before the first
stands that of the list's own id and the initial state. So a link fixes every checkpoint up to it and their order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, NonNegativeInt, PositiveInt

from blockchaintracer.core.formats import CHECKPOINT_BATCH, CHECKPOINTS
from blockchaintracer.core.manifest.base import Part
from blockchaintracer.core.manifest.predicates import Digest, Hash, Line, State, Utc, Uuid
from blockchaintracer.core.merkle import TREE_KIND, MerkleTree
from blockchaintracer.core.plain_json import canonical, parse_json

MAX_CHECKPOINT_LIST = 16 << 20
"""The largest list or description that is read, in bytes."""


class ListedCheckpoint(State):
    """A state of the training, by its digest."""

    step: NonNegativeInt
    name: Line
    written_at: Utc
    link: Digest

    def __str__(self) -> str:
        return f"step {self.step} ({self.sha256[:12]}…)"

    def chained(self, previous: str, index: int) -> str:
        """Compute the link of the checkpoint after `previous`, at a place counted from 0."""
        values = {**self.to_json(), "link": None, "previous": previous, "index": index}
        return _sha256(values)


class _Kept(Part):
    def to_bytes(self) -> bytes:
        """Return the bytes that are kept."""
        return canonical(self.to_json())

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read bytes of any origin."""
        return cls.from_plain(parse_json(data, "checkpoints"))


class CheckpointList(_Kept):
    """All checkpoints of a run, as they came. The attachment that a run's manifest names."""

    type_: Annotated[str, AfterValidator(CHECKPOINTS.checked)] = Field(default=str(CHECKPOINTS), alias="type")
    series: Uuid
    initial_state: State | None = None
    checkpoints: Annotated[tuple[ListedCheckpoint, ...], Field(strict=False)] = ()

    @property
    def genesis(self) -> str:
        """The link before the first checkpoint."""
        initial = self.initial_state.to_json() if self.initial_state else None
        return _sha256({"type": self.type_, "series": self.series, "initialState": initial})

    @property
    def head(self) -> str:
        """The last link, or `genesis` for an empty list."""
        return self.checkpoints[-1].link if self.checkpoints else self.genesis

    def problems(self) -> Iterator[str]:
        """Describe where the chain is broken or the steps do not rise."""
        previous, last = self.genesis, -1
        for index, checkpoint in enumerate(self.checkpoints):
            if checkpoint.link != checkpoint.chained(previous, index):
                yield f"{checkpoint} at place {index + 1} is not chained to what stands before it"
            if checkpoint.step <= last:
                yield f"{checkpoint} at place {index + 1} comes after step {last}"
            previous, last = checkpoint.link, checkpoint.step


class AnchoredCheckpoints(_Kept):
    """The checkpoints of one anchored batch: what the description says whose digest is on the chain with their root."""

    type_: Annotated[str, AfterValidator(CHECKPOINT_BATCH.checked)] = Field(default=str(CHECKPOINT_BATCH), alias="type")
    tree: Literal["openzeppelin-standard-v1-bytes32"] = TREE_KIND  # type: ignore[assignment]
    series: Uuid
    first: NonNegativeInt
    count: PositiveInt
    previous: Digest
    root: Hash
    checkpoints: Annotated[tuple[ListedCheckpoint, ...], Field(strict=False)]


def root_of(checkpoints: Sequence[ListedCheckpoint]) -> str:
    """Compute the Merkle root over the links of one or more checkpoints. Each link must be there once."""
    return MerkleTree(checkpoint.link for checkpoint in checkpoints).root


def _sha256(values: dict[str, Any]) -> str:
    return hashlib.sha256(canonical(values)).hexdigest()
