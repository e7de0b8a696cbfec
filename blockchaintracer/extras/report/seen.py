"""What a report read of a run, and where each value comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blockchaintracer.core.manifest import ContentPredicate, Encrypted, Manifest, RecordPredicate, RunPredicate
from blockchaintracer.extras.search import Row


@dataclass(frozen=True)
class Seen:
    """A record of the index with its manifest; None if that isn't at hand."""

    row: Row
    manifest: Manifest | None

    @property
    def name(self) -> str:
        """What its manifest calls it, or the beginning of its id."""
        return self.row.name or f"{self.row.kind} {self.row.id[:12]}"

    @property
    def content(self) -> ContentPredicate | None:
        """What its manifest says, if it is content."""
        predicate = self.manifest.predicate if self.manifest else None
        return predicate if isinstance(predicate, ContentPredicate) else None

    @property
    def encrypted(self) -> Encrypted | None:
        """What its manifest says of content that is recorded encrypted; None if it isn't."""
        predicate = self.manifest.predicate if self.manifest else None
        return predicate.encrypted if isinstance(predicate, ContentPredicate | RecordPredicate) else None

    @property
    def digest(self) -> str:
        """Its subject, with what that is: ``sha256:…`` of content in the open, ``commitment:…`` of any other."""
        return f"{'commitment' if self.row.subject_type == 'commitment' else 'sha256'}:{self.row.subject}"

    @property
    def run(self) -> RunPredicate | None:
        """What its manifest says, if it is a run."""
        predicate = self.manifest.predicate if self.manifest else None
        return predicate if isinstance(predicate, RunPredicate) else None


@dataclass(frozen=True)
class Read:
    """A record that a run read: by its relation, and as the run calls it."""

    seen: Seen
    relation: str
    name: str
    path: str | None


def text_of(value: Any) -> str:
    """A plain value as a reader expects it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(text_of(item) for item in value) or "none"
    if isinstance(value, Mapping):
        return " ".join(f"{name}={text_of(item)}" for name, item in value.items())
    return "none" if value is None else str(value)
